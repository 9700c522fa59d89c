import type { Failure } from '../../lib/errors.ts';
import { judgeEngine } from '../../policy/compatibility.ts';
import type { TargetRequest } from '../engine.ts';
import type { TargetFacts } from './facts.ts';
import { identifier, literal } from './sql.ts';

/** What the rules look at. */
export interface PlanInput {
  readonly facts: TargetFacts;
  readonly database: string;
  readonly maintenanceDatabase: string;
  readonly request: Pick<TargetRequest, 'onConflict' | 'sourceMajor' | 'contents' | 'run' | 'owner' | 'selection'>;
  /** Roles that the restore makes before it needs them. */
  readonly rolesToMake?: ReadonlySet<string>;
}

type Rule = (input: PlanInput) => readonly Failure[];

const DATABASE_NAME_BYTES = 63;

/** Everything that stands in the way of a restore; each rule tells all it has to say. Pure. */
export function refusalsOf(input: PlanInput): readonly Failure[] {
  return RULES.flatMap((rule) => rule(input));
}

/** The same where what is restored joins what is there: no database is made, given away or renamed. */
export function inPlaceRefusalsOf(input: PlanInput): readonly Failure[] {
  return IN_PLACE_RULES.flatMap((rule) => rule(input));
}

const when = (condition: boolean, reason: string, message: string, hint: string): readonly Failure[] =>
  condition ? [{ reason, message, hint }] : [];

/** PostgreSQL cuts longer names in silence, and two databases would become one. */
const namesFit: Rule = ({ facts, database }) =>
  [database, facts.scratch.name, facts.previous.name].flatMap((name) =>
    when(
      Buffer.byteLength(name) > DATABASE_NAME_BYTES,
      'NameTooLong',
      `database name "${name}" has ${Buffer.byteLength(name)} bytes; PostgreSQL keeps ${DATABASE_NAME_BYTES}`,
      'choose a shorter name',
    ),
  );

const notFromInside: Rule = ({ database, maintenanceDatabase }) =>
  when(
    database === maintenanceDatabase,
    'MaintenanceDatabase',
    `"${database}" is the maintenance database of this restore, and a database cannot be replaced from inside itself`,
    'name another maintenanceDatabase, such as template1',
  );

const writable: Rule = ({ facts }) =>
  when(
    facts.server.readOnly,
    'ReadOnlyServer',
    'the server is a standby, or read-only: no database can be made on it',
    'name the host of the primary',
  );

/** An older server may not understand what a newer pg_dump wrote. */
const newEnough: Rule = ({ facts, request }) => {
  const archive = { version: String(request.sourceMajor), major: request.sourceMajor };
  const { refusal } = judgeEngine('postgresql', archive, facts.server);
  return refusal === undefined ? [] : [refusal];
};

const mayCreateDatabases: Rule = ({ facts }) =>
  when(
    !facts.self.createDatabases,
    'RightMissing',
    `role "${facts.self.name}" may not create or rename databases`,
    `ALTER ROLE ${identifier(facts.self.name)} CREATEDB;`,
  );

/** The new database will belong to the owner; we must be able to give it away, to rename it, and to rename the live one. */
const mayActForOwner: Rule = ({ facts, database, request, rolesToMake }) => {
  const { owner, self, live, liveOwner, server } = facts;
  if (rolesToMake?.has(owner.name) === true) return [];
  const named = request.owner === owner.name;
  if (!owner.exists) {
    return when(
      true,
      'RoleMissing',
      named
        ? `role "${owner.name}", that target.postgresql.ownership names, does not exist on this server`
        : `role "${owner.name}", owner of the database in the archive, does not exist on this server`,
      `CREATE ROLE ${identifier(owner.name)};`,
    );
  }
  const roles = [
    {
      role: owner,
      whose: named ? 'which is to own the database' : 'which owns the database',
      isLive: live !== undefined && !named,
    },
    ...(liveOwner === undefined ? [] : [{ role: liveOwner, whose: 'which owns the live database', isLive: true }]),
  ];
  return roles.flatMap(({ role, whose, isLive }) => {
    if (self.superuser || (role.maySet && role.inherits)) return [];
    const message = `role "${self.name}" has not the rights of "${role.name}", ${whose}`;
    if (!role.superuser || !isLive) {
      return [{ reason: 'RightMissing', message, hint: grantOf(role.name, self.name, server.major, role.maySet) }];
    }
    const statement = `ALTER DATABASE ${identifier(database)} OWNER TO ${identifier(self.name)};`;
    return [
      { reason: 'RightMissing', message, hint: `${statement} -- membership in a superuser would give away the server` },
    ];
  });
};

/** That a restore went live is noted in the comment of the database, which is its owner's. */
const mayNoteInComment: Rule = ({ facts: { self, server, owner, liveOwner = owner } }) =>
  when(
    !self.superuser && !liveOwner.inherits,
    'RightMissing',
    `role "${self.name}" has not the rights of "${liveOwner.name}", which owns the live database`,
    grantOf(liveOwner.name, self.name, server.major, liveOwner.maySet),
  );

export function grantOf(owner: string, self: string, major: number, isMember: boolean): string {
  if (major >= 16) return `GRANT ${identifier(owner)} TO ${identifier(self)} WITH INHERIT TRUE, SET TRUE;`;
  return isMember ? `ALTER ROLE ${identifier(self)} INHERIT;` : `GRANT ${identifier(owner)} TO ${identifier(self)};`;
}

/**
 * The SQL of an archive is sent by our session, which has taken the owner's rights, and it may take ours again by one
 * statement. So where it is not trusted neither may be one that can do harm beyond the restored database.
 */
const loadsUnprivileged: Rule = ({ facts, request }) => {
  const { owner } = request;
  if (owner === undefined || facts.mighty === undefined) return [];
  const { mighty, self } = facts;
  const through = (role: string, roles: readonly string[]) =>
    roles[0] === role ? 'is one of them' : `is a member of ${roles.map((name) => `"${name}"`).join(', ')}`;
  const what = 'a superuser, a role that makes roles, or one that reaches programs and files of the server';
  return [
    ...when(
      mighty.self.length > 0,
      'TooMighty',
      `target.postgresql.ownership keeps the archive's code from doing harm only where it is loaded with the login of a plain role, and not of ${what}: "${self.name}" ${through(self.name, mighty.self)}`,
      `name the credentials of another role in target.postgresql.credentials: CREATE ROLE holdfast_load LOGIN CREATEDB PASSWORD '…'; ${grantOf(owner, 'holdfast_load', facts.server.major, false)}`,
    ),
    ...when(
      mighty.owner.length > 0,
      'TooMighty',
      `role "${owner}", that target.postgresql.ownership names, would run the archive's code, and may not be ${what}: it ${through(owner, mighty.owner)}`,
      'name a plain role: CREATE ROLE restored;',
    ),
  ];
};

const rolesExist: Rule = ({ facts, rolesToMake }) =>
  facts.missingRoles
    .filter((role) => role !== facts.owner.name && rolesToMake?.has(role) !== true)
    .map((role) => ({
      reason: 'RoleMissing',
      message: `role "${role}" has privileges or settings in the archive's database, or its schema public, and does not exist on this server`,
      hint: `CREATE ROLE ${identifier(role)};`,
    }));

const mayUseTablespace: Rule = ({ facts }) => {
  const { tablespace, properties, self } = facts;
  const name = identifier(properties.tablespace);
  if (!tablespace.exists) {
    return when(
      true,
      'TablespaceMissing',
      `tablespace "${properties.tablespace}" does not exist on this server`,
      `CREATE TABLESPACE ${name} LOCATION '…';`,
    );
  }
  return when(
    !tablespace.mayCreate && !self.superuser,
    'RightMissing',
    `role "${self.name}" may not create a database in tablespace "${properties.tablespace}"`,
    `GRANT CREATE ON TABLESPACE ${name} TO ${identifier(self.name)};`,
  );
};

const mayGiveSettings: Rule = ({ facts }) =>
  facts.settings.flatMap(({ setting, problem }) => {
    if (problem === undefined || (setting.role !== undefined && facts.missingRoles.includes(setting.role))) return [];
    const whose = setting.role === undefined ? '' : ` of role "${setting.role}" in the database`;
    if (problem.code !== '42501') {
      return [
        {
          reason: 'SettingRefused',
          message: `setting ${setting.name}${whose} cannot be carried over: ${problem.message}`,
          hint: 'take the setting off the live database, or make the server know it (an extension may be missing)',
        },
      ];
    }
    return [
      {
        reason: 'RightMissing',
        message: `role "${facts.self.name}" may not give the database its setting ${setting.name}${whose}: ${problem.message}`,
        hint: hintForSetting(setting, facts),
      },
    ];
  });

function hintForSetting(setting: { readonly role?: string; readonly name: string }, facts: TargetFacts): string {
  const self = identifier(facts.self.name);
  if (setting.role !== undefined && setting.role !== facts.self.name) {
    return facts.server.major >= 16
      ? `ALTER ROLE ${self} CREATEROLE; GRANT ${identifier(setting.role)} TO ${self} WITH ADMIN OPTION;`
      : `ALTER ROLE ${self} CREATEROLE;`;
  }
  return facts.server.major >= 15
    ? `GRANT SET ON PARAMETER ${identifier(setting.name)} TO ${self};`
    : `before 15 only a superuser may: ALTER ROLE ${self} SUPERUSER; or take the setting off the database`;
}

const mayEndSessions: Rule = ({ facts }) => {
  const beyond = facts.sessions.filter((session) => !session.mayEnd);
  const never = beyond.filter((session) => session.superuser);
  const say = (sessions: typeof beyond) =>
    sessions.map(({ pid, role, application }) => `${application} of role "${role}" (server process ${pid})`).join(', ');
  return [
    ...when(
      beyond.length > never.length,
      'RightMissing',
      `role "${facts.self.name}" may not end these sessions of the live database: ${say(beyond.filter((session) => !session.superuser))}`,
      `GRANT pg_signal_backend TO ${identifier(facts.self.name)};`,
    ),
    ...when(
      never.length > 0,
      'SessionsInTheWay',
      `only a superuser may end these sessions of the live database, and they would block the swap: ${say(never)}`,
      `stop what opens them, or end them: ${never.map(({ pid }) => `SELECT pg_terminate_backend(${pid});`).join(' ')}`,
    ),
  ];
};

const nothingPrepared: Rule = ({ facts }) =>
  when(
    facts.preparedTransactions.length > 0,
    'PreparedTransactions',
    `the live database has prepared transactions: ${facts.preparedTransactions.join(', ')}`,
    `in that database: ${facts.preparedTransactions.map((gid) => `COMMIT PREPARED ${literal(gid)};`).join(' ')} or ROLLBACK PREPARED`,
  );

/** A slot or a subscription is tied to one database; renamed away it would go on with the old one, and the new one have none. */
const noLogicalReplication: Rule = ({ facts }) => [
  ...when(
    facts.logicalSlots.length > 0,
    'LogicalReplication',
    `the live database has logical replication slots: ${facts.logicalSlots.join(', ')}`,
    facts.logicalSlots.map((slot) => `SELECT pg_drop_replication_slot(${literal(slot)});`).join(' '),
  ),
  ...when(
    facts.subscriptions.length > 0,
    'LogicalReplication',
    `the live database has subscriptions: ${facts.subscriptions.join(', ')}`,
    `in that database: ${facts.subscriptions.map((name) => `DROP SUBSCRIPTION ${identifier(name)};`).join(' ')}`,
  ),
];

const liveIsOrdinary: Rule = ({ facts, database }) => {
  const { live, self } = facts;
  if (live === undefined) return [];
  return [
    ...when(
      live.isTemplate,
      'DatabaseIsTemplate',
      `"${database}" is a template database`,
      `ALTER DATABASE ${identifier(database)} IS_TEMPLATE false;`,
    ),
    ...when(
      !live.allowsConnections,
      'DatabaseClosed',
      `"${database}" takes no connections, so what is in it cannot be told`,
      `ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true;`,
    ),
    ...when(
      live.allowsConnections && live.objects === undefined,
      'RightMissing',
      `role "${self.name}" may not connect to "${database}" to see what is in it`,
      `GRANT CONNECT ON DATABASE ${identifier(database)} TO ${identifier(self.name)};`,
    ),
  ];
};

const isPart = ({ contents, selection }: PlanInput['request']) => (selection ?? contents.selection) !== undefined;

/** Put in the place of a whole database, a part would be all that is left of it. */
const aPartReplacesNothing: Rule = ({ facts, database, request }) => {
  const objects = facts.live?.objects ?? 0;
  return when(
    isPart(request) && objects > 0,
    'PartialArchive',
    `what is restored is a part of a database, and "${database}" has ${objects} objects in it that it would replace`,
    'make a Restore with onConflict: Skip, which adds what is missing, or Replace, which replaces those tables only; or one with another target.postgresql.database, a name that does not exist yet',
  );
};

const emptyUnlessReplaced: Rule = ({ facts, database, request }) => {
  const objects = facts.live?.objects ?? 0;
  return when(
    request.onConflict !== 'Replace' && objects > 0 && !isPart(request),
    'TargetNotEmpty',
    `database "${database}" has ${objects} objects in it, and onConflict is ${request.onConflict}`,
    'make a Restore with onConflict: Replace, with Skip, which adds what is missing, or with another target.postgresql.database',
  );
};

/** Every text converts to UTF-8, but from SQL_ASCII, whose bytes mean nothing by themselves; back not every one does. */
const encodingHolds: Rule = ({ facts, database, request }) => {
  const from = request.contents.properties.encoding;
  const into = facts.properties.encoding;
  return when(
    from !== into && !(into === 'UTF8' && from !== 'SQL_ASCII'),
    'EncodingMismatch',
    `the archive's text is ${from}, the live database "${database}" is ${into}`,
    'restore to another database name: it is made with the encoding of the archive',
  );
};

/** Only what is ours may be replaced or dropped. */
const namesAreFree: Rule = ({ facts, request }) => [
  ...when(
    facts.scratch.notes !== undefined &&
      facts.scratch.notes.scratchOf !== request.run.uid &&
      !facts.scratch.neverOpened,
    'NameTaken',
    `a database "${facts.scratch.name}" exists and is not ours`,
    `rename it: ALTER DATABASE ${identifier(facts.scratch.name)} RENAME TO …;`,
  ),
  ...when(
    facts.previous.notes !== undefined,
    'NameTaken',
    `a database "${facts.previous.name}" exists; the replaced one would get that name`,
    `look what it is, then rename it: ALTER DATABASE ${identifier(facts.previous.name)} RENAME TO …;`,
  ),
];

/** In the order in which a person would ask: can it be at all, may we, is anything in the way. */
const RULES: readonly Rule[] = [
  namesFit,
  notFromInside,
  writable,
  newEnough,
  liveIsOrdinary,
  aPartReplacesNothing,
  emptyUnlessReplaced,
  encodingHolds,
  namesAreFree,
  mayCreateDatabases,
  loadsUnprivileged,
  mayActForOwner,
  rolesExist,
  mayUseTablespace,
  mayGiveSettings,
  mayEndSessions,
  nothingPrepared,
  noLogicalReplication,
];

/** Its code would run with the rights of the live database's owner, and may end the transaction that all of it is in. */
const trustedInPlace: Rule = ({ request, database }) =>
  when(
    request.owner !== undefined,
    'OwnershipInPlace',
    `what is restored joins what is live in "${database}", where target.postgresql.ownership keeps the archive's code from nothing`,
    'restore to a target.postgresql.database that does not exist yet, and take from there what is wanted; or, where the archive is trusted, leave ownership out',
  );

const IN_PLACE_RULES: readonly Rule[] = [
  trustedInPlace,
  writable,
  newEnough,
  liveIsOrdinary,
  encodingHolds,
  loadsUnprivileged,
  mayNoteInComment,
];

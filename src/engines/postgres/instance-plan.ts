/** What the restore of a whole server would do, and what stands in its way. Pure. */
import type { InstanceContents } from '../../archive/contents.ts';
import { type Failure, HoldfastError } from '../../lib/errors.ts';
import type { InstancePlan, TargetPlan } from '../engine.ts';
import { needsSuperuser, type RolesToMake } from './role-statements.ts';
import { identifier, literal } from './sql.ts';

export interface InstanceFacts {
  readonly server: string;
  readonly self: { readonly name: string; readonly superuser: boolean; readonly createRoles: boolean };
  readonly toMake: RolesToMake;
  /** Roles that are there and in the archive, but for our own and the server's first; absent: they stay as they are. */
  readonly met?: { readonly onConflict: 'Fail' | 'Replace'; readonly roles: readonly string[] };
  /** What the server said when it was tried to make them. */
  readonly rolesProblem?: string;
  /** What stands in the way of changing them, where it is known without trying. */
  readonly rolesRefused?: readonly Failure[];
  readonly maintenanceDatabase: string;
  /** Names of the databases that go live. */
  readonly restored: readonly string[];
  /** Databases of the server, without templates. */
  readonly live: readonly string[];
  readonly tablespaces: ReadonlySet<string>;
}

export function instancePlanOf(
  facts: InstanceFacts,
  plans: readonly TargetPlan[],
  contents: InstanceContents,
): InstancePlan {
  // They went live in one commit, so one that bears the mark speaks for all.
  const alreadyRestored = plans.some((plan) => plan.alreadyRestored);
  const refusals = [...ownRefusals(facts, contents), ...plans.flatMap((plan) => plan.refusals)];
  const warnings = [...new Set(plans.flatMap((plan) => plan.warnings ?? []))];
  return {
    refusals: alreadyRestored ? [] : withoutRepeats(refusals),
    alreadyRestored,
    server: facts.server,
    databaseExists: plans.some((plan) => plan.databaseExists),
    objects: plans.reduce((sum, plan) => sum + plan.objects, 0),
    ...(warnings.length === 0 ? {} : { warnings }),
    notes: [...notesOf(facts, contents), ...new Set(plans.flatMap((plan) => plan.notes ?? []))],
  };
}

function ownRefusals(facts: InstanceFacts, contents: InstanceContents): readonly Failure[] {
  return [
    ...somethingIsRestored(facts, contents),
    ...maintenanceIsInTheArchive(facts, contents),
    ...rolesAreFree(facts),
    ...rolesCanBeMade(facts),
    ...tablespacesExist(facts, contents),
  ];
}

function somethingIsRestored({ restored, maintenanceDatabase }: InstanceFacts, contents: InstanceContents) {
  if (restored.length > 0) return [];
  const { reason, message } = nothingToRestore(contents, maintenanceDatabase);
  return [{ reason, message }];
}

export function nothingToRestore(contents: InstanceContents, maintenanceDatabase: string): HoldfastError {
  const message = ['the archive has no database that can be restored', ...leftOut(contents, maintenanceDatabase)];
  return new HoldfastError('NothingToRestore', message.join(': '));
}

/** It cannot be replaced from inside itself; left out without a word, its tables would be lost. */
function maintenanceIsInTheArchive(
  { maintenanceDatabase: name }: InstanceFacts,
  contents: InstanceContents,
): readonly Failure[] {
  const archived = contents.databases.find(({ database }) => database === name);
  if (archived === undefined || archived.tables.length === 0) return [];
  return [
    {
      reason: 'MaintenanceDatabase',
      message: `"${name}" has ${archived.tables.length} tables in the archive and is the maintenance database of this restore, and a database cannot be replaced from inside itself`,
      hint: `name another one in target.postgresql.maintenanceDatabase, such as ${name === 'template1' ? 'postgres' : 'template1'}`,
    },
  ];
}

function rolesAreFree({ met }: InstanceFacts): readonly Failure[] {
  if (met?.onConflict !== 'Fail' || met.roles.length === 0) return [];
  return [
    {
      reason: 'RolesExist',
      message: `roles of the archive are on the server already, and roles.onConflict is Fail: ${list(met.roles)}`,
      hint: 'make a Restore with roles.onConflict: Skip, which leaves them as they are, or Replace, which makes them what they were',
    },
  ];
}

/** The rights that are known by name are told first; what else a server may have against it, only trying tells. */
function rolesCanBeMade(facts: InstanceFacts): readonly Failure[] {
  const missing = [...mayMakeRoles(facts), ...(facts.rolesRefused ?? [])];
  if (missing.length > 0 || facts.rolesProblem === undefined) return missing;
  return [
    {
      reason: 'RolesFailed',
      message: `the roles of the archive cannot be made: ${facts.rolesProblem}`,
      hint: 'restore with a role that may do it, or make the role beforehand: one that is there stays as it is',
    },
  ];
}

function mayMakeRoles({ self, toMake }: InstanceFacts): readonly Failure[] {
  if (toMake.roles.length === 0 || self.superuser) return [];
  const names = toMake.roles.map(({ name }) => `"${name}"`).join(', ');
  if (!self.createRoles) {
    return [
      {
        reason: 'RightMissing',
        message: `role "${self.name}" may not make the roles that the server lacks: ${names}`,
        hint: `ALTER ROLE ${identifier(self.name)} CREATEROLE; or make them beforehand`,
      },
    ];
  }
  const mighty = toMake.roles.filter(needsSuperuser);
  return mighty.map(({ name }) => ({
    reason: 'RightMissing',
    message: `role "${name}" is a superuser, replicates or bypasses row security, and only a superuser may make such a one`,
    hint: `make it beforehand: CREATE ROLE ${identifier(name)}; or restore with a superuser`,
  }));
}

function tablespacesExist({ tablespaces }: InstanceFacts, contents: InstanceContents): readonly Failure[] {
  return contents.tablespaces
    .filter(({ name }) => !tablespaces.has(name))
    .map(({ name, location }) => ({
      reason: 'TablespaceMissing',
      message: `tablespace "${name}" does not exist on this server`,
      hint: `CREATE TABLESPACE ${identifier(name)} LOCATION ${literal(location)};`,
    }));
}

export function withoutRepeats(refusals: readonly Failure[]): readonly Failure[] {
  const seen = new Set<string>();
  return refusals.filter(({ reason, message }) => {
    const key = `${reason} ${message}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}

/** Built-in roles that reach beyond the databases. */
const OF_THE_MACHINE: ReadonlySet<string> = new Set([
  'pg_execute_server_program',
  'pg_read_server_files',
  'pg_write_server_files',
]);

const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');

function notesOf(facts: InstanceFacts, contents: InstanceContents): readonly string[] {
  const { toMake, restored, live, maintenanceDatabase } = facts;
  const made = new Set(toMake.roles.map(({ name }) => name));
  const kept = contents.roles.map(({ name }) => name).filter((name) => !made.has(name));
  const changed = facts.met?.onConflict === 'Replace' ? facts.met.roles : [];
  const others = live.filter((name) => !restored.includes(name) && name !== maintenanceDatabase);
  const say = (names: readonly string[], what: string) => (names.length === 0 ? [] : [`${what}: ${list(names)}.`]);
  return [
    ...say(restored, 'Databases that are restored'),
    ...say([...made], `Roles that are made, ${contents.globals.rolePasswords ? 'with' : 'without'} their passwords`),
    ...say(
      toMake.roles.filter(needsSuperuser).map(({ name }) => name),
      'Of these, superusers, or free to replicate or to bypass row security',
    ),
    ...say(
      [...new Set(toMake.memberships.filter(({ role }) => OF_THE_MACHINE.has(role)).map(({ member }) => member))],
      "Of these, with access to the server's files or programs by a membership",
    ),
    ...say(changed, 'Roles that are there already and become what they are in the archive'),
    ...say(
      kept.filter((name) => !changed.includes(name)),
      'Roles that are there already and stay as they are',
    ),
    ...say(others, 'Databases of the server that the archive has not, and that stay as they are'),
    ...leftOut(contents, maintenanceDatabase),
  ];
}

/** What the archive has and the restore leaves where it is. */
function leftOut(contents: InstanceContents, maintenanceDatabase: string): readonly string[] {
  const archived = contents.databases.some(({ database }) => database === maintenanceDatabase);
  return archived
    ? [`"${maintenanceDatabase}" stays as it is: it is the maintenance database, and has no tables in the archive.`]
    : [];
}

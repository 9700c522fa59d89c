/** What bringing back a kept database would do, and what stands in its way. Pure. */
import type { UndoneRestore } from '../../api/undone.ts';
import type { Failure } from '../../lib/errors.ts';
import type { UndoPlan, UndoRequest } from '../engine.ts';
import type { RoleFacts, TargetFacts } from './facts.ts';
import { withoutRepeats } from './instance-plan.ts';
import { type Found, type Kept, madeBy } from './kept.ts';
import { wasRestored } from './marker.ts';
import { refusalsOf } from './rights.ts';
import { identifier } from './sql.ts';

/** A kept database, and what is known of the place that it returns to. */
export interface Return {
  readonly kept: Kept;
  /** Of the database that is live there; absent where there is none. */
  readonly live?: TargetFacts['live'];
  readonly liveOwner?: RoleFacts;
  readonly keptOwner: RoleFacts;
  /** Name that the live one gets. */
  readonly previous: TargetFacts['previous'];
  readonly clients: Pick<TargetFacts, 'sessions' | 'preparedTransactions' | 'logicalSlots' | 'subscriptions'>;
}

export interface UndoFacts {
  readonly found: Found;
  readonly server: TargetFacts['server'];
  readonly self: TargetFacts['self'];
  readonly returns: readonly Return[];
}

type Request = Pick<UndoRequest, 'run' | 'undone'>;

export function undoPlanOf(facts: UndoFacts, request: Request, maintenanceDatabase: string): UndoPlan {
  const alreadyRestored = isUndone(facts.found, request);
  const live = facts.returns.flatMap((each) => each.live ?? []);
  return {
    // Nothing will be done, so nothing is in the way.
    refusals: alreadyRestored ? [] : undoRefusals(facts, request, maintenanceDatabase),
    alreadyRestored,
    server: facts.server.version,
    databaseExists: live.length > 0,
    objects: live.reduce((sum, { objects }) => sum + (objects ?? 0), 0),
    notes: alreadyRestored ? [] : notesOf(facts, request.undone),
  };
}

/** Whether this very undo went live before. All databases came back in one commit, so one tells. */
function isUndone({ live }: Found, { run }: Request): boolean {
  return live.some(({ facts }) => wasRestored(facts.notes, run));
}

export function undoRefusals(facts: UndoFacts, request: Request, maintenanceDatabase: string): readonly Failure[] {
  return withoutRepeats([
    ...allAreKept(facts.found, request.undone),
    ...facts.returns.flatMap((each) => refusalsOfReturn(facts, each, request, maintenanceDatabase)),
  ]);
}

/** One that is missing is in the way of all: they were replaced together, and belong together. */
function allAreKept({ kept, nameless }: Found, undone: UndoneRestore): readonly Failure[] {
  const there = new Set([...kept.map(({ name }) => name), ...nameless]);
  const missing = undone.databases.filter((name) => !there.has(name));
  if (nameless.length > 0) return [nameIsLost(nameless)];
  return kept.length === 0 || missing.length > 0 ? [previousGone(undone, missing)] : [];
}

export function previousGone({ name }: UndoneRestore, missing: readonly string[]): Failure {
  const which =
    missing.length === 0 ? 'no database that it replaced is kept' : `${list(missing)} bears its mark no more`;
  return {
    reason: 'PreviousGone',
    message: `Restore "${name}" cannot be undone: ${which} on the server`,
    hint: 'it replaced none, its keepPrevious is over, or somebody renamed or dropped what was kept (\\l+ in psql shows names and marks); a backup from before brings the content back: kubectl holdfast list',
  };
}

function nameIsLost(names: readonly string[]): Failure {
  return {
    reason: 'PreviousNameless',
    message: `${list(names)} ${names.length === 1 ? 'was' : 'were'} kept by an older version, which did not note the name of each database of a server`,
    hint: 'rename by hand, with the app at zero: ALTER DATABASE … RENAME TO …, then ALLOW_CONNECTIONS true',
  };
}

/** The rules of any restore that replaces, seen from a database that is there already and keeps what is its own. */
function refusalsOfReturn(
  { server, self }: UndoFacts,
  { kept, live, liveOwner, keptOwner, previous, clients }: Return,
  { run }: Request,
  maintenanceDatabase: string,
): readonly Failure[] {
  const { properties } = kept.facts;
  return refusalsOf({
    database: kept.database,
    maintenanceDatabase,
    request: {
      run,
      onConflict: 'Replace',
      sourceMajor: server.major,
      contents: { database: kept.database, properties, tables: [], parts: [] as never },
    },
    facts: {
      ...{ server, self, properties, previous, ...clients },
      // What is in it does not matter: it is kept. So it may be closed, even to us.
      ...(live === undefined ? {} : { live: { ...live, allowsConnections: true, objects: live.objects ?? 0 } }),
      owner: keptOwner,
      ...(liveOwner === undefined || liveOwner.name === keptOwner.name ? {} : { liveOwner }),
      scratch: { name: kept.name, neverOpened: false },
      ...{ missingRoles: [], settings: [], tablespace: { exists: true, mayCreate: true } },
    },
  });
}

const list = (names: readonly string[]) => names.map((name) => `"${name}"`).join(', ');

function notesOf({ found, returns }: UndoFacts, undone: UndoneRestore): readonly string[] {
  const made = madeBy(found, undone);
  return [
    ...returns.map(({ kept, live, previous }) => {
      const since = kept.mark === undefined ? '' : `, which was replaced at ${kept.mark.time},`;
      const away = live === undefined ? 'no database has that name now' : `the live one is kept as "${previous.name}"`;
      return `"${kept.name}"${since} goes live again as "${kept.database}"; ${away}.`;
    }),
    ...(made.length === 0
      ? []
      : [`Databases that the restore made where there was none, and that stay: ${made.map(identifier).join(', ')}.`]),
  ];
}

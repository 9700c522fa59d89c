import type { RestoreIdentity } from '../../api/task.ts';
import { HoldfastError, messageOf } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import { codeOf } from './faults.ts';
import { type DatabaseNotes, marksOfBoth, writeNotes } from './marker.ts';
import { type DatabaseFacts, describeDatabase } from './properties.ts';
import { endSessionsUntil, sessionsOf } from './sessions.ts';
import { identifier, literal } from './sql.ts';

/**
 * The server itself ends the transaction when no statement comes for this long: a runner that is stopped between its last
 * look at the clock and COMMIT finds the transaction gone. A statement follows the one before within milliseconds.
 */
const IDLE_TIMEOUT_MS = 5_000;

/** PostgreSQL gives the sessions of a database 5 s to go before a rename fails; this is twice that. It also bounds COMMIT. */
const STATEMENT_TIMEOUT_MS = 10_000;

/**
 * The longest time between the last look at the clock and a commit that still happens: idle until just before the
 * server's patience ends, then a COMMIT that takes as long as it may. Clocks of other machines come on top.
 */
export const SWAP_MARGIN_MS = IDLE_TIMEOUT_MS + STATEMENT_TIMEOUT_MS;

/** Sessions that come back faster than they are ended have been seen to lose at the first attempt, always. */
const ATTEMPTS = 3;

/** How long a server process that was told to end may take, before nobody can say whether it has committed. */
const SETTLE_MS = 30_000;
const SETTLE_ROUND_MS = 100;

/** A database that goes live, and the one whose place it takes. */
export interface SwapPlace {
  readonly database: string;
  readonly scratch: DatabaseFacts;
  readonly scratchName: string;
  readonly previousName: string;
  /** As it was found just now; undefined: there is no live database. */
  readonly live: DatabaseFacts | undefined;
  /** For a database that replaces none. */
  readonly comment: string | undefined;
  /** It was live before and comes back: its comment is its own, and what it knows of restores is kept. */
  readonly comesBack?: true;
}

export interface SwapJob {
  /** In the maintenance database, for looking. */
  readonly session: Session;
  /** Another one, in the maintenance database. */
  open(): Promise<Session>;
  /** At least one; all of them go live in one commit, or none. */
  readonly places: readonly [SwapPlace, ...SwapPlace[]];
  /** What belongs to the same commit. */
  readonly also: readonly string[];
  /** Looks, before the commit, whether that was enough. */
  settled?(swapper: Session): Promise<void>;
  readonly run: RestoreIdentity;
  /** After this instant nothing may go live. */
  readonly fence: Date;
  readonly seams: SwapSeams;
}

/** Where tests stand in the way. */
export interface SwapSeams {
  now(): Date;
  /** Called before each statement of the transaction. */
  before(statement: string): Promise<void>;
}

/** Resolves when the new databases are live; on any other end nothing has changed, except under `SwapUnknown`. */
export async function swap(job: SwapJob): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    checkFence(job);
    try {
      return await attemptSwap(job);
    } catch (caught) {
      if (!isInUse(caught)) throw caught;
      if (attempt === ATTEMPTS) throw await inUse(job, caught);
    }
  }
}

async function attemptSwap(job: SwapJob): Promise<void> {
  await using swapper = await job.open();
  await using ender = await job.open();
  const stop = new AbortController();
  const ending = endSessionsOf(job, ender, stop.signal);
  try {
    await transact(job, swapper);
  } catch (caught) {
    if (await committed(job, swapper)) return;
    throw caught;
  } finally {
    stop.abort();
    await ending;
  }
}

/** Sessions left on the scratch database are our own loader's, which may take a moment to go. */
async function endSessionsOf(job: SwapJob, ender: Session, stop: AbortSignal): Promise<void> {
  const oids = job.places.flatMap(({ scratch, live }) => [scratch.oid, ...(live === undefined ? [] : [live.oid])]);
  // Whether it could end them is seen by the rename; that it could not even ask is not a failure of the swap.
  await endSessionsUntil(ender, oids, stop).catch(() => {});
}

async function transact(job: SwapJob, swapper: Session): Promise<void> {
  const say = async (statement: string) => {
    await job.seams.before(statement);
    await swapper.query(statement);
  };
  await say('BEGIN');
  await say(
    [
      `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
      `SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`,
      `SET LOCAL lock_timeout = ${STATEMENT_TIMEOUT_MS}`,
      // What is called live must be so after a crash of the server too. It brings to disk what was loaded as well.
      `SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'`,
    ].join('; '),
  );
  for (const { live, database, scratchName, previousName } of job.places) {
    if (live !== undefined) await say(rename(database, previousName));
    await say(rename(scratchName, database));
  }
  for (const place of job.places) {
    for (const statement of await notesAndDoors(job, place, swapper)) await say(statement);
  }
  for (const statement of job.also) await say(statement);
  await job.settled?.(swapper);
  checkFence(job);
  await say('COMMIT');
}

const rename = (from: string, to: string) => `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`;

/** The comments are read only now, when the renames hold their locks. */
async function notesAndDoors(job: SwapJob, place: SwapPlace, swapper: Session): Promise<readonly string[]> {
  const { database, scratch, live, previousName } = place;
  const came = await found(swapper, database, scratch.oid);
  const old = live === undefined ? undefined : await found(swapper, previousName, live.oid);
  const comment = place.comesBack === true ? came.notes.comment : old === undefined ? place.comment : old.notes.comment;
  const notes: DatabaseNotes = {
    ...(comment === undefined ? {} : { comment }),
    // One that comes back does not know what went live after it; its predecessor may be gone, and with it what that knew.
    // One that was loaded knows nothing: what its comment says was written by code of the archive.
    restores: [
      ...marksOfBoth(place.comesBack === true ? came.notes.restores : [], old?.notes.restores ?? []),
      markOf(job),
    ],
  };
  return [
    commentOn(database, notes),
    `ALTER DATABASE ${identifier(database)} ALLOW_CONNECTIONS true`,
    ...(old === undefined
      ? []
      : [
          commentOn(previousName, { ...old.notes, previousOf: job.run.uid, previousName: database }),
          `ALTER DATABASE ${identifier(previousName)} ALLOW_CONNECTIONS false`,
        ]),
  ];
}

/** Somebody may have renamed databases since we looked; then these are not the ones that were loaded and checked. */
async function found(swapper: Session, name: string, oid: string): Promise<DatabaseFacts> {
  const facts = await describeDatabase(swapper, name);
  if (facts?.oid === oid) return facts;
  throw new HoldfastError('TargetChanged', `database "${name}" is not the one it was a moment ago`, {
    hint: 'somebody else renames databases on this server; when they are done, make a new Restore',
  });
}

const commentOn = (database: string, notes: DatabaseNotes) =>
  `COMMENT ON DATABASE ${identifier(database)} IS ${literal(writeNotes(notes) ?? '')}`;

function markOf({ run, seams }: SwapJob): DatabaseNotes['restores'][number] {
  const { namespace, name, uid, specHash, cluster } = run;
  return { namespace, name, uid, specHash, cluster, time: seams.now().toISOString() };
}

const namesOf = ({ places }: SwapJob) => places.map(({ database }) => `"${database}"`).join(', ');

function checkFence(job: SwapJob): void {
  const { seams, fence } = job;
  if (seams.now() < fence) return;
  throw new HoldfastError(
    'FencePassed',
    `database ${namesOf(job)} was not replaced: the instant until which this run might do so, ${fence.toISOString()}, has passed`,
    { hint: 'make a new Restore, with a larger activeDeadlineSeconds if loading takes that long' },
  );
}

/** The database has sessions (55006), its lock was not to be had (55P03, 57014), or two waited for each other (40P01). */
function isInUse(caught: unknown): boolean {
  return ['55006', '55P03', '57014', '40P01'].includes(codeOf(caught) ?? '');
}

async function inUse(job: SwapJob, cause: unknown): Promise<HoldfastError> {
  const live = job.places.flatMap((place) => place.live ?? []);
  const found = await Promise.all(live.map(({ oid }) => sessionsOf(job.session, oid).catch(() => [])));
  const left = found.flat();
  return new HoldfastError(
    'SessionsRemain',
    `database ${namesOf(job)} could not be replaced while it is in use${left.length === 0 ? '' : ` by ${left.join(', ')}`}: ${messageOf(cause)}`,
    { hint: 'stop what uses the database, then make a new Restore', cause },
  );
}

/**
 * After a failure: whether it went live all the same, as when only the answer to COMMIT was lost. The server process is
 * ended first, so that nothing can happen after the look.
 */
async function committed(job: SwapJob, swapper: Session): Promise<boolean> {
  swapper.destroy();
  try {
    await job.session.query('SELECT pg_terminate_backend($1)', [swapper.pid]);
    if (!(await isGone(job.session, swapper.pid))) throw new Error('its server process does not end');
    // All went live, or none: one tells.
    const [{ database, scratch }] = job.places;
    return (await describeDatabase(job.session, database))?.oid === scratch.oid;
  } catch (caught) {
    throw new HoldfastError(
      'SwapUnknown',
      `the connection was lost at the swap, and whether database ${namesOf(job)} was replaced cannot be told: ${messageOf(caught)}`,
      { hint: "the database's comment tells: a restore that went live is noted there", cause: caught },
    );
  }
}

async function isGone(session: Session, pid: number): Promise<boolean> {
  for (let waited = 0; waited < SETTLE_MS; waited += SETTLE_ROUND_MS) {
    const [row] = await session.query<{ there: boolean }>(
      'SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1) AS there',
      [pid],
    );
    if (row?.there !== true) return true;
    await new Promise((resolve) => setTimeout(resolve, SETTLE_ROUND_MS));
  }
  return false;
}

/**
 * What a restore into a live database does beside what its archive says, as entries of the dump's own table of contents: so
 * it happens in the transaction that pg_restore makes of all of it. Text is in hexadecimal, since a dump is in an encoding
 * of its own. Pure.
 */
import { literal } from '../sql.ts';
import type { DumpObject, DumpObjects } from './objects.ts';
import { type DumpHead, SECTION, type TocEntry } from './toc.ts';

/** A statement follows the one before within milliseconds: a program that was stopped in between finds its transaction gone. */
const IDLE_TIMEOUT_MS = 5_000;

/** COMMIT brings to disk what is not there yet. */
const COMMIT_TIMEOUT_MS = 40_000;

/** The longest time between the look at the clock and a commit that still happens. Clocks come on top. */
export const GUARD_MARGIN_MS = IDLE_TIMEOUT_MS + COMMIT_TIMEOUT_MS;

/** Sessions of others, a report that runs for hours, may hold what is worked on: the app is down meanwhile. */
const LOCK_TIMEOUT_MS = 60_000;

export interface Guard {
  /** By the clock of the server. */
  readonly fence: Date;
  /** The line of the database's comment that tells of this restore, but for its time. */
  readonly mark: { readonly before: string; readonly after: string };
  /** Live objects that go first. */
  readonly going: readonly DumpObject[];
  readonly live: DumpObjects;
}

const SAID = 'holdfast: the instant until which this restore may change the database has passed';

/** Whether the guard is why pg_restore ended: of any statement that fails, it also shows the text. */
export function isFenced(stderr: string): boolean {
  return stderr.includes(`ERROR:  ${SAID}`);
}

export function guarded(head: DumpHead, entries: readonly TocEntry[], guard: Guard): DumpHead {
  const last = Math.max(0, ...head.entries.map(({ dumpId }) => dumpId));
  return {
    ...head,
    entries: [
      // Of no kind that pg_restore knows, so that none of its options leaves it out.
      anEntry(head, last + 1, 'HOLDFAST', opening(guard)),
      ...entries,
      // pg_restore makes event triggers in its last pass, after privileges: so nothing comes after this but COMMIT.
      anEntry(head, last + 2, 'EVENT TRIGGER', closing(guard)),
    ],
  };
}

function anEntry({ shape }: DumpHead, dumpId: number, desc: string, defn: string): TocEntry {
  return {
    ...{ dumpId, hasData: false, tableoid: '0', oid: '0', tag: 'holdfast', desc, section: SECTION.preData, defn },
    ...{ dropStmt: '', copyStmt: null, namespace: null, tablespace: null, tableam: null, relkind: 0 },
    ...{ owner: '', withOids: 'false', dependencies: [], offset: noOffset(shape.offsetBytes) },
  };
}

/** The flag says that there is no data. */
function noOffset(bytes: number): Buffer {
  return Buffer.concat([Buffer.from([3]), Buffer.alloc(bytes)]);
}

function opening({ going, live }: Guard): string {
  const statements = drops(live, going);
  return [
    `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};`,
    ...(statements.length === 0 ? [] : [executing(statements)]),
  ].join('\n');
}

/** Statements by which a dump would drop what is in the way of dropping the tables themselves. */
const IN_THE_WAY = new Set(['FK CONSTRAINT', 'RULE', 'DEFAULT', 'POLICY', 'TRIGGER']);

/** In the order that is the reverse of how they are made, as pg_restore --clean drops. */
function drops(live: DumpObjects, going: readonly DumpObject[]): readonly string[] {
  const order = new Map(live.order.map((entry, index) => [entry, index]));
  return going
    .flatMap(({ entries }) => entries.filter((entry, index) => index === 0 || IN_THE_WAY.has(entry.desc ?? '')))
    .sort((a, b) => (order.get(b) ?? 0) - (order.get(a) ?? 0))
    .flatMap(({ dropStmt }) => (dropStmt === null || dropStmt === '' ? [] : [dropStmt]));
}

/** What publications had of the tables that were replaced. */
function memberships(live: DumpObjects, going: readonly DumpObject[]): readonly string[] {
  const gone = new Set(going);
  return live.objects
    .filter(({ kind }) => kind === 'replication')
    .flatMap((publication) =>
      live.needsOf(publication).flatMap(({ by, object }) => (gone.has(object) ? [by.defn ?? ''] : [])),
    );
}

function closing(guard: Guard): string {
  const again = memberships(guard.live, guard.going);
  const { before, after } = guard.mark;
  return [
    ...(again.length === 0 ? [] : [executing(again)]),
    // Whoever loads may be a role that may not write the comment.
    'SET LOCAL ROLE NONE;',
    `SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS};`,
    `SET LOCAL statement_timeout = ${COMMIT_TIMEOUT_MS};`,
    `SELECT pg_catalog.set_config('synchronous_commit', 'on', true) WHERE pg_catalog.current_setting('synchronous_commit') = 'off';`,
    `DO $holdfast$
DECLARE
  old text := pg_catalog.shobj_description((SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()), 'pg_database');
  now text := pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
BEGIN
  EXECUTE pg_catalog.format('COMMENT ON DATABASE %I IS %L', pg_catalog.current_database(),
    coalesce(nullif(old, '') || E'\\n', '') || ${decoded(before)} || now || ${decoded(after)});
  IF pg_catalog.clock_timestamp() >= pg_catalog.to_timestamp(${guard.fence.getTime() / 1000}) THEN
    RAISE EXCEPTION USING MESSAGE = ${literal(SAID)};
  END IF;
END $holdfast$;`,
  ].join('\n');
}

/** Binary strings, in the encoding of the live database. */
function executing(statements: readonly string[]): string {
  const lines = statements.map((statement) => `  EXECUTE ${decoded(statement)};`);
  return `DO $holdfast$ BEGIN\n${lines.join('\n')}\nEND $holdfast$;`;
}

function decoded(binary: string): string {
  const hex = Buffer.from(binary, 'latin1').toString('hex');
  return `pg_catalog.convert_from(pg_catalog.decode('${hex}', 'hex'), pg_catalog.getdatabaseencoding())`;
}

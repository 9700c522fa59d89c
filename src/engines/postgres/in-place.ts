/**
 * A restore into a live database that has objects of its own: what is missing is added, in one transaction, and nothing is
 * swapped. See docs/decisions/083 to 085.
 */
import { type Failure, HoldfastError } from '../../lib/errors.ts';
import type { ObjectsReport, WritingProgram } from '../engine.ts';
import { connect } from './connection.ts';
import { guarded, isFenced } from './dump/guard.ts';
import { type LiveObjects, liveObjects } from './dump/live.ts';
import { type DumpObjects, LARGE_OBJECTS_KEY, objectsIn } from './dump/objects.ts';
import { type Part, partOf } from './dump/part.ts';
import { headOf, rewritten } from './dump/rewrite.ts';
import { type DumpHead, UNKNOWN_FORMAT } from './dump/toc.ts';
import type { TargetFacts } from './facts.ts';
import { attempting } from './faults.ts';
import { load } from './load.ts';
import { markLine } from './marker.ts';
import { newDatabaseRefusals } from './new-database-rights.ts';
import { partRefusals } from './part-rights.ts';
import { definitionsUnreadable } from './read-rights.ts';
import type { Parts } from './target-parts.ts';

/** Whether what is restored joins what is there, instead of being put in its place. */
export function isInPlace({ onConflict, selection, contents }: Parts['request'], liveObjectCount: number): boolean {
  if (liveObjectCount === 0) return false;
  return (
    onConflict === 'Skip' || selection !== undefined || (onConflict === 'Replace' && contents.selection !== undefined)
  );
}

export interface PlannedPart {
  readonly refusals: readonly Failure[];
  readonly notes: readonly string[];
}

/** Of what goes into a new database, be it all or a part. `rolesToMake`: before it is loaded. */
export async function planNew(
  parts: Parts,
  facts: TargetFacts,
  rolesToMake: ReadonlySet<string>,
): Promise<PlannedPart> {
  const head = await readHead(parts).catch((caught: unknown) => {
    // Of a whole database pg_restore may know what we do not.
    if (parts.request.selection === undefined && isUnknownFormat(caught)) return undefined;
    throw caught;
  });
  if (head === undefined)
    return {
      refusals: [],
      notes: [
        `Who owns what in "${parts.access.database}" cannot be told: the format of the archive is not known here`,
      ],
    };
  const archive = objectsIn(head);
  if (parts.request.selection === undefined) {
    return { refusals: await newDatabaseRefusals(parts, head.entries, archive, facts, rolesToMake), notes: [] };
  }
  const part = partOfArchive(parts, head);
  return {
    refusals: [...part.refusals, ...(await newDatabaseRefusals(parts, part.entries, archive, facts, rolesToMake))],
    notes: [
      say(
        'Restored of the archive',
        part.added.map(({ label }) => label),
      ),
    ],
  };
}

const isUnknownFormat = (caught: unknown) => caught instanceof HoldfastError && caught.reason === UNKNOWN_FORMAT;

export async function planInPlace(parts: Parts): Promise<PlannedPart> {
  const hidden = await hiddenFromUs(parts);
  if (hidden.length > 0) return { refusals: hidden, notes: [] };
  const { part } = await partInto(parts, await readHead(parts));
  return { refusals: part.refusals, notes: notesOf(part, parts) };
}

/** What is there is told by a dump of it. */
async function hiddenFromUs({ access, held }: Parts): Promise<readonly Failure[]> {
  await using inside = await connect(held.endpoint(access.database), held.signal);
  return await definitionsUnreadable(inside);
}

async function readHead({ request, held }: Parts): Promise<DumpHead> {
  if (request.begin === undefined) throw new Error('nothing says how to read the beginning of the dump');
  const reader = headOf();
  held.signal.throwIfAborted();
  await request.begin(reader);
  return reader.head();
}

function partOfArchive({ request: { selection } }: Parts, head: DumpHead): Part {
  return partOf({ head, archive: objectsIn(head), ...(selection === undefined ? {} : { selection }) });
}

/** Into a new database: as {@link load}, of what was asked for. */
export function loadPart(parts: Parts, program: WritingProgram): WritingProgram {
  return rewritten(program, async (head) => {
    const part = partOfArchive(parts, head);
    refuse(part.refusals);
    return { ...head, entries: part.entries };
  });
}

async function partInto(parts: Parts, head: DumpHead): Promise<{ readonly part: Part; readonly live: LiveObjects }> {
  const { access, request } = parts;
  const archive = objectsIn(head);
  const live = await liveObjects(parts, access.database);
  const { selection, onConflict } = request;
  const largeObjects = largeObjectsThere(archive, live);
  const there = largeObjects === 'all' ? new Set([...live.there, LARGE_OBJECTS_KEY]) : live.there;
  const part = partOf({
    head,
    archive,
    ...(selection === undefined ? {} : { selection }),
    into: { onConflict, database: access.database, there, live: live.live },
  });
  const comes = part.added.some(({ kind }) => kind === 'large object');
  return {
    part: {
      ...part,
      refusals: [
        ...part.refusals,
        ...(comes && largeObjects === 'some' ? [mixed(access.database)] : []),
        ...(live.hasPlpgsql ? [] : [noPlpgsql(access.database)]),
        ...(await partRefusals(parts, part, archive, live)),
      ],
    },
    live,
  };
}

export interface Addition extends WritingProgram {
  /** Known once the program is done. */
  report(): ObjectsReport;
}

/** Everything in one transaction, which the server ends by itself where the fence has passed. */
export function addInPlace(parts: Parts, fence: Date): Addition {
  const { access, request, held, tools, programs } = parts;
  let report: ObjectsReport | undefined;
  const program = load({
    ...{ database: access.database, tools, libpq: programs, signal: held.signal, choices: request },
    inOneTransaction: true,
    explain: (stderr) => (isFenced(stderr) ? fencePassed(fence) : undefined),
  });
  const adding = rewritten(program, (head) =>
    attempting('looking at the live database', held.signal, async () => {
      const serverFence = await fenceOfServer(parts, fence);
      const { part, live } = await partInto(parts, head);
      refuse(part.refusals);
      report = reportOf(part);
      return guarded(head, part.entries, {
        fence: serverFence,
        mark: markLine(request.run),
        going: [...part.replaced, ...part.gone],
        live: live.live,
      });
    }),
  );
  return {
    ...adding,
    report() {
      if (report === undefined) throw new Error('the report was asked for before there was one');
      return report;
    },
  };
}

/** Our clock is the one that the fence was told to; the server's may be another. */
async function fenceOfServer({ held, seams }: Parts, fence: Date): Promise<Date> {
  const [row] = await held.session.query<{ now: string }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8::text AS now',
  );
  const here = seams.now().getTime();
  if (here >= fence.getTime()) throw fencePassed(fence);
  return new Date(fence.getTime() + Number(row?.now) - here);
}

function fencePassed(fence: Date): HoldfastError {
  return new HoldfastError(
    'FencePassed',
    `nothing was added: the instant until which this run might do so, ${fence.toISOString()}, has passed`,
    { hint: 'make a new Restore, with a larger activeDeadlineSeconds if loading takes that long' },
  );
}

function refuse([refusal]: readonly Failure[]): void {
  if (refusal === undefined) return;
  throw new HoldfastError(refusal.reason, refusal.message, refusal.hint === undefined ? {} : { hint: refusal.hint });
}

function largeObjectsThere(archive: DumpObjects, live: LiveObjects): 'none' | 'some' | 'all' {
  const oids = archive.largeObjects();
  const found = oids.filter((oid) => live.largeObjects.has(oid)).length;
  if (found === 0) return 'none';
  return found === oids.length ? 'all' : 'some';
}

/** A large object has a number and no name, so one of the same number may be anything. */
function mixed(database: string): Failure {
  return {
    reason: 'LargeObjectsMixed',
    message: `some of the archive's large objects are in "${database}", and some are not: whether they are the same ones, nobody can tell`,
    hint: 'name what is wanted in include, which leaves large objects out, or restore to another target.postgresql.database',
  };
}

function noPlpgsql(database: string): Failure {
  return {
    reason: 'RightMissing',
    message: `blocks of PL/pgSQL cannot be run in "${database}", by which a restore into it is kept within its time`,
    hint: 'in that database: CREATE EXTENSION plpgsql; or GRANT USAGE ON LANGUAGE plpgsql TO the restoring role',
  };
}

function reportOf({ added, kept, replaced, gone }: Part): ObjectsReport {
  const labels = (list: Part['added']) => list.map(({ label }) => label);
  return { added: labels(added), kept: labels(kept), replaced: labels([...replaced, ...gone]) };
}

function notesOf(part: Part, { access }: Parts): readonly string[] {
  const { added, kept, replaced } = reportOf(part);
  const gone = part.gone.map(({ label }) => label);
  return [
    `What is restored goes into "${access.database}" as it is, in one transaction. No previous database is kept.`,
    ...(added.length === 0 ? [] : [say('Added', added)]),
    ...(kept.length === 0 ? [] : [say('Already there, and stay as they are', kept)]),
    ...(replaced.length === 0 ? [] : [say('Replaced, with all that belongs to them', replaced)]),
    ...(gone.length === 0 ? [] : [say('Dropped with their table, unknown to the archive', gone)]),
  ];
}

const NAMED = 20;

function say(what: string, names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${what} (${names.length}): ${names.slice(0, NAMED).join(', ')}${more}.`;
}

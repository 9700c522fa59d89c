/** What of a dump is restored: what was asked for, what belongs to it, and what it needs. Pure. */
import type { Selection } from '../../../api/postgresql-selection.ts';
import type { Failure } from '../../../lib/errors.ts';
import { type DumpObject, type DumpObjects, type Needed, qualifiedOf, relationKey, schemaKey } from './objects.ts';
import { type DumpHead, SECTION, type TocEntry } from './toc.ts';

export interface PartRequest {
  readonly head: DumpHead;
  readonly archive: DumpObjects;
  /** Absent: all of it. */
  readonly selection?: Selection;
  /** Absent: into a new database, which has nothing that could be in the way. */
  readonly into?: Into;
}

/** A database that has objects of its own. */
export interface Into {
  readonly onConflict: 'Fail' | 'Skip' | 'Replace';
  readonly database: string;
  /** Keys of what is there, also of what no dump of it would name. */
  readonly there: ReadonlySet<string>;
  readonly live: DumpObjects;
}

export interface Part {
  readonly refusals: readonly Failure[];
  /** What is restored, in the order in which it is made. */
  readonly entries: readonly TocEntry[];
  readonly added: readonly DumpObject[];
  readonly kept: readonly DumpObject[];
  /** Objects of the live database, which go first. */
  readonly replaced: readonly DumpObject[];
  /** Of these the archive knows nothing: partitions made since, which go with their table. */
  readonly gone: readonly DumpObject[];
}

export function partOf(request: PartRequest): Part {
  const { archive, selection, into } = request;
  const unknown = unknownNames(archive, selection);
  if (unknown.length > 0) return { ...NOTHING, refusals: [notFound(unknown)] };
  const meant = archive.objects.filter(meaningOf(selection));
  const isThere = ({ key }: DumpObject) => into?.there.has(key) === true;
  const conflicts = meant.filter(isThere);
  const replaced = into?.onConflict === 'Replace' ? conflicts.filter(({ kind }) => kind === 'relation') : [];
  const chosen = new Set(meant.filter((object) => !isThere(object) || replaced.includes(object)));
  const missing = addWhatIsNeeded(archive, chosen, isThere, selection);
  const [gone, known] = goneWith(replaced, into?.live, archive);
  return {
    refusals: [
      ...(chosen.size === 0 && conflicts.length === 0 ? [nothingLeft()] : []),
      ...(into?.onConflict === 'Fail' ? inTheWay(conflicts, into.database) : []),
      ...incomplete([...missing, ...missingNeighbours(archive, chosen, isThere)], archive, selection),
      ...goneUnasked(known, chosen),
      ...(into === undefined ? [] : [...othersInPlace(replaced, into), ...rowsMissing(replaced, archive, into)]),
      ...(into === undefined ? [] : stillNeeded(into.live, new Set([...gone, ...known]), into.database)),
    ],
    entries: entriesOf(request, chosen, isThere),
    added: [...chosen].filter((object) => !replaced.includes(object)),
    kept: conflicts.filter((object) => !chosen.has(object)),
    replaced: known,
    gone,
  };
}

const NOTHING = { entries: [], added: [], kept: [], replaced: [], gone: [] };

type Test = (object: DumpObject) => boolean;
type TableName = { readonly schema: string; readonly name: string };

function meaningOf(selection: Selection | undefined): Test {
  if (selection === undefined) return () => true;
  const { include, exclude = {} } = selection;
  const within = (schemas: readonly string[] | undefined): Test => {
    const set = new Set(schemas);
    return ({ kind, schema, name }) => set.has(kind === 'schema' ? name : (schema ?? ''));
  };
  const [inSchemas, named] = [within(include?.schemas), namedIn(include?.tables)];
  const [outSchemas, left] = [within(exclude.schemas), namedIn(exclude.tables)];
  const isAsked: Test = (one) => include === undefined || inSchemas(one) || named(one);
  return (object) =>
    // What is restored beside what is live must not replicate in its name.
    object.kind !== 'replication' &&
    lineage(object).some(isAsked) &&
    !lineage(object).some((one) => outSchemas(one) || left(one));
}

function namedIn(names: readonly TableName[] | undefined): Test {
  const keys = new Set(names?.map(({ schema, name }) => relationKey(schema, name)));
  return ({ key }) => keys.has(key);
}

/** A table and those that it is a partition of. */
function lineage(object: DumpObject): readonly DumpObject[] {
  const line: DumpObject[] = [];
  for (let one: DumpObject | undefined = object; one !== undefined && !line.includes(one); one = one.parent)
    line.push(one);
  return line;
}

function unknownNames({ byKey, objects }: DumpObjects, selection: Selection | undefined): readonly string[] {
  const { include = {}, exclude = {} } = selection ?? {};
  const used = new Set(objects.map(({ schema }) => schema));
  const schemas = (field: string, names: readonly string[] = []) =>
    names
      .filter((name) => !byKey.has(schemaKey(name)) && !used.has(name))
      .map((name) => `schema "${name}" of ${field}`);
  const tables = (field: string, names: readonly TableName[] = []) =>
    names
      .filter(({ schema, name }) => !byKey.has(relationKey(schema, name)))
      .map(({ schema, name }) => `table "${schema}"."${name}" of ${field}`);
  return [
    ...schemas('include.schemas', include.schemas),
    ...tables('include.tables', include.tables),
    ...schemas('exclude.schemas', exclude.schemas),
    ...tables('exclude.tables', exclude.tables),
  ];
}

/** Types, functions, schemas, extensions and sequences come along; a table that nobody asked for does not. */
function addWhatIsNeeded(
  archive: DumpObjects,
  chosen: Set<DumpObject>,
  isThere: Test,
  selection: Selection | undefined,
): readonly Needed[] {
  const missing: Needed[] = [];
  const isLeft = excludedBy(selection);
  const open = [...chosen];
  for (let object = open.pop(); object !== undefined; object = open.pop()) {
    for (const need of archive.needsOf(object)) {
      if (chosen.has(need.object) || isThere(need.object)) continue;
      if (!comesAlong(need.object) || isLeft(need.object)) missing.push(need);
      else {
        chosen.add(need.object);
        open.push(need.object);
      }
    }
  }
  return missing;
}

function comesAlong({ kind, entries: [first] }: DumpObject): boolean {
  return kind !== 'relation' || first?.desc === 'SEQUENCE';
}

/** A schema that is left out is made all the same where something of it is needed: an extension, for one. */
function excludedBy(selection: Selection | undefined): Test {
  const { schemas, tables } = selection?.exclude ?? {};
  const named = namedIn(tables);
  return (object) => named(object) || (object.kind !== 'schema' && schemas?.includes(object.schema ?? '') === true);
}

/**
 * In the order of the dump, but for partitions of a table that is there: one is attached when it has its indexes, which
 * are taken for those that its table wants. Attached before, it would get others of the same names; so where it must be
 * attached before, since its rows come by way of the table, it gets those and no others.
 */
function entriesOf({ head, archive, selection, into }: PartRequest, chosen: ReadonlySet<DumpObject>, isThere: Test) {
  const wanted = new Set([
    ...archive.always,
    ...straysOf(archive, selection, into),
    ...[...chosen].flatMap(({ entries }) => entries),
  ]);
  const joining = [...chosen].filter(({ parent }) => parent !== undefined && isThere(parent) && !chosen.has(parent));
  const late = new Set(
    joining.flatMap((object) =>
      isLoadedByItsTable(object) ? [] : object.entries.filter(({ desc }) => desc === 'TABLE ATTACH'),
    ),
  );
  const left = new Set(joining.flatMap((object) => leftToItsTable(object)));
  const entries = head.entries.filter((entry) => wanted.has(entry) && !late.has(entry) && !left.has(entry));
  if (late.size === 0) return entries;
  const after = entries.findLastIndex(({ section, desc }) => section <= SECTION.data || INDEXES.has(desc ?? ''));
  return [...entries.slice(0, after + 1), ...late, ...entries.slice(after + 1)];
}

/** pg_dump has its reasons: which partition a row is in may differ from server to server. */
function isLoadedByItsTable({ entries, parent }: DumpObject): boolean {
  const [made] = entries;
  if (parent === undefined || made === undefined) return false;
  const own = qualifiedOf(made);
  const copies = entries.flatMap(({ desc, copyStmt }) =>
    desc === 'TABLE DATA' && copyStmt !== null ? [copyStmt] : [],
  );
  return copies.some((copy) => !copy.startsWith(`COPY ${own} `));
}

/** Rows that come by way of a table may be any partition's on another server: so all of them must be there. */
function missingNeighbours(archive: DumpObjects, chosen: ReadonlySet<DumpObject>, isThere: Test): readonly Needed[] {
  const byRoot = Map.groupBy(archive.objects, (object) => lineage(object).at(-1));
  return [...chosen].filter(isLoadedByItsTable).flatMap((object) => {
    const by = object.entries.find(({ desc }) => desc === 'TABLE DATA');
    if (by === undefined) return [];
    const others = byRoot.get(lineage(object).at(-1)) ?? [];
    return others.filter((one) => !chosen.has(one) && !isThere(one)).map((one) => ({ by, object: one }));
  });
}

/** Of the indexes that a partition shares with its table. */
function leftToItsTable(object: DumpObject): readonly TocEntry[] {
  const attached = object.entries.filter(({ desc }) => desc === 'INDEX ATTACH');
  if (!isLoadedByItsTable(object)) return attached;
  const ids = new Set(attached.flatMap(({ dependencies }) => dependencies));
  const made = object.entries.filter(
    ({ desc, dumpId }) => (desc === 'INDEX' || desc === 'CONSTRAINT') && ids.has(String(dumpId)),
  );
  return [...attached, ...made];
}

const INDEXES = new Set(['INDEX', 'CONSTRAINT', 'INDEX ATTACH']);

/** What a live database has, it has with privileges and comments of its own. */
function straysOf(archive: DumpObjects, selection: Selection | undefined, into: Into | undefined): readonly TocEntry[] {
  if (into !== undefined) return [];
  if (selection?.include === undefined) return archive.strays;
  return archive.strays.filter(({ tag }) => tag === 'SCHEMA public');
}

/** What goes of the live database: what is replaced, and the partitions of it that the archive does not know. */
function goneWith(
  replaced: readonly DumpObject[],
  live: DumpObjects | undefined,
  archive: DumpObjects,
): readonly [gone: readonly DumpObject[], known: readonly DumpObject[]] {
  const keys = new Set(replaced.map(({ key }) => key));
  const going = live?.objects.filter((object) => lineage(object).some(({ key }) => keys.has(key))) ?? [];
  return [
    going.filter(({ key }) => !keys.has(key) && !archive.byKey.has(key)),
    going.filter(({ key }) => keys.has(key) || archive.byKey.has(key)),
  ];
}

/** What stays and could not without what goes. Publications get their tables back. */
function stillNeeded(live: DumpObjects, going: ReadonlySet<DumpObject>, database: string): readonly Failure[] {
  const staying = live.objects.filter((object) => !going.has(object) && object.kind !== 'replication');
  const needs = staying.flatMap((object) => live.needsOf(object)).filter(({ object }) => going.has(object));
  if (needs.length === 0) return [];
  const said = unique(needs.map(({ by, object }) => `${live.describe(by)} needs ${object.label}`));
  return [
    {
      reason: 'StillNeeded',
      message: `in "${database}" what would be replaced is needed by what would stay: ${few(said)}`,
      hint: 'name those in include as well, drop them and make them again afterwards, or restore to another target.postgresql.database and take from there what is wanted',
    },
  ];
}

/** Left out, and yet they would go: a partition is dropped with its table. */
function goneUnasked(known: readonly DumpObject[], chosen: ReadonlySet<DumpObject>): readonly Failure[] {
  const keys = new Set([...chosen].map(({ key }) => key));
  const lost = known.filter(({ key }) => !keys.has(key));
  if (lost.length === 0) return [];
  return [
    {
      reason: 'SelectionIncomplete',
      message: `left out, and dropped with the table that they are partitions of: ${few(lost.map(({ label }) => label))}`,
      hint: 'take them out of exclude, or name single partitions in include.tables instead of their table',
    },
  ];
}

/** What was dropped and made again as something else would take what the live one had with it: a view has no rows. */
function othersInPlace(replaced: readonly DumpObject[], { live, database }: Into): readonly Failure[] {
  const differing = replaced.flatMap((object) => {
    const there = live.byKey.get(object.key);
    // No dump has it by itself, so it could not be dropped by itself either.
    if (there === undefined) return [`${object.label} of the archive belongs to a table or an extension there`];
    return whatOf(there) === whatOf(object) ? [] : [`${there.label} is ${object.label} in the archive`];
  });
  if (differing.length === 0) return [];
  return [
    {
      reason: 'KindMismatch',
      message: `in "${database}" what would be replaced is something else than in the archive: ${few(differing)}`,
      hint: 'leave it out with exclude, or use onConflict: Skip; or rename or drop the live one, if the one of the archive is wanted',
    },
  ];
}

const whatOf = ({ entries: [made] }: DumpObject) => made?.desc;

/** An archive may have a table without its rows: in the place of one that has them it would empty it. */
function rowsMissing(replaced: readonly DumpObject[], { objects }: DumpObjects, { live }: Into): readonly Failure[] {
  const emptied = replaced.filter((object) => {
    const there = live.byKey.get(object.key);
    if (there === undefined || whatOf(there) !== 'TABLE' || whatOf(object) !== 'TABLE') return false;
    // Its partitions are looked at one by one.
    if (isPartitioned(there) && isPartitioned(object)) return false;
    return objects.some((one) => lineage(one).includes(object) && !hasRows(one));
  });
  if (emptied.length === 0) return [];
  return [
    {
      reason: 'RowsMissing',
      message: `the archive has no rows of what would be replaced, and it would be empty: ${few(emptied.map(({ label }) => label))}`,
      hint: 'leave it out with exclude, or use onConflict: Skip',
    },
  ];
}

/** Of a table without rows a dump has them all the same, none; of a partitioned one its partitions have them. */
function hasRows(object: DumpObject): boolean {
  return (
    whatOf(object) !== 'TABLE' || isPartitioned(object) || object.entries.some(({ desc }) => desc === 'TABLE DATA')
  );
}

/** Before format 1.16 only the statement says so. */
function isPartitioned({ entries: [made] }: DumpObject): boolean {
  const { relkind = 0, defn = null } = made ?? {};
  return relkind === 0 ? /\n\)\nPARTITION BY (?:RANGE|LIST|HASH) /.test(defn ?? '') : relkind === PARTITIONED;
}

/** As pg_class has it. */
const PARTITIONED = 'p'.charCodeAt(0);

function inTheWay(conflicts: readonly DumpObject[], database: string): readonly Failure[] {
  // Of these there is one for all that is in it.
  const objects = conflicts.filter(({ kind }) => kind !== 'schema' && kind !== 'extension' && kind !== 'setting');
  if (objects.length === 0) return [];
  return [
    {
      reason: 'ObjectsExist',
      message: `"${database}" has ${objects.length} of what would be restored, and onConflict is Fail: ${few(objects.map(({ label }) => label))}`,
      hint: 'make a Restore with onConflict: Skip, which adds what is missing, or Replace, which replaces those tables; or one with another target.postgresql.database',
    },
  ];
}

function incomplete(
  missing: readonly Needed[],
  archive: DumpObjects,
  selection: Selection | undefined,
): readonly Failure[] {
  if (missing.length === 0) return [];
  const said = unique(missing.map(({ by, object }) => `${archive.describe(by)} needs ${object.label}`));
  const wanted = few(unique(missing.map(({ object }) => object.label)));
  const way = selection?.include === undefined ? `take out of exclude: ${wanted}` : `add to include: ${wanted}`;
  return [
    {
      reason: 'SelectionIncomplete',
      message: `what is selected cannot be restored by itself: ${few(said)}`,
      hint: `${way}; or leave out what needs it as well`,
    },
  ];
}

function notFound(unknown: readonly string[]): Failure {
  return {
    reason: 'SelectionNotFound',
    message: `the archive has no ${few(unknown)}`,
    hint: 'names are literal: capitals count, and quotes and dots are part of a name; correct the name in a new Restore',
  };
}

function nothingLeft(): Failure {
  return {
    reason: 'SelectionEmpty',
    message: 'include and exclude together leave nothing of the archive',
    hint: 'make a new Restore that excludes less',
  };
}

const unique = (list: readonly string[]) => [...new Set(list)];

const few = (list: readonly string[]) =>
  list.length <= 5 ? list.join(', ') : `${list.slice(0, 5).join(', ')} and ${list.length - 5} more`;

/** What a selection means in a database as it is. Pure. */
import type { Selection } from '../../api/postgresql-selection.ts';
import { notReady } from '../../lib/errors.ts';
import type { RelationFacts, SchemaFacts, SelectionFacts } from './selection-facts.ts';

export interface Choice {
  readonly kept: readonly RelationFacts[];
  readonly left: readonly RelationFacts[];
  /** Those of the kept ones whose rows are left out. */
  readonly withoutRows: readonly RelationFacts[];
  /** Schemas of which everything is meant. */
  readonly whole: ReadonlySet<SchemaFacts>;
  /** Schemas that go, as far as can be told by their relations. */
  readonly gone: ReadonlySet<SchemaFacts>;
  readonly relationOf: ReadonlyMap<number, RelationFacts>;
  readonly schemaOf: ReadonlyMap<number, SchemaFacts>;
}

/** Fails with `SelectionNotFound` for a name that is nobody's. */
export function choose(facts: SelectionFacts, selection: Selection): Choice {
  refuseUnknown(facts, selection);
  const { include, exclude = {} } = selection;
  const relationOf = new Map(facts.relations.map((relation) => [relation.oid, relation]));
  const some = (relation: RelationFacts, test: (one: RelationFacts) => boolean) =>
    lineage(relation, relationOf).some(test);
  const isMeant = included(include);
  const [isLeft, isRowless] = [excluded(exclude), namedIn(exclude.tableData)];

  // What an extension keeps comes and goes with the extension.
  const own = facts.relations.filter((relation) => !relation.ofExtension);
  const kept = own.filter((relation) => some(relation, isMeant) && !some(relation, isLeft));
  const isKept = new Set(kept);
  const schemasOfKept = new Set(kept.map(({ schema }) => schema));
  const whole = new Set(
    facts.schemas.filter(
      ({ name, ofExtension }) =>
        exclude.schemas?.includes(name) !== true &&
        (ofExtension || include === undefined || include.schemas?.includes(name) === true),
    ),
  );
  return {
    kept,
    left: own.filter((relation) => !isKept.has(relation)),
    withoutRows: facts.relations.filter(
      (relation) => (relation.ofExtension || isKept.has(relation)) && some(relation, isRowless),
    ),
    whole,
    gone: new Set(
      facts.schemas.filter(
        (schema) =>
          !whole.has(schema) && !schemasOfKept.has(schema.name) && (schema.ofExtension || !schema.hostsExtension),
      ),
    ),
    relationOf,
    schemaOf: new Map(facts.schemas.map((schema) => [schema.oid, schema])),
  };
}

type TableName = Pick<RelationFacts, 'schema' | 'name'>;
type Test = (relation: RelationFacts) => boolean;

function included(include: Selection['include']): Test {
  if (include === undefined) return () => true;
  const named = namedIn(include.tables);
  return (relation) => include.schemas?.includes(relation.schema) === true || named(relation);
}

function excluded(exclude: NonNullable<Selection['exclude']>): Test {
  const named = namedIn(exclude.tables);
  return (relation) => exclude.schemas?.includes(relation.schema) === true || named(relation);
}

function namedIn(names: readonly TableName[] = []): Test {
  const set = new Set(names.map(key));
  return (relation) => set.has(key(relation));
}

const key = ({ schema, name }: TableName) => JSON.stringify([schema, name]);

/** A relation, the table that it is a part of (as a partition, or as the sequence of a column), and so on. */
export function lineage(
  relation: RelationFacts,
  relationOf: ReadonlyMap<number, RelationFacts>,
): readonly RelationFacts[] {
  const line: RelationFacts[] = [];
  for (let one: RelationFacts | undefined = relation; one !== undefined; one = relationOf.get(one.parent ?? 0)) {
    line.push(one);
  }
  return line;
}

function refuseUnknown(facts: SelectionFacts, { include = {}, exclude = {} }: Selection): void {
  const schemas = new Set(facts.schemas.map(({ name }) => name));
  // A sequence of a column comes and goes with its table.
  const relations = facts.relations.filter(({ kind, parent }) => kind !== 'S' || parent === null);
  // A materialized view is filled from what it reads; left empty, it would be an error for those that read it.
  const tables = relations.filter(({ kind }) => 'rp'.includes(kind));
  const unknownSchemas = (field: string, names: readonly string[] = []) =>
    names.filter((name) => !schemas.has(name)).map((name) => `schema "${name}" of ${field}`);
  const unknownTables = (field: string, names: readonly TableName[] = [], among = relations) => {
    const known = new Set(among.map(key));
    return names.filter((name) => !known.has(key(name))).map((name) => `table ${shown(name)} of ${field}`);
  };
  const unknown = [
    ...unknownSchemas('include.schemas', include.schemas),
    ...unknownTables('include.tables', include.tables),
    ...unknownSchemas('exclude.schemas', exclude.schemas),
    ...unknownTables('exclude.tables', exclude.tables),
    ...unknownTables('exclude.tableData', exclude.tableData, tables),
  ];
  if (unknown.length === 0) return;
  throw notReady(
    'SelectionNotFound',
    `the database has no ${few(unknown)}`,
    'names are literal: capitals count, and quotes and dots are part of a name; correct the name in a new Backup, or make what it names',
  );
}

export const shown = ({ schema, name }: TableName) => `"${schema}"."${name}"`;

export const few = (list: readonly string[]) =>
  list.length <= 5 ? list.join(', ') : `${list.slice(0, 5).join(', ')} and ${list.length - 5} more`;

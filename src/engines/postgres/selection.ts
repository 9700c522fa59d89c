import type { Selection } from '../../api/postgresql-selection.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import { type Codes, literalPattern, tablePatterns } from './patterns.ts';
import { type Choice, choose } from './selection-choice.ts';
import {
  codesOf,
  type Need,
  needsOf,
  type RelationFacts,
  type SchemaFacts,
  selectionFacts,
} from './selection-facts.ts';
import { refuseDangling, refuseNeeds, refuseStranded } from './selection-refusals.ts';

/** A part of a database that can be restored by itself. */
export interface Part {
  /** What pg_dump is told. */
  readonly args: readonly string[];
  /** The tables that are in it, with or without their rows. */
  readonly tables: readonly { readonly schema: string; readonly name: string }[];
  /** Oids of the tables and other relations that are not in it. */
  readonly left: readonly number[];
  readonly rowless: readonly number[];
}

/**
 * Everything that does not belong to the part is left out by name. pg_dump's own way, to name what belongs to it, also
 * leaves out the schemas that tables are in, types, functions, extensions and large objects, and such a dump does not load.
 */
export async function partOf(session: Session, selection: Selection): Promise<Part> {
  const facts = await selectionFacts(session);
  const choice = choose(facts, selection);
  const gone = await whatNobodyNeeds(session, choice, selection);
  refuseDangling(choice, facts.foreignKeys);
  refuseStranded(choice);
  const named = facts.schemas.some((schema) => choice.whole.has(schema) && !schema.ofExtension);
  if (choice.kept.length === 0 && !named) throw nothingLeft();
  return {
    left: oids([...choice.left, ...keptByGoneExtensions(facts.relations, gone)]),
    rowless: oids(choice.withoutRows),
    args: await argumentsOf(session, facts.schemas, choice, gone),
    tables: choice.kept.filter(({ kind }) => 'rp'.includes(kind)).map(({ schema, name }) => ({ schema, name })),
  };
}

/**
 * A schema that nobody named stays, without its tables, where what was named needs something of it: a type, a function.
 * What that in turn needs may be elsewhere, so this goes on until nothing is needed any more.
 */
async function whatNobodyNeeds(
  session: Session,
  choice: Choice,
  selection: Selection,
): Promise<ReadonlySet<SchemaFacts>> {
  const gone = new Set(choice.gone);
  const mayStay = ({ relation, schema }: Need) =>
    relation === null && selection.exclude?.schemas?.includes(choice.schemaOf.get(schema)?.name ?? '') !== true;
  for (;;) {
    // A schema that an extension made is made by it again.
    const schemas = [...gone].filter(({ ofExtension }) => !ofExtension);
    const needs = await needsOf(session, oids(schemas), oids(choice.left));
    const stays = schemas.filter(({ oid }) => needs.some((need) => need.schema === oid && mayStay(need)));
    for (const schema of stays) gone.delete(schema);
    if (stays.length > 0) continue;
    refuseNeeds(needs, choice, selection);
    return gone;
  }
}

/** Rows that an extension keeps in a schema of its own that was excluded. */
function keptByGoneExtensions(relations: readonly RelationFacts[], gone: ReadonlySet<SchemaFacts>) {
  const names = new Set([...gone].map(({ name }) => name));
  return relations.filter(({ ofExtension, schema }) => ofExtension && names.has(schema));
}

const oids = (list: readonly { readonly oid: number }[]) => list.map(({ oid }) => oid);

/**
 * A publication names tables that may be left out; pg_dump 18 then adds them to it all the same, which fails at loading.
 * And what is restored beside the live database must not replicate in its name.
 */
const NO_REPLICATION = ['--no-publications', '--no-subscriptions'];

/** Linux takes 2 MiB of arguments and environment in all. */
const ARGUMENTS_LIMIT = 1_500_000;

async function argumentsOf(
  session: Session,
  schemas: readonly SchemaFacts[],
  { left, withoutRows }: Choice,
  gone: ReadonlySet<SchemaFacts>,
): Promise<readonly string[]> {
  const goneNames = new Set([...gone].map(({ name }) => name));
  const tables = left.filter(({ schema }) => !goneNames.has(schema));
  const rowless = withoutRows.filter(({ kind, schema }) => kind !== 'p' && !goneNames.has(schema));
  const codes = await codesOf(session, [...schemas, ...tables, ...rowless]);
  const of = ({ oid }: { readonly oid: number }): Codes => codes.get(oid) ?? [];
  const inSchemas = (option: string, list: readonly RelationFacts[]) => {
    const grouped = Map.groupBy(list, ({ schema }) => schema);
    return schemas.flatMap((schema) =>
      tablePatterns(of(schema), (grouped.get(schema.name) ?? []).map(of)).map((pattern) => `${option}=${pattern}`),
    );
  };
  const args = [
    ...NO_REPLICATION,
    ...[...gone].map((schema) => `--exclude-schema=${literalPattern(of(schema))}`),
    ...inSchemas('--exclude-table', tables),
    ...inSchemas('--exclude-table-data', rowless),
  ];
  if (args.join(' ').length > ARGUMENTS_LIMIT) throw tooMany(tables.length);
  return args;
}

function nothingLeft(): HoldfastError {
  return new HoldfastError('SelectionEmpty', 'include and exclude together leave nothing of the database', {
    hint: 'make a new Backup that excludes less',
  });
}

function tooMany(count: number): HoldfastError {
  return new HoldfastError('SelectionTooLarge', `${count} tables would have to be left out one by one`, {
    hint: 'select whole schemas, or keep what is to be backed up in a schema of its own',
  });
}

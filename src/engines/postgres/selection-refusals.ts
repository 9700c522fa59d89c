/**
 * A dump is loaded in one piece or not at all: one statement that fails, and the archive is worthless. So what would fail
 * is found before anything is dumped, and said with what to add. Pure.
 */
import type { Selection } from '../../api/postgresql-selection.ts';
import { HoldfastError } from '../../lib/errors.ts';
import { type Choice, few, lineage, shown } from './selection-choice.ts';
import type { ForeignKeyFacts, Need, RelationFacts } from './selection-facts.ts';

export function refuseNeeds(needs: readonly Need[], choice: Choice, { include }: Selection): void {
  if (needs.length === 0) return;
  const tables = needs.flatMap(({ relation }) => choice.relationOf.get(relation ?? 0) ?? []).map(shown);
  const schemas = needs
    .filter(({ relation }) => relation === null)
    .map(({ schema }) => choice.schemaOf.get(schema)?.name);
  const ways = [
    ...(tables.length === 0
      ? []
      : [`${include === undefined ? 'take out of exclude' : 'add to include.tables'}: ${few(unique(tables))}`]),
    ...(schemas.length === 0
      ? []
      : [`exclude the tables of the schema, not the schema: ${few(unique(schemas.map((name) => `"${name}"`)))}`]),
    'or leave out what needs it as well',
  ];
  throw incomplete(
    needs.map(({ object, needs: what }) => `${object} needs ${what}`),
    ways.join('; '),
  );
}

/** A foreign key is checked when it is made again, so rows need the rows that they point to. */
export function refuseDangling({ kept, withoutRows, relationOf }: Choice, keys: readonly ForeignKeyFacts[]): void {
  if (withoutRows.length === 0) return;
  const rowless = new Set(withoutRows);
  const parts = partsOf(kept, relationOf);
  const dangling = keys.flatMap(({ name, table: from, references }) => {
    const [table, target] = [relationOf.get(from), relationOf.get(references)];
    if (table === undefined || target === undefined) return [];
    const pointsNowhere = parts(target).some((one) => rowless.has(one));
    const hasRows = parts(table).some((one) => one.kind === 'r' && !rowless.has(one));
    return pointsNowhere && hasRows
      ? [`rows of ${shown(table)} point to rows of ${shown(target)}, which are left out (foreign key "${name}")`]
      : [];
  });
  if (dangling.length === 0) return;
  throw incomplete(unique(dangling), 'leave out the rows of both in exclude.tableData, or of neither');
}

/** A row that is another partition's where it is restored needs that partition to be there. */
export function refuseStranded({ kept, left, withoutRows, relationOf }: Choice): void {
  const rowless = new Set(withoutRows);
  const moving = (one: RelationFacts) => lineage(one, relationOf).filter(({ rowsMayMove }) => rowsMayMove);
  const isLeft = new Set(left.map(({ oid }) => oid));
  // With a partition go its own partitions, which nobody named.
  const missing = Map.groupBy(
    left.filter(({ parent }) => parent === null || !isLeft.has(parent)),
    (one) => moving(one).at(-1),
  );
  const stranded = new Set(
    kept.flatMap((one) => {
      const whole = one.kind === 'r' && !rowless.has(one) ? moving(one).at(-1) : undefined;
      return whole !== undefined && missing.has(whole) ? [whole] : [];
    }),
  );
  if (stranded.size === 0) return;
  const lost = [...stranded].flatMap((whole) => missing.get(whole) ?? []);
  throw incomplete(
    [...stranded].map(
      (whole) =>
        `which partition of ${shown(whole)} a row is in differs from database to database, so its rows need all of them`,
    ),
    `take out of exclude: ${few(lost.map(shown))}; or leave out their rows instead, in exclude.tableData; or leave out the whole table`,
  );
}

/** Of a table the kept ones among itself and its partitions. */
function partsOf(kept: readonly RelationFacts[], relationOf: ReadonlyMap<number, RelationFacts>) {
  const parts = new Map<RelationFacts, RelationFacts[]>();
  for (const one of kept) {
    for (const whole of lineage(one, relationOf)) {
      const known = parts.get(whole);
      if (known === undefined) parts.set(whole, [one]);
      else known.push(one);
    }
  }
  return (table: RelationFacts) => parts.get(table) ?? [];
}

const unique = (list: readonly string[]) => [...new Set(list)];

function incomplete(problems: readonly string[], hint: string): HoldfastError {
  return new HoldfastError('SelectionIncomplete', `what is selected cannot be restored by itself: ${few(problems)}`, {
    hint,
  });
}

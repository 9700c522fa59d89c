import { type Failure, notReady } from '../../lib/errors.ts';
import { ofExtension, USER_SCHEMA } from './catalogue.ts';
import type { Session } from './connection.ts';
import { identifier } from './sql.ts';

/** What the role may not read, and so could not be dumped. */
export interface Unreadable {
  readonly role: string;
  readonly major: number;
  readonly schemas: readonly string[];
  readonly tables: readonly TableName[];
  readonly sequences: readonly TableName[];
  /** Tables whose policies would hide rows from the role: pg_dump rather fails than dumps a part. */
  readonly filtered: readonly TableName[];
  /** The first of them: there may be millions. */
  readonly largeObjects: readonly number[];
  readonly largeObjectCount: number;
}

interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** `left`: oids of relations that are not dumped; `rowless`: those of which no rows are. */
export async function refuseUnreadable(
  session: Session,
  left: readonly number[],
  rowless: readonly number[],
): Promise<void> {
  const problem = unreadableProblem(await unreadable(session, left, rowless));
  if (problem !== undefined) throw notReady('RightMissing', problem.message, problem.hint);
}

/** What is in the way of a dump without any rows, which locks tables all the same. */
export async function definitionsUnreadable(session: Session): Promise<readonly Failure[]> {
  const facts = await unreadable(session, [], []);
  const rows = { sequences: [], filtered: [], largeObjects: [], largeObjectCount: 0 };
  const problem = unreadableProblem({ ...facts, ...rows });
  return problem === undefined ? [] : [{ reason: 'RightMissing', ...problem }];
}

const RELATIONS = `
  SELECT c.relkind AS kind, n.nspname AS schema, c.relname AS name,
    has_schema_privilege(n.oid, 'USAGE') AS inside,
    CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT') ELSE has_table_privilege(c.oid, 'SELECT') END AS readable,
    c.relkind = 'r' AND c.relrowsecurity AND c.oid <> ALL ($2::oid[]) AND row_security_active(c.oid) AS filtered
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S') AND ${USER_SCHEMA} AND c.oid <> ALL ($1::oid[])
    AND (
      NOT ${ofExtension('pg_class', 'c.oid')}
      OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))
  ORDER BY 2, 3`;

/** A message holds so many names; a statement that is cut is worse than one that has to be given twice. */
const SHOWN = 10;

/** From 18 on there is a function for it; this is what it says. */
const LARGE_OBJECTS = `
  SELECT l.oid, count(*) OVER ()::int4 AS count FROM pg_largeobject_metadata l
  WHERE NOT pg_has_role(l.lomowner, 'USAGE') AND current_setting('lo_compat_privileges') = 'off'
    AND NOT EXISTS (
      SELECT FROM aclexplode(l.lomacl) a
      WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
  ORDER BY 1 LIMIT ${SHOWN}`;

async function unreadable(session: Session, left: readonly number[], rowless: readonly number[]): Promise<Unreadable> {
  const [self] = await session.query<{ role: string }>('SELECT current_user AS role');
  const relations = await session.query<
    TableName & { kind: string; inside: boolean; readable: boolean; filtered: boolean }
  >(RELATIONS, [left, rowless]);
  const of = (kinds: string, test: (relation: (typeof relations)[number]) => boolean) =>
    relations.filter((relation) => kinds.includes(relation.kind) && test(relation));
  const largeObjects = await session.query<{ oid: number; count: number }>(LARGE_OBJECTS);
  return {
    role: self?.role ?? '',
    major: session.server.major,
    schemas: [...new Set(of('rpS', ({ inside }) => !inside).map(({ schema }) => schema))],
    tables: of('rp', ({ readable }) => !readable),
    sequences: of('S', ({ readable }) => !readable),
    filtered: of('r', ({ readable, filtered }) => readable && filtered),
    largeObjects: largeObjects.map(({ oid }) => oid),
    largeObjectCount: largeObjects[0]?.count ?? 0,
  };
}

/** Says what cannot be read, and the statements that change it. Pure; exported for its test. */
export function unreadableProblem(facts: Unreadable): { readonly message: string; readonly hint: string } | undefined {
  const { schemas, tables, sequences, filtered, largeObjects, largeObjectCount } = facts;
  const what = [
    ...counted('schema', schemas.map(identifier)),
    ...counted('table', tables.map(dotted)),
    ...counted('sequence', sequences.map(dotted)),
    ...counted('large object', largeObjects.map(String), largeObjectCount),
    ...counted('the rows that row security hides in', filtered.map(dotted)),
  ];
  if (what.length === 0) return undefined;
  return { message: `role "${facts.role}" may not read ${what.join('; ')}`, hint: statements(facts).join(' ') };
}

function statements(facts: Unreadable): readonly string[] {
  const { schemas, tables, sequences, filtered, largeObjects, major } = facts;
  const to = `TO ${identifier(facts.role)};`;
  const all = schemas.length + tables.length + sequences.length > 0;
  const schemasOf = (list: readonly TableName[]) => [...new Set(list.map(({ schema }) => schema))].map(identifier);
  return [
    ...(all && major >= 14 ? [`GRANT pg_read_all_data ${to}`] : []),
    ...(major >= 14
      ? []
      : [
          ...granted(`GRANT USAGE ON SCHEMA`, schemas.map(identifier), to),
          ...granted(`GRANT SELECT ON ALL TABLES IN SCHEMA`, schemasOf(tables), to),
          ...granted(`GRANT SELECT ON ALL SEQUENCES IN SCHEMA`, schemasOf(sequences), to),
        ]),
    ...granted('GRANT SELECT ON LARGE OBJECT', largeObjects.map(String), to),
    ...(filtered.length > 0 ? [`ALTER ROLE ${identifier(facts.role)} BYPASSRLS;`] : []),
  ];
}

const dotted = ({ schema, name }: TableName) => `${identifier(schema)}.${identifier(name)}`;

const granted = (statement: string, names: readonly string[], to: string) =>
  names.length === 0 ? [] : [`${statement} ${names.slice(0, SHOWN).join(', ')} ${to}`];

const counted = (what: string, names: readonly string[], count = names.length) =>
  names.length === 0
    ? []
    : [`${what} ${names.slice(0, SHOWN).join(', ')}${count > SHOWN ? ` and ${count - SHOWN} more` : ''}`];

/** Types and tables of a made-up database, with rows. */
import { type Column, type Draft, id, lit, type Table } from './postgres-random-draft.ts';
import { type ColumnType, randomValue } from './postgres-random-types.ts';

const arrayOf = ({ sql, values }: ColumnType): ColumnType => ({
  sql: `${sql}[]`,
  values: [`ARRAY[${values.join(', ')}]::${sql}[]`, `'{}'::${sql}[]`, `ARRAY[${values[0]}]::${sql}[]`],
});

export const TYPES = {
  enum: (draft: Draft): ColumnType => {
    const [sql, labels] = [draft.newRef(), Array.from({ length: 3 }, () => lit(draft.name()))];
    draft.add(`CREATE TYPE ${sql} AS ENUM (${labels.join(', ')})`);
    return { sql, values: labels, indexes: ['btree', 'hash'] };
  },
  'domain over text': (draft: Draft): ColumnType => {
    const sql = draft.newRef();
    draft.add(
      `CREATE DOMAIN ${sql} AS text COLLATE "C" DEFAULT ${draft.text()} CONSTRAINT ${id(draft.name())} CHECK (length(VALUE) < 100)`,
      `ALTER DOMAIN ${sql} ADD CONSTRAINT ${id(draft.name())} CHECK (VALUE <> 'never') NOT VALID`,
    );
    return { sql, values: ["''", "'a'", draft.text()], indexes: ['btree'] };
  },
  'domain that is never null': (draft: Draft): ColumnType => {
    const sql = draft.newRef();
    draft.add(`CREATE DOMAIN ${sql} AS int NOT NULL DEFAULT 3 CHECK (VALUE > 0 AND VALUE <> 13)`);
    return { sql, values: ['1', '2147483647'], notNull: true, indexes: ['btree'] };
  },
  'domain over an array': (draft: Draft): ColumnType => {
    const sql = draft.newRef();
    draft.add(`CREATE DOMAIN ${sql} AS int[] CHECK (array_length(VALUE, 1) < 5)`);
    return { sql, values: ["'{1,2}'", "'[0:1]={3,4}'"] };
  },
  composite: (draft: Draft): ColumnType => {
    const sql = draft.newRef();
    draft.add(
      `CREATE TYPE ${sql} AS (${id(draft.name())} int, ${id(draft.name())} text COLLATE "C", "third" numeric(6,2)[])`,
    );
    return { sql, values: [`ROW(1, ${draft.text()}, '{1.50,NULL}')::${sql}`, `ROW(NULL, '', NULL)::${sql}`] };
  },
  'array of composites': (draft: Draft): ColumnType => {
    return arrayOf(TYPES.composite(draft));
  },
  range: (draft: Draft): ColumnType => {
    const sql = draft.newRef();
    draft.add(`CREATE TYPE ${sql} AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi)`);
    return { sql, values: ["'[1.5,2)'", "'empty'", "'(,NaN]'"], indexes: ['gist'] };
  },
} as const;

/** A table's columns beside `id`. */
function columnsOf(draft: Draft): readonly Column[] {
  return Array.from({ length: draft.random.int(1, 6) }, () => ({
    name: draft.name(),
    type: draft.random.pick(draft.types),
  }));
}

function definition({ random }: Draft, { name, type }: Column): string {
  const parts = [`${id(name)} ${type.sql}`];
  if (type.sql === 'text' && random.chance(0.3)) parts.push('COLLATE "C"');
  if (random.chance(0.3)) parts.push(`DEFAULT ${random.pick(type.values)}`);
  return parts.join(' ');
}

/** Every table has a column `id`. */
export const TABLES = {
  'plain table': (draft: Draft) => {
    const { random } = draft;
    const [ref, columns] = [draft.newRef(), columnsOf(draft)];
    const options = random.chance(0.3)
      ? ' WITH (fillfactor = 71, autovacuum_enabled = off, toast.autovacuum_vacuum_threshold = 99)'
      : '';
    const parts = [`id ${idColumn(draft)}`, ...columns.map((column) => definition(draft, column)), ...generated(draft)];
    const logged = random.chance(0.85);
    draft.add(`CREATE ${logged ? '' : 'UNLOGGED '}TABLE ${ref} (${parts.join(', ')})${options}`);
    keep(draft, { ref, columns, kind: 'plain', keyed: true, logged });
  },
  'inherited table': (draft: Draft) => {
    const [parent, second, ref] = [draft.newRef(), draft.newRef(), draft.newRef()];
    const [columns, own] = [columnsOf(draft), columnsOf(draft)];
    const [first] = columns;
    draft.add(
      `CREATE TABLE ${parent} (id int NOT NULL, ${columns.map((column) => definition(draft, column)).join(', ')})`,
      `CREATE TABLE ${second} (id int NOT NULL DEFAULT 4)`,
      `CREATE TABLE ${ref} (id int DEFAULT 5, ${own.map((column) => definition(draft, column)).join(', ')}) INHERITS (${parent}, ${second})`,
    );
    if (first !== undefined)
      draft.add(`ALTER TABLE ${ref} ALTER ${id(first.name)} SET DEFAULT ${draft.random.pick(first.type.values)}`);
    keep(draft, { ref: parent, columns, kind: 'inherited', keyed: false });
    keep(draft, { ref, columns: [...columns, ...own], kind: 'inherited', keyed: false });
  },
  'table partitioned by range': (draft: Draft) => {
    const [ref, columns, inner] = [draft.newRef(), columnsOf(draft), draft.newRef()];
    const definitions = columns.map(({ name, type }) => `${id(name)} ${type.sql}`);
    const detached = draft.newRef();
    draft.add(
      `CREATE TABLE ${ref} (id int, ${definitions.join(', ')}, PRIMARY KEY (id)) PARTITION BY RANGE (id)`,
      `CREATE TABLE ${draft.newRef()} PARTITION OF ${ref} FOR VALUES FROM (MINVALUE) TO (2) WITH (fillfactor = 60)`,
      `CREATE TABLE ${inner} PARTITION OF ${ref} FOR VALUES FROM (2) TO (4) PARTITION BY HASH (id)`,
      ...[0, 1].map(
        (rest) => `CREATE TABLE ${draft.newRef()} PARTITION OF ${inner} FOR VALUES WITH (MODULUS 2, REMAINDER ${rest})`,
      ),
      // Columns in another order than its parent's, and one that is gone.
      `CREATE TABLE ${detached} (gone int, ${[...columns]
        .reverse()
        .map(({ name, type }) => `${id(name)} ${type.sql}`)
        .join(', ')}, id int NOT NULL)`,
      `ALTER TABLE ${detached} DROP COLUMN gone`,
    );
    draft.add(
      `ALTER TABLE ${ref} ATTACH PARTITION ${detached} FOR VALUES FROM (4) TO (6)`,
      `CREATE TABLE ${draft.newRef()} PARTITION OF ${ref} DEFAULT`,
    );
    keep(draft, { ref, columns, kind: 'partitioned', keyed: true });
  },
  'table partitioned by list': (draft: Draft) => {
    const [ref, columns] = [draft.newRef(), columnsOf(draft)];
    draft.add(
      `CREATE TABLE ${ref} (id int NOT NULL, ${columns.map((column) => definition(draft, column)).join(', ')}) PARTITION BY LIST ((id % 3))`,
      `CREATE TABLE ${draft.newRef()} PARTITION OF ${ref} FOR VALUES IN (0, NULL)`,
      `CREATE TABLE ${draft.newRef()} PARTITION OF ${ref} FOR VALUES IN (1)`,
      `CREATE TABLE ${draft.newRef()} PARTITION OF ${ref} DEFAULT`,
    );
    keep(draft, { ref, columns, kind: 'partitioned', keyed: false });
  },
  'table partitioned by the hash of an enum': (draft: Draft) => {
    const [ref, mood] = [draft.newRef(), TYPES.enum(draft)];
    const column = { name: draft.name(), type: draft.random.chance(0.5) ? mood : arrayOf(mood) };
    const key = id(column.name);
    draft.add(
      `CREATE TABLE ${ref} (id int NOT NULL, ${key} ${column.type.sql}) PARTITION BY HASH (${key})`,
      ...[0, 1, 2].map(
        (rest) => `CREATE TABLE ${draft.newRef()} PARTITION OF ${ref} FOR VALUES WITH (MODULUS 3, REMAINDER ${rest})`,
      ),
    );
    keep(draft, { ref, columns: [column], kind: 'partitioned', keyed: false });
  },
  'typed table': (draft: Draft) => {
    const [type, ref, columns] = [
      draft.newRef(),
      draft.newRef(),
      columnsOf(draft).filter(({ type: { notNull } }) => notNull !== true),
    ];
    draft.add(
      `CREATE TYPE ${type} AS (${['id int', ...columns.map(({ name, type: { sql } }) => `${id(name)} ${sql}`)].join(', ')})`,
      `CREATE TABLE ${ref} OF ${type} (PRIMARY KEY (id))`,
    );
    keep(draft, { ref, columns, kind: 'typed', keyed: true });
  },
} as const;

function idColumn({ random }: Draft): string {
  const options = random.pick(['', ' (START 7 INCREMENT 3)', ' (MINVALUE -5 MAXVALUE 1000000 START -5 CACHE 7 CYCLE)']);
  return random.pick([
    'int PRIMARY KEY',
    'bigint PRIMARY KEY CHECK (id > 0)',
    `int GENERATED ALWAYS AS IDENTITY${options} PRIMARY KEY`,
    `bigint GENERATED BY DEFAULT AS IDENTITY${options} PRIMARY KEY`,
    'bigserial PRIMARY KEY',
  ]);
}

function generated(draft: Draft): readonly string[] {
  if (!draft.random.chance(0.5)) return [];
  const kind = draft.major >= 18 && draft.random.chance(0.5) ? 'VIRTUAL' : 'STORED';
  return [`${id(draft.name())} bigint GENERATED ALWAYS AS (id * 2 + 1) ${kind}`];
}

function keep(draft: Draft, table: Omit<Table, 'rows' | 'logged'> & Partial<Pick<Table, 'logged'>>): void {
  const rows = draft.random.int(0, 6);
  const names = ['id', ...table.columns.map(({ name }) => id(name))].join(', ');
  const values = Array.from({ length: rows }, (_, row) => {
    const others = table.columns.map(({ type }) => randomValue(draft.random, type, true));
    return `(${[row + 1, ...others].join(', ')})`;
  });
  // One statement for each row: literals of several rows would have to agree on a type.
  for (const value of values) draft.add(`INSERT INTO ${table.ref} (${names}) OVERRIDING SYSTEM VALUE VALUES ${value}`);
  draft.tables.push({ logged: true, ...table, rows });
}

/** Types of columns, with values that are easy to lose on the way. */
import type { Encoding, Random } from './postgres-random.ts';

export interface ColumnType {
  readonly sql: string;
  /** Expressions. */
  readonly values: readonly string[];
  /** The first major version that has it. */
  readonly from?: number;
  readonly encodings?: readonly Encoding[];
  readonly extension?: string;
  /** No NULL: a domain says so. */
  readonly notNull?: boolean;
  /** For which kinds of index a column of this type is good without further words. */
  readonly indexes?: readonly ('btree' | 'hash' | 'gin' | 'gist' | 'brin')[];
}

const ordered = ['btree', 'hash', 'brin'] as const;
const quoted = (...texts: readonly string[]) => texts.map((text) => `'${text}'`);

const BUILT_IN: readonly ColumnType[] = [
  { sql: 'smallint', values: ['-32768', '0', '32767'], indexes: ordered },
  { sql: 'int', values: ['-2147483648', '7', '2147483647'], indexes: ordered },
  { sql: 'bigint', values: ['-9223372036854775808', '9223372036854775807'], indexes: ordered },
  { sql: 'numeric', values: ["'NaN'", '0', '-0.000000000000000000001', '1e40', '1.50'], indexes: ordered },
  { sql: 'numeric(12,4)', values: ['-1.5', '99999999.9999'], indexes: ordered },
  { sql: 'real', values: quoted('NaN', '-Infinity', '-0', '1e-45', '3.4028235e38', '0.1'), indexes: ordered },
  {
    sql: 'float8',
    values: quoted('NaN', 'Infinity', '-0', '5e-324', '0.1', '1.7976931348623157e308'),
    indexes: ordered,
  },
  { sql: 'money', values: quoted('-12.34', '0') },
  { sql: 'text', values: quoted('', '\\N', '\\.', 'a\tb', "it''s", 'null', '  ', '"x",{y}'), indexes: ordered },
  { sql: 'text', values: ["E'line\\nbreak\\r\\n'", "repeat('long ', 3000)", "E'\\x01\\x7f'"] },
  { sql: 'text', values: quoted('é', '☂', '😀', '\u200b', '日本'), encodings: ['UTF8'], indexes: ordered },
  { sql: 'text', values: quoted('é', 'ÿ', '£'), encodings: ['LATIN1'], indexes: ordered },
  { sql: 'text', values: ["E'\\377\\376'", "E'caf\\351'", "'é'"], encodings: ['SQL_ASCII'] },
  { sql: 'varchar(20)', values: quoted('', 'x', 'twenty characters!!!'), indexes: ordered },
  { sql: 'char(5)', values: quoted('', 'ab', 'abcde') },
  { sql: '"char"', values: quoted('x', '') },
  { sql: 'name', values: quoted('a name', '') },
  { sql: 'bytea', values: ["'\\x'", "'\\x00ff0a5c27'", "decode(repeat('00', 5000), 'hex')"] },
  { sql: 'boolean', values: ['true', 'false'], indexes: ['btree'] },
  { sql: 'date', values: quoted('infinity', '-infinity', '0044-03-15 BC', '2026-02-28'), indexes: ordered },
  { sql: 'timestamp', values: quoted('infinity', '2026-11-24 10:00:00.000001', '4713-01-01 BC'), indexes: ordered },
  {
    sql: 'timestamptz',
    values: quoted('-infinity', '2026-10-25 02:30:00+02', '1883-11-18 12:00+00'),
    indexes: ordered,
  },
  { sql: 'time', values: quoted('24:00:00', '00:00:00.000001'), indexes: ordered },
  { sql: 'timetz', values: quoted('12:00:00+13:45', '24:00:00-15:59') },
  { sql: 'interval', values: quoted('-1 year 2 days -3:04:05.000006', '178000000 years', '0') },
  {
    sql: 'uuid',
    values: quoted('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-4fff-bfff-ffffffffffff'),
    indexes: ordered,
  },
  { sql: 'json', values: quoted('{"b": 1,  "a": [null, "\\u0041"], "b": 2}', ' 1 ') },
  { sql: 'jsonb', values: quoted('{"a": {"b": [1.50, 1e30, null]}}', '"it\'\'s"', '[]', 'null'), indexes: ['gin'] },
  { sql: 'jsonpath', values: quoted('$.a[*] ? (@ > 1)') },
  { sql: 'inet', values: quoted('192.168.0.1/24', '::1'), indexes: ['btree'] },
  { sql: 'cidr', values: quoted('10.0.0.0/8', '2001:db8::/32') },
  { sql: 'macaddr8', values: quoted('08:00:2b:01:02:03:04:05') },
  { sql: 'bit(5)', values: ["B'10101'", "B'00000'"] },
  { sql: 'varbit', values: ["B''", "B'1'"] },
  { sql: 'point', values: quoted('(0.1,-0)', '(NaN,Infinity)') },
  { sql: 'box', values: quoted('(1,1),(0,0)'), indexes: ['gist'] },
  { sql: 'path', values: quoted('[(0,0),(1,1)]', '((0,0),(1,1))') },
  { sql: 'circle', values: quoted('<(0,0),1.5>') },
  { sql: 'tsvector', values: ["to_tsvector('simple', 'a fat cat')", "'''it''''s'':1A'"], indexes: ['gin'] },
  { sql: 'tsquery', values: quoted('fat & (rat | !cat:AB)') },
  { sql: 'int4range', values: quoted('empty', '[1,5)', '(,)', '[,9]'), indexes: ['gist'] },
  { sql: 'numrange', values: quoted('(1.5,2.50]', 'empty'), indexes: ['gist'] },
  { sql: 'tstzrange', values: quoted('[-infinity,infinity]', '["2026-01-01 00:00+00",)'), indexes: ['gist'] },
  { sql: 'int4multirange', values: quoted('{}', '{[1,3),[7,9)}'), from: 14 },
  { sql: 'int[]', values: quoted('{}', '{1,NULL,3}', '[-1:1]={7,8,9}', '{{1,2},{3,4}}'), indexes: ['gin'] },
  { sql: 'text[]', values: ["ARRAY['', 'NULL', NULL, 'a,b', '{}', '\"', E'\\\\']", "'{}'"], indexes: ['gin'] },
  { sql: 'oid', values: ['4294967295', '0'] },
  { sql: 'pg_lsn', values: quoted('FFFFFFFF/FFFFFFFF', '0/0') },
  { sql: 'xid', values: quoted('4294967295') },
  { sql: 'ext.hstore', values: quoted('a=>1, "b c"=>NULL, ""=>"\\"q\\""', ''), extension: 'hstore', indexes: ['gin'] },
  { sql: 'ext.citext', values: quoted('MiXed', ''), extension: 'citext', indexes: ['btree'] },
  { sql: 'ext.ltree', values: quoted('Top.Science.Astronomy', ''), extension: 'ltree', indexes: ['gist'] },
];

export interface Setting {
  readonly major: number;
  readonly encoding: Encoding;
  readonly extensions: readonly string[];
}

export function typesFor({ major, encoding, extensions }: Setting): readonly ColumnType[] {
  return BUILT_IN.filter(
    (type) =>
      (type.from ?? 0) <= major &&
      (type.encodings ?? [encoding]).includes(encoding) &&
      (type.extension === undefined || extensions.includes(type.extension)),
  );
}

export function randomValue(random: Random, type: ColumnType, nullable: boolean): string {
  return nullable && type.notNull !== true && random.chance(0.25) ? 'NULL' : random.pick(type.values);
}

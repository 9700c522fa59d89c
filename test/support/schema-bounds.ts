/** Walks a schema and says, for each of its bounds, a value on either side. */

export interface BoundCase {
  /** `spec.source.postgresql.port` */
  readonly path: readonly string[];
  /** `maximum 65535`, and on which side of it. */
  readonly bound: string;
  readonly value: unknown;
  readonly valid: boolean;
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

/** Every bound of every leaf below the schema. An array's items are reached through `0`. */
export function boundCases(schema: Schema, path: readonly string[] = []): BoundCase[] {
  const own = [
    ...numbers(schema, path),
    ...choices(schema, path),
    ...texts(schema, path),
    ...lengths(schema, path),
    ...wrongTypes(schema, path),
  ];
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    boundCases(property, [...path, name]),
  );
  const items = schema.items === undefined ? [] : boundCases(schema.items, [...path, '0']);
  return [...own, ...inner, ...items];
}

function numbers({ minimum, maximum }: Schema, path: readonly string[]): BoundCase[] {
  return [
    ...(minimum === undefined
      ? []
      : [at(path, `minimum ${minimum}`, minimum, true), at(path, `below minimum ${minimum}`, minimum - 1, false)]),
    ...(maximum === undefined
      ? []
      : [at(path, `maximum ${maximum}`, maximum, true), at(path, `above maximum ${maximum}`, maximum + 1, false)]),
  ];
}

function choices({ enum: values }: Schema, path: readonly string[]): BoundCase[] {
  if (values === undefined) return [];
  return [
    ...values.map((value) => at(path, `one of the enum: ${value}`, value, true)),
    at(path, 'none of the enum', 'Nonesuch', false),
  ];
}

function texts(schema: Schema, path: readonly string[]): BoundCase[] {
  const { pattern, minLength, maxLength } = schema;
  if (schema.type !== 'string' || schema.enum !== undefined) return [];
  const cases: BoundCase[] = [];
  if (maxLength !== undefined) {
    cases.push(
      at(path, `${maxLength} characters`, fitting(schema, maxLength), true),
      at(path, `${maxLength + 1} characters`, fitting(schema, maxLength + 1), false),
    );
  }
  if (minLength !== undefined) cases.push(at(path, 'empty', '', false));
  if (pattern !== undefined) cases.push(at(path, `against ${pattern}`, against(schema), false));
  return cases;
}

function lengths({ minItems, maxItems, items }: Schema, path: readonly string[]): BoundCase[] {
  const cases: BoundCase[] = [];
  if (minItems !== undefined) cases.push(at(path, `fewer than ${minItems} items`, [], false));
  if (maxItems !== undefined) {
    const many = (count: number) => Array.from({ length: count }, (_, index) => sample(items ?? {}, index));
    cases.push(
      at(path, `${maxItems} items`, many(maxItems), true),
      at(path, `${maxItems + 1} items`, many(maxItems + 1), false),
    );
  }
  return cases;
}

function wrongTypes({ type }: Schema, path: readonly string[]): BoundCase[] {
  if (type === undefined || path.length === 0) return [];
  const wrong = type === 'object' ? 'text' : { no: 'object' };
  return [at(path, `no ${type}`, wrong, false)];
}

function at(path: readonly string[], bound: string, value: unknown, valid: boolean): BoundCase {
  return { path, bound, value, valid };
}

/** Texts of a given length, of the shapes that our patterns ask for. */
function shapes(length: number): string[] {
  const fill = (head: string, char: string, tail = '') =>
    `${head}${char.repeat(Math.max(0, length - head.length - tail.length))}${tail}`;
  const durations = length % 2 === 0 ? '1s'.repeat(length / 2) : `11s${'1s'.repeat((length - 3) / 2)}`;
  return [
    fill('', 'a'),
    durations,
    fill('age1', 'a'),
    fill('https://', 'a'),
    fill('@', 'a'),
    fill('', '*', ' * * * *'),
  ];
}

function fitting({ pattern }: Schema, length: number): string {
  const found = shapes(length).find((text) => pattern === undefined || new RegExp(pattern).test(text));
  if (found === undefined) throw new Error(`no sample of ${length} characters fits ${pattern}: add its shape`);
  return found;
}

function against({ pattern = '', minLength = 0, maxLength = 1_000 }: Schema): string {
  const candidates = [
    'Ü!',
    'a b',
    '\u0001x',
    '-',
    '1.5h',
    'UPPER',
    '../x',
    'age2xyzxyz',
    'AGE1UPPERCASE',
    'a_'.repeat(3),
  ];
  const found = candidates.find(
    (text) => !new RegExp(pattern).test(text) && text.length >= minLength && text.length <= maxLength,
  );
  if (found === undefined) throw new Error(`every sample fits ${pattern}: add one that does not`);
  return found;
}

/** The smallest value that fits, different for every index. */
function sample(schema: Schema, index: number): unknown {
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.type === 'object') {
    const required = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
    return Object.fromEntries(required.map(([name, property]) => [name, sample(property, index)]));
  }
  if (schema.type === 'string') return schema.pattern?.startsWith('^age1') ? `age1recipient${index}` : `item-${index}`;
  return index;
}

/** Walks a schema and says, for each of its bounds, a value on either side. */

export interface BoundCase {
  /** `spec.source.postgresql.port` */
  readonly path: readonly string[];
  /** `maximum 65535`, and on which side of it. */
  readonly bound: string;
  readonly value: unknown;
  readonly valid: boolean;
}

export interface Schema {
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
  readonly format?: string;
  readonly default?: unknown;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
}

/** Every bound of every leaf below the schema. An array's items are reached through `0`, a map's values through `any`. */
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
  const values = Object.values(schema.patternProperties ?? {}).flatMap((value) => boundCases(value, [...path, 'any']));
  return [...own, ...inner, ...items, ...values];
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
  const isText = schema.type === 'string' || schema['x-kubernetes-int-or-string'] === true;
  if (!isText || schema.enum !== undefined) return [];
  const cases: BoundCase[] = [];
  if (maxLength !== undefined) {
    cases.push(
      at(path, `${maxLength} characters`, fitting(schema, maxLength), true),
      at(path, `${maxLength + 1} characters`, fitting(schema, maxLength + 1), false),
    );
  }
  if (minLength !== undefined) {
    cases.push(
      at(path, `${minLength} characters`, fitting(schema, minLength), true),
      at(path, minLength === 1 ? 'empty' : `${minLength - 1} characters`, shorter(schema, minLength - 1), false),
    );
  }
  if (schema.format === 'date-time') cases.push(at(path, 'no date-time', 'yesterday', false));
  if (pattern !== undefined) cases.push(at(path, `against ${pattern}`, against(schema), false));
  return cases;
}

function lengths(schema: Schema, path: readonly string[]): BoundCase[] {
  const { minItems, maxItems, items, 'x-kubernetes-list-type': listType } = schema;
  const cases: BoundCase[] = [];
  if (listType === 'set' || listType === 'map') {
    const item = sample(items ?? {}, 0);
    cases.push(at(path, 'one item twice', [item, item], false));
  }
  const many = (count: number) => Array.from({ length: count }, (_, index) => sample(items ?? {}, index));
  if (minItems !== undefined) {
    cases.push(
      at(path, `${minItems} items`, many(minItems), true),
      at(path, `fewer than ${minItems} items`, many(minItems - 1), false),
    );
  }
  if (maxItems !== undefined) {
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
  const durations = length % 2 === 0 ? '1s'.repeat(length / 2) : `11s${'1s'.repeat(Math.max(0, (length - 3) / 2))}`;
  return [
    fill('', 'a'),
    durations,
    fill('age1', 'a'),
    fill('https://', 'a'),
    fill('@', 'a'),
    fill('', '*', ' * * * *'),
    fill('A', 'a'),
    fill('apps/v', '1'),
    fill('', '1'),
  ];
}

function fitting({ pattern }: Schema, length: number): string {
  const found = fits(pattern, length);
  if (found === undefined) throw new Error(`no sample of ${length} characters fits ${pattern}: add its shape`);
  return found;
}

function fits(pattern: string | undefined, length: number): string | undefined {
  return shapes(length).find(
    (text) => text.length === length && (pattern === undefined || new RegExp(pattern).test(text)),
  );
}

/** Fits the pattern if any text of that length does, so that the length alone is what is wrong with it. */
function shorter({ pattern }: Schema, length: number): string {
  return fits(pattern, length) ?? fits(undefined, length)!;
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

/** A value that fits, different for every index: the smallest one, or one with every field. */
export function sample(schema: Schema, index: number, extent: 'smallest' | 'every field' = 'smallest'): unknown {
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.type === 'object') {
    const fields = Object.entries(schema.properties ?? {}).filter(
      ([name]) => extent === 'every field' || schema.required?.includes(name),
    );
    return Object.fromEntries(fields.map(([name, property]) => [name, sample(property, index, extent)]));
  }
  if (schema.type === 'array') {
    return extent === 'smallest' && schema.minItems === undefined ? [] : [sample(schema.items ?? {}, index, extent)];
  }
  if (schema.type === 'boolean') return true;
  if (schema.type === 'string') return sampleText(schema, index);
  return Math.max(index, schema.minimum ?? 0);
}

function sampleText({ pattern, format, minLength = 0, maxLength = Number.POSITIVE_INFINITY }: Schema, index: number) {
  if (format === 'date-time') return '2026-01-01T00:00:00Z';
  const found = [
    `item-${index}`,
    `age1recipient${index}`,
    `${index + 1}h`,
    `0 ${index} * * *`,
    `x${index}`,
    `Item${index}`,
    `apps/v${index + 1}`,
  ].find(
    (text) =>
      (pattern === undefined || new RegExp(pattern).test(text)) && text.length >= minLength && text.length <= maxLength,
  );
  if (found === undefined) throw new Error(`no sample fits ${pattern}: add one`);
  return found;
}

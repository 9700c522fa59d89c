/**
 * The parts of the chart's `values.schema.json` that say what the kinds say. The file is written by hand; a value that goes into a field
 * of one of our kinds names that field in its `$comment`, and gets its bounds from there:
 *
 * - `= BackupStore.spec.s3.bucket`: everything but the description, where the file has one of its own;
 * - `= BackupStore.spec.s3.bucket, or empty`: the empty text is allowed too, and stands for "not given";
 * - `+ BackupStore.spec.s3 except bucket region`: of an object, that its further properties are the other fields of that one.
 */

import { fieldTable } from './fields.ts';

export interface JsonObject {
  readonly [key: string]: unknown;
}

interface Kind {
  readonly kind: string;
  readonly spec: unknown;
}

/** Every value as one row, with its default. */
export function valuesTable(schema: JsonObject, values: JsonObject): string {
  return fieldTable(withDefaults(schema, values), ROOT).replaceAll(`\`${ROOT}.`, '`').replace('field', 'value');
}

const ROOT = 'values';

/** A value that is empty by default means "not given", which its description tells. */
function withDefaults(schema: JsonObject, value: unknown): JsonObject {
  const { required: _, ...rest } = schema;
  const properties = Object.entries((schema['properties'] ?? {}) as Record<string, JsonObject>);
  if (isObject(value) && properties.length > 0) {
    const inner = properties.map(([name, property]) => [name, withDefaults(property, value[name])]);
    return { ...rest, properties: Object.fromEntries(inner) };
  }
  const isEmpty = value === undefined || value === '' || JSON.stringify(value).length === 2;
  return isEmpty ? rest : { ...rest, default: value };
}

const SAME = /^= ([A-Za-z]+[.][.A-Za-z0-9]+)(, or empty)?$/;
const FURTHER = /^[+] ([A-Za-z]+[.][.A-Za-z0-9]+) except ([ A-Za-z0-9]+)$/;

export function valuesSchema(text: string, kinds: readonly Kind[]): string {
  return `${print(refreshed(JSON.parse(text) as JsonObject, kinds), 0)}\n`;
}

function refreshed(node: JsonObject, kinds: readonly Kind[]): JsonObject {
  const comment = String(node['$comment'] ?? '');
  const [, field, orEmpty] = SAME.exec(comment) ?? [];
  if (field !== undefined) return sameAs(node, fieldOf(kinds, field), orEmpty !== undefined);
  const [, parent, except] = FURTHER.exec(comment) ?? [];
  if (isObject(node['items'])) return { ...node, items: refreshed(node['items'], kinds) };
  const properties = node['properties'] as Record<string, JsonObject> | undefined;
  if (properties === undefined) return node;
  const own = Object.entries(properties).filter(
    ([name]) => parent === undefined || !isCopyOf(properties[name], parent),
  );
  const further = parent === undefined ? [] : furtherOf(kinds, parent, except?.split(' ') ?? []);
  const all = [...own.map(([name, property]) => [name, refreshed(property, kinds)] as const), ...further];
  return { ...node, properties: Object.fromEntries(all) };
}

/** What an earlier run put there: it names a field of that very parent, and goes with it. */
function isCopyOf(property: JsonObject | undefined, parent: string): boolean {
  return String(property?.['$comment'] ?? '').startsWith(`copy of ${parent}.`);
}

function furtherOf(kinds: readonly Kind[], parent: string, except: readonly string[]): [string, JsonObject][] {
  const fields = Object.entries((fieldOf(kinds, parent)['properties'] ?? {}) as Record<string, JsonObject>);
  return fields
    .filter(([name]) => !except.includes(name))
    .map(([name, schema]) => [name, { $comment: `copy of ${parent}.${name}`, ...plain(schema) }]);
}

function sameAs(node: JsonObject, schema: JsonObject, orEmpty: boolean): JsonObject {
  const { type, description, default: _, ...bounds } = plain(schema);
  const told = node['description'] ?? description;
  const head = { ...(told === undefined ? {} : { description: told }), $comment: node['$comment'], type };
  // Not anyOf: Helm would tell of the empty text too, whatever is wrong.
  return orEmpty ? { ...head, if: { maxLength: 0 }, else: bounds } : { ...head, ...bounds };
}

/** The schema at `Kind.spec.a.b`; `items` are those of a list. */
function fieldOf(kinds: readonly Kind[], path: string): JsonObject {
  const [name, ...fields] = path.split('.');
  const found = kinds.find(({ kind }) => kind === name);
  const root: JsonObject = { properties: { spec: found?.spec } };
  return fields.reduce((schema, field) => {
    const property = field === 'items' ? schema['items'] : (schema['properties'] as JsonObject | undefined)?.[field];
    if (!isObject(property)) throw new Error(`values.schema.json speaks of ${path}, which is no field of ours`);
    return property;
  }, root);
}

/** As JSON Schema alone: without Kubernetes' extensions, and unknown fields refused, as kubectl refuses them. */
function plain(schema: JsonObject): JsonObject {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    if (!isObject(value)) return value;
    const entries = Object.entries(value).filter(([key]) => !key.startsWith('x-kubernetes-'));
    const closed = isObject(value['properties']) && !('additionalProperties' in value);
    const typed = Array.isArray(value['enum']) && !('type' in value);
    return {
      ...(typed ? { type: 'string' } : {}),
      ...Object.fromEntries(entries),
      ...(closed ? { additionalProperties: false } : {}),
    };
  }) as JsonObject;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const LINE_WIDTH = 120;

/** As the formatter leaves it. `column` is where the value begins in its line. */
function print(value: unknown, indent: number, column = indent): string {
  if (!isObject(value) && !Array.isArray(value)) return JSON.stringify(value);
  const line = onOneLine(value);
  const isFlat = Array.isArray(value) ? value.every(holdsNoObject) : holdsNoObject(value);
  if (isFlat && indent > 0 && column + line.length < LINE_WIDTH) return line;
  const entries = Array.isArray(value)
    ? value.map((item) => print(item, indent + 2))
    : Object.entries(value).map(([key, item]) => entry(key, item, indent + 2));
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const inner = ' '.repeat(indent + 2);
  return `${open}\n${entries.map((text) => inner + text).join(',\n')}\n${' '.repeat(indent)}${close}`;
}

const holdsNoObject = (value: unknown) => !isObject(value) || !Object.values(value).some(isObject);

function entry(key: string, value: unknown, indent: number): string {
  const head = `${JSON.stringify(key)}: `;
  return head + print(value, indent, indent + head.length);
}

function onOneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(onOneLine).join(', ')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${onOneLine(item)}`);
  return entries.length === 0 ? '{}' : `{ ${entries.join(', ')} }`;
}

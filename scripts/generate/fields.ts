/** The reference part of a kind's page: every field of its schema as one row. */

interface Schema {
  readonly type?: string;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly maxLength?: number;
}

/** Conditions are Kubernetes' own and the same everywhere. */
const KNOWN = new Set(['conditions', 'observedGeneration']);

/** A Markdown table; objects are told by their fields. */
export function fieldTable(schema: unknown, root: string): string {
  const rows = rowsOf(schema as Schema, root);
  return ['| field | type | default | meaning |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function rowsOf(schema: Schema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    if (KNOWN.has(name)) return [];
    const required = schema.required?.includes(name) === true;
    const at = `${path}.${name}`;
    return [row(property, at, required), ...innerRows(property, at)];
  });
}

function innerRows(schema: Schema, path: string): string[] {
  if (schema.items?.properties !== undefined) return rowsOf(schema.items, `${path}[]`);
  return rowsOf(schema, path);
}

function row(schema: Schema, path: string, required: boolean): string {
  const fallback =
    schema.default === undefined ? (required ? '(required)' : '') : `\`${JSON.stringify(schema.default)}\``;
  return `| \`${path}\` | ${typeOf(schema)} | ${fallback} | ${escaped(schema.description ?? schema.items?.description ?? '')} |`;
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.patternProperties !== undefined) return 'map of strings';
  if (schema.type === 'array')
    return `list of ${typeOf(schema.items ?? {})}${bounds(schema.minItems, schema.maxItems)}`;
  const type = schema['x-kubernetes-int-or-string'] === true ? 'integer or string' : (schema.type ?? '');
  return `${type}${bounds(schema.minimum, schema.maximum)}`;
}

function bounds(min: number | undefined, max: number | undefined): string {
  if (min === undefined && max === undefined) return '';
  return ` ${min ?? ''}–${max ?? ''}`;
}

function escaped(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('\n', ' ');
}

/** Which fields a schema has. Pure. */

interface SchemaLike {
  readonly properties?: Readonly<Record<string, SchemaLike>>;
  readonly items?: SchemaLike;
}

/** `spec.source.postgresql.host`, every one; the items of a list count as the list's own. */
export function fieldsOf(schema: SchemaLike, path = ''): string[] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const own = path === '' ? name : `${path}.${name}`;
    return [own, ...fieldsOf(property, own)];
  });
  return schema.items === undefined ? inner : [...inner, ...fieldsOf(schema.items, path)];
}

/** Those of `wanted` that are not there; of a missing object not its inner fields too. */
export function missingFields(wanted: readonly string[], there: readonly string[]): string[] {
  const known = new Set(there);
  const missing = wanted.filter((field) => !known.has(field));
  return missing.filter((field) => !missing.some((other) => field.startsWith(`${other}.`)));
}

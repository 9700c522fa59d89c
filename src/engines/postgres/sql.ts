import pg from 'pg';

/** An identifier as SQL text. PostgreSQL has no parameters in statements such as ALTER DATABASE. */
export const identifier = (name: string): string => pg.escapeIdentifier(name);

/** JSON in which no encoding of a database changes a character. */
export const inAscii = (json: string): string =>
  json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A string as SQL text. */
export const literal = (value: string): string => pg.escapeLiteral(value);

/**
 * Settings whose value is a list of quoted names. What the catalogue keeps is the list as text; given back as one
 * literal it would become one long name. PostgreSQL's own pg_dump has the same list (variable_is_guc_list_quote).
 */
const NAME_LISTS: ReadonlySet<string> = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'temp_tablespaces',
  'unix_socket_directories',
]);

/** `"name" TO value`, for ALTER DATABASE … SET and ALTER ROLE … SET, from name and value as the catalogue keeps them. */
export function assignment(name: string, value: string): string {
  const values = NAME_LISTS.has(name.toLowerCase()) ? nameList(value) : [value];
  return `${identifier(name)} TO ${values.map(literal).join(', ')}`;
}

/** The names of a list such as `"$user", public`: quoted ones as they are, others in lower case. An empty list is one empty name. */
export function nameList(text: string): readonly string[] {
  const names = [...text.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^",]*?))\s*(?:,|$)/g)];
  const found = names
    .filter(([whole]) => whole !== '')
    .map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? (plain ?? '').toLowerCase());
  return found.length === 0 ? [''] : found;
}

import { identifier } from './sql.ts';

/** One entry of an access list: who may do what, and what they may pass on. */
export interface Grant {
  /** Absent: PUBLIC. */
  readonly grantee?: string;
  readonly privileges: readonly { readonly name: string; readonly grantable: boolean }[];
}

const DATABASE_PRIVILEGES: Readonly<Record<string, string>> = { C: 'CREATE', T: 'TEMPORARY', c: 'CONNECT' };

/** Reads an entry as PostgreSQL prints it, `"a role"=CT*c/owner`. Who granted it is not kept: it will have been the owner. */
export function parseGrant(item: string): Grant {
  const { name, rest } = leadingName(item);
  const letters = /^=([A-Za-z*]*)\//.exec(rest)?.[1];
  if (letters === undefined) throw new Error(`no access list entry: ${item}`);
  const privileges = [...letters.matchAll(/([A-Za-z])(\*?)/g)].map(([, letter = '', star]) => {
    const privilege = DATABASE_PRIVILEGES[letter];
    if (privilege === undefined) throw new Error(`privilege ${letter} is not one of a database: ${item}`);
    return { name: privilege, grantable: star === '*' };
  });
  return { ...(name === '' ? {} : { grantee: name }), privileges };
}

/** PostgreSQL quotes a role's name here unless it is letters, digits and underscores only. */
function leadingName(item: string): { readonly name: string; readonly rest: string } {
  const quoted = /^"((?:[^"]|"")*)"/.exec(item);
  if (quoted !== null) return { name: (quoted[1] ?? '').replaceAll('""', '"'), rest: item.slice(quoted[0].length) };
  const end = item.indexOf('=');
  return { name: item.slice(0, Math.max(end, 0)), rest: item.slice(Math.max(end, 0)) };
}

/** An entry, given to `to` where it was `from`'s. */
export function regranted(item: string, from: string, to: string): string {
  const { name, rest } = leadingName(item);
  return name === from ? `"${to.replaceAll('"', '""')}"${rest}` : item;
}

/** Roles that an access list names. */
export function granteesOf(acl: readonly string[]): readonly string[] {
  return acl.flatMap((item) => parseGrant(item).grantee ?? []);
}

/** Statements that give a database exactly these privileges, whatever it had; without a list, the ones of a new database. */
export function grantStatements(
  database: string,
  owner: string,
  acl: readonly string[] | undefined,
): readonly string[] {
  const on = `ON DATABASE ${identifier(database)}`;
  const clear = [`REVOKE ALL ${on} FROM PUBLIC`, `REVOKE ALL ${on} FROM ${identifier(owner)}`];
  if (acl === undefined) {
    return [...clear, `GRANT CONNECT, TEMPORARY ${on} TO PUBLIC`, `GRANT ALL ${on} TO ${identifier(owner)}`];
  }
  return [...clear, ...acl.flatMap((item) => grantsOf(parseGrant(item), on))];
}

function grantsOf(grant: Grant, on: string): readonly string[] {
  const to = grant.grantee === undefined ? 'PUBLIC' : identifier(grant.grantee);
  const statement = (grantable: boolean) => {
    const names = grant.privileges.filter((privilege) => privilege.grantable === grantable).map(({ name }) => name);
    if (names.length === 0) return [];
    return [`GRANT ${names.join(', ')} ${on} TO ${to}${grantable ? ' WITH GRANT OPTION' : ''}`];
  };
  return [...statement(false), ...statement(true)];
}

/** Databases that nobody would write by hand: the statements for one, from a seed. */

import { type Encoding, type Random, randomOf, randomText } from './postgres-random.ts';
import { type Draft, EXTENSIONS, id, lit, newDraft } from './postgres-random-draft.ts';
import { FEATURES } from './postgres-random-features.ts';
import { TABLES, TYPES } from './postgres-random-tables.ts';

export interface RandomSchema {
  readonly database: string;
  readonly encoding: Encoding;
  /** CREATE DATABASE. */
  readonly create: string;
  /** To be run inside it, together. */
  readonly inside: readonly string[];
  /** To be run elsewhere, each by itself: what belongs to the database as a whole. */
  readonly properties: readonly string[];
  /** What it is made of, for a count of what was tested. */
  readonly features: readonly string[];
}

export function randomSchema(seed: number, major: number): RandomSchema {
  const random = randomOf(seed);
  const encoding = random.pick(['UTF8', 'UTF8', 'UTF8', 'LATIN1', 'SQL_ASCII'] as const);
  const draft = newDraft(random, { major, encoding, extensions: random.some(EXTENSIONS, 4) });
  const features = [`encoding ${encoding}`, ...begin(draft)];
  // Half of them each time, in an order of its own: so they meet in all combinations.
  for (const round of FEATURES) {
    for (const [feature, make] of shuffled(random, Object.entries(round))) {
      if (random.chance(0.5) && make(draft)) features.push(feature);
    }
  }
  // What a restore finds, too: the rows that the owner may see now.
  draft.add(...draft.materialized.map((view) => `REFRESH MATERIALIZED VIEW ${view}`));
  const database = `random ${seed} ${random.pick(['plain', '"q"', "it's", '-x', 'a.b', '$$'])}`;
  return {
    database,
    encoding,
    create: `CREATE DATABASE ${id(database)} TEMPLATE template0 ENCODING '${encoding}' ${localeOf(random, draft, features)}`,
    inside: draft.statements,
    properties: propertiesOf(draft, database, features),
    features,
  };
}

function shuffled<T>(random: Random, list: readonly T[]): readonly T[] {
  const left = [...list];
  return list.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T);
}

/** Extensions, schemas, types and tables, which all the rest builds on. */
function begin(draft: Draft): readonly string[] {
  const { random, add } = draft;
  add('SET search_path = pg_catalog', 'SET check_function_bodies = on');
  const withoutPublic = random.chance(0.15);
  if (withoutPublic) {
    draft.schemas.pop();
    add('DROP SCHEMA public');
  }
  if (draft.extensions.length > 0) add('CREATE SCHEMA ext');
  for (const extension of draft.extensions) add(`CREATE EXTENSION ${extension} SCHEMA ext`);
  for (let made = random.int(1, 3); made > 0; made -= 1) {
    const name = draft.name();
    draft.schemas.push(name);
    add(`CREATE SCHEMA ${id(name)} AUTHORIZATION ${draft.role()}`);
  }
  const kinds = random.some(Object.keys(TYPES) as (keyof typeof TYPES)[], 5);
  for (const kind of kinds) draft.types.push(TYPES[kind](draft));
  const tables = Array.from({ length: random.int(3, 6) }, () =>
    random.pick(Object.keys(TABLES) as (keyof typeof TABLES)[]),
  );
  for (const kind of tables) TABLES[kind](draft);
  const lack = withoutPublic ? ['no schema public'] : [];
  return [
    ...lack,
    ...draft.extensions.map((name) => `extension ${name}`),
    ...kinds.map((kind) => `type: ${kind}`),
    ...tables,
  ];
}

function localeOf(random: Random, { major, encoding }: Draft, features: string[]): string {
  const c = `LC_COLLATE 'C' LC_CTYPE 'C'`;
  if (encoding !== 'UTF8') return c;
  const icu = `${c} LOCALE_PROVIDER icu ICU_LOCALE`;
  const [kind, locale] = random.pick([
    ['libc', c],
    ['libc', `LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'`],
    ...(major >= 15 ? [['icu', `${icu} 'de-u-kn'`]] : []),
    ...(major >= 16 ? [['icu rules', `${icu} 'und' ICU_RULES '&a < g'`]] : []),
    ...(major >= 17 ? [['builtin', `LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'`]] : []),
  ] as const) as [string, string];
  features.push(`locale ${kind}`);
  return locale;
}

function propertiesOf(draft: Draft, database: string, features: string[]): readonly string[] {
  const name = id(database);
  const possible: Readonly<Record<string, string>> = {
    'database owner': `ALTER DATABASE ${name} OWNER TO ${draft.role()}`,
    'database comment': `COMMENT ON DATABASE ${name} IS ${lit(randomText(draft.random, 'SQL_ASCII').replace('é', 'e'))}`,
    'connection limit': `ALTER DATABASE ${name} CONNECTION LIMIT 77`,
    'database revoke': `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    'database grant': `GRANT CREATE, CONNECT ON DATABASE ${name} TO ${draft.role()} WITH GRANT OPTION`,
    search_path: `ALTER DATABASE ${name} SET search_path = "$user", public, "Odd, ""schema"""`,
    'empty search_path': `ALTER DATABASE ${name} SET search_path = ''`,
    'style settings': `ALTER DATABASE ${name} SET DateStyle = 'German, DMY'`,
    'quoting settings': `ALTER DATABASE ${name} SET quote_all_identifiers = on`,
    'old strings': `ALTER DATABASE ${name} SET standard_conforming_strings = off`,
    'read-only by default': `ALTER DATABASE ${name} SET default_transaction_read_only = on`,
    'own setting': `ALTER DATABASE ${name} SET "shop.Motto" = ${lit(`it's = "so", \\ yes`)}`,
    'role setting': `ALTER ROLE ${draft.role()} IN DATABASE ${name} SET statement_timeout = '90s'`,
    'role search_path': `ALTER ROLE ${draft.role()} IN DATABASE ${name} SET search_path = a, "B c"`,
  };
  const chosen = draft.random.some(Object.keys(possible), 7);
  features.push(...chosen);
  return chosen.map((key) => possible[key] ?? '');
}

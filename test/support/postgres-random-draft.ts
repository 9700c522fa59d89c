/** A made-up database on its way: what it has so far, and chance. */
import pg from 'pg';
import { nameMaker, type Random, randomText } from './postgres-random.ts';
import { type ColumnType, type Setting, typesFor } from './postgres-random-types.ts';

/** Roles that every server of the test must have; `postgres` is its superuser. */
export const ROLES = ['app', 'reader', `o'dd "Role"; --`] as const;

export const EXTENSIONS = ['hstore', 'citext', 'ltree', 'pg_trgm', 'btree_gist', 'pgcrypto'] as const;

export const id = (name: string): string => pg.escapeIdentifier(name);
export const lit = (text: string): string => pg.escapeLiteral(text);

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
}

export interface Table {
  /** Schema and name, quoted. */
  readonly ref: string;
  readonly kind: 'plain' | 'inherited' | 'partitioned' | 'typed';
  readonly columns: readonly Column[];
  /** Ids are 1 … rows, in the column `id`. */
  readonly rows: number;
  /** Whether `id` alone is a primary key. */
  readonly keyed: boolean;
  /** Unlogged ones cannot be published. */
  readonly logged: boolean;
}

/** A database while it is being made up. */
export interface Draft extends Setting {
  readonly random: Random;
  readonly statements: string[];
  readonly schemas: string[];
  readonly types: ColumnType[];
  readonly tables: Table[];
  /** Materialized views that are filled. */
  readonly materialized: string[];
  /** A new name, unquoted. */
  name(): string;
  /** A new name in one of the schemas, quoted. */
  newRef(): string;
  text(): string;
  role(): string;
  add(...statements: readonly string[]): void;
}

export function newDraft(random: Random, setting: Setting): Draft {
  const name = nameMaker(random, setting.encoding);
  const draft: Draft = {
    ...setting,
    random,
    statements: [],
    schemas: ['public'],
    types: [...typesFor(setting)],
    tables: [],
    materialized: [],
    name,
    newRef: () => `${id(random.pick(draft.schemas))}.${id(name())}`,
    text: () => lit(randomText(random, setting.encoding)),
    role: () => id(random.pick(ROLES)),
    add: (...statements) => draft.statements.push(...statements),
  };
  return draft;
}

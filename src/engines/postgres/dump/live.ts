/** What a live database has, in the words of a dump of it: so the same object is known by the same name. */
import { pipeline } from 'node:stream/promises';
import { USER_SCHEMA } from '../catalogue.ts';
import { connect, type Session } from '../connection.ts';
import { dump } from '../dump.ts';
import type { Means } from '../means.ts';
import { type DumpObjects, extensionKey, objectsIn, relationKey, schemaKey } from './objects.ts';
import { headOf } from './rewrite.ts';

export interface LiveObjects {
  readonly live: DumpObjects;
  /** Keys of all that is there, also of what no dump names: what extensions brought along, schema public. */
  readonly there: ReadonlySet<string>;
  /** Oids of large objects, in decimal. */
  readonly largeObjects: ReadonlySet<string>;
  /** Whether blocks of PL/pgSQL can be run. */
  readonly hasPlpgsql: boolean;
}

const NAMES = `
  SELECT 'relation' AS kind, n.nspname AS schema, c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ${USER_SCHEMA}
  UNION ALL SELECT 'schema', '', n.nspname FROM pg_namespace n
  UNION ALL SELECT 'extension', '', e.extname FROM pg_extension e`;

const LARGE_OBJECTS = 'SELECT oid::text AS oid FROM pg_largeobject_metadata';

const PLPGSQL = `SELECT has_language_privilege(oid, 'USAGE') AS may FROM pg_language WHERE lanname = 'plpgsql'`;

export async function liveObjects(means: Means, database: string): Promise<LiveObjects> {
  const { held } = means;
  await using inside = await connect(held.endpoint(database), held.signal);
  const live = await dumped(means, database);
  const largeObjects = await inside.query<{ oid: string }>(LARGE_OBJECTS);
  const [plpgsql] = await inside.query<{ may: boolean }>(PLPGSQL);
  return {
    live,
    there: new Set([...live.byKey.keys(), ...(await namesIn(inside))]),
    largeObjects: new Set(largeObjects.map(({ oid }) => oid)),
    hasPlpgsql: plpgsql?.may === true,
  };
}

async function namesIn(session: Session): Promise<readonly string[]> {
  const rows = await session.query<{ kind: string; schema: string; name: string }>(NAMES);
  return rows.map(({ kind, schema, name }) => {
    if (kind === 'relation') return relationKey(schema, name);
    return kind === 'schema' ? schemaKey(name) : extensionKey(name);
  });
}

/** It is all head, having no data. */
async function dumped({ held, tools, programs }: Means, database: string): Promise<DumpObjects> {
  const program = dump({
    ...{ database, tools, libpq: programs, session: held.session, signal: held.signal },
    args: ['--schema-only'],
  });
  const reader = headOf();
  try {
    await Promise.all([pipeline(program.output, reader.input), program.done]);
  } catch (caught) {
    program.kill();
    // What the program says goes before what its pipe says.
    await program.done;
    throw caught;
  }
  return objectsIn(reader.head());
}

import type { DatabaseProperties } from '../../archive/contents.ts';
import type { Session } from './connection.ts';
import { codeOf, statementFault } from './faults.ts';
import { identifier } from './sql.ts';

/**
 * Every new database has a schema public, so pg_dump does not say when it was dropped; and before 15 it does not say
 * either when it was given to somebody. Both are done so that not everybody can make objects there.
 */
type PublicSchemaOwner = DatabaseProperties['publicSchemaOwner'];

/** Undefined where pg_dump tells all, null where there is no such schema. */
export async function publicSchemaOwner(session: Session): Promise<PublicSchemaOwner> {
  const [schema] = await session.query<{ owner: string; given: boolean }>(
    `SELECT pg_get_userbyid(nspowner) AS owner, nspowner <> 10 AS given FROM pg_namespace WHERE nspname = 'public'`,
  );
  if (schema === undefined) return null;
  return session.server.major < 15 && schema.given ? schema.owner : undefined;
}

/**
 * In a new database, before it is loaded. Before 15 the schema is the first superuser's, and who is none cannot change
 * that: then it stays as it is, empty.
 */
export async function settlePublicSchema(session: Session, owner: string | null): Promise<void> {
  try {
    await session.query(
      owner === null ? 'DROP SCHEMA IF EXISTS public' : `ALTER SCHEMA public OWNER TO ${identifier(owner)}`,
    );
  } catch (caught) {
    if (codeOf(caught) === '42501') return;
    throw statementFault(caught, 'making schema public as it was', 'ScratchFailed');
  }
}

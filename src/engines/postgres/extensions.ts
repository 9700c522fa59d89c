import type { Session } from './connection.ts';
import { statementFault } from './faults.ts';
import { identifier } from './sql.ts';

/** What our role owns: in this database, by kind, and of what all databases share. */
const OWNED = `
  SELECT count(*) FILTER (WHERE dbid = 0) AS shared,
    count(*) FILTER (WHERE dbid <> 0 AND classid = 'pg_extension'::regclass) AS extensions,
    count(*) FILTER (WHERE dbid <> 0 AND classid <> 'pg_extension'::regclass) AS others
  FROM pg_shdepend
  WHERE deptype = 'o' AND refclassid = 'pg_authid'::regclass
    AND refobjid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))`;

/**
 * An extension belongs to who created it, which in a restore is us: a dump cannot say otherwise, and the one statement
 * that changes it is REASSIGN OWNED. That gives away everything of ours, so it is used only where extensions are all
 * that we own. Without it the database's owner could not upgrade the extensions any more.
 */
export async function giveExtensionsTo(session: Session, owner: string): Promise<void> {
  try {
    const [owned] = await session.query<{ shared: string; extensions: string; others: string }>(OWNED);
    if (owned === undefined || owned.extensions === '0' || owned.others !== '0' || owned.shared !== '0') return;
    await session.query(`REASSIGN OWNED BY CURRENT_USER TO ${identifier(owner)}`);
  } catch (caught) {
    throw statementFault(caught, `giving the extensions to "${owner}"`, 'PropertiesFailed');
  }
}

import type { DatabaseProperties } from '../../archive/contents.ts';
import { granteesOf, grantStatements } from './acl.ts';
import type { Session } from './connection.ts';
import { statementFault } from './faults.ts';
import { type DatabaseFacts, describeDatabase } from './properties.ts';
import { assignment, identifier } from './sql.ts';

/**
 * Gives the loaded database what a dump does not carry, while nobody can get in. Statements sent together are one
 * transaction. The comment comes with the swap: until then it says whose scratch database this is.
 */
export async function dress(
  session: Session,
  scratch: string,
  properties: DatabaseProperties,
  settingsAs?: string,
): Promise<void> {
  try {
    const loaded = await describeDatabase(session, scratch);
    const statements = [
      ...undressingStatements(scratch, loaded),
      ...dressingStatements(scratch, properties, settingsAs),
    ];
    await session.query(statements.join(';\n'));
  } catch (caught) {
    throw statementFault(caught, 'giving the restored database its owner, privileges and settings', 'PropertiesFailed');
  }
}

/** What code of the archive may have given away while it was loaded is nothing that a dump carries. */
function undressingStatements(scratch: string, loaded: DatabaseFacts | undefined): readonly string[] {
  const database = identifier(scratch);
  const { acl = [], settings = [] } = loaded?.properties ?? {};
  const roles = new Set(settings.flatMap(({ role }) => role ?? []));
  return [
    ...new Set(granteesOf(acl).map((grantee) => `REVOKE ALL ON DATABASE ${database} FROM ${identifier(grantee)}`)),
    ...[...roles].map((role) => `ALTER ROLE ${identifier(role)} IN DATABASE ${database} RESET ALL`),
    `ALTER DATABASE ${database} RESET ALL`,
  ];
}

/** `settingsAs`: the role whose rights must be enough for the settings; absent: ours. Exported for its test. */
function dressingStatements(
  scratch: string,
  properties: DatabaseProperties,
  settingsAs: string | undefined,
): readonly string[] {
  const database = identifier(scratch);
  const settings = properties.settings.map(({ role, name, value }) =>
    role === undefined
      ? `ALTER DATABASE ${database} SET ${assignment(name, value)}`
      : `ALTER ROLE ${identifier(role)} IN DATABASE ${database} SET ${assignment(name, value)}`,
  );
  return [
    `ALTER DATABASE ${database} OWNER TO ${identifier(properties.owner)}`,
    `ALTER DATABASE ${database} CONNECTION LIMIT ${properties.connectionLimit}`,
    ...grantStatements(scratch, properties.owner, properties.acl),
    ...(settingsAs === undefined || settings.length === 0
      ? settings
      : [`SET LOCAL ROLE ${identifier(settingsAs)}`, ...settings, 'RESET ROLE']),
  ];
}

/** Shut for everybody, superusers too. Sessions that are left are for the caller to end. */
export async function closeDatabase(session: Session, name: string): Promise<void> {
  await session.query(`ALTER DATABASE ${identifier(name)} ALLOW_CONNECTIONS false`).catch((caught: unknown) => {
    throw statementFault(caught, `closing database "${name}"`);
  });
}

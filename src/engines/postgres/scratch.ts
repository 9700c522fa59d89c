import type { DatabaseProperties } from '../../archive/contents.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { Session } from './connection.ts';
import { statementFault } from './faults.ts';
import { writeNotes } from './marker.ts';
import { identifier, literal } from './sql.ts';

/**
 * Makes the database that a restore loads into. It is born closed: should we be cut off before it is marked as ours,
 * nobody can have put anything in it, so the next attempt may drop it. Then it is marked, shut to everybody but its
 * owner, and opened; statements sent together are one transaction.
 */
export async function createScratch(
  session: Session,
  name: string,
  properties: DatabaseProperties,
  restoreUid: string,
): Promise<void> {
  try {
    await session.query(createStatement(name, properties, session.server.major));
    await session.query(openingStatements(name, restoreUid).join('; '));
  } catch (caught) {
    throw statementFault(caught, `making the scratch database "${name}"`, 'ScratchFailed');
  }
}

function openingStatements(name: string, restoreUid: string): readonly string[] {
  const database = identifier(name);
  const note = literal(writeNotes({ restores: [], scratchOf: restoreUid }) ?? '');
  return [
    `COMMENT ON DATABASE ${database} IS ${note}`,
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `ALTER DATABASE ${database} ALLOW_CONNECTIONS true CONNECTION LIMIT -1`,
  ];
}

/** Encoding and locale can be given at birth only. Exported for its test. */
export function createStatement(name: string, properties: DatabaseProperties, major: number): string {
  const options = [
    `OWNER ${identifier(properties.owner)}`,
    'TEMPLATE template0',
    `ENCODING ${literal(properties.encoding)}`,
    `LC_COLLATE ${literal(properties.collate)}`,
    `LC_CTYPE ${literal(properties.ctype)}`,
    ...(major >= 15 ? providerOptions(properties) : []),
    // Named, it would ask for a right that databases in the default place do not need.
    ...(properties.tablespace === 'pg_default' ? [] : [`TABLESPACE ${identifier(properties.tablespace)}`]),
    'ALLOW_CONNECTIONS false',
    'CONNECTION LIMIT 0',
  ];
  return `CREATE DATABASE ${identifier(name)} ${options.join(' ')}`;
}

function providerOptions({ localeProvider, locale, icuRules }: DatabaseProperties): readonly string[] {
  const named = (option: string) => (locale === undefined ? [] : [`${option} ${literal(locale)}`]);
  switch (localeProvider) {
    case 'i':
      return [
        'LOCALE_PROVIDER icu',
        ...named('ICU_LOCALE'),
        ...(icuRules === undefined ? [] : [`ICU_RULES ${literal(icuRules)}`]),
      ];
    case 'b':
      return ['LOCALE_PROVIDER builtin', ...named('BUILTIN_LOCALE')];
    default:
      return ['LOCALE_PROVIDER libc'];
  }
}

export function noScratch(name: string): HoldfastError {
  return new HoldfastError('ScratchMissing', `the scratch database "${name}" of this restore is not there any more`, {
    hint: 'make a new Restore',
  });
}

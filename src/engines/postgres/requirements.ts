/** What a dump needs of the server that it does not bring along itself: roles and tablespaces. */
import { createInterface } from 'node:readline';
import { HoldfastError } from '../../lib/errors.ts';
import { startFilter } from '../../platform/subprocess.ts';
import type { Requirements, RequirementsReader } from '../engine.ts';
import { problemOf } from './last-words.ts';
import type { Tools } from './tools.ts';

/** A name as pg_dump writes it: quoted where it must be. */
const NAME = String.raw`"(?:[^"]|"")+"|[^\s",;()]+`;
const NAMES = `(?:${NAME})(?:, (?:${NAME}))*`;

/**
 * Each is one line of the SQL that pg_restore writes. Such a line in the body of a function is taken for one too: it costs a
 * role that nobody needs, on a server that nobody keeps.
 */
const ROLES: readonly RegExp[] = [
  new RegExp(`^ALTER .* OWNER TO (${NAME});$`),
  new RegExp(`^(?:GRANT|ALTER DEFAULT PRIVILEGES) .* TO (${NAME})(?: WITH GRANT OPTION)?;$`),
  new RegExp(`^(?:REVOKE|ALTER DEFAULT PRIVILEGES) .* FROM (${NAME});$`),
  new RegExp(`^ALTER DEFAULT PRIVILEGES FOR ROLE (${NAME}) `),
  new RegExp(`^SET SESSION AUTHORIZATION (${NAME});$`),
  new RegExp(`^CREATE USER MAPPING FOR (${NAME}) `),
  new RegExp(
    `^CREATE POLICY (?:${NAME}) ON (?:(?:${NAME})\\.)?(?:${NAME})(?: AS \\w+)?(?: FOR \\w+)? TO (${NAMES})(?: |;)`,
  ),
];

const TABLESPACES: readonly RegExp[] = [new RegExp(`^SET default_tablespace = (${NAME});$`)];

/** Words that stand where a role could, and what every server has of its own. */
const NO_ROLE = /^(PUBLIC|public|CURRENT_USER|CURRENT_ROLE|SESSION_USER|DEFAULT|pg_.*|'.*')$/;
const NO_TABLESPACE = /^(''|pg_default|pg_global)$/;

/** Takes the lines of a dump's SQL, one by one. Pure but for its memory. */
export function newRequirements(): { take(line: string): void; found(): Requirements } {
  const roles = new Set<string>();
  const tablespaces = new Set<string>();
  return {
    take(line) {
      for (const name of namesIn(line, ROLES)) if (!NO_ROLE.test(name)) roles.add(unquoted(name));
      for (const name of namesIn(line, TABLESPACES)) if (!NO_TABLESPACE.test(name)) tablespaces.add(unquoted(name));
    },
    found: () => ({ roles: [...roles].sort(), tablespaces: [...tablespaces].sort() }),
  };
}

function namesIn(line: string, patterns: readonly RegExp[]): readonly string[] {
  return patterns.flatMap((pattern) => {
    const list = pattern.exec(line)?.[1];
    return list === undefined ? [] : [...list.matchAll(new RegExp(NAME, 'g'))].map(([name]) => name);
  });
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}

/**
 * Reads a dump as far as its table of contents goes, which is at its beginning, and then ends, however much there is to
 * come: so `done` may resolve before the input was ended. Connects to no server.
 */
export function readRequirements(tools: Tools, signal: AbortSignal): RequirementsReader {
  const program = startFilter({
    command: tools.pgRestore,
    args: ['--format=custom', '--schema-only', '--file=-'],
    signal,
  });
  const requirements = newRequirements();
  const lines = createInterface({ input: program.stdout });
  lines.on('line', (line) => requirements.take(line));
  const read = new Promise<void>((resolve) => lines.once('close', () => resolve()));
  const done = program.done.then(async (exit) => {
    await read;
    const problem = problemOf(exit);
    if (problem === undefined) return;
    signal.throwIfAborted();
    throw new HoldfastError('DumpUnreadable', `what the archive needs of a server cannot be read: ${problem}`, {
      hint: 'Use another backup.',
    });
  });
  done.catch(() => {});
  return { input: program.stdin, done, kill: () => program.kill({ now: true }), found: requirements.found };
}

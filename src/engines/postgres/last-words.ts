import { type Exit, exitProblem } from '../../platform/subprocess.ts';

/** Enough for the cause and what led to it; a condition has room for little more. */
const LIMIT = 1_000;

/** Lines in which a server quotes rows or whole statements. A status is read by more people than the database. */
const QUOTES_DATA =
  /\b(DETAIL|CONTEXT|HINT|STATEMENT|LINE \d+): |\bdetail: (?!Error message from server)|Command was:|^COPY /;

/** Undefined after exit code 0; else how the program ended and what it said last, without rows. Passwords it never says. */
export function problemOf(exit: Exit): string | undefined {
  const problem = exitProblem({ ...exit, stderr: '' });
  if (problem === undefined) return undefined;
  const said = exit.stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^pg_(dump|dumpall|restore): (error|fatal|detail): /.test(line) && !QUOTES_DATA.test(line))
    .slice(-3)
    .join('; ')
    .slice(-LIMIT);
  return said === '' ? problem : `${problem}: ${said}`;
}

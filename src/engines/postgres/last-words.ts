import { type Exit, exitProblem } from '../../platform/subprocess.ts';

/** Enough for the cause and what led to it; a condition has room for little more. */
const LIMIT = 1_000;

const SAYS = /^pg_(dump|dumpall|restore): (error|fatal|detail): /;
const SAYS_ANYTHING = /^pg_(dump|dumpall|restore): /;

/** Lines in which a server quotes rows or whole statements. A status is read by more people than the database. */
const QUOTES_DATA =
  /\b(DETAIL|CONTEXT|HINT|STATEMENT|LINE \d+): |\bdetail: (?!Error message from server)|Command was:|^COPY /;

/** Undefined after exit code 0; else how the program ended and what it said last, without rows. Passwords it never says. */
export function problemOf(exit: Exit): string | undefined {
  const problem = exitProblem({ ...exit, stderr: '' });
  if (problem === undefined) return undefined;
  const said = sentencesIn(exit.stderr)
    .filter((line) => SAYS.test(line) && !QUOTES_DATA.test(line))
    .slice(-3)
    .join('; ')
    .slice(-LIMIT);
  return said === '' ? problem : `${problem}: ${said}`;
}

/** One a line, but for a name that has an end of line in it: the cause is behind it. */
function sentencesIn(stderr: string): readonly string[] {
  const sentences: string[] = [];
  for (const line of stderr.split('\n').map((part) => part.trim())) {
    const last = sentences.at(-1);
    const goesOn = last !== undefined && SAYS.test(last) && isOpen(last);
    if (goesOn && !SAYS_ANYTHING.test(line) && !QUOTES_DATA.test(line)) {
      sentences[sentences.length - 1] = `${last} ${line}`;
    } else sentences.push(line);
  }
  return sentences;
}

const isOpen = (text: string) => (text.split('"').length - 1) % 2 === 1;

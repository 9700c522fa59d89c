import { type DumpHead, SECTION, type TocEntry } from './toc.ts';

/** What every program is told before anything else: the encoding and the like. */
const SAID_TO_ALL: ReadonlySet<string | null> = new Set(['ENCODING', 'STDSTRINGS', 'SEARCHPATH']);

const PRIVILEGES: ReadonlySet<string | null> = new Set(['ACL', 'ACL LANGUAGE', 'DEFAULT ACL']);

/** What takes the time, and locks the one table that it belongs to. */
const BUILDS: ReadonlySet<string | null> = new Set(['INDEX', 'CONSTRAINT']);

/** One with a second statement, such as ALTER TABLE … CLUSTER ON, wants a stronger lock than it has, as may another one at the same table. */
const isBuild = ({ desc, defn }: TocEntry) => BUILDS.has(desc) && defn?.includes('\nALTER ') !== true;

type Pass = 'definitions' | 'rows' | 'builds' | 'rest';

/**
 * A dump in four passes, each a head of which one section is that pass. First, by one connection, what must be there before
 * rows; then the rows, by several; then what several connections may build at once; and last, by one, all the rest in its
 * order. pg_restore by itself would make the last two at once: two that attach indexes to one partitioned index do not see
 * each other, and it stays invalid without a word; and what takes locks one after the other runs into deadlocks. Privileges
 * come after everything else, as they do in one pass: an owner may have taken his own away. Pure.
 */
export const definitions = (head: DumpHead): DumpHead => only(head, 'definitions', SECTION.preData);
export const rows = (head: DumpHead): DumpHead => only(head, 'rows', SECTION.data);
export const builds = (head: DumpHead): DumpHead => only(head, 'builds', SECTION.postData);
export const whatIsBuiltUpon = (head: DumpHead): DumpHead => only(head, 'rest', SECTION.postData);

/** For those that take rows beside the one that takes all that has data. */
export function rowsAlone(head: DumpHead): DumpHead {
  const entries = head.entries.filter((entry) => SAID_TO_ALL.has(entry.desc) || isDealt(entry));
  // What they depend on is not in this head.
  return { ...head, entries: entries.map((entry) => ({ ...entry, dependencies: [] })) };
}

/** Whether its rows may be taken by several: they are lines, each a row. */
export function isDealt({ desc, hasData, copyStmt }: TocEntry): boolean {
  return desc === 'TABLE DATA' && hasData && copyStmt !== null && /^COPY [^;]* FROM stdin;\n$/.test(copyStmt);
}

/** Comments and the like have no section of their own, and go with what stands before them. */
function only(head: DumpHead, pass: Pass, section: number): DumpHead {
  const other = section === SECTION.preData ? SECTION.postData : SECTION.preData;
  let current: Pass = 'definitions';
  const entries = head.entries.map((entry) => {
    if (entry.section !== SECTION.none) current = passOf(entry);
    const own = PRIVILEGES.has(entry.desc) ? 'rest' : current;
    return { ...entry, section: own === pass ? section : other };
  });
  return { ...head, entries };
}

function passOf(entry: TocEntry): Pass {
  if (entry.section === SECTION.preData) return 'definitions';
  if (entry.section === SECTION.data) return 'rows';
  return isBuild(entry) ? 'builds' : 'rest';
}

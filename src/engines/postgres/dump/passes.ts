import type { DumpHead, TocEntry } from './toc.ts';

/** As pg_restore numbers the sections of a dump. */
const PRE_DATA = 2;
const POST_DATA = 4;

/** What takes the time, and locks the one table that it belongs to. */
const BUILDS: ReadonlySet<string | null> = new Set(['INDEX', 'CONSTRAINT']);

/** One with a second statement, such as ALTER TABLE … CLUSTER ON, wants a stronger lock than it has, as may another one at the same table. */
const isBuild = ({ desc, defn }: TocEntry) => BUILDS.has(desc) && defn?.includes('\nALTER ') !== true;

/**
 * The two halves of a dump's last section, each as a head whose `--section=post-data` is that half: what several
 * connections may make at once, and what only one may, in its order. pg_restore by itself would make all of it at once:
 * two that attach indexes to one partitioned index do not see each other, and it stays invalid without a word; and what
 * takes locks one after the other runs into deadlocks. Comments and the like stay with what they belong to, since their
 * own section is that of the entry before. Pure.
 */
export function builds(head: DumpHead): DumpHead {
  return without(head, (entry) => !isBuild(entry));
}

export function whatIsBuiltUpon(head: DumpHead): DumpHead {
  return without(head, isBuild);
}

function without(head: DumpHead, goes: (entry: TocEntry) => boolean): DumpHead {
  const entries = head.entries.map((entry) =>
    entry.section === POST_DATA && goes(entry) ? { ...entry, section: PRE_DATA } : entry,
  );
  return { ...head, entries };
}

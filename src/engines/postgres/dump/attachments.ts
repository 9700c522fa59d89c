import { qualifiedOf } from './objects.ts';
import type { DumpHead, TocEntry } from './toc.ts';

/**
 * Before 14 pg_dump made a partition and attached it in one entry; since then there are two. Here there always are, so that
 * one may come without the other. Pure.
 */
export function attachmentsApart(head: DumpHead): DumpHead {
  const byId = new Map(head.entries.map((entry) => [String(entry.dumpId), entry]));
  let last = Math.max(0, ...head.entries.map(({ dumpId }) => dumpId));
  const entries = head.entries.flatMap((entry) => {
    const parents = entry.desc === 'TABLE' ? entry.dependencies.flatMap((id) => byId.get(id) ?? []) : [];
    for (const parent of parents) {
      const at = attachedAt(entry, parent);
      if (at < 0) continue;
      last += 1;
      return apart(entry, parent, at, last);
    }
    return [entry];
  });
  return { ...head, entries };
}

function attachedAt(entry: TocEntry, parent: TocEntry): number {
  if (parent.desc !== 'TABLE') return -1;
  const statement = `\nALTER TABLE ONLY ${qualifiedOf(parent)} ATTACH PARTITION ${qualifiedOf(entry)} `;
  return entry.defn?.lastIndexOf(statement) ?? -1;
}

function apart(entry: TocEntry, parent: TocEntry, at: number, dumpId: number): readonly TocEntry[] {
  const { defn } = entry;
  const attachment: TocEntry = {
    ...entry,
    ...{ dumpId, hasData: false, desc: 'TABLE ATTACH', dropStmt: '', copyStmt: null, relkind: 0 },
    defn: defn?.slice(at + 1) ?? null,
    dependencies: [String(entry.dumpId), String(parent.dumpId)],
  };
  return [{ ...entry, defn: defn?.slice(0, at + 1) ?? null }, attachment];
}

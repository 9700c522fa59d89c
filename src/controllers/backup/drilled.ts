/** What drills say of a backup: an archive that was restored is better known than one that was only read. Pure. */
import type { Backup, BackupStatus } from '../../api/backup.ts';
import { isTrue, summarise } from '../../api/conditions.ts';
import { isDrill, type Restore } from '../../api/restore.ts';
import type { BackupFacts } from './facts.ts';

/** The last drill of all that is in the archive that ended well. By its digest, so that no other archive is meant. */
export function lastDrillOf({ metadata, status }: Backup, restores: readonly Restore[]): Restore | undefined {
  return restores
    .filter((restore) => restore.metadata.namespace === metadata.namespace && isDrill(restore) && isOfAll(restore))
    .filter((restore) => restore.status?.outcome?.result === 'Drilled' && isTrue(restore.status.conditions, 'Complete'))
    .filter((restore) => restore.status?.resolved?.digest === status?.manifestDigest)
    .toSorted((a, b) => endOf(a).localeCompare(endOf(b)))
    .at(-1);
}

const endOf = ({ status }: Restore) => status?.completionTime ?? '';

/** A part that can be restored says nothing of the rest. */
function isOfAll({ spec }: Restore): boolean {
  return spec.from.database === undefined;
}

/** The status with what the last drill found out; undefined where it says so already. A drill that failed takes nothing back: its Restore and its schedule tell. */
export function drilledStatus({ backup, drill }: BackupFacts, now: Date): BackupStatus | undefined {
  const { status, metadata } = backup;
  const time = drill?.status?.completionTime;
  if (status === undefined || drill === undefined || time === undefined) return undefined;
  const { level, time: before = '' } = status.verification ?? {};
  if (!isTrue(status.conditions, 'Complete') || (level === 'Restored' && before >= time)) return undefined;
  const verified = {
    type: 'Verified',
    status: 'True',
    reason: 'Restored',
    message: `Restore ${drill.metadata.name} restored it into a server of its own, and every check held`,
  } as const;
  const others = status.conditions?.filter(({ type }) => type !== 'Verified') ?? [];
  return {
    ...status,
    verification: { level: 'Restored', time },
    conditions: [...others, ...summarise(status.conditions, [verified], metadata.generation ?? 0, now)],
  };
}

import type { RestoreStatus } from '../../api/restore.ts';
import { formatDuration } from '../../lib/duration.ts';
import { newest, resultOf } from '../run-facts.ts';
import type { RestoreFacts } from './facts.ts';

/** What a drill is told of in the status of its Restore. */
export function drilledFields({ runs }: RestoreFacts): Pick<RestoreStatus, 'drill' | 'checks'> {
  const result = resultOf(newest(runs, 'drill'), 'drill');
  if (result === undefined) return {};
  const { server, seconds, totals, databases, largest, checks, notes } = result;
  const { databases: count, ...counts } = totals;
  return {
    ...(checks.length === 0 ? {} : { checks: [...checks] }),
    drill: {
      server,
      duration: formatDuration(seconds * 1000),
      databases: count,
      ...counts,
      ...(databases === undefined ? {} : { perDatabase: [...databases] }),
      ...(largest.length === 0 ? {} : { largest: [...largest] }),
      ...(notes === undefined ? {} : { notes: [...notes] }),
    },
  };
}

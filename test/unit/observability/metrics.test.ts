import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import type { Restore } from '../../../src/api/restore.ts';
import { type MetricsSources, newMetrics } from '../../../src/observability/metrics.ts';

function backup(database: string, completed: string | undefined, isComplete = completed !== undefined): Backup {
  const condition = { type: 'Complete', status: isComplete ? 'True' : 'False', reason: 'x', message: 'x' } as const;
  return {
    metadata: { namespace: 'shop' },
    spec: { source: { postgresql: { host: 'pg', database } } },
    status: {
      phase: isComplete ? 'Complete' : 'Failed',
      ...(completed === undefined ? {} : { completionTime: completed }),
      conditions: [{ ...condition, lastTransitionTime: '', observedGeneration: 1 }],
    },
  } as unknown as Backup;
}

function metricsOf(sources: Partial<MetricsSources>) {
  return newMetrics({
    backups: () => [],
    restores: () => [],
    queues: () => [],
    isLeader: () => false,
    namespaces: () => [],
    ...sources,
  });
}

const LAST = 'holdfast_backup_last_success_timestamp_seconds';

describe('metrics', () => {
  test('tell of the newest good backup of each database, and never of a failed one', async () => {
    const { registry } = metricsOf({
      backups: () => [
        backup('a', '2026-11-23T00:00:00Z'),
        backup('a', '2026-11-24T00:00:00Z'),
        backup('a', '2026-11-25T00:00:00Z', false),
        backup('b', undefined),
      ],
    });
    const text = await registry.getSingleMetricAsString(LAST);
    expect(text).toContain(
      `${LAST}{namespace="shop",host="pg",database="a"} ${Date.parse('2026-11-24T00:00:00Z') / 1000}`,
    );
    expect(text).not.toContain('database="b"');
  });

  test('tell when a backup was last restored by a drill, and nothing of one that was only read back', async () => {
    const verified = (database: string, level: 'ReadBack' | 'Restored', time: string): Backup => {
      const complete = backup(database, '2026-11-20T00:00:00Z');
      return { ...complete, status: { ...complete.status, verification: { level, time } } };
    };
    const { registry } = metricsOf({
      backups: () => [
        verified('a', 'Restored', '2026-11-22T06:00:00Z'),
        verified('a', 'Restored', '2026-11-15T06:00:00Z'),
        verified('b', 'ReadBack', '2026-11-23T06:00:00Z'),
      ],
    });
    const name = 'holdfast_backup_last_drill_timestamp_seconds';
    const text = await registry.getSingleMetricAsString(name);
    expect(text).toContain(
      `${name}{namespace="shop",host="pg",database="a"} ${Date.parse('2026-11-22T06:00:00Z') / 1000}`,
    );
    expect(text).not.toContain('database="b"');
  });

  test('forget a database whose backups are gone', async () => {
    let backups = [backup('a', '2026-11-24T00:00:00Z')];
    const { registry } = metricsOf({ backups: () => backups });
    expect(await registry.getSingleMetricAsString(LAST)).toContain('database="a"');
    backups = [];
    expect(await registry.getSingleMetricAsString(LAST)).not.toContain('database="a"');
  });

  test('count what is there by phase, one without a status as Pending', async () => {
    const restore = { metadata: { namespace: 'shop' } } as unknown as Restore;
    const { registry } = metricsOf({ restores: () => [restore, restore], backups: () => [backup('a', undefined)] });
    const text = await registry.metrics();
    expect(text).toContain('holdfast_restores{namespace="shop",phase="Pending"} 2');
    expect(text).toContain('holdfast_backups{namespace="shop",phase="Failed"} 1');
  });

  test('tell of passes, errors by reason, restarts, queues and who leads', async () => {
    const metrics = metricsOf({ queues: () => [{ kind: 'Backup', depth: 7 }], isLeader: () => true });
    metrics.pass({ kind: 'Backup', seconds: 0.1 });
    metrics.pass({ kind: 'Backup', seconds: 0.1, error: { reason: 'Conflict' } });
    metrics.watchRestarted('Job');
    const text = await metrics.registry.metrics();
    expect(text).toContain('holdfast_reconcile_duration_seconds_count{kind="Backup"} 2');
    expect(text).toContain('holdfast_reconcile_errors_total{kind="Backup",reason="Conflict"} 1');
    expect(text).toContain('holdfast_watch_restarts_total{kind="Job"} 1');
    expect(text).toContain('holdfast_queue_depth{kind="Backup"} 7');
    expect(text).toContain('holdfast_leader 1');
  });

  test('of two operators in one process do not mix', async () => {
    metricsOf({}).watchRestarted('Job');
    expect(await metricsOf({}).registry.metrics()).not.toContain('kind="Job"');
  });
});

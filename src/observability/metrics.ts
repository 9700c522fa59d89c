import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Backup } from '../api/backup.ts';
import { isTrue } from '../api/conditions.ts';
import type { Restore } from '../api/restore.ts';

/** What metrics are computed from when somebody asks; nothing is counted that could be read. */
export interface MetricsSources {
  readonly backups: () => readonly Backup[];
  readonly restores: () => readonly Restore[];
  readonly queues: () => readonly { readonly kind: string; readonly depth: number }[];
  readonly isLeader: () => boolean;
  /** Of the namespaces that the operator is confined to, if it is: whether the API server lets it look at them. */
  readonly namespaces: () => readonly { readonly namespace: string; readonly watched: boolean }[];
}

export interface Metrics {
  readonly registry: Registry;
  pass(report: { readonly kind: string; readonly seconds: number; readonly error?: { readonly reason: string } }): void;
  watchRestarted(kind: string): void;
}

export function newMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const passes = new Histogram({
    name: 'holdfast_reconcile_duration_seconds',
    help: 'How long a look at one object took.',
    labelNames: ['kind'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers,
  });
  const errors = new Counter({
    name: 'holdfast_reconcile_errors_total',
    help: 'Looks at one object that ended with an error; each is tried again.',
    labelNames: ['kind', 'reason'],
    registers,
  });
  const restarts = new Counter({
    name: 'holdfast_watch_restarts_total',
    help: 'Watches that had to begin anew for another reason than their regular end.',
    labelNames: ['kind'],
    registers,
  });
  gauges(sources, registers);
  namespaces(sources, registers);
  outcomes(sources, registers);
  return {
    registry,
    pass({ kind, seconds, error }) {
      passes.observe({ kind }, seconds);
      if (error !== undefined) errors.inc({ kind, reason: error.reason });
    },
    watchRestarted: (kind) => restarts.inc({ kind }),
  };
}

function gauges(sources: MetricsSources, registers: Registry[]): void {
  new Gauge({
    name: 'holdfast_queue_depth',
    help: 'Objects that wait to be looked at.',
    labelNames: ['kind'],
    registers,
    collect() {
      for (const { kind, depth } of sources.queues()) this.set({ kind }, depth);
    },
  });
  new Gauge({
    name: 'holdfast_leader',
    help: '1 for the replica that leads.',
    registers,
    collect() {
      this.set(sources.isLeader() ? 1 : 0);
    },
  });
}

function namespaces(sources: MetricsSources, registers: Registry[]): void {
  new Gauge({
    name: 'holdfast_namespace_watched',
    help: 'For each namespace of watchNamespaces: 1 while it is looked at, 0 while the API server refuses it.',
    labelNames: ['namespace'],
    registers,
    collect() {
      this.reset();
      for (const { namespace, watched } of sources.namespaces()) this.set({ namespace }, watched ? 1 : 0);
    },
  });
}

/** Read from the objects, so a restart loses nothing, and never better than the truth. */
function outcomes(sources: MetricsSources, registers: Registry[]): void {
  new Gauge({
    name: 'holdfast_backup_last_success_timestamp_seconds',
    help: 'When the newest verified backup of a database was completed. Absent where there is none.',
    labelNames: ['namespace', 'host', 'database'],
    registers,
    collect() {
      this.reset();
      for (const [, { labels, time }] of newest(sources.backups(), completionOf)) this.set(labels, time);
    },
  });
  new Gauge({
    name: 'holdfast_backup_last_drill_timestamp_seconds',
    help: 'When a backup of a database was last restored by a drill, and every check held. Absent where none was.',
    labelNames: ['namespace', 'host', 'database'],
    registers,
    collect() {
      this.reset();
      for (const [, { labels, time }] of newest(sources.backups(), drillOf)) this.set(labels, time);
    },
  });
  for (const [name, list] of [
    ['backups', sources.backups],
    ['restores', sources.restores],
  ] as const) {
    new Gauge({
      name: `holdfast_${name}`,
      help: `${name === 'backups' ? 'Backups' : 'Restores'} in the cluster, by phase.`,
      labelNames: ['namespace', 'phase'],
      registers,
      collect() {
        this.reset();
        for (const { metadata, status } of list()) {
          this.inc({ namespace: metadata.namespace, phase: status?.phase ?? 'Pending' });
        }
      },
    });
  }
}

const completionOf = ({ status }: Backup) => status?.completionTime;

const drillOf = ({ status }: Backup) =>
  status?.verification?.level === 'Restored' ? status.verification.time : undefined;

/** Of the Complete backups of each database the latest instant of those that `timeOf` tells. */
function newest(backups: readonly Backup[], timeOf: (backup: Backup) => string | undefined) {
  const found = new Map<string, { labels: { namespace: string; host: string; database: string }; time: number }>();
  for (const backup of backups) {
    const { metadata, spec, status } = backup;
    const time = Date.parse(timeOf(backup) ?? '') / 1000;
    if (!isTrue(status?.conditions, 'Complete') || !Number.isFinite(time)) continue;
    // Of a whole server: `*`, as no database is called by those who name theirs.
    const { host, database = '*' } = spec.source.postgresql;
    const key = JSON.stringify([metadata.namespace, host, database]);
    if ((found.get(key)?.time ?? 0) < time) {
      found.set(key, { labels: { namespace: metadata.namespace, host, database }, time });
    }
  }
  return found;
}

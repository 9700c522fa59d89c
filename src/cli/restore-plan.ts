/** What a restore is going to do, in words, and whether this person should be let do it. Pure. */
import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import { type Writer, writerWarnings } from '../api/managers.ts';
import { type PostgresqlAddress, type PostgresqlSource, targetAddressOf, targetEntryOf } from '../api/postgresql.ts';
import type { RestoreSpec, Workload } from '../api/restore.ts';
import { isCronJob, workloadTitle } from '../api/workloads.ts';
import { formatBytes } from '../lib/bytes.ts';
import { HoldfastError } from '../lib/errors.ts';
import { databaseOf, shownDatabase } from './names.ts';
import { hasFailed, isComplete } from './run.ts';
import { facts } from './table.ts';
import { age, list } from './words.ts';

/** A workload to be scaled, as it is now. */
export interface WorkloadNow {
  readonly workload: Workload;
  /** Undefined: there is none. */
  readonly replicas: number | undefined | 'unknown';
  /** Who else writes its count. */
  readonly writers?: readonly Writer[];
}

export interface PlanFacts {
  /** Absent: an archive by its place. */
  readonly backup: Backup | undefined;
  readonly spec: RestoreSpec;
  readonly workloads: readonly WorkloadNow[];
  /** The BackupKey that the backup was made with, if it is there. */
  readonly key: BackupKey | undefined;
  /** Set when the private key comes from a file of this person. */
  readonly identityFile: string | undefined;
  readonly namespace: string;
}

export function targetOf(plan: Pick<PlanFacts, 'backup' | 'spec'>): PostgresqlAddress {
  const { spec } = plan;
  return targetAddressOf(sourceOf(plan), spec.target?.postgresql, spec.from.database);
}

/** An archive tells neither server nor Secret: the rules of the kind made sure that the Restore does. */
function sourceOf({ backup, spec }: Pick<PlanFacts, 'backup' | 'spec'>): PostgresqlSource {
  if (backup !== undefined) return backup.spec.source.postgresql;
  const { host = '', credentials = { secretRef: { name: '' } } } = spec.target?.postgresql ?? {};
  return { host, credentials };
}

/** Throws what makes this restore hopeless before it has begun. */
export function mustBePossible(plan: PlanFacts): void {
  if (plan.backup !== undefined) mustBeComplete(plan.backup, plan.namespace);
  mustNameOneDatabase(plan);
  mustHaveWorkloads(plan);
  if (privateKeyOf(plan) === undefined) throw noIdentity(plan);
}

function mustBeComplete(backup: Backup, namespace: string): void {
  const { name } = backup.metadata;
  if (hasFailed(backup)) {
    throw new HoldfastError('BackupFailed', `Backup "${name}" failed, so there is nothing to restore.`, {
      hint: 'Choose one that is Complete: kubectl holdfast list',
    });
  }
  if (!isComplete(backup)) {
    throw new HoldfastError(
      'BackupNotComplete',
      `Backup "${name}" is not Complete yet: only a verified archive is restored.`,
      {
        hint: `Wait for it: kubectl -n ${namespace} wait --for=condition=Complete backup/${name} --timeout=1h`,
      },
    );
  }
}

export function mustHaveWorkloads({ workloads, namespace }: Pick<PlanFacts, 'workloads' | 'namespace'>): void {
  const missing = workloads.filter(({ replicas }) => replicas === undefined);
  if (missing.length === 0) return;
  throw new HoldfastError(
    'WorkloadNotFound',
    `There is no ${list(missing.map(({ workload }) => `${workload.kind} "${workload.name}"`))} in namespace "${namespace}".`,
    {
      hint: `kubectl -n ${namespace} get deployments,statefulsets`,
    },
  );
}

/** What is in the archive of a whole server only the runner sees; what cannot be in any case is said here. */
function mustNameOneDatabase({ backup, spec }: PlanFacts): void {
  if (backup === undefined) return;
  const { name } = backup.metadata;
  const { database } = backup.spec.source.postgresql;
  const asked = spec.from.database;
  if (database === undefined && asked === undefined && spec.target?.postgresql?.database !== undefined) {
    throw new HoldfastError(
      'InstanceNeedsDatabase',
      `Backup "${name}" is of a whole server, and the target is one database.`,
      {
        hint: 'Say which of its databases goes there: --database NAME. Or leave out the target to restore all of them.',
      },
    );
  }
  if (database !== undefined && asked !== undefined && asked !== database) {
    throw new HoldfastError(
      'DatabaseNotInArchive',
      `Backup "${name}" is of the database "${database}", not of "${asked}".`,
      {
        hint: 'Leave out --database.',
      },
    );
  }
}

function noIdentity({ key, backup }: PlanFacts): HoldfastError {
  const missing =
    backup === undefined
      ? 'the namespace has no BackupKey that is its default'
      : 'the BackupKey of the backup is not there';
  const why = key === undefined ? missing : `BackupKey "${key.metadata.name}" has no spec.identity`;
  return new HoldfastError('NoIdentity', `There is no private key to open the archive with: ${why}.`, {
    hint: 'Bring it along: --identity-file FILE puts it into a Secret for this restore only; --identity SECRET/KEY names one that is there.',
  });
}

function privateKeyOf({ spec, key, identityFile }: PlanFacts): string | undefined {
  if (identityFile !== undefined) return `${identityFile}, in a Secret for the time of the restore`;
  const reference = spec.identity?.secretRef ?? key?.spec.identity?.secretRef;
  return reference === undefined ? undefined : `Secret ${reference.name}, key ${reference.key}`;
}

export function planText(plan: PlanFacts, now: Date): string {
  const { backup, spec } = plan;
  return facts([
    ...(backup === undefined ? archiveFacts(spec) : backupFacts(backup, spec, now)),
    ['into', intoText(plan)],
    ['connecting', connectionText(plan)],
    ['if it has data', conflictText(spec)],
    ['saved first', savedText(spec)],
    ['meanwhile at zero', workloadsText(plan)],
    ['private key', privateKeyOf(plan)],
    ...warningsOf(plan),
  ]);
}

type Fact = readonly [name: string, value: string | undefined];

function backupFacts(backup: Backup, spec: RestoreSpec, now: Date): Fact[] {
  const { metadata, status } = backup;
  const sizes = status?.sizes;
  const size = sizes === undefined || sizes.source === 0 ? '' : `, ${formatBytes(sizes.source)} as a dump`;
  const time = status?.dataTime ?? metadata.creationTimestamp;
  return [
    ['backup', `${metadata.name}, of ${age(time, now)} ago (${time})${size}`],
    ['of', shownDatabase({ ...databaseOf(backup), ...fromOf(spec) })],
  ];
}

/** What it is its manifest tells, which a Job reads; the operator holds it to the names of this cluster and this namespace. */
function archiveFacts({ from }: RestoreSpec): Fact[] {
  const { storeRef, path } = from.archive ?? { storeRef: { name: '' }, path: '' };
  return [
    ['archive', path],
    ['in', `BackupStore ${storeRef.name}`],
  ];
}

function intoText(plan: PlanFacts): string {
  const { host, port, database } = targetOf(plan);
  if (plan.backup !== undefined || database !== undefined) return shownDatabase(targetOf(plan));
  return `what is in the archive, under its own name, on ${host}:${port}`;
}

function connectionText(plan: PlanFacts): string {
  const { credentials, tls } = targetEntryOf(sourceOf(plan), plan.spec.target?.postgresql);
  return `with the Secret ${credentials.secret}, TLS mode ${tls?.mode ?? 'prefer'}`;
}

function fromOf({ from }: RestoreSpec): { database?: string } {
  return from.database === undefined ? {} : { database: from.database };
}

function conflictText({ onConflict, keepPrevious, include, exclude }: RestoreSpec): string {
  if (onConflict === 'Skip') return 'what is there stays as it is, and what is missing is added, in one transaction';
  if (onConflict === 'Replace' && (include ?? exclude) !== undefined)
    return 'those tables are replaced, in one transaction; no previous database is kept';
  if (onConflict !== 'Replace') return 'refused, nothing is touched (--on-conflict Replace replaces it)';
  const kept = keepPrevious ?? '24h';
  const previous = kept === '0s' ? 'then dropped' : `kept ${kept} under another name`;
  return `replaced in one step once the restored one is whole; the replaced one is ${previous}`;
}

/** Of a database that is there and is replaced. */
function savedText({ onConflict, safetyBackup }: RestoreSpec): string | undefined {
  if (onConflict !== 'Replace') return undefined;
  return safetyBackup === false
    ? 'no (--no-safety-backup)'
    : 'what is live now, as a Backup; it is Complete before anything is touched';
}

/** Told before it begins: a restore that somebody else keeps starting the app of ends without having restored. */
function warningsOf({ workloads }: PlanFacts): [string, string][] {
  const warnings = workloads.flatMap(({ workload, writers = [] }) => writerWarnings(workloadTitle(workload), writers));
  return warnings.length === 0 ? [] : [['warning', warnings.join('\n')]];
}

function backText(workload: Workload, replicas: WorkloadNow['replicas']): string {
  if (replicas === 'unknown' || replicas === undefined) return 'and back to its count';
  if (!isCronJob(workload)) return `then back to ${replicas}`;
  return replicas === 0 ? 'suspended, and stays so' : 'suspended, then resumed';
}

export function workloadsText({ workloads }: Pick<PlanFacts, 'workloads'>): string {
  if (workloads.length === 0)
    return 'nothing (--scale-down deployment/NAME): what still writes then loses what it writes';
  return workloads
    .map(({ workload, replicas }) => {
      return `${workload.kind} ${workload.name}, ${backText(workload, replicas)}`;
    })
    .join('\n');
}

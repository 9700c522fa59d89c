/** What a restore is going to do, in words, and whether this person should be let do it. Pure. */
import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import { type PostgresqlAddress, targetAddressOf, targetEntryOf } from '../api/postgresql.ts';
import type { RestoreSpec, Workload } from '../api/restore.ts';
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
}

export interface PlanFacts {
  readonly backup: Backup;
  readonly spec: RestoreSpec;
  readonly workloads: readonly WorkloadNow[];
  /** The BackupKey that the backup was made with, if it is there. */
  readonly key: BackupKey | undefined;
  /** Set when the private key comes from a file of this person. */
  readonly identityFile: string | undefined;
  readonly namespace: string;
}

export function targetOf({ backup, spec }: PlanFacts): PostgresqlAddress {
  return targetAddressOf(backup.spec.source.postgresql, spec.target?.postgresql, spec.from.database);
}

/** Throws what makes this restore hopeless before it has begun. */
export function mustBePossible(plan: PlanFacts): void {
  const { backup, workloads, namespace } = plan;
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
  mustNameOneDatabase(plan);
  const missing = workloads.filter(({ replicas }) => replicas === undefined);
  if (missing.length > 0) {
    throw new HoldfastError(
      'WorkloadNotFound',
      `There is no ${list(missing.map(({ workload }) => `${workload.kind} "${workload.name}"`))} in namespace "${namespace}".`,
      {
        hint: `kubectl -n ${namespace} get deployments,statefulsets`,
      },
    );
  }
  if (privateKeyOf(plan) === undefined) throw noIdentity(plan);
}

/** What is in the archive of a whole server only the runner sees; what cannot be in any case is said here. */
function mustNameOneDatabase({ backup, spec }: PlanFacts): void {
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

function noIdentity({ key }: PlanFacts): HoldfastError {
  const why =
    key === undefined
      ? 'the BackupKey of the backup is not there'
      : `BackupKey "${key.metadata.name}" has no spec.identity`;
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
  const { status, metadata } = backup;
  const sizes = status?.sizes;
  const size = sizes === undefined || sizes.source === 0 ? '' : `, ${formatBytes(sizes.source)} as a dump`;
  return facts([
    [
      'backup',
      `${metadata.name}, of ${age(metadata.creationTimestamp, now)} ago (${metadata.creationTimestamp})${size}`,
    ],
    ['of', shownDatabase({ ...databaseOf(backup), ...fromOf(spec) })],
    ['into', shownDatabase(targetOf(plan))],
    ['connecting', connectionText(plan)],
    ['if it has data', conflictText(spec)],
    ['meanwhile at zero', workloadsText(plan)],
    ['private key', privateKeyOf(plan)],
  ]);
}

function connectionText({ backup, spec }: PlanFacts): string {
  const { credentials, tls } = targetEntryOf(backup.spec.source.postgresql, spec.target?.postgresql);
  return `with the Secret ${credentials.secret}, TLS mode ${tls?.mode ?? 'prefer'}`;
}

function fromOf({ from }: RestoreSpec): { database?: string } {
  return from.database === undefined ? {} : { database: from.database };
}

function conflictText({ onConflict, keepPrevious }: RestoreSpec): string {
  if (onConflict !== 'Replace') return 'refused, nothing is touched (--on-conflict Replace replaces it)';
  const kept = keepPrevious ?? '24h';
  const previous = kept === '0s' ? 'then dropped' : `kept ${kept} under another name`;
  return `replaced in one step once the restored one is whole; the replaced one is ${previous}`;
}

function workloadsText({ workloads }: PlanFacts): string {
  if (workloads.length === 0)
    return 'nothing (--scale-down deployment/NAME): what still writes then loses what it writes';
  return workloads
    .map(({ workload, replicas }) => {
      const back = replicas === 'unknown' ? 'and back to its count' : `then back to ${replicas}`;
      return `${workload.kind} ${workload.name}, ${back}`;
    })
    .join('\n');
}

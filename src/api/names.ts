import { createHash } from 'node:crypto';
import type { PostgresqlAddress } from './postgresql.ts';

/** Labels of every object that we make. */
export const LABELS = {
  managedBy: 'app.kubernetes.io/managed-by',
  component: 'app.kubernetes.io/component',
  /** The kind of ours that the object works for, in lower case. */
  kind: 'holdfast.dev/kind',
  /** On a database lock: hash of host and port; see serverLabel. */
  server: 'holdfast.dev/server',
  /** On a database lock: Database or Instance. */
  scope: 'holdfast.dev/scope',
  /** UID of the object of ours that the object works for. */
  owner: 'holdfast.dev/owner-uid',
  /** What the Job is for: probe, backup, plan, load, check, swap, cleanup, expire, prune. */
  command: 'holdfast.dev/command',
  /** On a Backup: the schedule that made it; see scheduleLabel. */
  schedule: 'holdfast.dev/schedule',
  /** Which attempt at that the Job is: 1, 2, …. */
  attempt: 'holdfast.dev/attempt',
} as const;

export const MANAGED_BY = 'holdfast';

/** What a Job was for that, until 0.2.0, loaded and swapped: in its label and in its name. */
export const FORMER_LOAD = 'restore';

export const ANNOTATIONS = {
  /** On a scale Lease: the replica count to return to. */
  replicas: 'holdfast.dev/replicas',
  /** On a scale Lease of a CronJob, in place of the count: the `suspend` to return to. */
  suspend: 'holdfast.dev/suspend',
  /** On a scale Lease: what kubectl calls the workload, `Deployment/web`, for the person who reads it without us. */
  workload: 'holdfast.dev/workload',
  /** On a scale Lease: since when the workload is at zero, by our own hand; absent while it still has to go there. */
  atZero: 'holdfast.dev/at-zero',
  /** On a scale Lease: how often somebody else wrote the count since. */
  contests: 'holdfast.dev/contests',
  /** On a scale Lease: who that was, the last time. */
  contestedBy: 'holdfast.dev/contested-by',
  /** On a scale Lease: the instant after which no runner may touch the live database; absent as long as none was ever made that may. */
  fence: 'holdfast.dev/fence',
  /** On a database lock: `host:port/database`, for people. */
  database: 'holdfast.dev/database',
  /** On either Lease: `<Kind> <namespace>/<name>` of the object of ours that holds it. */
  holder: 'holdfast.dev/holder',
  /** On a Backup: name of the schedule that made it. */
  schedule: 'holdfast.dev/schedule',
  /** On a Backup: name of the Restore that made it, of the database as it was before. */
  restore: 'holdfast.dev/restore',
  /** On a store's probe Job: hash of the spec that is probed. */
  specHash: 'holdfast.dev/spec-hash',
  /** On our CustomResourceDefinitions: the version of Holdfast that they belong to. */
  version: 'holdfast.dev/version',
} as const;

export const FINALIZERS = {
  /** On a Restore that is not over: the app must come back before it goes. */
  restore: 'holdfast.dev/restore',
} as const;

/** The first `length` hexadecimal digits of the SHA-256 of the parts. Parts are length-prefixed, so that no two lists collide by joining. */
export function shortHash(parts: readonly string[], length = 16): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest('hex').slice(0, length);
}

/** The first eight characters of a UID: enough to tell one run from another within a name. */
export function shortUid(uid: string): string {
  return uid.replaceAll('-', '').slice(0, 8);
}

/** A label's value has at most 63 characters, a name 253: a longer name is hashed. */
export function scheduleLabel(name: string): string {
  return name.length <= 63 ? name : shortHash([name], 32);
}

/**
 * Name of a Job: readable, deterministic, at most 63 characters (a pod's label carries it).
 * The UID part keeps a re-created object from adopting the Jobs of its predecessor.
 */
export function jobName(
  owner: { readonly name: string; readonly uid: string },
  command: string,
  attempt: number,
): string {
  const tail = `-${command}-${shortUid(owner.uid)}-${attempt}`;
  const head = owner.name
    .slice(0, 63 - tail.length)
    .replaceAll('.', '-')
    .replace(/-+$/, '');
  return `${head}${tail}`;
}

export const DATABASE_LOCK_PREFIX = 'holdfast-lock-';

/** Lease in the operator's namespace by which one operation at a time works on a database. */
export function databaseLockName({ host, port, database }: PostgresqlAddress): string {
  // Of a whole server: the hash of a list that no database's can be.
  const what = [host.toLowerCase(), String(port), ...(database === undefined ? [] : [database])];
  return `${DATABASE_LOCK_PREFIX}${shortHash(what)}`;
}

/** Label of every lock on something of one server, by which a lock on all of it is told from those on one of its databases. */
export function serverLabel({ host, port }: Pick<PostgresqlAddress, 'host' | 'port'>): string {
  return shortHash([host.toLowerCase(), String(port)]);
}

export const SCALE_LEASE_PREFIX = 'holdfast-scale-';

/** Lease in the workload's namespace: the lock and the memory of a restore that scales it. The version of its kind is no part of it. */
export function scaleLeaseName(workload: {
  readonly apiVersion?: string;
  readonly kind: string;
  readonly name: string;
}): string {
  const { apiVersion = 'apps/v1', kind, name } = workload;
  const [group = ''] = apiVersion.split('/');
  return `${SCALE_LEASE_PREFIX}${shortHash(group === 'apps' ? [kind, name] : [group, kind, name])}`;
}

/** PostgreSQL cuts longer names in silence. */
const DATABASE_NAME_BYTES = 63;

/** Database that a restore loads into. */
export function scratchDatabaseName(restore: { readonly uid: string }): string {
  return `holdfast_scratch_${restore.uid.replaceAll('-', '')}`;
}

/** Name of the n-th database that a restore of a whole server loads into. */
export function numberedDatabaseName(name: string, index: number): string {
  return `${name}_${index}`;
}

/** Whether a database has a name that this restore alone gives, for one database or for one of a whole server. */
export function isScratchName(name: string, restore: { readonly uid: string }): boolean {
  const own = scratchDatabaseName(restore);
  return name === own || (name.startsWith(`${own}_`) && /^[0-9]+$/.test(name.slice(own.length + 1)));
}

/** The Backup that a restore makes of what it is about to replace. Of a Restore that is made anew it is another one. */
export function safetyBackupName({ name, uid }: { readonly name: string; readonly uid: string }): string {
  const tail = `-safety-${shortUid(uid)}`;
  return `${name.slice(0, 63 - tail.length).replace(/[-.]+$/, '')}${tail}`;
}

const previousTail = (restore: { readonly uid: string }) => `_before_${shortUid(restore.uid)}`;

/** Name that a replaced database keeps: its own, cut at a character, and the restore's UID. */
export function previousDatabaseName(database: string, restore: { readonly uid: string }): string {
  const tail = previousTail(restore);
  let head = database;
  while (Buffer.byteLength(head) + tail.length > DATABASE_NAME_BYTES) head = [...head].slice(0, -1).join('');
  return `${head}${tail}`;
}

/** Whether a database has a name that this restore gave to what it replaced. One that a person renamed back has not, though it bears the mark. */
export function isPreviousName(name: string, restore: { readonly uid: string }): boolean {
  return name.endsWith(previousTail(restore));
}

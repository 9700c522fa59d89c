/**
 * What the operator and the runner say to each other.
 *
 * The operator writes one {@link Task} as JSON into the annotation {@link TASK_ANNOTATION} of the Job's pod; it holds no
 * secret. Secrets are files below {@link MOUNTS}. The runner answers with one {@link Report} as its termination message,
 * at most {@link TERMINATION_MESSAGE_LIMIT} bytes, and one of {@link EXIT_CODES}.
 */
import type { Failure } from '../lib/errors.ts';
import type { PostgresqlAddress, PostgresqlEntry } from './postgresql.ts';
import type { Selection } from './postgresql-selection.ts';

export const TASK_ANNOTATION = 'holdfast.dev/task';

/** Paths within the runner's container, below a root that tests may move (environment variable HOLDFAST_ROOT). */
export const MOUNTS = {
  root: '/holdfast/run',
  /** The task, by the downward API. */
  task: 'task/task.json',
  /** The store's Secret, a file per key. */
  store: 'store',
  /** Of a Secret or a ConfigMap, the one file with the authorities that sign the certificate of the store. */
  storeCa: 'store-ca',
  /** The database's Secret, a file per key. */
  database: 'database',
  /** Of another Secret, the one file with the authorities that sign the certificate of the database's server. */
  databaseCa: 'database-ca',
  /** Of another Secret, the two files of the client certificate for the database. */
  databaseCertificate: 'database-certificate',
  /** The Secret with the age identity, a file per key. */
  identity: 'identity',
  /** Memory-backed, writable, for files that a program insists on owning. */
  temporary: 'tmp',
} as const;

/** The kubelet keeps no more of a termination message. */
export const TERMINATION_MESSAGE_LIMIT = 4096;

export const EXIT_CODES = {
  ok: 0,
  /** Something was missing before the work began; nothing was changed. The operator tries again later. */
  notReady: 3,
  /** The work began and failed, or can never succeed. */
  failed: 4,
  /** Ended by SIGTERM after cleaning up. */
  interrupted: 5,
} as const;

/**
 * Flags of Node for the runner. Its work is moving large buffers, whose memory comes back only when the small objects that
 * own them are collected: a young generation of 1 MiB collects them often. Measured: 164 MiB at the peak instead of 230.
 */
export const RUNNER_NODE_FLAGS = ['--max-semi-space-size=1'] as const;

export interface StoreAccess {
  /** URL without a trailing slash. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  /** Without slashes at its ends; empty for the bucket's root. */
  readonly prefix: string;
  readonly forcePathStyle: boolean;
  /** Name of the Secret. Absent: the identity that the cloud gives to the Job's service account. */
  readonly secret?: string;
  /** Keys of that Secret; absent: those of STORE_SECRET_KEYS. */
  readonly secretKeys?: {
    readonly accessKeyIdKey: string;
    readonly secretAccessKeyKey: string;
    readonly sessionTokenKey: string;
  };
  /** Of the Job. Absent: the namespace's default. */
  readonly serviceAccount?: string;
  /** The certificates of the server's own authorities. Absent: the public authorities. */
  readonly authorities?: { readonly kind: 'Secret' | 'ConfigMap'; readonly name: string; readonly key: string };
}

/** A server, or one database of it. */
export interface ServerAccess extends PostgresqlAddress, PostgresqlEntry {
  readonly engine: 'postgresql';
}

export interface DatabaseAccess extends ServerAccess {
  readonly database: string;
}

export function isOneDatabase(access: ServerAccess): access is DatabaseAccess {
  return access.database !== undefined;
}

/** Whose run this is: written into manifests and markers. */
export interface RunIdentity {
  readonly cluster: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface ProbeTask {
  readonly command: 'probe';
  readonly store: StoreAccess;
}

export interface BackupTask {
  readonly command: 'backup';
  readonly run: RunIdentity;
  readonly store: StoreAccess;
  /** The run's folder within the bucket, prefix included, with a trailing slash. */
  readonly folder: string;
  readonly database: ServerAccess;
  /** Absent: the whole database. */
  readonly selection?: Selection;
  /** age recipients, one class only. */
  readonly recipients: readonly string[];
  readonly compressionLevel: number;
  /** What the probe found out; false where the store ignores If-None-Match. */
  readonly conditionalWrites: boolean;
  /**
   * True: an earlier attempt ended without a word (its node was lost, its Job deleted). This one only looks whether that
   * attempt committed its manifest, and reports what it says or the final failure `Interrupted`; it dumps nothing.
   */
  readonly reportOnly: boolean;
}

/** The archive that a restore is pinned to. */
export interface ArchiveReference {
  readonly folder: string;
  /** sha256:… of manifest.json. */
  readonly manifestDigest: string;
  /** Cluster and namespace names that the manifest must bear. */
  readonly cluster: string;
  readonly namespace: string;
}

/** Identity of a restore within the target server. */
export interface RestoreIdentity extends RunIdentity {
  /** Hash of the spec without keepPrevious; part of the marker that makes a restore happen once only. */
  readonly specHash: string;
}

export interface RestoreBase {
  readonly run: RestoreIdentity;
  readonly store: StoreAccess;
  readonly archive: ArchiveReference;
  readonly database: ServerAccess;
  /** The one database to take out of the archive; absent: all that is in it. */
  readonly fromDatabase?: string;
  /** For messages. */
  readonly identity: { readonly secret: string; readonly key: string };
  readonly onConflict: 'Fail' | 'Replace';
  /** Name of the database that is loaded before the swap. */
  readonly scratchDatabase: string;
  /** Name that the replaced database gets. */
  readonly previousDatabase: string;
}

/** Looks at archive and target and says what would happen and what stands in the way; changes nothing. */
export interface PlanTask extends RestoreBase {
  readonly command: 'plan';
}

export interface RestoreTask extends RestoreBase {
  readonly command: 'restore';
  /** RFC 3339. The fence: after this instant the runner may not swap. */
  readonly notAfter: string;
  /** Whether the replaced database goes at once (`keepPrevious: 0s`). */
  readonly dropPrevious: boolean;
}

/** Tells whether the restore went live, drops its scratch database if there is one and, if asked, the previous one. */
export interface CleanupTask {
  readonly command: 'cleanup';
  readonly run: RestoreIdentity;
  readonly database: ServerAccess;
  readonly scratchDatabase: string;
  readonly previousDatabase: string;
  readonly dropPrevious: boolean;
}

/** Removes archives that retention let go: only keys that their own manifest names, manifest first. */
export interface PruneTask {
  readonly command: 'prune';
  readonly store: StoreAccess;
  /** Cluster and namespace names that each manifest must bear. */
  readonly cluster: string;
  readonly namespace: string;
  readonly archives: readonly {
    readonly folder: string;
    readonly manifestDigest: string;
    readonly backupUid: string;
  }[];
}

export type Task = ProbeTask | BackupTask | PlanTask | RestoreTask | CleanupTask | PruneTask;

export interface ProbeResult {
  readonly conditionalWrites: boolean;
}

export interface BackupResult {
  readonly manifestDigest: string;
  readonly sizes: { readonly source: number; readonly stored: number };
  readonly keyFingerprints: readonly string[];
  readonly server: { readonly engine: string; readonly version: string };
  readonly tool: string;
  /** RFC 3339, when the last byte was read back and found right. */
  readonly verifiedTime: string;
  /** Databases of a whole server that are not in the archive; the first of many. Absent: none, or only an earlier attempt knew. */
  readonly skippedDatabases?: readonly { readonly name: string; readonly reason: string }[];
}

export interface PlanResult {
  /** Everything that stands in the way; empty: the restore can go on. */
  readonly refusals: readonly Failure[];
  /** This very restore went live before. */
  readonly alreadyRestored: boolean;
  readonly server: string;
  readonly databaseExists: boolean;
  readonly objects: number;
  readonly bytesNeeded: number;
  /** What else a person would want to know, in sentences; of the restore of a whole server. */
  readonly notes?: readonly string[];
}

/** Of many replaced databases the first are named: a report has a limit. All bear the mark by which they are found. */
export const DATABASES_NAMED = 24;

export interface RestoreResult {
  /** Absent where no database was replaced, or it was dropped. */
  readonly previousDatabase?: string;
  /** Of a whole server. */
  readonly previousDatabases?: readonly string[];
}

export interface CleanupResult {
  /** Whether the live database bears this restore's marker: the swap was committed. */
  readonly restored: boolean;
  /** Absent where there is none (any more). */
  readonly previousDatabase?: string;
  /** Of a whole server; empty where there is none (any more). */
  readonly previousDatabases?: readonly string[];
}

export interface PruneResult {
  /** Indexes into the task's archives: those of which nothing is left. */
  readonly removed: readonly number[];
  /** Why the others are still there. */
  readonly failure?: Failure;
}

export interface ResultOf {
  readonly probe: ProbeResult;
  readonly backup: BackupResult;
  readonly plan: PlanResult;
  readonly restore: RestoreResult;
  readonly cleanup: CleanupResult;
  readonly prune: PruneResult;
}

export type Command = Task['command'];

/** The termination message. */
export type Report<C extends Command = Command> =
  | { readonly command: C; readonly ok: true; readonly result: ResultOf[C] }
  | { readonly command: C; readonly ok: false; readonly retry: boolean; readonly failure: Failure };

/**
 * What the operator and the runner say to each other.
 *
 * The operator writes one {@link Task} as JSON into the annotation {@link TASK_ANNOTATION} of the Job's pod; it holds no
 * secret. Secrets are files below {@link MOUNTS}. The runner answers with one {@link Report} as its termination message,
 * at most {@link TERMINATION_MESSAGE_LIMIT} bytes, and one of {@link EXIT_CODES}.
 */
import type { Failure } from '../lib/errors.ts';
import type { ApplicationFacts } from './application.ts';
import type { RestoreChoices } from './choices.ts';
import type { Comparison } from './comparison.ts';
import type { PostgresqlAddress, PostgresqlEntry, SecretValue } from './postgresql.ts';
import type { Selection } from './postgresql-selection.ts';
import type { UndoneRestore } from './undone.ts';

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
  /** Memory-backed: the password of the server that a drill has for itself, in a file of this name. */
  drill: 'drill/password',
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
  /** What the manifest says of the app. */
  readonly application?: ApplicationFacts;
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

export interface RestoreBase extends RestoreChoices {
  readonly run: RestoreIdentity;
  readonly store: StoreAccess;
  readonly archive: ArchiveReference;
  readonly database: ServerAccess;
  /** The one database to take out of the archive; absent: all that is in it. */
  readonly fromDatabase?: string;
  /** For messages. */
  readonly identity: { readonly secret: string; readonly key: string };
  readonly onConflict: 'Fail' | 'Skip' | 'Replace';
  /** Name of the database that is loaded before the swap. */
  readonly scratchDatabase: string;
  /** Name that the replaced database gets. */
  readonly previousDatabase: string;
}

/** Looks at archive and target and says what would happen and what stands in the way; changes nothing. */
export interface PlanTask extends RestoreBase {
  readonly command: 'plan';
  /** More bytes than this may not be needed. */
  readonly maxBytes?: number;
  /** The app that runs on the restored database, as far as the person said. */
  readonly application?: { readonly version?: string; readonly longTermReleases?: readonly string[] };
  /** Nodes that the app's pods run on before it is taken to zero; none: nobody knows. */
  readonly nodes?: readonly string[];
}

/** What works on the target once the app is at rest. */
interface LateTask extends RestoreBase {
  /** RFC 3339. The fence, the same for all of a restore: after this instant nothing of it may touch what is live. */
  readonly notAfter: string;
}

/** Loads the archive beside what is live. A failure leaves nothing of it. */
export interface LoadTask extends LateTask {
  readonly command: 'load';
  /** Whether the plan found that it joins what is live: what was decided on that does not hold where it is so only by now. */
  readonly inPlace?: boolean;
}

/** Works on what was loaded. */
interface LoadedTask extends LateTask {
  /** As the load reported it: then neither store nor identity is there. Absent: the archive itself is read again. */
  readonly noted?: string;
}

/** Asks the loaded database whether it is what was wanted. */
export interface CheckTask extends LoadedTask {
  readonly command: 'check';
  readonly checks: readonly Check[];
}

/** Puts what was loaded in the place of what is live. */
export interface SwapTask extends LoadedTask {
  readonly command: 'swap';
  /** Whether the replaced database goes at once (`keepPrevious: 0s`). */
  readonly dropPrevious: boolean;
}

/** A restore is undone: no archive, no store and no key, since nothing is loaded. */
export interface UndoBase {
  readonly run: RestoreIdentity;
  readonly database: ServerAccess;
  readonly undone: UndoneRestore;
  /** Never made; cleaning up is the same for every restore. */
  readonly scratchDatabase: string;
  /** Name that the database gets that is live now. */
  readonly previousDatabase: string;
}

/** As {@link PlanTask}. */
export interface UndoPlanTask extends UndoBase {
  readonly command: 'plan';
}

/** Puts what is kept in the place of what is live. */
export interface UndoSwapTask extends UndoBase {
  readonly command: 'swap';
  /** RFC 3339. The fence. */
  readonly notAfter: string;
  readonly dropPrevious: boolean;
}

/** SQL that is asked of a restored database, and the answer that it must give. */
export interface Check {
  readonly name: string;
  readonly sql: string;
  /** The only column of the only row, as text. */
  readonly expect: string;
  /** Of a whole server: the database that is asked. */
  readonly database?: string;
}

/** Tells whether the restore went live, drops its scratch database if there is one and, if asked, the previous one. */
export interface CleanupTask {
  readonly command: 'cleanup';
  readonly run: RestoreIdentity;
  readonly database: ServerAccess;
  readonly scratchDatabase: string;
  readonly previousDatabase: string;
  readonly dropPrevious: boolean;
  /** Whether the scratch database stays, for a person to look at. */
  readonly keepScratch: boolean;
}

/** Says what an archive is, from its manifest, and checks what can be checked of it. */
export interface CatalogTask {
  readonly command: 'catalog';
  readonly store: StoreAccess;
  /** The run's folder within the bucket, with a trailing slash. */
  readonly folder: string;
  /** Opens the contents too, to tell the name of the database in it. Absent: the manifest alone is read. */
  readonly identity?: SecretValue;
}

/** What a drill restores: it has a server of its own, so there is no database to name. */
interface DrillBase extends Pick<RestoreBase, 'store' | 'archive' | 'fromDatabase' | 'identity'> {
  readonly run: RunIdentity;
}

/** Looks at an archive alone: whether it can be opened, and which server it is for. */
export interface ExamineTask extends DrillBase {
  readonly command: 'examine';
}

/** Restores into a server that stands beside the runner and goes with it, asks what came of it, and counts. */
export interface DrillTask extends DrillBase {
  readonly command: 'drill';
  /** Of the server, at 127.0.0.1. */
  readonly port: number;
  readonly checks: readonly Check[];
  /** RFC 3339. No question of a check is waited for any longer. */
  readonly notAfter: string;
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

export type Task =
  | ProbeTask
  | BackupTask
  | PlanTask
  | UndoPlanTask
  | LoadTask
  | CheckTask
  | SwapTask
  | UndoSwapTask
  | CleanupTask
  | CatalogTask
  | PruneTask
  | ExamineTask
  | DrillTask;

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
  /** RFC 3339, the instant that the data is of. Absent: from a runner that did not tell. */
  readonly dataTime?: string;
  /** Databases of a whole server that are not in the archive; the first of many. Absent: none, or only an earlier attempt knew. */
  readonly skippedDatabases?: readonly { readonly name: string; readonly reason: string }[];
}

export interface CatalogResult {
  readonly manifestDigest: string;
  /** Names that the manifest bears. */
  readonly cluster: string;
  readonly namespace: string;
  readonly backup: { readonly name: string; readonly uid: string };
  /** RFC 3339, the instant that the data is of. */
  readonly dataTime: string;
  readonly server: { readonly engine: string; readonly version: string };
  readonly scope: 'Database' | 'Instance';
  readonly verification: { readonly level: string; readonly time: string };
  /** Of one database, where there was an identity to look inside. */
  readonly database?: string;
}

export interface PlanResult {
  /** Everything that stands in the way, what the person has taken on included; see standing(). */
  readonly refusals: readonly Failure[];
  /** This very restore went live before. */
  readonly alreadyRestored: boolean;
  readonly server: string;
  readonly databaseExists: boolean;
  readonly objects: number;
  /** True: what is restored joins what the live database has, in one transaction, and nothing is swapped. */
  readonly inPlace?: boolean;
  readonly bytesNeeded: number;
  /** Which versions were compared. */
  readonly compatibility?: readonly Comparison[];
  /** What stands in nobody's way and may not be what is wanted, in sentences. */
  readonly warnings?: readonly string[];
  /** What else a person would want to know, in sentences. */
  readonly notes?: readonly string[];
}

/** Of many replaced databases the first are named: a report has a limit. All bear the mark by which they are found. */
export const DATABASES_NAMED = 24;

export interface LoadResult {
  /**
   * What the archive holds is live already: this very restore went live before, or it was added to the live database. Nothing
   * is left to check or to swap.
   */
  readonly live?: SwapResult;
  /**
   * Digest of what check and swap must know of the archive, which the target server keeps with what was loaded. Absent: it
   * does not.
   */
  readonly noted?: string;
}

export interface CheckResult {
  readonly checks: readonly CheckOutcome[];
}

export interface CheckOutcome {
  readonly name: string;
  readonly passed: boolean;
  /** What the database answered, cut at 200 characters; absent where it is what was expected. */
  readonly found?: string;
}

export interface SwapResult {
  /** Of a restore into a live database with objects of its own. The first of many are named. */
  readonly objects?: ObjectsOutcome;
  /** Absent where no database was replaced, or it was dropped. */
  readonly previousDatabase?: string;
  /** Of a whole server. */
  readonly previousDatabases?: readonly string[];
}

export interface ObjectsOutcome {
  readonly added: readonly string[];
  readonly addedCount: number;
  /** Were there, and stayed as they were. */
  readonly kept: readonly string[];
  readonly keptCount: number;
  readonly replaced: readonly string[];
  readonly replacedCount: number;
}

export interface CleanupResult {
  /** Whether the live database bears this restore's marker: the swap was committed. */
  readonly restored: boolean;
  /** Absent where there is none (any more). */
  readonly previousDatabase?: string;
  /** Of a whole server; empty where there is none (any more). */
  readonly previousDatabases?: readonly string[];
}

export interface ExamineResult {
  /** Everything that stands in the way; empty: the archive can be restored. */
  readonly refusals: readonly Failure[];
  /** Major version of the server that was dumped; 0 where the archive cannot be opened. */
  readonly major: number;
  readonly bytesNeeded: number;
}

/** Of many databases and tables the first are told: a report has a limit. The whole of them is in the log. */
export const COUNTS_TOLD = 10;

export interface DrillResult {
  /** Version of the server that it was restored to. */
  readonly server: string;
  /** From the first byte that was read to the last row that was counted. */
  readonly seconds: number;
  readonly totals: DrillTotals & { readonly databases: number };
  /** Of a whole server, those with most bytes first. */
  readonly databases?: readonly (DrillTotals & { readonly name: string })[];
  /** Those with most rows first, each as `schema.name`; of a whole server as `database.schema.name`. */
  readonly largest: readonly { readonly table: string; readonly rows: number }[];
  readonly checks: readonly CheckOutcome[];
  /** What was not as it had been, in sentences. */
  readonly notes?: readonly string[];
}

export interface DrillTotals {
  readonly bytes: number;
  readonly tables: number;
  readonly rows: number;
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
  readonly load: LoadResult;
  readonly check: CheckResult;
  readonly swap: SwapResult;
  readonly cleanup: CleanupResult;
  readonly catalog: CatalogResult;
  readonly prune: PruneResult;
  readonly examine: ExamineResult;
  readonly drill: DrillResult;
}

export type Command = Task['command'];

/** The termination message. */
export type Report<C extends Command = Command> =
  | { readonly command: C; readonly ok: true; readonly result: ResultOf[C] }
  | { readonly command: C; readonly ok: false; readonly retry: boolean; readonly failure: Failure };

/** Whether a task may change what is live; the others work beside it. */
export function isAtLive(task: Task): boolean {
  return task.command === 'swap' || (task.command === 'load' && task.inPlace === true);
}

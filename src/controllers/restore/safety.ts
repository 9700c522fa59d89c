/** What a restore with `onConflict: Replace` saves before it touches anything: the database as it is now, as a Backup. Pure. */
import type { Backup, NewBackup } from '../../api/backup.ts';
import { isTrue } from '../../api/conditions.ts';
import { isForced } from '../../api/force.ts';
import { API_VERSION } from '../../api/meta.ts';
import { ANNOTATIONS, LABELS, MANAGED_BY, safetyBackupName } from '../../api/names.ts';
import { addressOf, entrySpecOf, type PostgresqlSource } from '../../api/postgresql.ts';
import { selectionOf } from '../../api/postgresql-selection.ts';
import type { Restore, RestoreStatus } from '../../api/restore.ts';
import type { PlanResult, ServerAccess } from '../../api/task.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { Failure } from '../../lib/errors.ts';
import { stableJson } from '../../lib/stable-json.ts';
import type { RestoreFacts } from './facts.ts';

/** Somebody waits for the restore: what does not get going soon is a refusal, and a person decides. */
const START_DEADLINE = '10m';

/** What the last attempt may need beyond its deadline: its pod to end, and a look at what it left in the store. */
const GRACE = 600_000;

const LOAD_SECONDS = 86_400;

export type SafetyFacts = Pick<RestoreFacts, 'restore' | 'source' | 'backup' | 'target' | 'safetyBackup'>;

/** Whether what is live may be replaced. */
export type Safety =
  /** There is nothing to save. */
  | { readonly safety: 'needless' }
  /** Somebody takes it on that nothing is saved; `refusal` is what it would have come to. */
  | { readonly safety: 'forced'; readonly refusal: Failure }
  | { readonly safety: 'savable'; readonly backup: NewBackup; readonly until: Date }
  | { readonly safety: 'saving'; readonly backup: Backup; readonly until: Date }
  | { readonly safety: 'saved' }
  | { readonly safety: 'refused'; readonly failure: Failure };

/**
 * `planned`: when the look at the target came to its end. What was once taken on stays so: a Backup that could be made
 * after all, when the app is down, is of no use to anybody.
 */
export function safetyOf(facts: SafetyFacts, plan: PlanResult, planned: Date, now: Date): Safety {
  const before = forcedSafety(facts);
  if (before !== undefined) return { safety: 'forced', refusal: before };
  const found = judged(facts, plan, planned, now);
  if (found.safety !== 'unsaved') return found;
  return isForced(REFUSAL, facts.restore.spec.force)
    ? { safety: 'forced', refusal: unsaved(found.cause) }
    : refused(found.cause);
}

type Judgement =
  | Exclude<Safety, { readonly safety: 'forced' | 'refused' }>
  | { readonly safety: 'unsaved'; readonly cause: Failure };

function judged(facts: SafetyFacts, plan: PlanResult, planned: Date, now: Date): Judgement {
  const { restore, safetyBackup: found } = facts;
  const wanted = isWanted(restore) && hasContent(plan) ? safetyBackupOf(facts) : undefined;
  if (wanted === undefined) return { safety: 'needless' };
  const noted = restore.status?.safetyBackup;
  // Whoever deletes it from here on has had it.
  if (noted?.time !== undefined) return { safety: 'saved' };
  if (noted !== undefined && noted.uid !== found?.metadata.uid) return { safety: 'unsaved', cause: GONE };
  if (found === undefined) {
    const until = new Date(planned.getTime() + parseDuration(START_DEADLINE));
    // An operator that was away for longer has not tried yet.
    const tried = restore.status?.phase === 'SafetyBackup' ? restore.status.failure : undefined;
    return tried === undefined || now < until
      ? { safety: 'savable', backup: wanted, until }
      : { safety: 'unsaved', cause: tried };
  }
  // Noted by its UID it is ours, whatever became of the Backup whose key it took.
  const isKnown = noted !== undefined || isOurs(found, wanted);
  return isKnown ? progressOf(found, now) : { safety: 'unsaved', cause: somebodyElses(found) };
}

function progressOf(found: Backup, now: Date): Judgement {
  const { status, metadata, spec } = found;
  if (isTrue(status?.conditions, 'Complete')) return { safety: 'saved' };
  if (isTrue(status?.conditions, 'Failed')) return { safety: 'unsaved', cause: status?.failure ?? UNSAID };
  const seconds = spec.activeDeadlineSeconds ?? LOAD_SECONDS;
  const until = new Date(
    Date.parse(metadata.creationTimestamp) + parseDuration(START_DEADLINE) + seconds * 1000 + GRACE,
  );
  return now < until
    ? { safety: 'saving', backup: found, until }
    : { safety: 'unsaved', cause: status?.failure ?? TOO_SLOW };
}

const REFUSAL = 'SafetyBackup';

const GONE: Failure = { reason: 'BackupDeleted', message: 'Somebody deleted it before it was Complete.' };
const UNSAID: Failure = { reason: 'Failed', message: 'It does not say why.' };
const TOO_SLOW: Failure = { reason: 'DeadlineExceeded', message: 'It did not come to its end in time.' };

function somebodyElses({ metadata }: Backup): Failure {
  return {
    reason: 'AdoptionRefused',
    message: `A Backup "${metadata.name}" is there already, and it is not one of this Restore.`,
    hint: 'Delete it.',
  };
}

function refused({ reason, message, hint }: Failure): Safety {
  const without =
    'To go on without, make a Restore with force: [SafetyBackup]: what is live now is then kept as the previous database only, for as long as keepPrevious says.';
  const failure: Failure = {
    reason: REFUSAL,
    message: `The database as it is now could not be saved, so nothing was touched. ${reason}: ${message}`,
    hint: hint === undefined ? without : `${hint} Then make a new Restore. ${without}`,
  };
  return { safety: 'refused', failure };
}

/** What an undo replaces is kept, and an undo of the undo brings it back. */
function isWanted({ spec }: Restore): boolean {
  return spec.safetyBackup !== false && spec.onConflict === 'Replace' && spec.from.previousOf === undefined;
}

function hasContent({ databaseExists, objects }: PlanResult): boolean {
  return databaseExists && objects > 0;
}

function unsaved({ reason, message }: Failure): Failure {
  return { reason: REFUSAL, message: `The database as it is now could not be saved. ${reason}: ${message}` };
}

/** What `force: [SafetyBackup]` has taken on, as the plan in the status says: it is written there before anything is touched. */
export function forcedSafety({ restore }: Pick<SafetyFacts, 'restore'>): Failure | undefined {
  const { refusals = [] } = restore.status?.plan ?? {};
  const noted = refusals.find(({ reason, forced }) => reason === REFUSAL && forced);
  return noted === undefined ? undefined : { reason: noted.reason, message: noted.message };
}

/** What the plan says about it, in a sentence. An undo says nothing: what it replaces is what it can bring back. */
export function safetyNotes(
  { restore, source }: Pick<SafetyFacts, 'restore' | 'source'>,
  plan: PlanResult,
  forced: Failure | undefined,
): readonly string[] {
  if (!isWanted(restore) || source.choice !== 'pinned') return [];
  if (!plan.databaseExists) return ['nothing is saved beforehand: there is no live database'];
  if (!hasContent(plan)) return ['nothing is saved beforehand: the live database is empty'];
  if (forced !== undefined)
    return [`there is no safety backup, and force: [SafetyBackup] goes on without: ${forced.message}`];
  // It is named after its Restore, and what was tried is done by another one.
  if (restore.spec.dryRun === true) return ['what is live now is saved first, as a Backup of its own'];
  return [`what is live now is saved first, as Backup ${safetyBackupName(restore.metadata)}`];
}

/** What the status keeps of it: the UID is what lets the Backup work under the lock of this restore. */
export function notedSafetyBackup({
  restore,
  safetyBackup: found,
}: Pick<SafetyFacts, 'restore' | 'safetyBackup'>): Pick<RestoreStatus, 'safetyBackup'> {
  const noted = restore.status?.safetyBackup;
  // One that comes to its end when nobody waits for it any more is of an unknown moment.
  if (found === undefined || noted?.time !== undefined || forcedSafety({ restore }) !== undefined) return {};
  const { name, uid, labels } = found.metadata;
  if (labels?.[LABELS.owner] !== restore.metadata.uid || (noted !== undefined && noted.uid !== uid)) return {};
  const time = isTrue(found.status?.conditions, 'Complete') ? found.status?.completionTime : undefined;
  return { safetyBackup: { name, uid, ...(time === undefined ? {} : { time }) } };
}

/**
 * No owner reference: it outlives its Restore, until a person deletes it. No label of a schedule: no retention counts it.
 * Undefined where nobody knows any more what is restored, and so where the archive should go.
 */
function safetyBackupOf({ restore, source, backup, target }: SafetyFacts): NewBackup | undefined {
  if (source.choice !== 'pinned' || target === undefined) return undefined;
  const { metadata, spec } = restore;
  const { keyRef, compression } = backup?.spec ?? {};
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    metadata: {
      name: safetyBackupName(metadata),
      namespace: metadata.namespace,
      labels: { [LABELS.managedBy]: MANAGED_BY, [LABELS.owner]: metadata.uid },
      annotations: { [ANNOTATIONS.restore]: metadata.name },
    },
    spec: {
      source: { postgresql: sourceOf(target) },
      storeRef: { name: source.source.store },
      ...(keyRef === undefined ? {} : { keyRef }),
      ...(compression === undefined ? {} : { compression }),
      ...applicationOf(backup),
      startDeadline: START_DEADLINE,
      activeDeadlineSeconds: spec.activeDeadlineSeconds ?? LOAD_SECONDS,
    },
  };
}

/** The same app. Which version of it wrote what is live nobody says: spec.application of the Restore tells the one that will run on what is restored. */
function applicationOf(backup: Backup | undefined): Pick<NewBackup['spec'], 'application'> {
  const { version: _, ...application } = backup?.spec.application ?? {};
  return Object.keys(application).length === 0 ? {} : { application };
}

/** All of the restore's target, as its role sees it: what the restored Backup left out of its own source counts nothing here. */
function sourceOf({ host, port, database, maintenanceDatabase, ...entry }: ServerAccess): PostgresqlSource {
  return {
    host,
    port,
    ...(database === undefined ? { scope: 'Instance' } : { database }),
    maintenanceDatabase,
    ...entrySpecOf(entry),
  };
}

/** A name anybody may take, and write a label beside it: what counts is that it saves what is wanted, where it is wanted. */
function isOurs(found: Backup, wanted: NewBackup): boolean {
  return (
    found.metadata.labels?.[LABELS.owner] === wanted.metadata.labels?.[LABELS.owner] && kept(found) === kept(wanted)
  );
}

function kept({ spec }: Pick<Backup, 'spec'>): string {
  const { source, storeRef, keyRef } = spec;
  return stableJson([
    addressOf(source.postgresql),
    selectionOf(source.postgresql) ?? {},
    storeRef.name,
    keyRef?.name ?? '',
  ]);
}

/** Where a restore can stand; states.ts says where it does. */
import type { Backup, NewBackup } from '../../api/backup.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import type { ExamineResult, LoadTask, PlanResult, ServerAccess, SwapTask, UndoSwapTask } from '../../api/task.ts';
import type { UndoneRestore } from '../../api/undone.ts';
import type { Failure } from '../../lib/errors.ts';
import type { RunFacts } from '../run-facts.ts';
import type { Outcome } from './facts.ts';
import type { Pin, Source, Undoes } from './source.ts';

/**
 * Where a restore stands, read from the world each time. In order:
 *
 * - `over`: a terminal condition stands. Only the previous database may still have to go.
 * - `leaving`: somebody deleted the Restore before it was over. The app comes back first.
 * - `unguarded`: our finalizer is missing; without it a deletion would leave the app at zero.
 * - `ending`: the outcome is written down. The app comes back, scratch goes, locks go, the terminal status is written.
 * - `concluded`: the outcome has just become known and is not written down yet.
 * - `waiting`: something is missing. Nothing was touched; way out: the start deadline.
 * - `askable`: the archive was named by its path; a Job has to read its manifest.
 * - `asking`: that Job is at work; way out: its deadline.
 * - `unpinned`: an archive was chosen, and has to be pinned.
 * - `plannable`: pinned, and all is there; a look at archive and target can start.
 * - `planning`: the look is under way; way out: its Job's deadline.
 * - `savable`: the plan has no refusal, and something live is replaced; a Backup of it has to be made. Way out: ten minutes.
 * - `saving`: that Backup is not Complete yet. Way out: its own deadlines.
 * - `unsaved`: that Backup could not be had, and `force` goes on without. It has to be written down before anything is touched.
 * - `quiescing`: nothing is left to save; workloads go to zero. Way out: `scaleDown.timeout`.
 * - `loadable`: no pod is left. Loading can start.
 * - `reloadable`: a load ended before it began, since something did not answer; it can be tried again.
 * - `loading`: the runner loads beside what is live. Way out: the fence.
 * - `checkable`: loaded, and there are checks. Asking can start.
 * - `checking`: the runner asks what was loaded. Way out: the fence.
 * - `swappable`: loaded, every check holds, and no pod is left. The swap can start. An undo, which loads nothing, is there
 *   as soon as no pod is left.
 * - `swapping`: the runner puts what was loaded in the place of what is live. Way out: the fence.
 *
 * A drill, which touches nothing, has a course of its own from the pin on: see drill.ts.
 */
export type RestoreState =
  | { readonly state: 'over' }
  | { readonly state: 'leaving' }
  | { readonly state: 'unguarded' }
  | DrillState
  | { readonly state: 'ending'; readonly outcome: Outcome }
  | { readonly state: 'concluded'; readonly outcome: Conclusion }
  | { readonly state: 'waiting'; readonly failure: Failure; readonly retryAt?: Date }
  | { readonly state: 'askable'; readonly store: BackupStore; readonly folder: string; readonly attempt: number }
  | { readonly state: 'asking'; readonly run: RunFacts }
  | { readonly state: 'unpinned'; readonly pin: Pin | Undoes }
  | { readonly state: 'plannable'; readonly needs: Needs }
  | { readonly state: 'planning'; readonly run: RunFacts }
  | { readonly state: 'savable'; readonly plan: PlanResult; readonly backup: NewBackup; readonly until: Date }
  | { readonly state: 'saving'; readonly plan: PlanResult; readonly backup: Backup; readonly until: Date }
  | { readonly state: 'unsaved'; readonly plan: PlanResult; readonly refusal: Failure }
  | { readonly state: 'quiescing'; readonly plan?: PlanResult | undefined; readonly waitsFor: readonly string[] }
  | { readonly state: 'loadable'; readonly plan: PlanResult; readonly needs: ArchiveNeeds }
  | { readonly state: 'reloadable'; readonly task: LoadTask; readonly attempt: number }
  | { readonly state: 'loading' | 'checking' | 'swapping'; readonly run: RunFacts }
  | { readonly state: 'checkable'; readonly loaded: LoadedTask; readonly attempt: number }
  | { readonly state: 'swappable'; readonly loaded: Loaded; readonly attempt: number; readonly plan?: PlanResult }
  /** The last attempt may be repeated, but not yet. */
  | {
      readonly state: 'pausing';
      readonly phase: 'Loading' | 'Checking' | 'Swapping';
      readonly failure: Failure;
      readonly retryAt: Date;
    };

/** An outcome before it is written down. */
export type Conclusion = Omit<Outcome, 'time'>;

/** What the load was told, and what it noted. */
export type LoadedTask = LoadTask & Pick<SwapTask, 'noted'>;

/** What the swap goes by: what the load was told; of an undo, which loads nothing, what an earlier attempt was told, if there was one. */
export type Loaded = LoadedTask | Omit<UndoSwapTask, 'dropPrevious'> | UndoNeeds;

/** What a Job of a restore is made from. */
export type Needs = ArchiveNeeds | UndoNeeds;

export interface UndoNeeds {
  readonly undone: UndoneRestore;
  readonly target: ServerAccess;
}

export interface ArchiveNeeds {
  readonly source: Source;
  readonly store: BackupStore;
  readonly target: ServerAccess;
  readonly identity: { readonly secret: string; readonly key: string };
}

/**
 * - `examinable`: pinned, and all is there; a look at the archive can start.
 * - `examining`: the look is under way; way out: its Job's deadline.
 * - `drillable`: the archive can be restored, and it is known for which server; the drill can start.
 * - `drilling`: it is under way; way out: its Job's deadline.
 */
export type DrillState =
  | { readonly state: 'examinable'; readonly needs: DrillNeeds }
  | { readonly state: 'examining' | 'drilling'; readonly run: RunFacts }
  | { readonly state: 'drillable'; readonly needs: DrillNeeds; readonly look: ExamineResult };

export interface DrillNeeds {
  readonly source: Source;
  readonly store: BackupStore;
  readonly identity: { readonly secret: string; readonly key: string };
}

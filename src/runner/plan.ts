import type { PlanResult, PlanTask, RestoreBase } from '../api/task.ts';
import type {
  InstancePlan,
  InstanceTarget,
  LoadedArchive,
  Login,
  Target,
  TargetPlan,
  TargetRequest,
} from '../engines/engine.ts';
import type { Failure } from '../lib/errors.ts';
import { beginningOf } from './beginning.ts';
import { choicesOf } from './choices.ts';
import { chosenDatabase, isWhole } from './chosen.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type Archive, examine, orRefusal } from './examine.ts';
import { compareEngine, judgeApp, judgeSize, type Verdict } from './judge.ts';
import { type PartsJob, plainBytes } from './load.ts';
import { readLogin } from './login.ts';
import { openStoreBriskly } from './open-store.ts';
import { openServerTarget } from './restore-instance.ts';
import { readIdentities } from './secrets.ts';

/** What stands in the way of a restore, all of it at once, as far as it can be seen. Changes nothing. */
export async function plan(task: PlanTask, context: RunnerContext): Promise<PlanResult> {
  const login = await readLogin(context.root, task.database);
  using storage = await openStoreBriskly(task.store, context);
  let identities: readonly string[] = [];
  const { archive, manifest, refusals } = await examine(task, storage, async () => {
    identities = await readIdentities(context.root, task.identity);
    return identities;
  });
  const app = manifest === undefined ? undefined : judgeApp(task, manifest);
  // Without the contents nobody knows what the target must be fit for.
  if (archive === undefined) return told(context, { ...NOTHING_SEEN, refusals }, app);

  const more: Failure[] = [];
  const seen = await orRefusal(more, () => lookAtTarget(task, { task, context, storage, identities }, login, archive));
  if (seen === undefined) return told(context, { ...NOTHING_SEEN, refusals: more }, app);
  const server = compareEngine(archive.manifest, seen.server);
  const large = judgeSize(task, seen.bytesNeeded);
  return told(context, { ...seen, refusals: [...seen.refusals, ...large], compatibility: [server] }, app);
}

async function lookAtTarget(
  task: PlanTask,
  job: PartsJob & { readonly task: PlanTask },
  login: Login,
  archive: Archive,
): Promise<PlanResult> {
  const { context } = job;
  const { manifest, contents } = archive;
  const target = isWhole(task, contents)
    ? await openServerTarget(task, context, login, manifest.server.major, contents, (database, program) =>
        beginningOf(job, manifest, database)(program),
      )
    : await openOneTarget(task, context, login, knownOf(archive), beginningIn(job, archive));
  try {
    const planned: TargetPlan & Partial<InstancePlan> = await target.plan();
    return { ...planned, bytesNeeded: bytesNeeded(task, archive, target) };
  } finally {
    await close(target, context);
  }
}

/** All of it goes to the log; a report has a limit. What was done already needs no judgement. */
function told({ log }: RunnerContext, seen: PlanResult, app: Verdict | undefined): PlanResult {
  const result: PlanResult = {
    ...seen,
    refusals: seen.alreadyRestored ? [] : [...(app?.refusals ?? []), ...seen.refusals],
    compatibility: [...(seen.compatibility ?? []), ...(app?.compatibility ?? [])],
    notes: [...(app?.notes ?? []), ...(seen.notes ?? [])],
  };
  for (const refusal of result.refusals) log.info({ refusal }, 'in the way');
  for (const warning of result.warnings ?? []) log.warn(warning);
  for (const note of result.notes ?? []) log.info(note);
  return result;
}

const NOTHING_SEEN = { alreadyRestored: false, server: '', databaseExists: false, objects: 0, bytesNeeded: 0 };

export function knownOf({ manifest, contents }: Archive): LoadedArchive {
  return { sourceMajor: manifest.server.major, contents };
}

/** How a plan comes to what is in the dump. */
export function beginningIn(
  job: PartsJob & { readonly task: RestoreBase },
  { manifest, contents }: Archive,
): TargetRequest['begin'] {
  return beginningOf(job, manifest, chosenDatabase(job.task, contents));
}

/** The target of the one database that is restored. `begin`: absent after the load, when nobody asks what is in the dump. */
export async function openOneTarget(
  task: RestoreBase,
  context: RunnerContext,
  login: Login,
  known: LoadedArchive,
  begin?: TargetRequest['begin'],
): Promise<Target> {
  const request = { ...targetRequest(task, known), ...(begin === undefined ? {} : { begin }) };
  const database = { ...task.database, database: task.database.database ?? request.contents.database };
  return context.engine.openTarget(database, login, request, engineContext(context, task.run));
}

function targetRequest(task: RestoreBase, { sourceMajor, contents }: LoadedArchive): TargetRequest {
  const { run, onConflict, scratchDatabase, previousDatabase } = task;
  return {
    ...choicesOf(task),
    run,
    onConflict,
    scratchDatabase,
    previousDatabase,
    sourceMajor,
    contents: chosenDatabase(task, contents),
  };
}

function bytesNeeded(task: RestoreBase, { contents }: Archive, target: Target | InstanceTarget): number {
  const databases = 'databases' in target ? target.databases : [chosenDatabase(task, contents)];
  return databases.reduce((sum, database) => sum + plainBytes(database), 0);
}

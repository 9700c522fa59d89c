import type { CheckTask, LoadTask, SwapTask } from '../api/task.ts';
import type { LoadedArchive, Login, ObjectsReport, Target } from '../engines/engine.ts';
import { HoldfastError } from '../lib/errors.ts';
import { chosenDatabase, isWhole } from './chosen.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type Archive, examine } from './examine.ts';
import { type LoadJob, loadParts } from './load.ts';
import { openStore } from './open-store.ts';
import { beginningIn, knownOf, openOneTarget } from './plan.ts';
import { type RestoreTarget, refusal } from './restore-ending.ts';
import { loadServer, openServerTarget } from './restore-instance.ts';
import { readIdentities } from './secrets.ts';

/** Archive and target of a restore, opened. What the archive holds, and what of it is wanted, decides between one database and a whole server. */
export interface OpenLoad {
  readonly target: RestoreTarget;
  /** Makes scratch databases, and all that the swap needs, and fills them. */
  load(): Promise<void>;
  /** Where the plan is in place: adds what the archive holds to what is live. */
  addTo(): Promise<ObjectsReport>;
  /** See {@link Target.note}. */
  note(): Promise<string | undefined>;
}

export async function openLoad(
  task: LoadTask,
  login: Login,
  context: RunnerContext,
): Promise<OpenLoad & AsyncDisposable> {
  const identities = await readIdentities(context.root, task.identity);
  await using stack = new AsyncDisposableStack();
  const storage = stack.use(await openStore(task.store, context));
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);

  const opened = await openEither({ task, context, identities, storage }, login, archive);
  stack.defer(() => close(opened.target, context));
  const owned = stack.move();
  return { ...opened, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function openEither(job: LoadJob, login: Login, archive: Archive): Promise<OpenLoad> {
  const { task, context } = job;
  const { manifest, contents } = archive;
  if (isWhole(task, contents)) {
    const target = await openServerTarget(task, context, login, manifest.server.major, contents);
    return {
      target,
      load: () => loadServer(job, manifest, target),
      addTo: async () => {
        throw new Error('a whole server is never added to what is live');
      },
      note: () => target.note(),
    };
  }
  const target = await openOneTarget(task, context, login, knownOf(archive), beginningIn(job, archive));
  return {
    target,
    load: () => loadOne(job, archive, target),
    addTo: () => addOne(job, archive, target),
    note: () => target.note(),
  };
}

/** What was loaded, and its target, opened. */
export interface OpenLoaded {
  readonly target: RestoreTarget;
  /** Asks a database that was loaded, until the fence. */
  ask(sql: string, database?: string): Promise<string>;
}

export async function openLoaded(
  task: CheckTask | SwapTask,
  login: Login,
  context: RunnerContext,
): Promise<OpenLoaded & AsyncDisposable> {
  const known = await recalled(task, login, context);
  const { sourceMajor, contents } = known;
  const fence = new Date(task.notAfter);
  if (isWhole(task, contents)) {
    const target = await openServerTarget(task, context, login, sourceMajor, contents);
    const ask: OpenLoaded['ask'] = async (sql, database) => target.database(named(database)).ask(sql, fence);
    return { target, ask, [Symbol.asyncDispose]: () => close(target, context) };
  }
  const target = await openOneTarget(task, context, login, known);
  return { target, ask: (sql) => target.ask(sql, fence), [Symbol.asyncDispose]: () => close(target, context) };
}

async function recalled(task: CheckTask | SwapTask, login: Login, context: RunnerContext): Promise<LoadedArchive> {
  const { noted, run, scratchDatabase, database } = task;
  if (noted === undefined) return await knownFromArchive(task, context);
  return await context.engine.recall(database, login, { run, scratchDatabase, noted }, engineContext(context, run));
}

/** Where the server did not keep it, or a runner loaded that did not note it yet. */
async function knownFromArchive(task: CheckTask | SwapTask, context: RunnerContext): Promise<LoadedArchive> {
  const identities = await readIdentities(context.root, task.identity);
  using storage = await openStore(task.store, context);
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);
  return knownOf(archive);
}

async function loadOne(job: LoadJob, { manifest, contents }: Archive, target: Target): Promise<void> {
  const chosen = chosenDatabase(job.task, contents);
  await target.createScratch(chosen.properties);
  await loadParts(job, manifest, chosen, () => target.load());
}

async function addOne(job: LoadJob, { manifest, contents }: Archive, target: Target): Promise<ObjectsReport> {
  const chosen = chosenDatabase(job.task, contents);
  if (chosen.parts.length > 1) throw severalParts();
  const program = target.addTo(new Date(job.task.notAfter));
  await loadParts(job, manifest, chosen, () => program);
  return program.report();
}

/** One program has one transaction. */
function severalParts(): HoldfastError {
  return new HoldfastError('PartsInPlace', 'the archive has several parts, which cannot be added in one transaction', {
    hint: 'restore to another target.postgresql.database and take from there what is wanted',
  });
}

function named(database: string | undefined): string {
  if (database !== undefined) return database;
  throw new HoldfastError('CheckInvalid', 'a whole server is restored, and the check names no database', {
    hint: 'give the check a database in a new Restore',
  });
}

import type { CheckTask, LoadTask, SwapTask } from '../api/task.ts';
import type { Login, ObjectsReport, Target } from '../engines/engine.ts';
import { HoldfastError } from '../lib/errors.ts';
import { chosenDatabase, isWhole } from './chosen.ts';
import { close } from './close.ts';
import type { RunnerContext } from './context.ts';
import { type Archive, examine } from './examine.ts';
import { type LoadJob, loadParts } from './load.ts';
import { readLogin } from './login.ts';
import { openStore } from './open-store.ts';
import { openOneTarget } from './plan.ts';
import { type RestoreTarget, refusal } from './restore-ending.ts';
import { loadServer, openServerTarget } from './restore-instance.ts';
import { readIdentities } from './secrets.ts';

/** Archive and target of a restore, opened. What the archive holds, and what of it is wanted, decides between one database and a whole server. */
export interface OpenRestore {
  readonly login: Login;
  readonly target: RestoreTarget;
  /** Makes scratch databases, and all that the swap needs, and fills them. */
  load(): Promise<void>;
  /** Where the plan is in place: adds what the archive holds to what is live. */
  addTo(): Promise<ObjectsReport>;
  /** Asks a database that was loaded, until the fence. */
  ask(sql: string, database?: string): Promise<string>;
}

export async function openRestore(
  task: LoadTask | CheckTask | SwapTask,
  context: RunnerContext,
): Promise<OpenRestore & AsyncDisposable> {
  const login = await readLogin(context.root, task.database);
  const identities = await readIdentities(context.root, task.identity);
  await using stack = new AsyncDisposableStack();
  const storage = stack.use(await openStore(task.store, context));
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);

  const opened = await openEither({ task, context, identities, storage }, login, archive);
  stack.defer(() => close(opened.target, context));
  const owned = stack.move();
  return { login, ...opened, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function openEither(job: LoadJob, login: Login, archive: Archive): Promise<Omit<OpenRestore, 'login'>> {
  const { task, context } = job;
  const { manifest, contents } = archive;
  const fence = new Date(task.notAfter);
  if (isWhole(task, contents)) {
    const target = await openServerTarget(task, context, login, { manifest, contents });
    return {
      target,
      load: () => loadServer(job, manifest, target),
      addTo: async () => {
        throw new Error('a whole server is never added to what is live');
      },
      ask: async (sql, database) => target.database(named(database)).ask(sql, fence),
    };
  }
  // Load and swap look at the plan once more, and that of a part asks what is in the dump.
  const target = await openOneTarget(task, context, login, archive, task.command === 'check' ? undefined : job);
  return {
    target,
    load: () => loadOne(job, archive, target),
    addTo: () => addOne(job, archive, target),
    ask: (sql) => target.ask(sql, fence),
  };
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

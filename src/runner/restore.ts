import type { RestoreResult, RestoreTask } from '../api/task.ts';
import type { Target } from '../engines/engine.ts';
import { chosenDatabase, isWhole } from './chosen.ts';
import type { RunnerContext } from './context.ts';
import { type Archive, examine } from './examine.ts';
import { type LoadJob, loadParts } from './load.ts';
import { readLogin } from './login.ts';
import { openStore } from './open-store.ts';
import { openOneTarget } from './plan.ts';
import { refusal } from './restore-ending.ts';
import { loadServer, openServerTarget } from './restore-instance.ts';
import { runRestore } from './restore-run.ts';
import { readIdentities } from './secrets.ts';

/** One restore: what the archive holds, and what of it is wanted, decides between one database and a whole server. */
export async function restore(task: RestoreTask, context: RunnerContext): Promise<RestoreResult> {
  const login = await readLogin(context.root, task.database);
  const identities = await readIdentities(context.root, task.identity);
  using storage = await openStore(task.store, context);
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);

  const job = { task, context, login, identities, storage };
  const { manifest, contents } = archive;
  if (isWhole(task, contents)) {
    const target = await openServerTarget(task, context, login, { manifest, contents });
    return await runRestore(job, target, () => loadServer(job, manifest, target));
  }
  const target = await openOneTarget(task, context, login, archive);
  return await runRestore(job, target, () => loadOne(job, archive, target));
}

async function loadOne(job: LoadJob, { manifest, contents }: Archive, target: Target): Promise<void> {
  const chosen = chosenDatabase(job.task, contents);
  await target.createScratch(chosen.properties);
  await loadParts(job, manifest, chosen, () => target.load());
}

/** What is special about the restore of a whole server: missing roles are made, and several databases loaded. */
import type { RestoreBase } from '../api/task.ts';
import type { InstanceContents } from '../archive/contents.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { InstanceTarget, Login } from '../engines/engine.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type LoadJob, loadParts, plainBytes } from './load.ts';

export interface InstanceArchive {
  readonly manifest: Manifest;
  readonly contents: InstanceContents;
}

export function openServerTarget(
  task: RestoreBase,
  context: RunnerContext,
  login: Login,
  { manifest, contents }: InstanceArchive,
): Promise<InstanceTarget> {
  const { run, onConflict, scratchDatabase, database } = task;
  const request = { run, onConflict, scratchDatabase, sourceMajor: manifest.server.major, contents };
  return context.engine.openInstanceTarget(database, login, request, engineContext(context, run));
}

export async function loadServer(job: LoadJob, manifest: Manifest, target: InstanceTarget): Promise<void> {
  await target.makeRoles();
  const total = target.databases.reduce((sum, database) => sum + plainBytes(database), 0);
  let before = 0;
  for (const contents of target.databases) {
    const database = target.database(contents.database);
    await database.createScratch(contents.properties);
    await loadParts({ ...job, progress: { before, total } }, manifest, contents, () => database.load());
    before += plainBytes(contents);
  }
}

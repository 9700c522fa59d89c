import { describe, expect, test } from '@jest/globals';
import type { PruneTask } from '../../../src/api/task.ts';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { backup } from '../../../src/runner/backup.ts';
import { prune } from '../../../src/runner/prune.ts';
import { type RunnerWorld, runnerWorld } from '../../support/runner-world.ts';

/** A world with one archive, and the task that removes it. */
async function archived(): Promise<{ world: RunnerWorld; task: PruneTask }> {
  const world = await runnerWorld();
  const { manifestDigest } = await backup(world.backupTask, world.context());
  const { run, store, folder } = world.backupTask;
  const archives = [{ folder, manifestDigest, backupUid: run.uid }];
  return { world, task: { command: 'prune', store, cluster: run.cluster, namespace: run.namespace, archives } };
}

const keys = ({ storage }: RunnerWorld) => [...storage.objects.keys()];
const one = ({ archives }: PruneTask) => archives[0]!;

describe('a prune', () => {
  test('removes everything of an archive, and nothing else', async () => {
    const { world, task } = await archived();
    await world.storage.put('v1/c/n/_manual/20261124T020000Z-87654321/manifest.json', Buffer.from('{}'));
    await world.storage.put(`${one(task).folder}an-attempt-that-failed/part-00000.pgdump.zst.age`, Buffer.from('x'));
    expect(await prune(task, world.context())).toEqual({ removed: [0] });
    expect(keys(world)).toEqual(['v1/c/n/_manual/20261124T020000Z-87654321/manifest.json']);
    await world[Symbol.asyncDispose]();
  });

  test('killed at any of its deletes leaves no manifest without its data, and the next one finishes', async () => {
    const reference = await archived();
    const objects = keys(reference.world).length;
    expect(objects).toBeGreaterThan(3);
    for (let survivors = 0; survivors < objects; survivors += 1) {
      const { world, task } = await archived();
      let removed = 0;
      world.storage.misbehaviour.onRemove = () => {
        if (removed === survivors) throw new HoldfastError('Killed', 'the runner died here');
        removed += 1;
      };
      expect(await prune(task, world.context())).toMatchObject({ removed: [], failure: { reason: 'Killed' } });
      expect(keys(world).some((key) => key.endsWith('manifest.json'))).toBe(survivors === 0);
      delete world.storage.misbehaviour.onRemove;
      expect(await prune(task, world.context())).toEqual({ removed: [0] });
      expect(keys(world)).toEqual([]);
      await world[Symbol.asyncDispose]();
    }
    await reference.world[Symbol.asyncDispose]();
  });

  test.each<[string, (task: PruneTask) => PruneTask, string]>([
    [
      'another digest',
      (task) => ({ ...task, archives: [{ ...one(task), manifestDigest: `sha256:${'0'.repeat(64)}` }] }),
      'ManifestMismatch',
    ],
    ['another Backup', (task) => ({ ...task, archives: [{ ...one(task), backupUid: 'other' }] }), 'ManifestMismatch'],
    ['another namespace', (task) => ({ ...task, namespace: 'other' }), 'FolderForeign'],
    ['another cluster', (task) => ({ ...task, cluster: 'other' }), 'FolderForeign'],
    ['the whole namespace', (task) => ({ ...task, archives: [{ ...one(task), folder: 'v1/c/n/' }] }), 'FolderForeign'],
    ['the whole bucket', (task) => ({ ...task, archives: [{ ...one(task), folder: '' }] }), 'FolderForeign'],
    [
      'a way out',
      (task) => ({ ...task, archives: [{ ...one(task), folder: 'v1/c/n/../20261124T020000Z-12345678/' }] }),
      'FolderForeign',
    ],
  ])('of %s removes nothing', async (_what, change, reason) => {
    const { world, task } = await archived();
    const before = keys(world);
    expect(await prune(change(task), world.context())).toMatchObject({ removed: [], failure: { reason } });
    expect(keys(world)).toEqual(before);
    await world[Symbol.asyncDispose]();
  });

  test('stops at the first archive that cannot be removed, and says what was', async () => {
    const { world, task } = await archived();
    const stranger = { ...one(task), folder: 'v1/other/n/_manual/20261124T020000Z-12345678/' };
    const result = await prune({ ...task, archives: [one(task), stranger, one(task)] }, world.context());
    expect(result).toMatchObject({ removed: [0], failure: { reason: 'FolderForeign' } });
    await world[Symbol.asyncDispose]();
  });
});

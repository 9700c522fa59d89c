import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type BackupResult, type LoadTask, TERMINATION_MESSAGE_LIMIT } from '../../../src/api/task.ts';
import { toldOf } from '../../../src/runner/objects.ts';
import { terminationMessage } from '../../../src/runner/report.ts';
import { type Outcome, runTask } from '../../../src/runner/run.ts';
import { type RunnerWorld, runnerWorld } from '../../support/runner-world.ts';

jest.setTimeout(60_000);

let world: RunnerWorld;
let digest: string;
beforeEach(async () => {
  world = await runnerWorld(100_000);
  const { report } = await runTask(world.backupTask, world.context());
  if (!report.ok) throw new Error(report.failure.message);
  digest = (report.result as BackupResult).manifestDigest;
  world.server.calls.length = 0;
  world.database.plan = { inPlace: true };
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function load(): Promise<Outcome> {
  const { dropPrevious: _, ...base } = world.restoreTask(digest);
  const task: LoadTask = { ...base, command: 'load' };
  return runTask(task, world.context());
}

describe('a load into a live database', () => {
  test('gives it the whole dump, is live then, and tells what became of the objects', async () => {
    const { report } = await load();
    expect(report).toMatchObject({
      ok: true,
      result: { live: { objects: { added: ['table "public"."visits"'], addedCount: 1, keptCount: 0 } } },
    });
    expect(world.server.calls).not.toContain('createScratch');
    expect(world.server.loaded[0]?.bytes.equals(world.database.content)).toBe(true);
    expect(world.log.join('\n')).toContain('table \\"public\\".\\"visits\\"');
  });

  test('that fails is no success, unless the server bears its mark', async () => {
    world.database.loadFate = { after: 1_000, how: 'exit 1' };
    expect((await load()).report).toMatchObject({ ok: false, retry: false });
    world.database.committed = true;
    expect((await load()).report).toMatchObject({ ok: true });
  });

  test('is not begun where the plan has a refusal', async () => {
    world.database.plan = { inPlace: true, refusals: [{ reason: 'StillNeeded', message: 'a view needs it' }] };
    expect((await load()).report).toMatchObject({ ok: false, failure: { reason: 'StillNeeded' } });
    expect(world.server.loaded).toEqual([]);
  });

  test('never gets its last bytes where the archive was changed', async () => {
    world.storage.misbehaviour.onRead = (key, body) =>
      key.includes('part-') ? Buffer.from(body.map((byte, at) => (at === body.length - 9 ? byte ^ 1 : byte))) : body;
    expect((await load()).report.ok).toBe(false);
    for (const { whole } of world.server.loaded) expect(whole).toBe(false);
  });
});

describe('what is told of many objects', () => {
  const labels = (count: number, length: number) =>
    Array.from({ length: count }, (_, n) => `${n} ${'x'.repeat(length)}`);

  test.each([
    [3, 20],
    [10_000, 20],
    [10_000, 5_000],
  ])('fits into a report: %i of %i characters', (count, length) => {
    const objects = toldOf({ added: labels(count, length), kept: labels(count, length), replaced: [] });
    expect(objects).toMatchObject({ addedCount: count, keptCount: count, replacedCount: 0 });
    expect(objects.added[0]).toMatch(/^0 x/);
    const message = terminationMessage({ command: 'load', ok: true, result: { live: { objects } } });
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(TERMINATION_MESSAGE_LIMIT);
    expect(JSON.parse(message)).toMatchObject({ ok: true });
  });
});

import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { BackupResult } from '../../../src/api/task.ts';
import type { Manifest } from '../../../src/archive/manifest.ts';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { type Outcome, runTask } from '../../../src/runner/run.ts';
import { encodeManifest } from '../../../src/runner/stored-manifest.ts';
import type { Fate } from '../../support/runner-fake-engine.ts';
import { type RunnerWorld, runnerWorld } from '../../support/runner-world.ts';

jest.setTimeout(60_000);

const SIZE = 1_000_000;
let world: RunnerWorld;
beforeEach(async () => {
  world = await runnerWorld(SIZE);
});
afterEach(async () => {
  // No program outlives its run, whatever became of it.
  for (const { pid } of world.server.processes) expect(() => process.kill(pid ?? 0, 0)).toThrow();
  expect([...world.storage.unfinished]).toEqual([]);
  await world[Symbol.asyncDispose]();
});

const backup = () => runTask(world.backupTask, world.context());
const manifestKey = () => `${world.backupTask.folder}manifest.json`;

function failureOf({ report }: Outcome) {
  if (report.ok) throw new Error('it succeeded');
  return { ...report.failure, retry: report.retry };
}

async function expectNothing(outcome: Outcome, reason: string | RegExp): Promise<void> {
  expect(failureOf(outcome).reason).toMatch(reason);
  expect([...world.storage.objects.keys()]).toEqual([]);
}

describe('a backup that succeeds', () => {
  test('has its manifest, its contents and segments of the given size, and closes the source', async () => {
    const { report, exitCode } = await backup();
    expect({ exitCode, ok: report.ok }).toEqual({ exitCode: 0, ok: true });
    const manifest = JSON.parse(world.storage.objects.get(manifestKey())?.toString() ?? '') as Manifest;
    expect(manifest.segments.map(({ size }) => size).slice(0, 3)).toEqual([300_000, 300_000, 300_000]);
    expect(manifest.segments.filter(({ header }) => header !== undefined)).toHaveLength(1);
    expect(world.storage.objects.size).toBe(manifest.segments.length + 2);
    expect(world.server.calls).toEqual(['openSource', 'dump', 'close']);
  });

  test('whose connection does not close well is a success all the same', async () => {
    world.database.closeFailure = new Error('reset');
    expect((await backup()).exitCode).toBe(0);
    expect(world.log.join()).toContain('did not close well');
  });

  test('whose write of the manifest lost its answer is a success', async () => {
    // The client tries again after a lost answer, and finds what its first try wrote.
    const put = world.storage.put.bind(world.storage);
    world.storage.put = async (key, body, options) => {
      await put(key, body, options);
      return put(key, body, options);
    };
    expect((await backup()).exitCode).toBe(0);
  });

  test('of which another attempt was faster reports what that one wrote', async () => {
    let other: { bytes: Uint8Array; digest: string } | undefined;
    world.storage.misbehaviour.onPut = (key) => {
      if (key !== manifestKey()) return;
      const contents = [...world.storage.objects.keys()].find((name) => name.includes('contents')) ?? '';
      const segment = { key: 'x/part', part: 0, size: 1, payload: { size: 1, sha256: `sha256:${'1'.repeat(64)}` } };
      other = encodeManifest({
        formatVersion: 1,
        cluster: 'c',
        namespace: 'n',
        backup: { name: 'nightly', uid: world.backupTask.run.uid },
        attempt: 'the-other',
        startTime: 't',
        completionTime: 't',
        engine: 'postgresql',
        server: { version: '17.6', major: 17 },
        tools: { holdfast: '0', fake_dump: '1.0' },
        scope: 'Database',
        segments: [segment],
        recipients: ['sha256:x'],
        contents: { key: contents.slice(world.backupTask.folder.length), size: 5, sha256: `sha256:${'2'.repeat(64)}` },
        verification: { level: 'ReadBack', time: '2026-11-24T01:00:00Z' },
      });
      world.storage.objects.set(key, Buffer.from(other.bytes));
    };
    const { report } = await backup();
    expect(report.ok && (report.result as BackupResult).manifestDigest).toBe(other?.digest);
  });
});

describe('a dump that does not end well leaves nothing:', () => {
  const chunk = 64 * 1024;
  const places = [0, 1, chunk - 1, chunk, chunk + 1, 300_000, SIZE - 1, SIZE];
  const cases: Fate[] = [
    ...places.map((after) => ({ how: 'SIGKILL' as const, after })),
    ...[0, 300_000, SIZE].map((after) => ({ how: 'exit 1' as const, after })),
    { how: 'SIGSEGV', after: 300_000 },
  ];

  test.each(cases)('$how after $after bytes', async (fate) => {
    world.database.dumpFate = fate;
    const outcome = await backup();
    await expectNothing(outcome, /^ProgramFailed$/);
    expect(failureOf(outcome).retry).toBe(false);
    expect(outcome.exitCode).toBe(4);
  });

  test('an early end with exit code 0 is found by reading the dump to its end', async () => {
    world.database.dumpFate = { after: SIZE - 1, how: 'exit 0' };
    const outcome = await backup();
    expect(failureOf(outcome).message).toContain('truncated');
    expect([...world.storage.objects.keys()].filter((key) => key.endsWith('manifest.json'))).toEqual([]);
  });

  test('no byte at all with exit code 0', async () => {
    world.database.dumpFate = { after: 0, how: 'exit 0' };
    await expectNothing(await backup(), /^EmptyDump$/);
  });

  test.each([0, 200_000, SIZE])('a hang after %d bytes, ended by SIGTERM to us', async (after) => {
    world.database.dumpFate = { after, how: 'hang' };
    setTimeout(() => world.ending.abort(new HoldfastError('Interrupted', 'SIGTERM', { outlook: 'retry' })), 400);
    const outcome = await backup();
    await expectNothing(outcome, /^Interrupted$/);
    expect(outcome.exitCode).toBe(5);
    expect(failureOf(outcome).retry).toBe(true);
  });
});

describe('a store that fails leaves no manifest:', () => {
  test.each([0, 100_000, 300_000, 900_000])('while bytes from %d on are written', async (from) => {
    let total = 0;
    world.storage.misbehaviour.onWrite = (key) => {
      total = [...world.storage.unfinished].indexOf(key) * 300_000;
      if (total >= from) throw new HoldfastError('StoreUnreachable', 'gone', { outlook: 'retry' });
    };
    const outcome = await backup();
    await expectNothing(outcome, /^StoreUnreachable$/);
    // The dump had begun: the operator must not take this for something that was merely not ready.
    expect(outcome.exitCode).toBe(4);
  });

  test('while it completes the first segment', async () => {
    world.storage.misbehaviour.onComplete = () => {
      throw new HoldfastError('StoreRejected', 'no');
    };
    await expectNothing(await backup(), /^StoreRejected$/);
  });

  test('by changing a stored byte, which the reading back finds', async () => {
    world.storage.misbehaviour.onRead = (key, body) => {
      if (!key.endsWith('.age.001')) return body;
      const changed = Buffer.from(body);
      changed[1000] = (changed[1000] ?? 0) ^ 1;
      return changed;
    };
    const outcome = await backup();
    expect(failureOf(outcome).reason).toBe('ArchiveCorrupt');
    expect(world.storage.objects.has(manifestKey())).toBe(false);
  });

  test('by losing the end of the last segment, which the reading back finds', async () => {
    world.storage.misbehaviour.onRead = (key, body) => (key.endsWith('.age.003') ? body.subarray(0, -1) : body);
    expect(failureOf(await backup()).reason).toBe('ArchiveCorrupt');
    expect(world.storage.objects.has(manifestKey())).toBe(false);
  });

  test('by changing the contents', async () => {
    world.storage.misbehaviour.onRead = (key, body) => (key.includes('contents') ? body.subarray(0, -1) : body);
    expect(failureOf(await backup()).reason).toBe('ArchiveCorrupt');
    expect(world.storage.objects.has(manifestKey())).toBe(false);
  });
});

describe('the reading to the end decides:', () => {
  test.each([
    { how: 'exit 1' as const, after: 500_000 },
    { how: 'SIGKILL' as const, after: 500_000 },
    { how: 'exit 1' as const, after: SIZE },
    { how: 'exit 0' as const, after: 500_000 },
  ])('$how after $after bytes is no backup', async (fate) => {
    world.database.readFate = fate;
    const outcome = await backup();
    expect(outcome.exitCode).toBe(4);
    expect(world.storage.objects.has(manifestKey())).toBe(false);
  });

  test('a hang there, ended by SIGTERM to us, is no backup', async () => {
    world.database.readFate = { how: 'hang', after: 100_000 };
    setTimeout(() => world.ending.abort(new HoldfastError('Interrupted', 'SIGTERM', { outlook: 'retry' })), 1500);
    expect((await backup()).exitCode).toBe(5);
    expect(world.storage.objects.has(manifestKey())).toBe(false);
  });
});

describe('before the dump', () => {
  test('a database that is not ready keeps the backup waiting', async () => {
    world.database.openFailure = new HoldfastError('DatabaseUnreachable', 'no answer', { outlook: 'retry' });
    const outcome = await backup();
    await expectNothing(outcome, /^DatabaseUnreachable$/);
    expect(outcome.exitCode).toBe(3);
  });

  test('an aborted run does nothing', async () => {
    world.ending.abort(new HoldfastError('Interrupted', 'SIGTERM', { outlook: 'retry' }));
    const outcome = await backup();
    await expectNothing(outcome, /^Interrupted$/);
  });
});

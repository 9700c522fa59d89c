import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { BackupResult, SwapTask } from '../../../src/api/task.ts';
import type { Manifest } from '../../../src/archive/manifest.ts';
import type { LoadedArchive } from '../../../src/engines/engine.ts';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { type Outcome, runTask } from '../../../src/runner/run.ts';
import { encodeManifest } from '../../../src/runner/stored-manifest.ts';
import { loadAndSwap, loadTask } from '../../support/restore-steps.ts';
import { NOTED } from '../../support/runner-fake-engine.ts';
import { type RunnerWorld, runnerWorld } from '../../support/runner-world.ts';

jest.setTimeout(60_000);

const SIZE = 1_000_000;
let world: RunnerWorld;
let digest: string;
beforeEach(async () => {
  world = await runnerWorld(SIZE);
  const { report } = await runTask(world.backupTask, world.context());
  if (!report.ok) throw new Error(report.failure.message);
  digest = (report.result as BackupResult).manifestDigest;
  world.server.calls.length = 0;
});
afterEach(async () => {
  for (const { pid } of world.server.processes) expect(() => process.kill(pid ?? 0, 0)).toThrow();
  await world[Symbol.asyncDispose]();
});

const restore = (change: Partial<SwapTask> = {}) =>
  loadAndSwap(world.restoreTask(digest, change), (step) => runTask(step, world.context()));

function failureOf({ report }: Outcome) {
  if (report.ok) throw new Error('it succeeded');
  return { ...report.failure, retry: report.retry };
}

function resultOf({ report }: Outcome): unknown {
  if (!report.ok) throw new Error(report.failure.message);
  return report.result;
}

/** The scratch database was given up, and the loader never took what it got for all there is. */
function expectUndone(outcome: Outcome): void {
  expect(outcome.report.ok).toBe(false);
  expect(world.server.calls).not.toContain('swap');
  expect(world.server.calls).toContain('cleanUp');
  expect(world.log.join()).not.toContain('could not be dropped');
  for (const { whole } of world.server.loaded) expect(whole).toBe(false);
}

function changeStored(change: (key: string, body: Buffer) => Buffer): void {
  world.storage.misbehaviour.onRead = change;
}

const turned = (body: Buffer, at: number) => {
  const changed = Buffer.from(body);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
};

describe('a restore that succeeds', () => {
  test('loads exactly what was dumped, then swaps', async () => {
    expect(resultOf(await restore())).toEqual({ previousDatabase: 'before' });
    expect(world.server.calls).toEqual(['openTarget', 'createScratch', 'note', 'close', 'openTarget', 'swap', 'close']);
    const [load] = world.server.loaded;
    expect(load?.whole).toBe(true);
    expect(load?.bytes.equals(world.database.content)).toBe(true);
  });

  test('drops the previous database where that is asked', async () => {
    expect(resultOf(await restore({ dropPrevious: true }))).toEqual({});
    expect(world.server.calls).toContain('dropPrevious');
  });

  test('whose previous database cannot be dropped is a success all the same, and says that it is there', async () => {
    world.database.dropPreviousFailure = new HoldfastError('DropFailed', 'busy');
    expect(resultOf(await restore({ dropPrevious: true }))).toEqual({ previousDatabase: 'before' });
  });

  test('whose connection does not close well is a success all the same', async () => {
    world.database.closeFailure = new Error('reset');
    expect(resultOf(await restore())).toEqual({ previousDatabase: 'before' });
  });

  test('whose commit lost its answer is a success all the same', async () => {
    world.database.swapFailure = new HoldfastError('ConnectionLost', 'reset');
    world.database.committed = true;
    expect(resultOf(await restore())).toEqual({ previousDatabase: 'before' });
  });

  test('that went live in an earlier attempt is not done again', async () => {
    world.database.plan = { alreadyRestored: true };
    world.database.committed = true;
    expect(resultOf(await restore())).toEqual({ previousDatabase: 'before' });
    expect(world.server.calls).not.toContain('createScratch');
  });
});

describe('a restore whose load noted what it loaded', () => {
  const noted: LoadedArchive = {
    sourceMajor: 17,
    contents: {
      formatVersion: 1,
      database: 'shop',
      properties: {
        ...{ owner: 'app', encoding: 'UTF8', localeProvider: 'c', collate: 'C', ctype: 'C' },
        ...{ tablespace: 'pg_default', connectionLimit: -1, settings: [] },
      },
      tables: [],
      parts: [{ part: 0, tool: 'pg_dump 17.6', format: 'custom', plain: { size: SIZE, sha256: '' } }],
      recipe: [],
    },
  };

  test('swaps without a look at the store', async () => {
    world.database.note = noted;
    const loaded = await runTask(loadTask(world.restoreTask(digest)), world.context());
    expect(resultOf(loaded)).toEqual({ noted: NOTED });
    world.server.calls.length = 0;
    const openStorage = () => {
      throw new Error('the store is gone');
    };
    const task = world.restoreTask(digest, { noted: NOTED });
    const swapped = await runTask(task, world.context({ openStorage }));
    expect(resultOf(swapped)).toEqual({ previousDatabase: 'before' });
    expect(world.server.calls).toEqual(['recall', 'openTarget', 'swap', 'close']);
  });

  test.each(['ScratchMissing', 'ScratchChanged'])(
    'and that is not there any more (%s): the server is asked whether it went live',
    async (reason) => {
      world.database.note = new HoldfastError(reason, 'gone');
      const swap = () => runTask(world.restoreTask(digest, { noted: NOTED }), world.context());
      expect(failureOf(await swap())).toMatchObject({ reason, retry: false });
      world.database.committed = true;
      expect(resultOf(await swap())).toEqual({ previousDatabase: 'before' });
      expect(world.server.calls).toEqual(['recall', 'cleanUp', 'recall', 'cleanUp']);
    },
  );

  test('and whose server does not answer waits, with what was loaded', async () => {
    world.database.note = new HoldfastError('DatabaseUnreachable', 'no answer', { outlook: 'retry' });
    const outcome = await runTask(world.restoreTask(digest, { noted: NOTED }), world.context());
    expect(failureOf(outcome)).toMatchObject({ reason: 'DatabaseUnreachable', retry: true });
    expect(world.server.calls).toEqual(['recall']);
  });

  test('or could not is loaded all the same', async () => {
    world.database.note = new HoldfastError('DatabaseError', 'no');
    const loaded = await runTask(loadTask(world.restoreTask(digest)), world.context());
    expect(resultOf(loaded)).toEqual({});
    expect(world.log.join()).toContain('could not be noted');
  });
});

test('a restore that was planned for an empty target touches nothing of one that has been filled since', async () => {
  world.database.plan = { inPlace: true };
  const { dropPrevious: _, ...base } = world.restoreTask(digest);
  const outcome = await runTask({ ...base, command: 'load', inPlace: false }, world.context());
  expect(failureOf(outcome)).toMatchObject({ reason: 'TargetChanged', retry: false });
  expect(world.server.calls).toEqual(['openTarget', 'close']);
});

describe('checks', () => {
  const ask = (sql: string, expect: string) => {
    const { dropPrevious: _, ...base } = world.restoreTask(digest);
    const checks = [
      { name: 'first', sql, expect },
      { name: 'second', sql: 'SELECT 1', expect: '1' },
    ];
    return runTask({ ...base, command: 'check', checks }, world.context());
  };

  test('that hold say so, and touch nothing', async () => {
    world.database.answer = (sql) => (sql === 'SELECT 1' ? '1' : '42');
    expect(resultOf(await ask('SELECT count(*) FROM t', '42'))).toEqual({
      checks: [
        { name: 'first', passed: true },
        { name: 'second', passed: true },
      ],
    });
    expect(world.server.calls).toEqual(['openTarget', 'ask', 'ask', 'close']);
  });

  test('that do not hold are a result with what was found, and the others are asked all the same', async () => {
    world.database.answer = (sql) => {
      if (sql === 'SELECT 1') return '1';
      throw new HoldfastError('CheckInvalid', 'the check failed: relation "t" does not exist');
    };
    expect(resultOf(await ask('SELECT count(*) FROM t', '42'))).toEqual({
      checks: [
        { name: 'first', passed: false, found: 'the check failed: relation "t" does not exist' },
        { name: 'second', passed: true },
      ],
    });
  });

  test('whose connection is lost are asked again later', async () => {
    world.database.answer = () => {
      throw new HoldfastError('DatabaseUnreachable', 'reset', { outlook: 'retry' });
    };
    expect(failureOf(await ask('SELECT 1', '1'))).toMatchObject({ reason: 'DatabaseUnreachable', retry: true });
  });
});

describe('an archive that is not what it was never goes live:', () => {
  test('a byte turned in the first segment', async () => {
    changeStored((key, body) => (key.endsWith('.age') && key.includes('part') ? turned(body, 150_000) : body));
    const outcome = await restore();
    expectUndone(outcome);
    expect(failureOf(outcome)).toMatchObject({ reason: 'ArchiveCorrupt', retry: false });
  });

  test('the very last byte turned: the loader was fed, but never told that this was all', async () => {
    changeStored((key, body) => (key.endsWith('.age.003') ? turned(body, body.length - 1) : body));
    const outcome = await restore();
    expectUndone(outcome);
    expect(failureOf(outcome).reason).toBe('ArchiveCorrupt');
    expect(world.server.loaded[0]?.bytes.length).toBeGreaterThan(0);
    expect(world.server.loaded[0]?.bytes.length).toBeLessThan(SIZE);
  });

  test('the last segment cut', async () => {
    changeStored((key, body) => (key.endsWith('.age.003') ? body.subarray(0, 60_000) : body));
    expectUndone(await restore());
  });

  test('two segments swapped', async () => {
    const objects = [...world.storage.objects];
    const bodyOf = (end: string) => objects.find(([key]) => key.endsWith(end))?.[1] ?? Buffer.alloc(0);
    changeStored((key, body) => {
      if (key.endsWith('.age.001')) return bodyOf('.age.002');
      return key.endsWith('.age.002') ? bodyOf('.age.001') : body;
    });
    expectUndone(await restore());
  });
});

/** As if whoever wrote the manifest had told a lie, and the operator had recorded it. */
function lieInManifest(lie: (manifest: Manifest) => unknown): string {
  const key = `${world.backupTask.folder}manifest.json`;
  const manifest = JSON.parse(String(world.storage.objects.get(key))) as Manifest;
  lie(manifest);
  const { bytes, digest: told } = encodeManifest(manifest);
  world.storage.objects.set(key, Buffer.from(bytes));
  return told;
}

describe('a manifest that does not fit its archive is refused before the target is asked:', () => {
  test.each<[string, (manifest: Manifest) => unknown, string]>([
    [
      'it names a part that the contents do not',
      ({ segments: [first, ...others] }) => {
        if (first !== undefined) others.at(-1)!.part = 1;
      },
      'its manifest has the parts 0, 1, and its contents the parts 0',
    ],
    [
      'it tells of a header larger than any of ours',
      ({ segments: [first] }) => {
        first!.header!.size = 2 ** 40;
      },
      'is said to have 1099511627776 bytes',
    ],
    [
      'its sizes do not add up',
      ({ segments: [first] }) => {
        first!.payload.size -= 1;
      },
      'do not add up',
    ],
  ])('%s', async (_, lie, message) => {
    const outcome = await runTask(world.restoreTask(lieInManifest(lie)), world.context());
    expect(failureOf(outcome)).toMatchObject({
      reason: 'ArchiveIncomplete',
      message: expect.stringContaining(message),
      retry: false,
    });
    expect(world.server.calls).toEqual([]);
  });

  test('and no more of a segment is fetched than a header may have', async () => {
    const fetched: number[] = [];
    const get = world.storage.get.bind(world.storage);
    world.storage.get = async (key, options) => {
      const stored = await get(key, options);
      stored.on('data', (chunk: Buffer) => fetched.push(chunk.length));
      return stored;
    };
    const told = lieInManifest(({ segments: [first] }) => {
      first!.header!.size += 250_000;
      first!.payload.size -= 250_000;
    });
    await runTask(world.restoreTask(told), world.context());
    expect(fetched.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(200_000);
  });
});

describe('a loader that fails leaves the live database alone:', () => {
  test.each([
    { how: 'exit 1' as const, after: 1 },
    { how: 'exit 1' as const, after: SIZE },
    { how: 'SIGKILL' as const, after: 500_000 },
    { how: 'SIGSEGV' as const, after: 500_000 },
    { how: 'exit 0' as const, after: 500_000 },
  ])('$how after $after bytes', async (fate) => {
    world.database.loadFate = fate;
    const outcome = await restore();
    expect(outcome.exitCode).toBe(4);
    expect(world.server.calls).not.toContain('swap');
    expect(world.server.calls).toContain('cleanUp');
  });

  test('a hang, ended by SIGTERM to us', async () => {
    world.database.loadFate = { how: 'hang', after: 100_000 };
    setTimeout(() => world.ending.abort(new HoldfastError('Interrupted', 'SIGTERM', { outlook: 'retry' })), 1000);
    const outcome = await restore();
    expectUndone(outcome);
    expect(outcome.exitCode).toBe(5);
  });
});

describe('a restore that cannot go on', () => {
  test('because the swap fails drops its scratch database', async () => {
    world.database.swapFailure = new HoldfastError('FencePassed', 'too late');
    const outcome = await restore();
    expect(failureOf(outcome).reason).toBe('FencePassed');
    expect(world.server.calls).toContain('cleanUp');
    expect(outcome.exitCode).toBe(4);
  });

  test.each<[string, string | undefined, RegExp | undefined]>([
    [
      'LoadFailed',
      undefined,
      /^the log of the database server has .* -l holdfast.dev\/owner-uid=\S+command=swap tells/,
    ],
    ['LoadFailed', 'CREATE ROLE app;', /^CREATE ROLE app;$/],
    ['FencePassed', undefined, undefined],
  ])('for %s with the hint %j tells what a person can do', async (reason, hint, told) => {
    world.database.swapFailure = new HoldfastError(reason, 'x', hint === undefined ? {} : { hint });
    const failure = failureOf(await restore());
    if (told === undefined) expect(failure).not.toHaveProperty('hint');
    else expect(failure.hint).toMatch(told);
  });

  test('because of the plan makes no scratch database', async () => {
    world.database.plan = {
      refusals: [
        { reason: 'NotOwner', message: 'no' },
        { reason: 'Other', message: 'x' },
      ],
    };
    const outcome = await restore();
    expect(failureOf(outcome)).toMatchObject({ reason: 'NotOwner', message: 'no (and 1 more: Other)' });
    expect(world.server.calls).toEqual(['openTarget', 'close']);
  });

  test('because the server does not answer yet waits', async () => {
    world.database.openFailure = new HoldfastError('DatabaseUnreachable', 'no answer', { outlook: 'retry' });
    expect((await restore()).exitCode).toBe(3);
  });

  test('because its manifest is another one touches nothing', async () => {
    const outcome = await runTask(world.restoreTask(`sha256:${'0'.repeat(64)}`), world.context());
    expect(failureOf(outcome).reason).toBe('ManifestMismatch');
    expect(world.server.calls).toEqual([]);
  });
});

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { BackupResult, DrillResult, DrillTask } from '../../../src/api/task.ts';
import type { RequirementsReader, ThrowawayServer, WritingProgram } from '../../../src/engines/engine.ts';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { type Outcome, runTask } from '../../../src/runner/run.ts';
import { type RunnerWorld, runnerWorld } from '../../support/runner-world.ts';

jest.setTimeout(60_000);

/** Longer than what lies in the pipes between store and program. */
const SIZE = 8_000_000;
let world: RunnerWorld;
let digest: string;
let calls: string[];
let loaded: number;
let beginning: number;

beforeEach(async () => {
  world = await runnerWorld(SIZE);
  const { report } = await runTask(world.backupTask, world.context());
  if (!report.ok) throw new Error(report.failure.message);
  digest = (report.result as BackupResult).manifestDigest;
  [calls, loaded, beginning] = [[], 0, 0];
  const { root } = world.context();
  await mkdir(join(root, 'drill'));
  await writeFile(join(root, 'drill/password'), 'secret');
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

function sink(take: (chunk: Buffer, input: Writable) => void): WritingProgram {
  let ended: (() => void) | undefined;
  const done = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const input: Writable = new Writable({
    write(chunk: Buffer, _encoding, next) {
      take(chunk, input);
      next();
    },
  });
  input.on('error', () => {});
  input.once('close', () => ended?.());
  return { input, done, kill: () => void input.destroy() };
}

function aServer(over: Partial<ThrowawayServer> = {}): ThrowawayServer {
  return {
    server: { version: '17.6', major: 17 },
    readRequirements: (): RequirementsReader => ({
      ...sink((chunk, input) => {
        beginning += chunk.length;
        input.destroy();
      }),
      found: () => ({ roles: ['clerk'], tablespaces: [] }),
    }),
    furnish: async ({ roles }) => void calls.push(`furnish ${roles.join()}`),
    create: async (database) => {
      calls.push(`create ${database}`);
      return ['no locale'];
    },
    load: (database) => {
      calls.push(`load ${database}`);
      return sink((chunk) => {
        loaded += chunk.length;
      });
    },
    ask: async (database, sql) => {
      calls.push(`ask ${database}`);
      return sql;
    },
    dress: async (database) => void calls.push(`dress ${database}`),
    census: async () => ({ bytes: 7, tables: [{ schema: 'public', name: 't', rows: 3 }] }),
    [Symbol.asyncDispose]: async () => void calls.push('close'),
    ...over,
  };
}

function drill(over: Partial<ThrowawayServer> = {}, change: Partial<DrillTask> = {}): Promise<Outcome> {
  const { run, store, archive, identity } = world.restoreTask(digest);
  const task: DrillTask = {
    command: 'drill',
    ...{ run, store, archive, identity, port: 5432, checks: [], notAfter: '2026-11-24T03:00:00Z' },
    ...change,
  };
  const engine = { ...world.server.engine, openThrowaway: async () => aServer(over) };
  return runTask(task, world.context({ engine }));
}

function failureOf({ report }: Outcome) {
  if (report.ok) throw new Error('it succeeded');
  return { ...report.failure, retry: report.retry };
}

describe('a drill', () => {
  test('makes what is needed, loads all of it, asks, dresses and counts, in this order', async () => {
    const { report } = await drill({}, { checks: [{ name: 'one', sql: '1', expect: '1' }] });
    expect(calls).toEqual(['furnish clerk', 'create shop', 'load shop', 'ask shop', 'dress shop', 'close']);
    expect(loaded).toBe(SIZE);
    expect(report).toMatchObject({
      ok: true,
      result: {
        server: '17.6',
        totals: { databases: 1, bytes: 7, tables: 1, rows: 3 },
        largest: [{ table: 'public.t', rows: 3 }],
        checks: [{ name: 'one', passed: true }],
        notes: ['no locale'],
      } satisfies Partial<DrillResult>,
    });
  });

  test('reads no more of the archive than it needs to know what that needs', async () => {
    const reads: string[] = [];
    world.storage.misbehaviour.onRead = (key, body) => {
      reads.push(key);
      return body;
    };
    await drill();
    expect(beginning).toBeGreaterThan(0);
    const parts = reads.filter((key) => key.includes('part-'));
    expect(new Set(parts).size).toBeGreaterThan(10);
    // Each once for the load; for the beginning those that were under way when it had been seen, which is never the end.
    const last = [...new Set(parts)].sort().at(-1);
    expect(parts.filter((key) => key === last)).toHaveLength(1);
  });

  test('on a server that is older than the archive says which image to name, and makes nothing', async () => {
    const outcome = await drill({ server: { version: '13.2', major: 13 } });
    expect(failureOf(outcome)).toMatchObject({
      reason: 'VersionUnsupported',
      retry: false,
      hint: expect.stringContaining('target.ephemeral.image'),
    });
    expect(calls).toEqual(['close']);
  });

  test('whose load fails tells that, and lets go of the server', async () => {
    const failure = new HoldfastError('LoadFailed', 'no such extension', { hint: 'install it' });
    const load = (): WritingProgram => {
      const done = Promise.reject(failure);
      done.catch(() => {});
      return { ...sink(() => {}), done };
    };
    expect(failureOf(await drill({ load }))).toMatchObject({ reason: 'LoadFailed', message: 'no such extension' });
    expect(calls.at(-1)).toBe('close');
  });

  test('waits for a server that is still starting', async () => {
    let left = 2;
    const { run, store, archive, identity } = world.restoreTask(digest);
    const openThrowaway = async () => {
      left -= 1;
      if (left > 0) throw new HoldfastError('DatabaseStarting', 'not yet', { outlook: 'retry' });
      return aServer();
    };
    const task: DrillTask = {
      command: 'drill',
      ...{ run, store, archive, identity, port: 5432, checks: [], notAfter: '2026-11-24T03:00:00Z' },
    };
    const { report } = await runTask(task, world.context({ engine: { ...world.server.engine, openThrowaway } }));
    expect(report.ok).toBe(true);
  });
});

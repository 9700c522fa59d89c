import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { DatabaseAccess } from '../../src/api/task.ts';
import type { TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { SWAP_MARGIN_MS, type SwapSeams } from '../../src/engines/postgres/swap.ts';
import { openTarget } from '../../src/engines/postgres/target.ts';
import { proxyThatEatsTheAnswerTo } from '../support/postgres-deaf-proxy.ts';
import { RUNNER_SESSIONS, sessionsGone } from '../support/postgres-sessions.ts';
import { cleanupOf, type SwapScene, swapScene } from '../support/postgres-swap-scene.ts';
import {
  type Archive,
  inTheFuture,
  loadInto,
  PASSWORD,
  type PostgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let scene: SwapScene<DatabaseAccess, TargetRequest>;
let world: PostgresWorld;
let archive: Archive;

/** Each test has a live database of its own that says `old`; the archive says `new`. */
beforeAll(async () => {
  scene = await swapScene('test/support/postgres-swap-child.ts');
  ({ world, archive } = scene);
}, 60_000);

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

/** Says `old`, `new`, or neither: then the difference from what is expected is shown. */
async function expectSays(database: string, word: 'old' | 'new'): Promise<void> {
  expect(await world.print(database)).toEqual(scene[word]);
}

async function loaded(database: string, over: Partial<TargetRequest> = {}): Promise<TargetRequest> {
  const request = requestFor(archive, database, over);
  await using target = await postgres.openTarget(world.access(database), world.superuser, request, world.context);
  await loadInto(target, archive);
  return request;
}

const cleanUp = (database: string, { run }: TargetRequest, dropPrevious = false) =>
  postgres.cleanUp(cleanupOf(world.access(database), run, dropPrevious), world.superuser, world.context);

async function until(condition: () => Promise<boolean>, patience = 60_000): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > patience) throw new Error('waited in vain');
    await sleep(20);
  }
}

describe('against clients that reconnect at once', () => {
  test('the swap wins at its first attempt twelve times of twelve, and they all end up in the new database', async () => {
    await scene.aDatabase('busy');
    let stop = false;
    const seen = new Set<unknown>();
    const clients = Array.from({ length: 10 }, async () => {
      while (!stop) {
        const client = world.client('busy', { username: 'app', password: PASSWORD });
        try {
          await client.connect();
          while (!stop) {
            seen.add((await client.query('SELECT says FROM word')).rows[0]?.says);
            await sleep(5);
          }
        } catch {
          // Thrown out: back at once.
        } finally {
          await client.end().catch(() => {});
        }
      }
    });
    try {
      let attempts = 0;
      const seams: SwapSeams = {
        now: () => new Date(),
        before: async (statement) => {
          attempts += statement === 'BEGIN' ? 1 : 0;
          // Whoever was thrown out at the beginning is back when the rename comes.
          if (statement.includes('RENAME')) await sleep(100);
        },
      };
      await until(async () => seen.has('old'));
      for (let round = 0; round < 12; round += 1) {
        const request = await loaded('busy');
        await using target = await openTarget(world.access('busy'), world.superuser, request, world.context, seams);
        expect(await target.swap(inTheFuture())).toEqual({ previousDatabase: request.previousDatabase });
        await target.dropPrevious();
        if (round === 0) {
          seen.clear();
          await until(async () => seen.has('new'));
          expect(seen).toEqual(new Set(['new']));
        }
      }
      expect(attempts).toBe(12);
    } finally {
      stop = true;
      await Promise.all(clients);
    }
    await expectSays('busy', 'new');
  }, 120_000);
});

describe('the fence', () => {
  test('is kept: once its instant has passed, nothing changes and no session is ended', async () => {
    await scene.aDatabase('fenced');
    const client = world.client('fenced', { username: 'app', password: PASSWORD });
    await client.connect();
    const request = await loaded('fenced');
    await using target = await postgres.openTarget(world.access('fenced'), world.superuser, request, world.context);
    await expect(target.swap(new Date(Date.now() - 1))).rejects.toMatchObject({
      reason: 'FencePassed',
      outlook: 'final',
    });
    expect((await client.query('SELECT says FROM word')).rows).toEqual([{ says: 'old' }]);
    await client.end();
  });

  test('is looked at right before the commit, with everything done already', async () => {
    await scene.aDatabase('late');
    const request = await loaded('late');
    let time = new Date(0);
    const seams: SwapSeams = {
      now: () => time,
      before: async (statement) => {
        if (statement.includes('ALLOW_CONNECTIONS false')) time = new Date(1_000);
      },
    };
    await using target = await openTarget(world.access('late'), world.superuser, request, world.context, seams);
    await expect(target.swap(new Date(1_000))).rejects.toMatchObject({ reason: 'FencePassed' });
    await expectSays('late', 'old');
  });

  test('holds for a runner that is paused between its last look at the clock and the commit', async () => {
    await scene.aDatabase('paused');
    const request = await loaded('paused');
    const start = performance.now();
    const before = await scene.runChild({ access: world.access('paused'), request, fence: new Date(0).toISOString() })
      .said;
    expect(before).toEqual(['FencePassed']);

    // Time for the process to come as far as its commit, on a busy machine too.
    const fence = inTheFuture(Math.max(10_000, 5 * (performance.now() - start)));
    const last = 8;
    const { child, said } = scene.runChild({
      access: world.access('paused'),
      request,
      fence: fence.toISOString(),
      statement: last,
      signal: 'SIGSTOP',
    });
    await sleep(fence.getTime() - Date.now() + SWAP_MARGIN_MS - 5_000);
    // While it sleeps, nobody has noticed anything.
    await expectSays('paused', 'old');
    child.kill('SIGCONT');
    const words = await said;
    expect(words[last]).toBe('COMMIT');
    expect(words.at(-1)).not.toBe('swapped');
    await expectSays('paused', 'old');
    expect(await world.databases()).toContain(request.scratchDatabase);
  }, 60_000);
});

describe('a runner that is killed', () => {
  test('before any statement of the swap leaves the old database, open, and a clean-up leaves nothing else', async () => {
    await scene.aDatabase('killed');
    for (let statement = 0; ; statement += 1) {
      const request = await loaded('killed');
      const words = await scene.runChild({ access: world.access('killed'), request, statement }).said;
      await sessionsGone(world);
      if (words.includes('swapped')) {
        expect(statement).toBe(9);
        await expectSays('killed', 'new');
        expect(await cleanUp('killed', request, true)).toEqual({
          restored: true,
        });
        return;
      }
      await expectSays('killed', 'old');
      for (const _ of ['once', 'and again']) {
        expect(await cleanUp('killed', request)).toEqual({
          restored: false,
        });
      }
      const left = await world.databases();
      expect(left).not.toContain(request.scratchDatabase);
      expect(left).not.toContain(request.previousDatabase);
    }
  }, 120_000);

  test('or only paused, in the middle of the swap, finds all of it gone after a clean-up when it wakes', async () => {
    await scene.aDatabase('asleep');
    const request = await loaded('asleep');
    const { child, said } = scene.runChild({
      access: world.access('asleep'),
      request,
      statement: 8,
      signal: 'SIGSTOP',
    });
    const asleep = `${RUNNER_SESSIONS} AND state = 'idle in transaction'`;
    await until(async () => (await world.sql('postgres', asleep)).length > 0);
    expect(await cleanUp('asleep', request)).toEqual({
      restored: false,
    });
    expect(await world.databases()).not.toContain(request.scratchDatabase);
    await expectSays('asleep', 'old');
    child.kill('SIGCONT');
    expect((await said).at(-1)).not.toBe('swapped');
    await expectSays('asleep', 'old');
  });

  test('or cut off just after the commit was sent, knows by a second look that it went live', async () => {
    await scene.aDatabase('cut');
    const request = await loaded('cut');
    await using proxy = await proxyThatEatsTheAnswerTo('COMMIT', world);
    const access = { ...world.access('cut'), port: proxy.port };
    await using target = await postgres.openTarget(access, world.superuser, request, world.context);
    expect(await target.swap(inTheFuture())).toEqual({ previousDatabase: request.previousDatabase });
    expect(proxy.eaten()).toBe(1);
    await expectSays('cut', 'new');
  });
});

describe('with onConflict Fail', () => {
  test('an empty live database is replaced, and leaves nothing behind', async () => {
    await world.sql('postgres', 'CREATE DATABASE empty OWNER app');
    const request = await loaded('empty', { onConflict: 'Fail' });
    await using target = await postgres.openTarget(world.access('empty'), world.superuser, request, world.context);
    expect((await target.plan()).refusals).toEqual([]);
    expect(await target.swap(inTheFuture())).toEqual({});
    await expectSays('empty', 'new');
    expect(await world.databases()).not.toContain(request.previousDatabase);
  });

  test('a live database that was written to after the plan is not replaced', async () => {
    await world.sql('postgres', 'CREATE DATABASE filled OWNER app');
    const request = await loaded('filled', { onConflict: 'Fail' });
    await world.sql('filled', `CREATE TABLE word AS SELECT 'theirs' AS says`);
    const theirs = await world.print('filled');
    await using target = await postgres.openTarget(world.access('filled'), world.superuser, request, world.context);
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'TargetNotEmpty' });
    expect(await world.print('filled')).toEqual(theirs);
  });

  test('what was written in the instant before the swap is kept', async () => {
    await world.sql('postgres', 'CREATE DATABASE raced OWNER app');
    const request = await loaded('raced', { onConflict: 'Fail' });
    const seams: SwapSeams = {
      now: () => new Date(),
      before: async (statement) => {
        if (statement !== 'BEGIN') return;
        // Sessions are being ended already; somebody who keeps trying gets through.
        const write = () => world.sql('raced', `CREATE TABLE IF NOT EXISTS word AS SELECT 'theirs' AS says`);
        await until(() =>
          write().then(
            () => true,
            () => false,
          ),
        );
      },
    };
    await using target = await openTarget(world.access('raced'), world.superuser, request, world.context, seams);
    const { previousDatabase } = await target.swap(inTheFuture());
    expect(previousDatabase).toBe(request.previousDatabase);
    await expectSays('raced', 'new');
    const theirs = () => world.sql(previousDatabase!, 'SELECT says FROM word');
    await expect(theirs()).rejects.toThrow('not currently accepting connections');
    await world.sql('postgres', `ALTER DATABASE "${previousDatabase}" ALLOW_CONNECTIONS true`);
    expect(await theirs()).toEqual([{ says: 'theirs' }]);
  });
});

import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { CleanupTask } from '../../src/api/task.ts';
import type { TargetRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { SWAP_MARGIN_MS, type SwapSeams } from '../../src/engines/postgres/swap.ts';
import { openTarget } from '../../src/engines/postgres/target.ts';
import { proxyThatEatsTheAnswerTo } from '../support/postgres-deaf-proxy.ts';
import type { ChildOrder } from '../support/postgres-swap-child.ts';
import {
  type Archive,
  dumpOf,
  inTheFuture,
  loadInto,
  PASSWORD,
  type PostgresWorld,
  postgresWorld,
  requestFor,
} from '../support/postgres-world.ts';

let world: PostgresWorld;
let archive: Archive;

/** Each test has a live database of its own that says `old`; the archive says `new`. */
beforeAll(async () => {
  world = await postgresWorld();
  await world.role('app');
  await aDatabase('template_of_new', 'new');
  archive = await dumpOf(world, 'template_of_new');
}, 60_000);

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await world[Symbol.asyncDispose]();
});

async function aDatabase(name: string, says: string): Promise<void> {
  await world.sql('postgres', `CREATE DATABASE "${name}" OWNER app`);
  await world.sql(name, 'SET ROLE app', `CREATE TABLE word AS SELECT '${says}' AS says`);
}

const wordOf = async (database: string) => (await world.sql(database, 'SELECT says FROM word'))[0]?.['says'];

async function loaded(database: string, over: Partial<TargetRequest> = {}): Promise<TargetRequest> {
  const request = requestFor(archive, database, over);
  await using target = await postgres.openTarget(world.access(database), world.superuser, request, world.context);
  await loadInto(target, archive);
  return request;
}

function cleanup(database: string, request: TargetRequest, dropPrevious = false): CleanupTask {
  const { scratchDatabase, previousDatabase, run } = request;
  return {
    command: 'cleanup',
    run,
    database: world.access(database),
    scratchDatabase,
    previousDatabase,
    dropPrevious,
    keepScratch: false,
  };
}

/** One that was stopped would hold its locks, and this process, for ever. */
const children = new Set<ChildProcess>();

function runChild(order: Partial<ChildOrder> & Pick<ChildOrder, 'access' | 'request'>) {
  const child = spawn(process.execPath, ['test/support/postgres-swap-child.ts'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const whole: ChildOrder = {
    login: world.superuser,
    temporary: world.context.temporary,
    fence: inTheFuture().toISOString(),
    statement: Number.MAX_SAFE_INTEGER,
    signal: 'SIGKILL',
    ...order,
  };
  child.stdin.end(JSON.stringify(whole));
  children.add(child);
  const said = text(child.stdout).then((words) => words.trim().split('\n'));
  return { child, said };
}

async function until(condition: () => Promise<boolean>, patience = 10_000): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > patience) throw new Error('waited in vain');
    await sleep(20);
  }
}

describe('against clients that reconnect at once', () => {
  test('the swap wins at its first attempt twelve times of twelve, and they all end up in the new database', async () => {
    await aDatabase('busy', 'old');
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
  }, 120_000);
});

describe('the fence', () => {
  test('is kept: once its instant has passed, nothing changes and no session is ended', async () => {
    await aDatabase('fenced', 'old');
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
    await aDatabase('late', 'old');
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
    expect(await wordOf('late')).toBe('old');
  });

  test('holds for a runner that is paused between its last look at the clock and the commit', async () => {
    await aDatabase('paused', 'old');
    const request = await loaded('paused');
    const before = await runChild({ access: world.access('paused'), request, fence: new Date(0).toISOString() }).said;
    expect(before).toEqual(['FencePassed']);

    const fence = inTheFuture(2_000);
    const last = 8;
    const { child, said } = runChild({
      access: world.access('paused'),
      request,
      fence: fence.toISOString(),
      statement: last,
      signal: 'SIGSTOP',
    });
    await sleep(fence.getTime() - Date.now() + SWAP_MARGIN_MS - 5_000);
    // While it sleeps, nobody has noticed anything.
    expect(await wordOf('paused')).toBe('old');
    child.kill('SIGCONT');
    const words = await said;
    expect(words[last]).toBe('COMMIT');
    expect(words.at(-1)).not.toBe('swapped');
    expect(await wordOf('paused')).toBe('old');
    expect(await world.databases()).toContain(request.scratchDatabase);
  }, 60_000);
});

describe('a runner that is killed', () => {
  test('before any statement of the swap leaves the old database, open, and a clean-up leaves nothing else', async () => {
    await aDatabase('killed', 'old');
    for (let statement = 0; ; statement += 1) {
      const request = await loaded('killed');
      const words = await runChild({ access: world.access('killed'), request, statement }).said;
      if (words.includes('swapped')) {
        expect(statement).toBe(9);
        expect(await wordOf('killed')).toBe('new');
        expect(await postgres.cleanUp(cleanup('killed', request, true), world.superuser, world.context)).toEqual({
          restored: true,
        });
        return;
      }
      expect(await wordOf('killed')).toBe('old');
      for (const _ of ['once', 'and again']) {
        expect(await postgres.cleanUp(cleanup('killed', request), world.superuser, world.context)).toEqual({
          restored: false,
        });
      }
      const left = await world.databases();
      expect(left).not.toContain(request.scratchDatabase);
      expect(left).not.toContain(request.previousDatabase);
    }
  }, 120_000);

  test('or only paused, in the middle of the swap, finds all of it gone after a clean-up when it wakes', async () => {
    await aDatabase('asleep', 'old');
    const request = await loaded('asleep');
    const { child, said } = runChild({ access: world.access('asleep'), request, statement: 8, signal: 'SIGSTOP' });
    const asleep = `SELECT FROM pg_stat_activity WHERE application_name LIKE 'holdfast restore%' AND state = 'idle in transaction'`;
    await until(async () => (await world.sql('postgres', asleep)).length > 0);
    expect(await postgres.cleanUp(cleanup('asleep', request), world.superuser, world.context)).toEqual({
      restored: false,
    });
    expect(await world.databases()).not.toContain(request.scratchDatabase);
    expect(await wordOf('asleep')).toBe('old');
    child.kill('SIGCONT');
    expect((await said).at(-1)).not.toBe('swapped');
    expect(await wordOf('asleep')).toBe('old');
  }, 30_000);

  test('or cut off just after the commit was sent, knows by a second look that it went live', async () => {
    await aDatabase('cut', 'old');
    const request = await loaded('cut');
    await using proxy = await proxyThatEatsTheAnswerTo('COMMIT', world);
    const access = { ...world.access('cut'), port: proxy.port };
    await using target = await postgres.openTarget(access, world.superuser, request, world.context);
    expect(await target.swap(inTheFuture())).toEqual({ previousDatabase: request.previousDatabase });
    expect(proxy.eaten()).toBe(1);
    expect(await wordOf('cut')).toBe('new');
  }, 30_000);
});

describe('with onConflict Fail', () => {
  test('an empty live database is replaced, and leaves nothing behind', async () => {
    await world.sql('postgres', 'CREATE DATABASE empty OWNER app');
    const request = await loaded('empty', { onConflict: 'Fail' });
    await using target = await postgres.openTarget(world.access('empty'), world.superuser, request, world.context);
    expect((await target.plan()).refusals).toEqual([]);
    expect(await target.swap(inTheFuture())).toEqual({});
    expect(await wordOf('empty')).toBe('new');
    expect(await world.databases()).not.toContain(request.previousDatabase);
  });

  test('a live database that was written to after the plan is not replaced', async () => {
    await world.sql('postgres', 'CREATE DATABASE filled OWNER app');
    const request = await loaded('filled', { onConflict: 'Fail' });
    await world.sql('filled', `CREATE TABLE word AS SELECT 'theirs' AS says`);
    await using target = await postgres.openTarget(world.access('filled'), world.superuser, request, world.context);
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'TargetNotEmpty' });
    expect(await wordOf('filled')).toBe('theirs');
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
    await expect(wordOf(previousDatabase!)).rejects.toThrow('not currently accepting connections');
    await world.sql('postgres', `ALTER DATABASE "${previousDatabase}" ALLOW_CONNECTIONS true`);
    expect(await wordOf(previousDatabase!)).toBe('theirs');
  });
});

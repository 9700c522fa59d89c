import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { numberedDatabaseName, previousDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { RestoreIdentity, ServerAccess, UndoPlanTask, UndoSwapTask } from '../../src/api/task.ts';
import type { DatabaseContents, InstanceContents } from '../../src/archive/contents.ts';
import type { TargetRequest, UndoRequest } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { openUndo } from '../../src/engines/postgres/undo.ts';
import { proxyThatEatsTheAnswerTo } from '../support/postgres-deaf-proxy.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { cleanupOf, type SwapScene, swapScene } from '../support/postgres-swap-scene.ts';
import {
  type Archive,
  aRestore,
  inTheFuture,
  loadInto,
  type PostgresWorld,
  requestFor,
} from '../support/postgres-world.ts';
import { runRunner } from '../support/runner-process.ts';

let scene: SwapScene<ServerAccess, UndoRequest>;
let world: PostgresWorld;
let archive: Archive;

beforeAll(async () => {
  scene = await swapScene('test/support/postgres-undo-child.ts', { wal_level: 'logical' });
  ({ world, archive } = scene);
}, 60_000);

afterAll(async () => {
  await scene[Symbol.asyncDispose]();
});

async function expectSays(database: string, word: 'old' | 'new'): Promise<void> {
  expect(await world.print(database)).toEqual(scene[word]);
}

/** A restore of `new` into the database, all the way: what is of the database itself stays. */
async function restored(database: string, run = aRestore(), over: Partial<TargetRequest> = {}) {
  const request = requestFor(archive, database, { ...over, run });
  await using target = await postgres.openTarget(world.access(database), world.superuser, request, world.context);
  const { alreadyRestored, refusals, databaseExists } = await target.plan();
  if (alreadyRestored) return 'already restored';
  expect(refusals).toEqual([]);
  const { database: live } = databaseExists ? await world.print(database) : scene.new;
  await loadInto(target, archive);
  await target.swap(inTheFuture());
  expect(await world.print(database)).toEqual({ ...scene.new, database: live });
  return 'restored';
}

const undoOf = (undone: RestoreIdentity, databases: readonly string[] = [], run = aRestore()): UndoRequest => ({
  run,
  undone: { ...undone, databases },
});

const open = (database: string, request: UndoRequest, login = world.superuser) =>
  postgres.openUndo(world.access(database), login, request, world.context);

async function undo(database: string, request: UndoRequest) {
  await using target = await open(database, request);
  const plan = await target.plan();
  if (plan.alreadyRestored || plan.refusals.length > 0) return plan;
  return await target.swap(inTheFuture());
}

/** A database that says `old`, replaced by `new`. */
async function replaced(database: string): Promise<RestoreIdentity> {
  await scene.aDatabase(database);
  const run = aRestore();
  expect(await restored(database, run)).toBe('restored');
  return run;
}

const commentOf = async (database: string) =>
  String(
    (
      await world.sql(
        'postgres',
        `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = '${database}'`,
      )
    )[0]?.['comment'],
  );

const marksOf = async (database: string) =>
  [...(await commentOf(database)).matchAll(/"name":"([^"]+)"/g)].map(([, name]) => name);

describe('an undo', () => {
  test('brings back the replaced database with all that is its own, and what it replaces is kept for the next undo', async () => {
    await scene.aDatabase('shop');
    await world.sql(
      'postgres',
      `COMMENT ON DATABASE shop IS 'of old'`,
      `ALTER DATABASE shop SET work_mem TO '5MB'`,
      'ALTER DATABASE shop CONNECTION LIMIT 7',
      'REVOKE CONNECT ON DATABASE shop FROM PUBLIC',
    );
    const before = await world.print('shop');
    const first = aRestore();
    expect(await restored('shop', first)).toBe('restored');
    await world.sql(
      'postgres',
      `COMMENT ON DATABASE shop IS E'of new\\n${(await commentOf('shop')).split('\n').at(-1)}'`,
      `ALTER DATABASE shop SET work_mem TO '6MB'`,
    );
    const after = await world.print('shop');

    const second = undoOf(first);
    expect(await undo('shop', second)).toEqual({ previousDatabase: previousDatabaseName('shop', second.run) });
    expect(await world.print('shop')).toEqual(before);
    expect(await commentOf('shop')).toMatch(/^of old\nholdfast-restores: \[[^\n]*\]$/);

    const third = undoOf(second.run);
    expect(await undo('shop', third)).toEqual({ previousDatabase: previousDatabaseName('shop', third.run) });
    expect(await world.print('shop')).toEqual(after);
    expect(await commentOf('shop')).toMatch(/^of new\nholdfast-restores: \[[^\n]*\]$/);
    expect(await marksOf('shop')).toEqual([first.name, second.run.name, third.run.name]);

    await using target = await open('shop', third);
    await target.dropPrevious();
    expect((await world.databases()).filter((name) => name.startsWith('shop'))).toEqual(['shop']);
  });

  test('tells beforehand what it does, and changes nothing by that', async () => {
    const run = await replaced('told');
    const request = undoOf(run);
    await using target = await open('told', request);
    const [kept, next] = [previousDatabaseName('told', run), previousDatabaseName('told', request.run)];
    expect(await target.plan()).toEqual({
      refusals: [],
      alreadyRestored: false,
      server: expect.any(String),
      databaseExists: true,
      objects: 3,
      notes: [
        expect.stringMatching(
          `^"${kept}", which was replaced at 20[^ ]+, goes live again as "told"; the live one is kept as "${next}"\\.$`,
        ),
      ],
    });
    await expectSays('told', 'new');
  });

  test('puts the database back where somebody dropped the live one, and what it knew of restores is known again', async () => {
    const run = await replaced('dropped');
    const again = aRestore({ ...run, uid: aRestore().uid });
    const later = aRestore();
    expect(await restored('dropped', later)).toBe('restored');
    await world.sql('postgres', 'DROP DATABASE dropped');
    expect(await undo('dropped', undoOf(later))).toEqual({});
    await expectSays('dropped', 'new');
    expect(await restored('dropped', again)).toBe('already restored');
  });

  test('of a Restore that was made anew finds what its predecessor replaced', async () => {
    const run = await replaced('anew');
    const again = aRestore({ ...run, uid: aRestore().uid });
    expect(await restored('anew', again)).toBe('already restored');
    expect(await undo('anew', undoOf(aRestore({ ...again, specHash: 'another' })))).toMatchObject({
      refusals: [{ reason: 'PreviousGone' }],
    });
    expect(await undo('anew', undoOf(again))).toHaveProperty('previousDatabase');
    await expectSays('anew', 'old');
  });
});

describe('what is kept already', () => {
  const notesOf = async (database: string) => {
    const request = requestFor(archive, database, { run: aRestore() });
    await using target = await postgres.openTarget(world.access(database), world.superuser, request, world.context);
    return (await target.plan()).notes ?? [];
  };

  test('is in the plan of the next restore, with its size, its Restore and the statement that drops it', async () => {
    await scene.aDatabase('thrice');
    expect(await notesOf('thrice')).toEqual([]);
    const runs = [aRestore(), aRestore()];
    for (const run of runs) expect(await restored('thrice', run)).toBe('restored');
    const [note = '', ...others] = await notesOf('thrice');
    expect(others).toEqual([]);
    for (const run of runs) {
      const name = previousDatabaseName('thrice', run);
      expect(note).toMatch(new RegExp(`"${name}" \\(\\d+ kB, of Restore ${run.namespace}/${run.name}\\)`));
    }
    // As a person types it, once the Restore is gone.
    const [, statement = ''] = /never by itself: (DROP DATABASE .*)$/.exec(note) ?? [];
    await world.sql('postgres', statement);
    const [left = ''] = await notesOf('thrice');
    expect(left.match(/"thrice_before_/g)).toHaveLength(2);
  });

  test('of another database is nothing to this one', async () => {
    await replaced('neighbour');
    await scene.aDatabase('alone');
    expect(await notesOf('alone')).toEqual([]);
  });
});

describe('never twice', () => {
  const twin = (run: RestoreIdentity, over: Partial<RestoreIdentity> = {}) =>
    aRestore({ ...run, uid: aRestore().uid, ...over });

  test('a restore that is made anew, also on a rebuilt cluster; with another spec or name it is another one', async () => {
    const run = await replaced('once');
    expect(await restored('once', run)).toBe('already restored');
    expect(await restored('once', twin(run))).toBe('already restored');
    expect(await restored('once', twin(run, { cluster: 'rebuilt' }))).toBe('already restored');
    expect(await restored('once', twin(run, { specHash: 'other' }))).toBe('restored');
    expect(await restored('once', twin(run, { name: 'other' }))).toBe('restored');
  });

  test('restore A, then B, then A again', async () => {
    const [a, b] = [aRestore({ name: 'a' }), aRestore({ name: 'b' })];
    await scene.aDatabase('abba');
    expect(await restored('abba', a)).toBe('restored');
    expect(await restored('abba', b)).toBe('restored');
    expect(await restored('abba', twin(a))).toBe('already restored');
    expect(await marksOf('abba')).toEqual(['a', 'b']);
  });

  test('a restore after it was undone, and an undo that is made anew', async () => {
    const run = await replaced('undone');
    const request = undoOf(run);
    expect(await undo('undone', request)).toHaveProperty('previousDatabase');
    expect(await restored('undone', twin(run))).toBe('already restored');
    const again = undoOf(run, [], twin(request.run));
    expect(await undo('undone', again)).toMatchObject({ alreadyRestored: true, refusals: [], notes: [] });
    // The undo of the undo does not forget it either.
    expect(await undo('undone', undoOf(request.run))).toHaveProperty('previousDatabase');
    expect(await undo('undone', again)).toMatchObject({ alreadyRestored: true });
    expect(await restored('undone', twin(run))).toBe('already restored');
    await expectSays('undone', 'new');
  });
});

describe('PreviousGone', () => {
  const GONE = [
    { reason: 'PreviousGone', message: expect.stringContaining('cannot be undone'), hint: expect.any(String) },
  ];

  async function expectGone(database: string, run: RestoreIdentity): Promise<void> {
    await using target = await open(database, undoOf(run, [previousDatabaseName(database, run)]));
    expect(await target.plan()).toMatchObject({ alreadyRestored: false, refusals: GONE });
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'PreviousGone', outlook: 'final' });
    await expectSays(database, 'new');
  }

  test('is the refusal when the database was dropped, or renamed, or there never was one', async () => {
    const dropped = await replaced('gone_dropped');
    await world.sql('postgres', `DROP DATABASE "${previousDatabaseName('gone_dropped', dropped)}"`);
    await expectGone('gone_dropped', dropped);

    const renamed = await replaced('gone_renamed');
    await world.sql('postgres', `ALTER DATABASE "${previousDatabaseName('gone_renamed', renamed)}" RENAME TO mine`);
    await expectGone('gone_renamed', renamed);
    expect(await world.databases()).toContain('mine');

    const fresh = aRestore();
    expect(await restored('gone_never', fresh)).toBe('restored');
    await expectGone('gone_never', fresh);
  });

  test('is the refusal when a database of that name is not the one', async () => {
    const run = await replaced('gone_other');
    await world.sql('postgres', `COMMENT ON DATABASE "${previousDatabaseName('gone_other', run)}" IS NULL`);
    await expectGone('gone_other', run);
  });

  test('is the failure when the database is dropped in the instant of the swap, and nothing changes', async () => {
    const run = await replaced('gone_late');
    const kept = previousDatabaseName('gone_late', run);
    const seams = {
      now: () => new Date(),
      before: async (statement: string) => {
        if (statement === 'BEGIN') await world.sql('postgres', `DROP DATABASE "${kept}"`);
      },
    };
    await using target = await openUndo(
      world.access('gone_late'),
      world.superuser,
      undoOf(run, [kept]),
      world.context,
      seams,
    );
    expect((await target.plan()).refusals).toEqual([]);
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'PreviousGone' });
    await expectSays('gone_late', 'new');
  });
});

describe('what stands in the way', () => {
  async function refusalsFor(database: string, request: UndoRequest, login = world.superuser) {
    await using target = await open(database, request, login);
    return (await target.plan()).refusals;
  }

  test('is told by name, each right that a role lacks with the statement that grants it', async () => {
    const run = await replaced('rights');
    const nobody = await world.role('nobody');
    const refusals = await refusalsFor('rights', undoOf(run), nobody);
    expect(refusals.map(({ hint }) => hint)).toEqual([
      'ALTER ROLE "nobody" CREATEDB;',
      expect.stringMatching(/^GRANT "app" TO "nobody"/),
    ]);
    for (const { hint } of refusals) await world.sql('postgres', hint!);
    expect(await refusalsFor('rights', undoOf(run), nobody)).toEqual([]);

    // What is kept may belong to somebody else.
    await world.role('former');
    await world.sql('postgres', `ALTER DATABASE "${previousDatabaseName('rights', run)}" OWNER TO former`);
    expect(await refusalsFor('rights', undoOf(run), nobody)).toMatchObject([{ reason: 'RightMissing' }]);
    await world.sql('postgres', 'GRANT former TO nobody');
    await using target = await open('rights', undoOf(run), nobody);
    expect((await target.plan()).refusals).toEqual([]);
    expect(await target.swap(inTheFuture())).toHaveProperty('previousDatabase');
    const { rows, schema } = scene.old;
    expect(await world.print('rights')).toMatchObject({ rows, schema, database: { owner: 'former' } });
  });

  test('a slot on the live database, a superuser in it, a name that is taken', async () => {
    const run = await replaced('blocked');
    const request = undoOf(run);
    await world.sql('blocked', `SELECT pg_create_logical_replication_slot('feed', 'pgoutput')`);
    await world.sql('postgres', `CREATE DATABASE "${previousDatabaseName('blocked', request.run)}"`);
    const keeper = await world.role('keeper', 'CREATEDB IN ROLE app');
    const monitor = world.client('blocked');
    await monitor.connect();
    try {
      const refusals = await refusalsFor('blocked', request, keeper);
      expect(refusals.map(({ reason }) => reason).sort()).toEqual([
        'LogicalReplication',
        'NameTaken',
        'SessionsInTheWay',
      ]);
    } finally {
      await monitor.end();
      await world.sql('postgres', `SELECT pg_drop_replication_slot('feed')`);
    }
  });

  test('nothing by a live database that is closed: it is what a person wants to be rid of', async () => {
    const run = await replaced('closed');
    await world.sql('postgres', 'ALTER DATABASE closed ALLOW_CONNECTIONS false');
    expect(await undo('closed', undoOf(run))).toHaveProperty('previousDatabase');
    await expectSays('closed', 'old');
  });
});

const cleanUp = (database: ServerAccess, { run }: UndoRequest) =>
  postgres.cleanUp(cleanupOf(database, run), world.superuser, world.context);

describe('a runner that is killed', () => {
  test('before any statement leaves what was live, and what is kept stays kept; the next attempt goes through', async () => {
    const run = await replaced('killed');
    const request = undoOf(run);
    const access = world.access('killed');
    for (let statement = 0; ; statement += 1) {
      const words = await scene.runChild({ access, request, statement }).said;
      const cleaned = await cleanUp(access, request);
      if (words.includes('swapped')) {
        expect(statement).toBe(9);
        expect(cleaned).toEqual({ restored: true, previousDatabase: previousDatabaseName('killed', request.run) });
        await expectSays('killed', 'old');
        return;
      }
      expect(cleaned).toEqual({ restored: false });
      await expectSays('killed', 'new');
      expect(await world.databases()).toContain(previousDatabaseName('killed', run));
    }
  }, 120_000);

  test('or cut off just after the commit was sent, knows by a second look that it went live', async () => {
    const run = await replaced('cut');
    await using proxy = await proxyThatEatsTheAnswerTo('COMMIT', world);
    const access = { ...world.access('cut'), port: proxy.port };
    await using target = await postgres.openUndo(access, world.superuser, undoOf(run), world.context);
    expect(await target.swap(inTheFuture())).toHaveProperty('previousDatabase');
    expect(proxy.eaten()).toBe(1);
    await expectSays('cut', 'old');
  });

  test('and one that is too late changes nothing', async () => {
    const run = await replaced('late');
    await using target = await open('late', undoOf(run));
    await expect(target.swap(new Date(Date.now() - 1))).rejects.toMatchObject({ reason: 'FencePassed' });
    await expectSays('late', 'new');
  });
});

describe('a whole server', () => {
  /** Databases that say `old`, replaced in one restore by what {@link expectMade} knows; the last one is new altogether. */
  async function replacedAll(names: readonly string[], fresh?: string): Promise<RestoreIdentity> {
    for (const name of names) await scene.aDatabase(name);
    const run = aRestore();
    const all = fresh === undefined ? names : [...names, fresh];
    const contents: InstanceContents = {
      formatVersion: 1,
      scope: 'Instance',
      databases: all.map((database) => ({
        database,
        properties: archive.properties,
        tables: [],
        parts: [] as unknown as DatabaseContents['parts'],
      })),
      skipped: [],
      globals: { part: 9, tool: 'pg_dumpall', format: 'sql', plain: { size: 0, sha256: '' }, rolePasswords: false },
      ...{ roles: [], memberships: [], tablespaces: [], recipe: [] },
    };
    const request = { run, onConflict: 'Replace', scratchDatabase: scratchDatabaseName(run), contents } as const;
    const whole = { ...request, sourceMajor: archive.major };
    await using target = await postgres.openInstanceTarget(world.serverAccess, world.superuser, whole, world.context);
    for (const [index, { database, properties }] of target.databases.entries()) {
      await target.database(database).createScratch(properties);
      const scratch = numberedDatabaseName(request.scratchDatabase, index);
      await world.sql(scratch, `CREATE TABLE word AS SELECT 'new ${database}' AS says`);
      const { rows, schema } = await world.print(scratch);
      made.set(database, { rows, schema, database: scene.new.database });
    }
    await target.swap(inTheFuture());
    return run;
  }

  const openAll = (request: UndoRequest) =>
    postgres.openUndo(world.serverAccess, world.superuser, request, world.context);

  const made = new Map<string, Fingerprint>();

  async function expectMade(...names: readonly string[]): Promise<void> {
    for (const name of names) expect(await world.print(name)).toEqual(made.get(name));
  }

  async function expectOld(...names: readonly string[]): Promise<void> {
    for (const name of names) await expectSays(name, 'old');
  }

  test('comes back with all its databases, those whose names were cut as well; what the restore made stays', async () => {
    // Cut to what leaves room for our tail, the two are the same.
    const names = ['one', `${'x'.repeat(60)}_a`, `${'x'.repeat(60)}_b`];
    const run = await replacedAll(names, 'fresh');
    const request = undoOf(run);
    let previousDatabases: readonly string[];
    {
      await using target = await openAll(request);
      const plan = await target.plan();
      expect(plan.refusals).toEqual([]);
      expect(plan.notes).toHaveLength(4);
      expect(plan.notes.at(-1)).toBe('Databases that the restore made where there was none, and that stay: "fresh".');
      ({ previousDatabases = [] } = await target.swap(inTheFuture()));
    }
    await expectOld(...names);
    await expectMade('fresh');
    expect(new Set(previousDatabases).size).toBe(3);

    await using again = await openAll(undoOf(request.run, previousDatabases));
    await again.swap(inTheFuture());
    await expectMade(...names);
    await again.dropPrevious();
    expect((await world.databases()).filter((name) => name.includes('_before_') && name.startsWith('xxx'))).toEqual([]);
  });

  test('of which one database is not kept any more comes back with none', async () => {
    const names = ['three', 'four'];
    const run = await replacedAll(names);
    const kept = names.map((name) => previousDatabaseName(name, run));
    await world.sql('postgres', `DROP DATABASE "${kept[1]}"`);
    await using target = await openAll(undoOf(run, kept));
    expect((await target.plan()).refusals).toMatchObject([
      { reason: 'PreviousGone', message: expect.stringContaining(`"${kept[1]}"`) },
    ]);
    await expect(target.swap(inTheFuture())).rejects.toMatchObject({ reason: 'PreviousGone' });
    await expectMade(...names);
  });

  test.each([
    ['before the first rename', 2],
    ['between the renames of one database', 3],
    ['between those of two databases', 4],
    ['with nothing but the commit left', 14],
    ['not at all', 15],
  ])('of which the runner is killed %s has all the databases of before, or all of after', async (_when, statement) => {
    const names = [`five_${statement}`, `six_${statement}`];
    const request = undoOf(await replacedAll(names));
    const words = await scene.runChild({ access: world.serverAccess, request, statement }).said;
    const { restored: isLive } = await cleanUp(world.serverAccess, request);
    expect([isLive, words.includes('swapped')]).toEqual(statement === 15 ? [true, true] : [false, false]);
    expect(words.at(statement)).toMatch(statement === 14 ? /^COMMIT$/ : /ALTER DATABASE|swapped/);
    await (isLive ? expectOld : expectMade)(...names);
  });
});

describe('the runner', () => {
  const secrets = () => ({
    database: { username: world.superuser.username, password: world.superuser.password ?? '' },
  });

  const planTask = (database: string, { run, undone }: UndoRequest): UndoPlanTask => ({
    command: 'plan',
    run,
    database: world.access(database),
    undone,
    scratchDatabase: scratchDatabaseName(run),
    previousDatabase: previousDatabaseName(database, run),
  });

  const swapTask = (database: string, request: UndoRequest, dropPrevious = false): UndoSwapTask => ({
    ...planTask(database, request),
    command: 'swap',
    notAfter: inTheFuture().toISOString(),
    dropPrevious,
  });

  test('plans and swaps with the Secret of the database alone, and a swap whose report was lost tells the same again', async () => {
    const request = undoOf(await replaced('ran'));
    const planned = await runRunner(planTask('ran', request), { secrets: secrets() });
    expect(planned.report).toMatchObject({
      ok: true,
      result: { refusals: [], alreadyRestored: false, bytesNeeded: 0, notes: [expect.stringContaining('goes live')] },
    });
    for (const _ of ['once', 'and again']) {
      const { exitCode, report } = await runRunner(swapTask('ran', request), { secrets: secrets() });
      expect(exitCode).toBe(0);
      expect(report).toEqual({
        ...{ command: 'swap', ok: true },
        result: { previousDatabase: previousDatabaseName('ran', request.run) },
      });
      await expectSays('ran', 'old');
    }
  });

  test('drops what it replaced where nothing is to be kept', async () => {
    const request = undoOf(await replaced('ran_bare'));
    const { report } = await runRunner(swapTask('ran_bare', request, true), { secrets: secrets() });
    expect(report).toMatchObject({ ok: true, result: {} });
    expect((await world.databases()).filter((name) => name.startsWith('ran_bare'))).toEqual(['ran_bare']);
    await expectSays('ran_bare', 'old');
  });

  test('fails for good where the database is gone, and says so in the plan', async () => {
    const run = await replaced('ran_late');
    await world.sql('postgres', `DROP DATABASE "${previousDatabaseName('ran_late', run)}"`);
    const planned = await runRunner(planTask('ran_late', undoOf(run)), { secrets: secrets() });
    expect(planned.report).toMatchObject({ ok: true, result: { refusals: [{ reason: 'PreviousGone' }] } });
    const swapped = await runRunner(swapTask('ran_late', undoOf(run)), { secrets: secrets() });
    expect(swapped.report).toMatchObject({ ok: false, retry: false, failure: { reason: 'PreviousGone' } });
    await expectSays('ran_late', 'new');
  });
});

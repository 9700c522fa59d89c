/** Which archive a restore brings back. */
import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import { scheduleLabel } from '../../../src/api/names.ts';
import type { RestoreSpec, RestoreStatus } from '../../../src/api/restore.ts';
import type { CatalogResult, Task } from '../../../src/api/task.ts';
import { removalOf, uidsBeingRemoved } from '../../../src/controllers/restore/removal.ts';
import { chooseSource, type SourceChoice, targetOf } from '../../../src/controllers/restore/source.ts';
import { wantedBackups } from '../../../src/controllers/restore/wanted.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import type { Failure } from '../../../src/lib/errors.ts';
import { aBackup, aCompleteBackup, aRestore, aStore, condition, NOON, noonPlus } from '../../support/builders.ts';
import fc from '../../support/fast-check.ts';

const UID = aBackup().metadata.uid;
const PATH = 'prod/v1/lodz/shop/_manual/20261124T120000Z-11111111/';

interface Child {
  readonly name: string;
  /** Seconds after noon. */
  readonly data?: number;
  readonly created?: number;
  readonly state?: 'complete' | 'failed' | 'running';
  readonly leaving?: boolean;
  readonly schedule?: string;
}

function child({
  name,
  data = 0,
  created = data,
  state = 'complete',
  leaving = false,
  schedule = 'nightly',
}: Child): Backup {
  const at = noonPlus(created).toISOString();
  const labels = { 'holdfast.dev/schedule': schedule };
  const annotations = { 'holdfast.dev/schedule': schedule };
  const more = leaving ? { deletionTimestamp: at } : {};
  const metadata = { name, uid: `uid-${name}`, creationTimestamp: at, labels, annotations, ...more };
  if (state === 'running') return aBackup({ metadata, status: { phase: 'Running' } });
  if (state === 'failed') return aBackup({ metadata, status: { conditions: [condition('Failed', 'True')] } });
  return aBackup({
    metadata,
    status: {
      location: `s3://acme/prod/v1/lodz/shop/${schedule}/${name}/`,
      manifestDigest: `sha256:${'ab'.repeat(32)}`,
      dataTime: noonPlus(data).toISOString(),
      completionTime: noonPlus(data + 60).toISOString(),
      conditions: [condition('Complete', 'True')],
    },
  });
}

/** A run of retention that was told to remove these archives; over, where it reports which are gone. */
function prune(archives: readonly { readonly uid: string; readonly folder: string }[], removed?: number[]): RunFacts {
  const told = archives.map(({ uid, folder }) => ({ folder, manifestDigest: 'd', backupUid: uid }));
  const task = { command: 'prune', store: {}, cluster: 'lodz', namespace: 'shop', archives: told } as unknown as Task;
  const run = { purpose: 'prune', attempt: 1, name: 'nightly-prune-1', started: true, task } as const;
  if (removed === undefined) return { ...run, state: 'active', livingPods: 1 };
  return { ...run, state: 'succeeded', livingPods: 0, report: { command: 'prune', ok: true, result: { removed } } };
}

const archive = (name: string) => ({ uid: `uid-${name}`, folder: `prod/v1/lodz/shop/nightly/${name}/` });

function choose(
  from: RestoreSpec['from'],
  more: Partial<Parameters<typeof chooseSource>[1]> & { spec?: Partial<RestoreSpec>; status?: RestoreStatus } = {},
): SourceChoice {
  const { spec, status, ...candidates } = more;
  const restore = aRestore({ spec: { from, ...spec }, ...(status === undefined ? {} : { status }) });
  return chooseSource(restore, {
    backup: undefined,
    backups: [],
    prunes: [],
    store: aStore(),
    runs: [],
    cluster: 'lodz',
    ...candidates,
  });
}

const latest = (before?: number) => ({
  latest: {
    scheduleRef: { name: 'nightly' },
    ...(before === undefined ? {} : { before: noonPlus(before).toISOString() }),
  },
});

/** The name of what was chosen, or why nothing was. */
function said(choice: SourceChoice): string | undefined {
  if (choice.choice === 'made') return 'backup' in choice.pin ? choice.pin.backup : undefined;
  return 'failure' in choice ? `${choice.choice} ${choice.failure.reason}` : choice.choice;
}

function failureOf(choice: SourceChoice): Failure {
  if (choice.choice === 'wait' || choice.choice === 'none') return choice.failure;
  throw new Error(`it is no failure: ${choice.choice}`);
}

describe('the latest of a schedule', () => {
  test.each<[string, readonly Child[], number | undefined, string]>([
    [
      'the newest',
      [
        { name: 'a', data: 1 },
        { name: 'c', data: 3 },
        { name: 'b', data: 2 },
      ],
      undefined,
      'c',
    ],
    [
      'the newest before an instant',
      [
        { name: 'a', data: 1 },
        { name: 'b', data: 2 },
        { name: 'c', data: 3 },
      ],
      2,
      'b',
    ],
    ['one at the very instant', [{ name: 'a', data: 10 }], 10, 'a'],
    ['none of a second after', [{ name: 'a', data: 11 }], 10, 'none NothingToRestore'],
    [
      'by its data, not by when it was made',
      [
        { name: 'a', created: 9, data: 20 },
        { name: 'b', created: 10, data: 15 },
      ],
      undefined,
      'a',
    ],
    [
      'none that was made before and has data of after',
      [{ name: 'a', created: 5, data: 20 }],
      10,
      'none NothingToRestore',
    ],
    [
      'not one that failed',
      [
        { name: 'a', data: 1 },
        { name: 'b', state: 'failed', data: 2 },
      ],
      undefined,
      'a',
    ],
    [
      'not one that is at work, while there is another',
      [
        { name: 'a', data: 1 },
        { name: 'b', state: 'running', created: 2 },
      ],
      undefined,
      'a',
    ],
    [
      'not one that is being deleted',
      [
        { name: 'a', data: 1 },
        { name: 'b', leaving: true, data: 2 },
      ],
      undefined,
      'a',
    ],
    [
      'not one of another schedule',
      [
        { name: 'a', data: 1 },
        { name: 'b', schedule: 'hourly', data: 2 },
      ],
      undefined,
      'a',
    ],
    ['the first one is waited for', [{ name: 'a', state: 'running', created: 2 }], undefined, 'wait BackupNotComplete'],
    ['so is one that was made in time', [{ name: 'a', state: 'running', created: 2 }], 2, 'wait BackupNotComplete'],
    ['but none that was made too late', [{ name: 'a', state: 'running', created: 3 }], 2, 'none NothingToRestore'],
    [
      'nor one that is being deleted',
      [{ name: 'a', state: 'running', leaving: true }],
      undefined,
      'none NothingToRestore',
    ],
    ['nothing at all is a failure', [], undefined, 'none NothingToRestore'],
    ['so is what failed', [{ name: 'a', state: 'failed' }], undefined, 'none NothingToRestore'],
  ])('%s', (_what, children, before, expected) => {
    expect(said(choose(latest(before), { backups: children.map(child) }))).toBe(expected);
  });

  test('does not count one whose archive retention is removing', () => {
    const backups = [child({ name: 'a', data: 1 }), child({ name: 'b', data: 2 })];
    expect(said(choose(latest(), { backups, prunes: [prune([archive('b')])] }))).toBe('a');
  });

  test('is pinned with its digest, its place and the time of its data', () => {
    const backup = child({ name: 'a', data: 5 });
    expect(choose(latest(), { backups: [backup] })).toEqual({
      choice: 'made',
      postgresql: backup.spec.source.postgresql,
      pin: {
        backup: 'a',
        backupUID: 'uid-a',
        store: 'cellar',
        path: 'prod/v1/lodz/shop/nightly/a/',
        digest: backup.status?.manifestDigest,
        time: noonPlus(5).toISOString(),
      },
    });
  });

  test('of a Backup that does not tell the time of its data only its end counts, never its beginning', () => {
    const { status, ...rest } = child({ name: 'a', data: 5 });
    const { dataTime: _, ...untold } = status ?? {};
    const old = { ...rest, status: { ...untold, startTime: noonPlus(0).toISOString() } };
    expect(said(choose(latest(60), { backups: [old] }))).toBe('none NothingToRestore');
    expect(said(choose(latest(65), { backups: [old] }))).toBe('a');
  });

  test('takes a schedule with a name that is longer than a label', () => {
    const name = 'n'.repeat(100);
    const backups = [
      child({ name: 'a', schedule: scheduleLabel(name) }),
      child({ name: 'b', schedule: name.slice(0, 63) }),
    ];
    expect(said(choose({ latest: { scheduleRef: { name } } }, { backups }))).toBe('a');
  });

  test('says what there is, where nothing fits', () => {
    const backups = [child({ name: 'late', data: 9 }), child({ name: 'broken', state: 'failed' })];
    const { message } = failureOf(choose(latest(3), { backups }));
    expect(message).toContain('2026-11-24T12:00:03.000Z or before');
    expect(message).toContain('late (of 2026-11-24T12:00:09.000Z)');
    expect(message).toContain('broken (failed)');
    const typo = choose({ latest: { scheduleRef: { name: 'nihgtly' } } }, { backups });
    expect(failureOf(typo).message).toContain('Schedules with backups here are "nightly"');
  });

  test('names a few of very many', () => {
    const backups = Array.from({ length: 400 }, (_, n) => child({ name: `b${n}`, data: 10 + n }));
    const { message } = failureOf(choose(latest(1), { backups }));
    expect(message).toContain('b399');
    expect(message).toContain('and 395 more');
    expect(message.length).toBeLessThan(1_000);
  });

  test('is what a person would pick from the list, whatever the history', () => {
    const one = fc.record({
      data: fc.integer({ min: 0, max: 20 }),
      created: fc.integer({ min: 0, max: 20 }),
      state: fc.constantFrom('complete', 'failed', 'running'),
      leaving: fc.boolean(),
      schedule: fc.constantFrom('nightly', 'hourly'),
      removing: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), fc.option(fc.integer({ min: -1, max: 21 })), (history, before) => {
        const all = history.map((each, n) => ({ ...each, name: `b${n}`, state: each.state as 'complete' }));
        const backups = all.map(child);
        const prunes = [prune(all.filter((each) => each.removing).map(({ name }) => archive(name)))];
        const choice = choose(latest(before ?? undefined), { backups, prunes });
        const good = all.filter(
          (each) =>
            each.state === 'complete' &&
            !each.leaving &&
            !each.removing &&
            each.schedule === 'nightly' &&
            each.data <= (before ?? 99),
        );
        const coming = history.some(
          ({ state, leaving, schedule, created, removing: going }) =>
            state === 'running' && !leaving && !going && schedule === 'nightly' && created <= (before ?? 99),
        );
        if (good.length === 0) {
          expect(said(choice)).toBe(coming ? 'wait BackupNotComplete' : 'none NothingToRestore');
          return;
        }
        const picked = all.find(({ name }) => name === said(choice))!;
        expect(good).toContain(picked);
        for (const { data, created } of good)
          expect(data < picked.data || (data === picked.data && created <= picked.created)).toBe(true);
        // The order in which the API server lists them decides nothing.
        expect(said(choose(latest(before ?? undefined), { backups: [...backups].reverse(), prunes }))).toBe(
          said(choice),
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('what is pinned stays', () => {
  const status = {
    resolved: { backup: 'a', backupUID: 'uid-a', store: 'cellar', path: PATH, digest: 'sha256:1', time: 't' },
  };
  const pinned = {
    choice: 'pinned',
    source: { store: 'cellar', path: PATH, digest: 'sha256:1', cluster: 'lodz', namespace: 'shop' },
  };

  test('though a newer one is there', () => {
    const backups = [child({ name: 'a', data: 1 }), child({ name: 'b', data: 2 })];
    expect(choose(latest(), { status, backup: backups[0], backups })).toMatchObject({
      ...pinned,
      source: { ...pinned.source, postgresql: { host: 'pg.shop.svc' } },
    });
  });

  test('though its Backup is gone', () => {
    expect(choose(latest(), { status })).toEqual({ ...pinned, source: { ...pinned.source, backupUID: 'uid-a' } });
  });

  test('though retention is removing it, which is told beside it', () => {
    const prunes = [prune([{ uid: 'uid-a', folder: PATH }])];
    const found = choose(latest(), { status, prunes });
    expect(found).toMatchObject({
      ...pinned,
      removal: { removal: 'under way', failure: { reason: 'ArchiveRemoved' } },
    });
  });

  test('and of a path it is told where this very bucket was meant, and not before the Restore was made', () => {
    const from = { archive: { storeRef: { name: 'cellar' }, path: PATH } };
    const removing = (change: object = {}, where: object = {}): RunFacts => {
      const run = prune([{ uid: 'uid-a', folder: PATH }], [0]);
      const store = { endpoint: 'https://s3.example.com', bucket: 'acme', ...where };
      return { ...run, ended: noonPlus(1), task: { ...run.task, store } as Task, ...change };
    };
    const found = (run: RunFacts) => (choose(from, { status, prunes: [run] }) as { removal?: object }).removal;
    expect(found(removing())).toMatchObject({ removal: 'done' });
    expect(found(removing({ ended: noonPlus(-1) }))).toBeUndefined();
    expect(found(removing({ ended: noonPlus(-1), livingPods: 1 }))).toMatchObject({ removal: 'under way' });
    expect(found(removing({}, { bucket: 'acme-copy' }))).toBeUndefined();
    expect(found(removing({}, { endpoint: 'https://s3.elsewhere.example' }))).toBeUndefined();
  });

  test('and another Backup of the same name tells nothing', () => {
    const backup = { ...child({ name: 'a' }), metadata: { ...child({ name: 'a' }).metadata, uid: 'another' } };
    const found = choose(latest(), { status, backup });
    expect(found).toMatchObject({ ...pinned, source: { ...pinned.source, replaced: true } });
    expect(found).not.toHaveProperty('source.postgresql');
  });
});

describe('a Backup by its name', () => {
  const named = { backupRef: { name: 'nightly' } };

  test.each<[string, Backup | undefined, string]>([
    ['is pinned', aCompleteBackup(), 'nightly'],
    ['is waited for', undefined, 'wait BackupNotFound'],
    ['is waited for while it is at work', aBackup(), 'wait BackupNotComplete'],
    [
      'that failed is a failure',
      aBackup({ status: { conditions: [condition('Failed', 'True')] } }),
      'none BackupFailed',
    ],
    [
      'that is being deleted is as good as gone',
      { ...aCompleteBackup(), metadata: { ...aCompleteBackup().metadata, deletionTimestamp: NOON.toISOString() } },
      'wait BackupNotFound',
    ],
  ])('%s', (_what, backup, expected) => {
    expect(said(choose(named, { backup }))).toBe(expected);
  });

  test.each<[string, RunFacts, string]>([
    ['is waited for while retention removes its archive', prune([archive('b'), archive('a')]), 'wait ArchiveRemoved'],
    ['whose archive retention has removed is refused at once', prune([archive('a')], [0]), 'none ArchiveRemoved'],
    ['is pinned where the store did not let retention remove it', prune([archive('b'), archive('a')], [0]), 'a'],
    [
      'is pinned where nobody knows whether retention removed it',
      { ...prune([archive('a')], []), report: undefined } as never,
      'a',
    ],
    ['is pinned while retention removes others', prune([archive('b')]), 'a'],
  ])('%s', (_what, run, expected) => {
    const choice = choose({ backupRef: { name: 'a' } }, { backup: child({ name: 'a' }), prunes: [run] });
    expect(said(choice)).toBe(expected);
    if (expected !== 'a') expect(failureOf(choice).hint).toContain('another backup');
  });
});

describe('an archive by its path', () => {
  const FOUND: CatalogResult = {
    manifestDigest: `sha256:${'cd'.repeat(32)}`,
    cluster: 'lodz',
    namespace: 'shop',
    backup: { name: 'nightly', uid: UID },
    dataTime: '2026-11-24T12:00:00.000Z',
    server: { engine: 'postgresql', version: '17.6' },
    scope: 'Database',
    verification: { level: 'ReadBack', time: '2026-11-24T12:01:00.000Z' },
    database: 'orders',
  };
  const byPath = (path = PATH) => ({ archive: { storeRef: { name: 'cellar' }, path } });
  const target = { postgresql: { host: 'pg.new.svc', credentials: { secretRef: { name: 'new' } } } };
  const STORE = { endpoint: 'https://s3.example.com' } as never;

  function catalog(more: Partial<RunFacts> = {}, folder = PATH): RunFacts {
    return {
      purpose: 'catalog',
      attempt: 1,
      name: 'bring-back-catalog-22222222-1',
      job: { uid: 'j', created: NOON, leaving: false },
      state: 'succeeded',
      ended: noonPlus(5),
      livingPods: 0,
      started: true,
      task: { command: 'catalog', store: STORE, folder },
      report: { command: 'catalog', ok: true, result: FOUND },
      ...more,
    };
  }
  const failed = (retry: boolean) =>
    catalog({
      state: 'failed',
      report: { command: 'catalog', ok: false, retry, failure: { reason: 'Bad', message: 'm' } },
    });

  test.each<[string, Parameters<typeof choose>[1], string]>([
    ['its store is waited for', { store: undefined }, 'wait StoreNotFound'],
    ['it is asked for', {}, 'ask'],
    ['it is asked for again, where the Job is gone', { runs: [catalog({ state: 'gone' })] }, 'ask'],
    ['it is asked for again, where the Job asked for something else', { runs: [catalog({}, 'prod/other/')] }, 'ask'],
    ['it is waited for while a Job is at work', { runs: [catalog({ state: 'active', livingPods: 1 })] }, 'asking'],
    ['a failure that may heal is asked again', { runs: [failed(true)] }, 'ask'],
    ['one that cannot is the end', { runs: [failed(false)] }, 'none Bad'],
    ['a Job that says nothing is asked again', { runs: [{ ...failed(true), report: undefined } as never] }, 'ask'],
  ])('%s', (_what, more, expected) => {
    expect(said(choose(byPath(), more))).toBe(expected);
  });

  test('is pinned as the Job found it', () => {
    expect(choose(byPath(`s3://acme/${PATH}manifest.json`), { runs: [catalog()] })).toEqual({
      choice: 'made',
      pin: {
        store: 'cellar',
        path: PATH,
        digest: FOUND.manifestDigest,
        time: '2026-11-24T12:00:00Z',
        cluster: 'lodz',
        namespace: 'shop',
        database: 'orders',
      },
    });
  });

  test.each([
    ['another bucket', `s3://other/${PATH}`],
    ['beside the prefix', 'staging/v1/lodz/shop/'],
    ['a path that climbs', 'prod/../staging/v1/'],
    ['nothing', ''],
  ])('%s is refused before anything is read', (_what, path) => {
    expect(said(choose(byPath(path), {}))).toBe('none ArchivePathInvalid');
  });

  test.each([
    ['another namespace', { namespace: 'bank' }],
    ['another cluster', { cluster: 'bonn' }],
  ])('of %s is refused, and taken when that was asked for by name', (_what, whose) => {
    const runs = [catalog({ report: { command: 'catalog', ok: true, result: { ...FOUND, ...whose } } })];
    const refused = choose(byPath(), { runs });
    expect(said(refused)).toBe('none Foreign');
    expect(JSON.stringify(refused)).toContain(Object.values(whose)[0]);
    const forced = choose(byPath(), { runs, spec: { force: ['Foreign'] } });
    expect(forced).toMatchObject({ choice: 'made', pin: whose });
    expect(said(choose(byPath(), { runs, spec: { force: ['Version'] } }))).toBe('none Foreign');
  });

  test('is held to the names of here, whatever its pin says, unless that was asked for', () => {
    const status = {
      resolved: { store: 'cellar', path: PATH, digest: 'd', time: 't', cluster: 'bonn', namespace: 'bank' },
    };
    expect(choose(byPath(), { status })).toMatchObject({ source: { cluster: 'lodz', namespace: 'shop' } });
    expect(choose(byPath(), { status, spec: { force: ['Foreign'] } })).toMatchObject({
      source: { cluster: 'bonn', namespace: 'bank' },
    });
  });

  test.each<[string, Partial<RestoreSpec>, string | undefined, object]>([
    ['its own database', { target }, 'orders', { database: 'orders' }],
    [
      'another database',
      { target: { postgresql: { ...target.postgresql, database: 'copy' } } },
      'orders',
      { database: 'copy' },
    ],
    [
      'one database of a whole server',
      { from: { ...byPath(), database: 'stock' }, target },
      undefined,
      { database: 'stock' },
    ],
    ['every database of a whole server', { target }, undefined, { database: undefined }],
  ])('goes to the server that the Restore names: %s', (_what, spec, database, expected) => {
    const resolved = {
      store: 'cellar',
      path: PATH,
      digest: 'd',
      time: 't',
      ...(database === undefined ? {} : { database }),
    };
    const restore = aRestore({ spec: { from: byPath(), ...spec }, status: { resolved } });
    const found = targetOf(restore, {});
    expect(found).toMatchObject({
      host: 'pg.new.svc',
      port: 5432,
      credentials: { secret: 'new', usernameKey: 'username' },
    });
    expect({ database: found?.database }).toEqual(expected);
  });
});

describe('retention', () => {
  const named = (name: string, status?: RestoreStatus) =>
    aRestore({ spec: { from: { backupRef: { name } } }, ...(status === undefined ? {} : { status }) });
  const backups = [
    child({ name: 'a', data: 1 }),
    child({ name: 'b', data: 2 }),
    child({ name: 'c', state: 'running', created: 3 }),
  ];

  test.each<[string, ReturnType<typeof aRestore>, readonly string[]]>([
    ['one by its name', named('a'), ['a']],
    [
      'the one that is pinned',
      named('x', { resolved: { path: 'prod/v1/lodz/shop/nightly/b/', digest: 'd', time: 't' } }),
      ['b'],
    ],
    ['the one that would be chosen', aRestore({ spec: { from: latest(1) } }), ['a']],
    ['none where nothing would be chosen', aRestore({ spec: { from: latest(0) } }), []],
    [
      'the one whose archive is named by its path',
      aRestore({
        spec: { from: { archive: { storeRef: { name: 'cellar' }, path: 's3://acme/prod/v1/lodz/shop/nightly/a' } } },
      }),
      ['a'],
    ],
  ])('leaves %s', (_what, restore, expected) => {
    expect([...wantedBackups([restore], backups)]).toEqual(expected);
  });

  test('is removing what its Job was told until the Job is over, then what the Job says', () => {
    const told = [archive('a'), archive('b')];
    const gone = (runs: readonly RunFacts[]) => [...uidsBeingRemoved(runs)];
    expect(gone([prune(told)])).toEqual(['uid-a', 'uid-b']);
    expect(gone([prune(told, [1])])).toEqual(['uid-b']);
    expect(gone([{ ...prune(told), state: 'failed', livingPods: 0 }])).toEqual([]);
    const { folder } = archive('b');
    expect(removalOf(folder, [prune(told)])?.removal).toBe('under way');
    expect(removalOf(folder, [prune(told, [1])])?.removal).toBe('done');
    expect(removalOf(folder, [prune(told, [0])])).toBeUndefined();
    // Its Job has ended, and a pod of it still deletes.
    expect(removalOf(folder, [{ ...prune(told), state: 'failed' }])?.removal).toBe('under way');
  });
});

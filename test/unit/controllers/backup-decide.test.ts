import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import type { BackupTask } from '../../../src/api/task.ts';
import { decide, stateOf } from '../../../src/controllers/backup/decide.ts';
import type { BackupFacts } from '../../../src/controllers/backup/facts.ts';
import { chooseKey } from '../../../src/controllers/backup/key.ts';
import type { LeaseFacts } from '../../../src/controllers/leases.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import {
  aBackup,
  aKey,
  aStore,
  BACKED_UP,
  BACKUP_RESULT,
  condition,
  NOON,
  noonPlus,
  SETTINGS,
} from '../../support/builders.ts';

function facts(more: Partial<BackupFacts> = {}): BackupFacts {
  return {
    backup: aBackup(),
    store: aStore(),
    key: chooseKey(undefined, [aKey()]),
    runs: [],
    lock: undefined,
    earlier: [],
    nodes: [],
    settings: SETTINGS,
    ...more,
  };
}

function aRun(more: Partial<RunFacts> = {}): RunFacts {
  const job = { uid: 'job-uid', created: NOON, leaving: false };
  return {
    purpose: 'backup',
    attempt: 1,
    name: 'nightly-backup-11111111-1',
    job,
    state: 'failed',
    ended: noonPlus(20),
    livingPods: 0,
    started: true,
    ...more,
  };
}

const refusal = (retry: boolean) =>
  ({ command: 'backup', ok: false, retry, failure: { reason: 'AuthenticationFailed', message: 'no' } }) as const;

function aLock(more: Partial<LeaseFacts> = {}): LeaseFacts {
  return {
    namespace: 'holdfast-system',
    name: 'holdfast-lock-1',
    uid: 'lease',
    resourceVersion: '3',
    holderUid: 'other',
    holder: 'Restore shop/bring-back',
    holderAlive: true,
    ...more,
  };
}

describe('a backup that can start', () => {
  test('takes the lock of its database, then makes a Job whose task holds no secret', () => {
    const { actions, status } = decide(facts(), NOON);
    expect(actions.map(({ action }) => action)).toEqual(['createLease', 'createJob']);
    const text = JSON.stringify(actions);
    expect(text).toContain('prod/v1/lodz/shop/_manual/20261124T120000Z-11111111/');
    expect(status).toMatchObject({ phase: 'Running', attempts: 1, jobName: 'nightly-backup-11111111-1' });
  });

  test('tells the Job what is selected of the database, and nothing where all of it is', () => {
    const backup = aBackup();
    const selection = { include: { schemas: ['app'] }, exclude: { tableData: [{ schema: 'app', name: 'event' }] } };
    const source = { postgresql: { ...backup.spec.source.postgresql, ...selection } };
    const task = (of: Backup) => JSON.stringify(decide(facts({ backup: of }), NOON).actions);
    const told = JSON.stringify(JSON.stringify({ selection }).slice(1, -1)).slice(1, -1);
    expect(task({ ...backup, spec: { ...backup.spec, source } })).toContain(told);
    expect(task(backup)).not.toContain('selection');
  });

  test('takes over a lock whose holder is no more', () => {
    const { actions } = decide(facts({ lock: aLock({ holderAlive: false }) }), NOON);
    expect(actions.map(({ action }) => action)).toEqual(['deleteLease', 'createLease', 'createJob']);
  });

  test('makes its Job when a crash left it with the lock only', () => {
    const { actions } = decide(facts({ lock: aLock({ holderUid: aBackup().metadata.uid }) }), NOON);
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
  });
});

describe('a backup waits, and says for what', () => {
  test.each<[string, Partial<BackupFacts>, string]>([
    ['without its store', { store: undefined }, 'StoreNotFound'],
    ['while the store does not work', { store: aStore({ ready: false }) }, 'StoreNotReady'],
    ['without any key', { key: chooseKey(undefined, []) }, 'NoKey'],
    [
      'while two keys are the default',
      { key: chooseKey(undefined, [aKey({ name: 'a' }), aKey({ name: 'b' })]) },
      'DefaultConflict',
    ],
    ['while its key is invalid', { key: chooseKey({ name: 'team' }, [aKey({ ready: false })]) }, 'KeyNotReady'],
    ['while another works on the database', { lock: aLock() }, 'DatabaseBusy'],
  ])('%s', (_when, world, reason) => {
    const { actions, status } = decide(facts(world), NOON);
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ phase: 'Pending', failure: { reason } });
  });

  test('for whom it waits is named', () => {
    expect(decide(facts({ lock: aLock() }), NOON).status?.failure?.message).toContain('Restore shop/bring-back');
  });

  test('and fails once the start deadline is over, with what was missing', () => {
    const { status } = decide(facts({ store: undefined }), noonPlus(3600));
    expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'StoreNotFound' } });
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Failed', status: 'True' }));
  });
});

describe('of several that wait for one database', () => {
  const first = (more: Partial<BackupFacts> = {}) => facts({ backup: another('first'), ...more });
  const ran = (name: string) => ({ reason: 'DatabaseBusy', message: expect.stringContaining(`Backup shop/${name} `) });

  function another(name: string, more: object = {}): BackupFacts['backup'] {
    const backup = aBackup();
    return { ...backup, metadata: { ...backup.metadata, name, uid: `uid-of-${name}`, ...more } };
  }

  test('the first to come starts; the others say for whom they wait, and look again soon', () => {
    const { actions, status, requeueAfter } = decide(facts({ earlier: [first()] }), NOON);
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ phase: 'Pending', failure: ran('first') });
    expect(requeueAfter).toBeLessThanOrEqual(60_000);
    expect(decide(first(), NOON).status?.phase).toBe('Running');
  });

  test('the one at work is named rather than the next in line', () => {
    const { status } = decide(facts({ lock: aLock(), earlier: [first()] }), NOON);
    expect(status?.failure?.message).toContain('Restore shop/bring-back is at work');
  });

  test('a lock that was left behind is for the first, too', () => {
    const { actions, status } = decide(facts({ lock: aLock({ holderAlive: false }), earlier: [first()] }), NOON);
    expect([actions, status?.failure]).toEqual([[], ran('first')]);
  });

  test.each<[string, Partial<BackupFacts>]>([
    ['for its store', { store: aStore({ ready: false }) }],
    ['for a key', { key: chooseKey(undefined, []) }],
    ['for its next attempt', { runs: [aRun({ report: refusal(true), ended: NOON })], backup: another('first', {}) }],
    ['for its pod', { runs: [aRun({ state: 'active', livingPods: 1, started: false })] }],
  ])('who waits %s holds nobody up', (_what, world) => {
    expect(decide(facts({ earlier: [first(world)] }), noonPlus(1)).status?.phase).toBe('Running');
  });

  test('who has the lock already goes on, whoever came before', () => {
    const lock = aLock({ holderUid: aBackup().metadata.uid });
    expect(decide(facts({ lock, earlier: [first()] }), NOON).actions.map(({ action }) => action)).toEqual([
      'createJob',
    ]);
  });
});

test('while another attempt is at work, what became of the last one can still be read', () => {
  const failed = aRun({ report: refusal(true) });
  const again = aRun({ attempt: 2, name: 'nightly-backup-11111111-2', state: 'active', livingPods: 1 });
  const { status } = decide(facts({ runs: [failed, again] }), noonPlus(40));
  expect(status?.phase).toBe('Running');
  expect(status?.conditions?.[0]?.message).toContain('the last attempt ended with AuthenticationFailed: no');
});

test('what the store says is passed on, its next step too', () => {
  const store = aStore({ ready: false });
  const message = 'There is no bucket. Next: Make it.';
  const conditions = [{ ...condition('Ready', 'False', 'BucketNotFound'), message }];
  const { status } = decide(facts({ store: { ...store, status: { conditions } } }), NOON);
  expect(status?.failure?.message).toMatch(/BucketNotFound: There is no bucket\.$/);
  expect(status?.failure?.hint).toBe('Make it.');
});

describe('an attempt that ended', () => {
  test('well makes the backup Complete, and frees the lock first', () => {
    const run = aRun({ state: 'succeeded', report: BACKED_UP });
    const { actions, status } = decide(
      facts({ runs: [run], lock: aLock({ holderUid: aBackup().metadata.uid }) }),
      noonPlus(30),
    );
    expect(actions.map(({ action }) => action)).toEqual(['deleteLease']);
    expect(status).toMatchObject({
      phase: 'Complete',
      manifestDigest: BACKUP_RESULT.manifestDigest,
      location: 's3://acme/prod/v1/lodz/shop/_manual/20261124T120000Z-11111111/',
    });
  });

  test('well, but without some databases of its server, says so to whoever reads its condition', () => {
    const skippedDatabases = [{ name: 'old shop', reason: 'ConnectionsNotAllowed' }];
    const report = { command: 'backup', ok: true, result: { ...BACKUP_RESULT, skippedDatabases } } as const;
    const { status } = decide(facts({ runs: [aRun({ state: 'succeeded', report })] }), noonPlus(30));
    expect(status?.skippedDatabases).toEqual(skippedDatabases);
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({
        type: 'Complete',
        message: expect.stringMatching(/; not in it: old shop \(ConnectionsNotAllowed\)$/),
      }),
    );
  });

  test('before the dump began is tried again after a pause, not at once', () => {
    const world = facts({ runs: [aRun({ report: refusal(true) })] });
    expect(stateOf(world, noonPlus(21))).toMatchObject({
      state: 'waiting',
      failure: { reason: 'AuthenticationFailed' },
    });
    expect(stateOf(world, noonPlus(31)).state).toBe('ready');
  });

  test('after the dump began is final', () => {
    expect(stateOf(facts({ runs: [aRun({ report: refusal(false) })] }), noonPlus(30))).toMatchObject({
      state: 'failed',
    });
  });

  test('without a word is looked into by one more Job that dumps nothing', () => {
    const { actions } = decide(facts({ runs: [aRun()] }), noonPlus(30));
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
    expect(JSON.stringify(actions)).toContain('\\"reportOnly\\":true');
  });

  test('without a word when only looking is the end', () => {
    const task = { command: 'backup', reportOnly: true } as BackupTask;
    expect(stateOf(facts({ runs: [aRun({ task })] }), noonPlus(30)).state).toBe('failed');
  });

  test('and whose Job somebody deleted is never taken for a success', () => {
    const world = facts({ backup: aBackup({ status: { attempts: 1 } }) });
    expect(stateOf(world, noonPlus(30)).state).toBe('unaccounted');
  });

  test('is not over while a pod of it lives, though its Job is gone', () => {
    const { job: _, ...gone } = aRun({ state: 'gone', livingPods: 1 });
    expect(stateOf(facts({ runs: [gone] }), noonPlus(30)).state).toBe('running');
  });
});

describe('a backup that is over', () => {
  test('does nothing ever again', () => {
    const backup = aBackup({ status: { conditions: [condition('Failed', 'True')] } });
    expect(decide(facts({ backup }), noonPlus(99_999))).toEqual({ actions: [] });
  });

  test('is over by a pod that never starts, too', () => {
    const run = aRun({
      state: 'active',
      started: false,
      livingPods: 1,
      trouble: { reason: 'ErrImagePull', message: 'no such image' },
    });
    const { actions, status } = decide(facts({ runs: [run] }), noonPlus(3600));
    expect(actions.map(({ action }) => action)).toEqual(['deleteJob']);
    expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'ErrImagePull' } });
  });
});

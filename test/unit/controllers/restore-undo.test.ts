import { describe, expect, test } from '@jest/globals';
import type { Restore } from '../../../src/api/restore.ts';
import type { PlanResult, Report } from '../../../src/api/task.ts';
import type { Action } from '../../../src/controllers/action.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import type { RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { accessOfNoted, notedTarget } from '../../../src/controllers/restore/noted-target.ts';
import { specHashOf } from '../../../src/controllers/restore/spec-hash.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import { type Earlier, undoConcerns } from '../../../src/controllers/restore/undo.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { parseTask } from '../../../src/runner/task.ts';
import { condition, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';
import type { Fate } from '../../support/restore-world.ts';
import { ACCESS, anEarlier, anUndo, earlierRestore, UndoWorld, undoSource } from '../../support/undo-world.ts';

const UNDOES = {
  restore: 'upgrade',
  restoreUID: earlierRestore().metadata.uid,
  specHash: specHashOf(earlierRestore().spec),
  databases: ['orders_before_99999999'],
  time: NOON.toISOString(),
};
const PINNED = { undoes: UNDOES, target: notedTarget(ACCESS), startTime: NOON.toISOString() };

const PLAN: PlanResult = {
  refusals: [],
  alreadyRestored: false,
  server: '17.6',
  databaseExists: true,
  objects: 4,
  bytesNeeded: 0,
  notes: ['it goes live again'],
};

function aRun(purpose: RunFacts['purpose'], result: object | undefined, more: Partial<RunFacts> = {}): RunFacts {
  const over = result === undefined ? {} : { ended: noonPlus(9), report: { command: purpose, ok: true, result } };
  return {
    purpose,
    attempt: 1,
    name: `job-${purpose}`,
    job: { uid: purpose, created: NOON, leaving: false },
    state: result === undefined ? 'active' : 'succeeded',
    livingPods: result === undefined ? 1 : 0,
    started: true,
    ...over,
    ...more,
  } as RunFacts;
}

function facts(
  more: { restore?: Restore; earlier?: Partial<Earlier>; runs?: readonly RunFacts[] } & Partial<RestoreFacts> = {},
): RestoreFacts {
  const { restore = anUndo({ status: PINNED }), earlier = {}, runs = [], ...others } = more;
  return {
    restore,
    ...undoSource(restore, runs, anEarlier(earlier)),
    runs,
    lock: undefined,
    workloads: [],
    settings: SETTINGS,
    ...others,
  };
}

const failureIn = (status: Restore['status']) => status?.outcome?.failure ?? status?.failure;

function jobIn(actions: readonly Action[]) {
  const made = actions.find((action) => action.action === 'createJob');
  if (made?.action !== 'createJob') throw new Error('no Job is made');
  const { template } = made.job.spec as {
    template: { metadata: { annotations: Record<string, string> }; spec: { volumes: { name: string }[] } };
  };
  return {
    task: parseTask(template.metadata.annotations['holdfast.dev/task'] ?? ''),
    volumes: template.spec.volumes.map(({ name }) => name),
  };
}

describe('an undo waits', () => {
  test.each<[string, Partial<Earlier>, string]>([
    ['there is no Restore of that name', { restore: undefined }, 'RestoreNotFound'],
    ['the Restore is not over', { restore: earlierRestore({ conditions: [] }) }, 'RestoreNotOver'],
  ])('while %s, and fails only at its start deadline', (_name, earlier, reason) => {
    const found = facts({ restore: anUndo(), earlier });
    expect(stateOf(found, noonPlus(60))).toMatchObject({ state: 'waiting', failure: { reason } });
    expect(decide(found, noonPlus(60)).actions).toEqual([]);
    expect(failureIn(decide(found, noonPlus(3601)).status)).toMatchObject({ reason });
  });

  test('while another operation works on the database, and says for whom', () => {
    const lock = {
      ...{ namespace: 'holdfast-system', name: 'lock', uid: 'lock', resourceVersion: '1', holderUid: 'other' },
      ...{ holder: 'Backup shop/nightly', holderAlive: true, replicas: undefined, acquired: NOON },
    };
    expect(stateOf(facts({ lock: lock as never }), NOON)).toMatchObject({
      state: 'waiting',
      failure: { reason: 'DatabaseBusy', message: expect.stringContaining('Backup shop/nightly') },
    });
  });
});

describe('an undo fails at once', () => {
  test.each<[string, Restore['status']]>([
    ['failed', { conditions: [condition('Failed', 'True')] }],
    ['was a dry run', { outcome: { result: 'DryRun', time: NOON.toISOString() } }],
  ])('where the Restore %s: it changed nothing', (what, status) => {
    const found = facts({ restore: anUndo(), earlier: { restore: earlierRestore(status) } });
    expect(failureIn(decide(found, NOON).status)).toMatchObject({
      reason: 'NothingToUndo',
      message: expect.stringContaining(what),
    });
  });

  test('where nothing tells any more which server it was', () => {
    const found = facts({ restore: anUndo(), earlier: { target: undefined } });
    expect(failureIn(decide(found, NOON).status)).toMatchObject({ reason: 'TargetUnknown' });
  });

  test('where the plan finds the database gone, with the app untouched', () => {
    const gone = { reason: 'PreviousGone', message: 'gone' };
    const runs = [aRun('plan', { ...PLAN, refusals: [gone] })];
    const { actions, status } = decide(facts({ runs }), noonPlus(10));
    expect(actions).toEqual([]);
    expect(failureIn(status)).toMatchObject(gone);
  });
});

describe('an undo', () => {
  test('pins which Restore it undoes, and where that went, before anything else', () => {
    const { actions, status } = decide(facts({ restore: anUndo() }), NOON);
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ phase: 'Resolving', undoes: UNDOES, target: notedTarget(ACCESS) });
  });

  test('looks with a Job that is given the Secrets of the database, and neither store nor key', () => {
    const { actions } = decide(facts(), NOON);
    const { task, volumes } = jobIn(actions);
    expect(task).toMatchObject({
      command: 'plan',
      database: ACCESS,
      undone: { namespace: 'shop', name: 'upgrade', uid: UNDOES.restoreUID, databases: UNDOES.databases },
      previousDatabase: 'orders_before_22222222',
    });
    expect(volumes.filter((name) => ['store', 'identity', 'store-ca'].includes(name))).toEqual([]);
    expect(volumes).toContain('database');
    expect(actions.map(({ action }) => action)).toEqual(['createLease', 'createJob']);
  });

  test('goes on by its pin when the Restore was deleted, or made anew under its name', () => {
    const other = { ...earlierRestore({ conditions: [] }), metadata: { ...earlierRestore().metadata, uid: 'other' } };
    for (const restore of [undefined, other])
      expect(stateOf(facts({ earlier: { restore, target: undefined } }), NOON)).toMatchObject({
        state: 'plannable',
        needs: { undone: { uid: UNDOES.restoreUID }, target: ACCESS },
      });
  });

  test('swaps after the plan and with no load between, fenced to minutes', () => {
    const { actions, status } = decide(facts({ runs: [aRun('plan', PLAN)] }), noonPlus(10));
    expect(jobIn(actions).task).toMatchObject({
      command: 'swap',
      notAfter: noonPlus(610).toISOString(),
      dropPrevious: false,
      undone: { uid: UNDOES.restoreUID },
    });
    expect(status).toMatchObject({ phase: 'Swapping', plan: { notes: ['it goes live again'] } });
  });

  test('saves nothing beforehand, whatever onConflict says: what it replaces is kept', () => {
    const made = anUndo({ status: PINNED });
    const restore: Restore = { ...made, spec: { ...made.spec, onConflict: 'Replace', safetyBackup: true } };
    const { actions, status } = decide(facts({ restore, runs: [aRun('plan', PLAN)] }), noonPlus(10));
    expect(jobIn(actions).task).toMatchObject({ command: 'swap' });
    expect(status?.plan?.notes).toEqual(['it goes live again']);
  });

  test('keeps what it replaces, unless its keepPrevious is nothing', () => {
    const made = anUndo({ status: PINNED });
    const restore = { ...made, spec: { ...made.spec, keepPrevious: '0s' } };
    const { actions } = decide(facts({ restore, runs: [aRun('plan', PLAN)] }), noonPlus(10));
    expect(jobIn(actions).task).toMatchObject({ dropPrevious: true });
  });

  test('tries its swap again, with the fence that it had, where the server did not answer', () => {
    const first = jobIn(decide(facts({ runs: [aRun('plan', PLAN)] }), noonPlus(10)).actions).task;
    const report = { command: 'swap', ok: false, retry: true, failure: { reason: 'NoAnswer', message: 'x' } } as const;
    const runs = [aRun('plan', PLAN), aRun('swap', {}, { state: 'failed', report, task: first, ended: noonPlus(20) })];
    expect(jobIn(decide(facts({ runs }), noonPlus(60)).actions).task).toEqual(first);
    expect(failureIn(decide(facts({ runs }), noonPlus(700)).status)).toMatchObject({ reason: 'NoAnswer' });
  });

  test('is Complete with what it replaced, kept in turn', () => {
    const restore = anUndo({ status: { ...PINNED, outcome: { result: 'Restored', time: NOON.toISOString() } } });
    const runs = [aRun('plan', PLAN), aRun('swap', { previousDatabase: 'orders_before_22222222' })];
    expect(decide(facts({ restore, runs }), noonPlus(20)).status).toMatchObject({
      phase: 'Complete',
      previousDatabase: 'orders_before_22222222',
    });
  });

  test('that was live before is Complete as AlreadyRestored, and says the way on', () => {
    const runs = [aRun('plan', { ...PLAN, alreadyRestored: true })];
    const found = decide(facts({ runs }), noonPlus(10)).status;
    const { status } = decide(facts({ restore: anUndo({ status: found! }), runs }), noonPlus(11));
    expect(status).toMatchObject({ phase: 'Complete', outcome: { result: 'AlreadyRestored' } });
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ reason: 'AlreadyRestored', message: expect.stringContaining('another metadata.name') }),
    );
  });
});

describe('keepPrevious and an undo', () => {
  const due = noonPlus(25 * 3600);
  const expiry = (undoers: readonly Restore[], now = due, runs: readonly RunFacts[] = []) =>
    decide(
      {
        ...facts({ runs }),
        restore: { ...earlierRestore(), metadata: { ...earlierRestore().metadata, finalizers: [] } },
        undoers,
      },
      now,
    );

  test('nothing is dropped while an undo refers to it, pinned or not, nor while a deleted one is not gone', () => {
    const leaving = anUndo({ status: PINNED, metadata: { deletionTimestamp: NOON.toISOString() } });
    for (const undo of [anUndo(), anUndo({ status: PINNED }), leaving]) {
      expect(expiry([undo])).toEqual({ actions: [], requeueAfter: 30_000 });
    }
    expect(expiry([]).actions).toMatchObject([{ action: 'createJob' }]);
  });

  test('it is dropped where the undo is over and was none, or was of a predecessor', () => {
    const failed = anUndo({ status: { ...PINNED, conditions: [condition('Failed', 'True')] } });
    const other = anUndo({ status: { ...PINNED, undoes: { ...UNDOES, restoreUID: 'other' } } });
    for (const undo of [failed, other]) expect(expiry([undo]).actions).toMatchObject([{ action: 'createJob' }]);
  });

  test('what an undo made live again is kept no more, and nobody says that it was dropped', () => {
    const done = anUndo({
      status: {
        ...PINNED,
        outcome: { result: 'Restored', time: NOON.toISOString() },
        conditions: [condition('Complete', 'True', 'Restored')],
      },
    });
    const { actions, status } = expiry([done], noonPlus(60));
    expect(actions).toEqual([
      { action: 'event', type: 'Normal', reason: 'PreviousBack', note: expect.stringContaining('undo-upgrade') },
    ]);
    expect(status).not.toHaveProperty('previousDatabase');
    expect(status).toHaveProperty('completionTime');
  });

  test('a drop that had begun is waited for before the plan, and found before the app is touched', () => {
    const earlier = { runs: [aRun('expire', undefined)] };
    expect(stateOf(facts({ earlier }), NOON)).toMatchObject({ state: 'waiting', failure: { reason: 'PreviousGone' } });
    const planned = facts({ earlier, runs: [aRun('plan', PLAN)] });
    expect(stateOf(planned, noonPlus(10))).toMatchObject({
      state: 'concluded',
      outcome: { result: 'Failed', failure: { reason: 'PreviousGone' } },
    });
    // One that failed dropped nothing, or is found out by the plan.
    const failed = { runs: [aRun('expire', undefined, { state: 'failed', livingPods: 0 })] };
    expect(stateOf(facts({ earlier: failed }), NOON)).toMatchObject({ state: 'plannable' });
  });

  test('each looks again when the other changes', () => {
    const [undo, earlier] = [anUndo(), earlierRestore()];
    expect(undoConcerns(undo, [undo, earlier])).toEqual([{ namespace: 'shop', name: 'upgrade' }]);
    expect(undoConcerns(earlier, [undo, earlier])).toEqual([{ namespace: 'shop', name: 'undo-upgrade' }]);
  });

  test('changed after the restore was over, it counts from then on', () => {
    const made = earlierRestore();
    const longer = {
      ...made,
      spec: { ...made.spec, keepPrevious: '48h' },
      metadata: { ...made.metadata, finalizers: [] },
    };
    expect(decide({ ...facts(), restore: longer, undoers: [] }, due)).toEqual({
      actions: [],
      requeueAfter: 23 * 3_600_000,
    });
    const shorter = { ...longer, spec: { ...made.spec, keepPrevious: '1s' } };
    expect(decide({ ...facts(), restore: shorter, undoers: [] }, noonPlus(2)).actions).toMatchObject([
      { action: 'createJob' },
    ]);
  });
});

describe('the target that a status notes', () => {
  const tls = {
    mode: 'verify-full',
    authorities: { secret: 'ca', key: 'ca.crt' },
    clientCertificate: { secret: 'me', certificateKey: 'tls.crt', privateKeyKey: 'tls.key' },
  } as const;
  const { database: _, ...server } = ACCESS;

  test.each([
    ['one database', ACCESS],
    ['a whole server', server],
    ['a URI', { ...ACCESS, credentials: { secret: 'pg', uriKey: 'uri' } }],
    ['TLS', { ...ACCESS, tls, authentication: ['cert'] as const }],
    ['TLS of the simplest kind', { ...server, tls: { mode: 'require' as const } }],
  ])('of %s is the target again', (_name, access) => {
    expect(accessOfNoted(notedTarget(access))).toEqual(access);
  });
});

const failure = { reason: 'SwapUnknown', message: 'x' };
const fate =
  (swap: Report | 'silence'): Fate =>
  (purpose, world) => {
    if (purpose === 'plan') return { command: 'plan', ok: true, result: PLAN };
    return purpose === 'swap' ? swap : { command: 'cleanup', ok: true, result: { restored: world.live === 'new' } };
  };

describe.each<[string, Fate]>([
  ['all goes well', fate({ command: 'swap', ok: true, result: { previousDatabase: 'orders_before_22222222' } })],
  ['the swap fails', fate({ command: 'swap', ok: false, retry: false, failure })],
  ['the runner is lost while it swaps', fate('silence')],
])('when %s', (_name, story) => {
  const reference = new UndoWorld(story);
  const looks = reference.run();
  const expected = { phase: reference.restore?.status?.phase, live: reference.live };
  const peace = { replicas: 3, leases: [] };
  const atPeace = (world: UndoWorld) => ({ replicas: world.replicas, leases: [...world.leases.keys()] });

  test('the undo ends as it should, and the app is back', () => {
    expect(atPeace(reference)).toEqual(peace);
    expect(expected.phase).toBe(expected.live === 'new' ? 'Complete' : 'Failed');
  });

  test('an operator killed before any of its writes comes to the same end', () => {
    expect(reference.done).toBeGreaterThan(10);
    for (let crashAt = 1; crashAt <= reference.done; crashAt += 1) {
      const world = new UndoWorld(story, crashAt);
      world.run();
      expect({ crashAt, ...atPeace(world) }).toEqual({ crashAt, ...peace });
      expect({ crashAt, phase: world.restore?.status?.phase, live: world.live }).toEqual({ crashAt, ...expected });
    }
  });

  test('an undo deleted at any moment lets the app come back, and goes', () => {
    for (let moment = 0; moment <= looks; moment += 1) {
      const world = new UndoWorld(story);
      for (let look = 0; look < moment; look += 1) world.step();
      world.deleteRestore();
      world.run();
      expect({ moment, restore: world.restore, ...atPeace(world) }).toEqual({ moment, restore: undefined, ...peace });
    }
  });
});

import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import type { BackupSchedule, BackupScheduleSpec, BackupScheduleStatus } from '../../../src/api/backup-schedule.ts';
import type { PruneTask } from '../../../src/api/task.ts';
import { decide } from '../../../src/controllers/backup-schedule/decide.ts';
import type { BackupScheduleFacts } from '../../../src/controllers/backup-schedule/facts.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { aBackup, aStore, condition, SETTINGS } from '../../support/builders.ts';

const at = (time: string) => new Date(`2026-11-24T${time}Z`);
const MADE = at('00:30:00');

function aSchedule(spec: Partial<BackupScheduleSpec> = {}, status?: BackupScheduleStatus): BackupSchedule {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupSchedule',
    metadata: {
      name: 'nightly',
      namespace: 'shop',
      uid: '55555555-aaaa-4bbb-8ccc-000000000005',
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: MADE.toISOString(),
      labels: { 'argocd.argoproj.io/instance': 'shop' },
    },
    spec: {
      schedule: '0 * * * *',
      template: { metadata: { labels: { team: 'blue' } }, spec: aBackup().spec },
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

function facts(schedule: BackupSchedule, more: Partial<BackupScheduleFacts> = {}): BackupScheduleFacts {
  return {
    schedule,
    children: [],
    drills: [],
    wanted: new Set(),
    stores: new Map([['cellar', aStore()]]),
    runs: [],
    settings: SETTINGS,
    ...more,
  };
}

function child(time: string, state: 'Complete' | 'Failed' | 'Running', more: { name?: string } = {}): Backup {
  const made = at(time);
  const name = more.name ?? `nightly-${made.toISOString().slice(0, 16).replace(/[-T:]/g, '')}`;
  const status = {
    conditions: state === 'Running' ? [] : [condition(state, 'True')],
    ...(state === 'Complete'
      ? {
          verification: { level: 'ReadBack' as const, time: made.toISOString() },
          completionTime: made.toISOString(),
          location: `s3://acme/prod/v1/lodz/shop/nightly/${name}/`,
          manifestDigest: `sha256:${'ab'.repeat(32)}`,
        }
      : {}),
  };
  return aBackup({ status, metadata: { name, uid: `uid-${name}`, creationTimestamp: made.toISOString() } });
}

const words = (world: BackupScheduleFacts, now: Date) =>
  decide(world, now).actions.map((action) =>
    action.action === 'createBackup'
      ? `createBackup ${action.backup.metadata.name}`
      : action.action === 'deleteBackup'
        ? `deleteBackup ${action.name}`
        : action.action === 'event'
          ? action.reason
          : action.action,
  );

describe('a slot', () => {
  test('that has come makes a Backup named after it, with the labels of the template and none of the schedule', () => {
    const { actions, status } = decide(facts(aSchedule()), at('01:00:00'));
    expect(actions).toMatchObject([
      {
        action: 'createBackup',
        backup: {
          metadata: { name: 'nightly-202611240100', labels: { team: 'blue', 'holdfast.dev/schedule': 'nightly' } },
        },
      },
    ]);
    expect(JSON.stringify(actions)).not.toContain('argocd');
    expect(JSON.stringify(actions)).not.toContain('ownerReferences');
    expect(status).toMatchObject({
      lastScheduleTime: '2026-11-24T01:00:00Z',
      nextScheduleTime: '2026-11-24T02:00:00+00:00',
      active: 'nightly-202611240100',
    });
  });

  test('that has not come makes none, and says when to look again', () => {
    expect(decide(facts(aSchedule()), at('00:59:00'))).toMatchObject({ actions: [], requeueAfter: 60_000 });
  });

  test('is not run twice by an operator that was killed before it took a note', () => {
    expect(words(facts(aSchedule(), { children: [child('01:00:00', 'Running')] }), at('01:00:05'))).toEqual([]);
  });

  test('of five that were missed only the last one runs', () => {
    expect(words(facts(aSchedule()), at('06:10:00'))).toEqual(['createBackup nightly-202611240600']);
  });

  test('that is older than startingDeadlineSeconds is counted as missed, and the next one comes', () => {
    const world = facts(aSchedule({ startingDeadlineSeconds: 60 }));
    const missed = decide(world, at('01:02:00'));
    expect(words(world, at('01:02:00'))).toEqual(['MissedRun']);
    expect(words(facts(aSchedule({ startingDeadlineSeconds: 60 }, missed.status)), at('02:00:30'))).toEqual([
      'createBackup nightly-202611240200',
    ]);
  });

  test('while suspended is let go, and run when resumed in time', () => {
    expect(words(facts(aSchedule({ suspend: true })), at('01:00:00'))).toEqual([]);
    expect(words(facts(aSchedule({ suspend: false })), at('01:10:00'))).toEqual(['createBackup nightly-202611240100']);
  });

  test('in a time zone is that of the wall clock there', () => {
    const { status } = decide(facts(aSchedule({ schedule: '0 2 * * *', timeZone: 'Europe/Paris' })), at('00:45:00'));
    expect(status?.nextScheduleTime).toBe('2026-11-24T02:00:00+01:00');
  });
});

describe('while a run is at work', () => {
  const children = [child('01:00:00', 'Running')];
  const status = { lastScheduleTime: '2026-11-24T01:00:00Z' };

  test('Forbid skips the next slot, and says so', () => {
    const decision = decide(facts(aSchedule({}, status), { children }), at('02:00:00'));
    expect(decision.actions).toMatchObject([{ action: 'event', reason: 'SkippedRun' }]);
    expect(decision.status?.lastScheduleTime).toBe('2026-11-24T02:00:00Z');
  });

  test('Replace deletes it, then makes the next', () => {
    expect(words(facts(aSchedule({ concurrencyPolicy: 'Replace' }, status), { children }), at('02:00:00'))).toEqual([
      'deleteBackup nightly-202611240100',
      'createBackup nightly-202611240200',
    ]);
  });

  test('a trigger waits for it, and is not lost', () => {
    const schedule = aSchedule({ trigger: 'before-upgrade' }, status);
    expect(words(facts(schedule, { children }), at('01:10:00'))).toEqual([]);
    const done = decide(facts(schedule, { children: [child('01:00:00', 'Complete')] }), at('01:20:00'));
    expect(done.status?.lastTrigger).toBe('before-upgrade');
    expect(done.actions).toMatchObject([{ action: 'createBackup' }]);
    expect(words(facts(aSchedule({ trigger: 'before-upgrade' }, done.status)), at('01:30:00'))).toEqual([]);
  });
});

test('runOnCreate backs up once, at once', () => {
  const schedule = aSchedule({ runOnCreate: true });
  expect(words(facts(schedule), at('00:30:05'))).toEqual(['createBackup nightly-55555555']);
  const after = decide(facts(schedule), at('00:30:05')).status;
  expect(words(facts(aSchedule({ runOnCreate: true }, after)), at('00:31:00'))).toEqual([]);
});

test('a run that failed never keeps the next from coming', () => {
  const world = facts(aSchedule({}, { lastScheduleTime: '2026-11-24T01:00:00Z' }), {
    children: [child('01:00:00', 'Failed')],
  });
  const { actions, status } = decide(world, at('02:00:00'));
  expect(actions).toMatchObject([{ action: 'createBackup' }]);
  expect(status?.consecutiveFailures).toBe(1);
});

test('a schedule whose newest Backup failed says which and why, until one is Complete again', () => {
  const schedule = aSchedule({}, { lastScheduleTime: '2026-11-24T03:00:00Z' });
  const failed = child('02:00:00', 'Failed');
  const failure = { reason: 'DumpFailed', message: 'it broke.', hint: 'Mend it.' };
  const broken = { ...failed, status: { ...failed.status, failure } };
  const said = (children: Backup[]) => {
    const { status } = decide(facts(schedule, { children }), at('03:10:00'));
    return [status?.failure?.reason, status?.conditions?.[0]?.status, status?.conditions?.[0]?.message];
  };
  expect(said([broken, child('03:00:00', 'Running')])).toEqual([
    'LastBackupFailed',
    'True',
    expect.stringMatching(/^next run at .*Backup nightly-202611240200 failed: DumpFailed: it broke\. Next: Mend it\.$/),
  ]);
  expect(said([broken, child('03:00:00', 'Complete')])).toEqual([undefined, 'True', expect.any(String)]);
});

test('of failed Backups only the newest few stay', () => {
  const children = ['01:00:00', '02:00:00', '03:00:00'].map((time) => child(time, 'Failed'));
  const schedule = aSchedule({ failedBackupsHistoryLimit: 1 }, { lastScheduleTime: '2026-11-24T03:00:00Z' });
  expect(words(facts(schedule, { children }), at('03:10:00'))).toEqual([
    'deleteBackup nightly-202611240100',
    'deleteBackup nightly-202611240200',
  ]);
});

test.each([
  [{ schedule: '0 0 31 2 *' }, 'False', 'NeverComes'],
  [{ schedule: '0 0 * * 9' }, 'False', 'InvalidSchedule'],
  [{ timeZone: 'Mars/Olympus' }, 'False', 'InvalidTimeZone'],
])('%j is Ready %s: %s', (spec, ready, reason) => {
  const { actions, status } = decide(facts(aSchedule(spec)), at('06:00:00'));
  expect(actions).toEqual([]);
  expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: ready, reason }));
});

describe('retention', () => {
  const lastScheduleTime = '2026-11-24T04:00:00Z';
  const schedule = () => aSchedule({ retention: { keepLast: 2 } }, { lastScheduleTime });
  const complete = ['01:00:00', '02:00:00', '03:00:00', '04:00:00'].map((time) => child(time, 'Complete'));
  const now = at('04:10:00');

  test('has a Job remove the oldest archives first, and the Backups stay until it has', () => {
    const { actions } = decide(facts(schedule(), { children: complete }), now);
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
    const task = JSON.parse(
      JSON.parse(JSON.stringify(actions[0])).job.spec.template.metadata.annotations['holdfast.dev/task'],
    ) as PruneTask;
    expect(task.archives.map(({ backupUid }) => backupUid)).toEqual([
      'uid-nightly-202611240100',
      'uid-nightly-202611240200',
    ]);
  });

  test('waits for the newest run to end well', () => {
    for (const state of ['Failed', 'Running'] as const) {
      const world = facts(schedule(), { children: [...complete.slice(0, 3), child('04:00:00', state)] });
      expect(words(world, now).filter((word) => word === 'createJob')).toEqual([]);
    }
  });

  test('keeps a backup that a restore wants', () => {
    const world = facts(schedule(), {
      children: complete,
      wanted: new Set(['nightly-202611240100', 'nightly-202611240200']),
    });
    expect(words(world, now)).toEqual([]);
  });

  const pruned = (more: Partial<RunFacts>): RunFacts => ({
    purpose: 'prune',
    attempt: 1,
    name: 'nightly-prune-1',
    job: { uid: 'p', created: now, leaving: false },
    state: 'succeeded',
    ended: now,
    livingPods: 0,
    started: true,
    task: {
      command: 'prune',
      archives: [{ backupUid: 'uid-nightly-202611240100' }, { backupUid: 'uid-nightly-202611240200' }],
    } as unknown as PruneTask,
    ...more,
  });

  test('removes exactly the Backups whose archive is gone', () => {
    const run = pruned({
      report: {
        command: 'prune',
        ok: true,
        result: { removed: [0], failure: { reason: 'ObjectLocked', message: 'locked' } },
      },
    });
    expect(words(facts(schedule(), { children: complete, runs: [run] }), now)).toEqual([
      'deleteBackup nightly-202611240100',
    ]);
  });

  test('asks a store that refuses again after an hour, not in a loop, and says so', () => {
    const run = pruned({
      report: {
        command: 'prune',
        ok: true,
        result: { removed: [], failure: { reason: 'StoreAccessDenied', message: 'no' } },
      },
    });
    const world = facts(schedule(), { children: complete, runs: [run] });
    expect(decide(world, now)).toMatchObject({ actions: [], status: { failure: { reason: 'StoreAccessDenied' } } });
    const later = new Date(now.getTime() + 3_600_000);
    expect(
      words(
        facts(aSchedule({ retention: { keepLast: 2 } }, { lastScheduleTime: '2026-11-24T05:00:00Z' }), {
          children: complete,
          runs: [run],
        }),
        later,
      ),
    ).toEqual(['createJob', 'deleteJob']);
  });
});

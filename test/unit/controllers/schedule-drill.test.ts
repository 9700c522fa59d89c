import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import type { BackupSchedule, BackupScheduleSpec, BackupScheduleStatus } from '../../../src/api/backup-schedule.ts';
import type { Restore, RestoreStatus } from '../../../src/api/restore.ts';
import { decide as decideBackup } from '../../../src/controllers/backup/decide.ts';
import { lastDrillOf } from '../../../src/controllers/backup/drilled.ts';
import { decide } from '../../../src/controllers/backup-schedule/decide.ts';
import type { BackupScheduleFacts } from '../../../src/controllers/backup-schedule/facts.ts';
import { transitions } from '../../../src/controllers/events.ts';
import { aBackup, aCompleteBackup, aRestore, aStore, condition, SETTINGS } from '../../support/builders.ts';

const at = (time: string) => new Date(`2026-11-24T${time}Z`);
const UID = '55555555-aaaa-4bbb-8ccc-000000000005';
const DRILLED: BackupScheduleStatus = {
  lastScheduleTime: '2026-11-24T00:00:00Z',
  lastDrillScheduleTime: '2026-11-24T05:00:00Z',
};
const DRILL = { schedule: '0 6 * * *', identity: { secretRef: { name: 'key', key: 'identity' } } };

function aSchedule(spec: Partial<BackupScheduleSpec> = {}, status: BackupScheduleStatus = DRILLED): BackupSchedule {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupSchedule',
    metadata: {
      name: 'nightly',
      namespace: 'shop',
      uid: UID,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-01T00:00:00Z',
    },
    spec: { schedule: '0 0 * * *', drill: DRILL, template: { spec: aBackup().spec }, ...spec },
    status,
  };
}

function aChild(name: string, state: 'Complete' | 'Failed' | 'Running', hour = '00'): Backup {
  const status = { conditions: state === 'Running' ? [] : [condition(state, 'True')] };
  return aBackup({ status, metadata: { name, uid: `uid-${name}`, creationTimestamp: `2026-11-24T${hour}:00:00Z` } });
}

function aDrill(name: string, status: RestoreStatus = {}): Restore {
  const restore = aRestore({ metadata: { name, uid: `uid-${name}`, finalizers: [] }, status });
  return { ...restore, spec: { from: { backupRef: { name: 'b' } }, target: { ephemeral: {} } } };
}

const ended = (name: string, result: 'Drilled' | 'Failed'): Restore =>
  aDrill(name, {
    completionTime: '2026-11-24T06:03:00Z',
    resolved: { backup: 'b', path: 'x', digest: 'sha256:1', time: '2026-11-24T00:00:00Z' },
    outcome: { result, time: '2026-11-24T06:03:00Z' },
    conditions: [condition(result === 'Drilled' ? 'Complete' : 'Failed', 'True')],
    ...(result === 'Drilled'
      ? { drill: { server: '17.6', duration: '2m', databases: 1, bytes: 9, tables: 2, rows: 530 } }
      : { failure: { reason: 'CheckFailed', message: 'orders (expected 1, found 0)', hint: 'look' } }),
  });

function facts(schedule = aSchedule(), more: Partial<BackupScheduleFacts> = {}): BackupScheduleFacts {
  return {
    schedule,
    children: [aChild('a', 'Complete'), aChild('b', 'Complete', '01')],
    drills: [],
    wanted: new Set(),
    stores: new Map([['cellar', aStore()]]),
    runs: [],
    settings: SETTINGS,
    ...more,
  };
}

const made = (world: BackupScheduleFacts, now: Date): Restore[] =>
  decide(world, now).actions.flatMap((action) =>
    action.action === 'createRestore' ? [action.restore as Restore] : [],
  );

describe('the drill of a schedule', () => {
  test('restores the newest Complete backup into a server of its own, at its own time', () => {
    const children = [
      aChild('a', 'Complete'),
      aChild('b', 'Complete', '01'),
      aChild('c', 'Failed', '02'),
      aChild('d', 'Running', '03'),
    ];
    const drill = {
      ...DRILL,
      checks: [{ name: 'orders', sql: 'SELECT 1', expect: '1' }],
      ephemeral: { storage: { size: '9Gi' } },
    };
    const world = facts(aSchedule({ drill }), { children });
    expect(made(world, at('05:59:00'))).toEqual([]);
    const [restore] = made(world, at('06:00:01'));
    expect(restore).toMatchObject({
      metadata: {
        name: 'nightly-drill-202611240600',
        namespace: 'shop',
        labels: { 'holdfast.dev/schedule': 'nightly', 'holdfast.dev/owner-uid': UID },
        ownerReferences: [{ kind: 'BackupSchedule', uid: UID }],
      },
      spec: {
        from: { backupRef: { name: 'b' } },
        target: { ephemeral: { storage: { size: '9Gi' } } },
        identity: DRILL.identity,
        checks: drill.checks,
      },
    });
    expect(decide(world, at('06:00:01')).status).toMatchObject({
      lastDrillScheduleTime: '2026-11-24T06:00:00Z',
      nextDrillTime: '2026-11-25T06:00:00+00:00',
    });
  });

  test('is not made for a slot before drills were asked for', () => {
    const { lastDrillScheduleTime: _, ...never } = DRILLED;
    const { actions, status } = decide(facts(aSchedule({}, never)), at('07:00:00'));
    expect(actions).toEqual([]);
    expect(status?.lastDrillScheduleTime).toBe('2026-11-24T07:00:00Z');
  });

  test('that was missed several times is made up for once, for the last slot', () => {
    const late = { ...DRILLED, lastDrillScheduleTime: '2026-11-20T06:00:00Z' };
    expect(made(facts(aSchedule({}, late)), at('08:00:00')).map(({ metadata }) => metadata.name)).toEqual([
      'nightly-drill-202611240600',
    ]);
  });

  test('that was made before a crash lost our note of it is not made again', () => {
    const drills = [aDrill('nightly-drill-202611240600')];
    const { actions, status } = decide(facts(aSchedule(), { drills }), at('06:00:05'));
    expect(actions).toEqual([]);
    expect(status?.lastDrillScheduleTime).toBe('2026-11-24T06:00:00Z');
  });

  test('is passed over while the last one is at work, and says so', () => {
    const drills = [aDrill('nightly-drill-202611230600')];
    expect(decide(facts(aSchedule(), { drills }), at('06:00:05')).actions).toMatchObject([
      { action: 'event', reason: 'SkippedDrill' },
    ]);
  });

  test('is not made while the schedule is suspended, and is not forgotten either', () => {
    const { actions, status } = decide(facts(aSchedule({ suspend: true })), at('06:00:05'));
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ lastDrillScheduleTime: DRILLED.lastDrillScheduleTime });
    expect(status?.nextDrillTime).toBeUndefined();
  });

  test('without a backup says so for as long as there is none, and begins with the first', () => {
    const told = ended('nightly-drill-1', 'Drilled');
    let schedule = aSchedule();
    for (const time of ['06:00:05', '06:10:00', '23:00:00']) {
      const { actions, status } = decide(
        facts(schedule, { children: [aChild('d', 'Running')], drills: [told] }),
        at(time),
      );
      expect({ time, actions }).toEqual({ time, actions: [] });
      expect(status).toMatchObject({
        failure: { reason: 'NothingToDrill' },
        lastDrillScheduleTime: DRILLED.lastDrillScheduleTime,
        lastDrill: { restore: 'nightly-drill-1' },
      });
      expect(status?.conditions?.filter(({ type }) => type === 'Drilled')).toMatchObject([
        { status: 'False', reason: 'NothingToDrill', lastTransitionTime: '2026-11-24T06:00:05Z' },
      ]);
      schedule = aSchedule({}, status);
    }
    const world = facts(schedule, { children: [aChild('d', 'Complete')], drills: [told] });
    expect(made(world, at('23:00:05')).map(({ metadata }) => metadata.name)).toEqual(['nightly-drill-202611240600']);
    const { status } = decide(world, at('23:00:05'));
    expect(status?.lastDrillScheduleTime).toBe('2026-11-24T06:00:00Z');
    expect(status?.failure).toBeUndefined();
  });

  test('never takes a backup whose archive retention is removing', () => {
    const archives = [{ folder: 'f/', manifestDigest: 'd', backupUid: 'uid-b' }];
    const task = { command: 'prune', archives } as unknown as NonNullable<BackupScheduleFacts['runs'][number]['task']>;
    const run = {
      purpose: 'prune',
      attempt: 1,
      name: 'p',
      state: 'active',
      livingPods: 1,
      started: true,
      task,
    } as const;
    expect(made(facts(aSchedule(), { runs: [run] }), at('06:00:05'))[0]?.spec.from.backupRef?.name).toBe('a');
  });

  test('comes also where backups are made by hand only', () => {
    const byHand = aSchedule({ schedule: '0 0 31 2 *' });
    expect(made(facts(byHand), at('06:00:05'))).toHaveLength(1);
    expect(decide(facts(byHand), at('06:00:05')).status?.lastDrillScheduleTime).toBe('2026-11-24T06:00:00Z');
  });

  test('whose cron is none keeps no backup from being made', () => {
    const due = aSchedule(
      { drill: { schedule: '0 0 * * 9' } },
      { ...DRILLED, lastScheduleTime: '2026-11-23T00:00:00Z' },
    );
    const { actions, status } = decide(facts(due), at('06:00:05'));
    expect(actions.map(({ action }) => action)).toEqual(['createBackup']);
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Drilled', status: 'False', reason: 'InvalidSchedule' }),
    );
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
  });

  const LAST = { time: '2026-11-23T06:03:00Z', restore: 'x', backup: 'a', result: 'Restored' } as const;
  const SAID = { ...DRILLED, lastDrill: LAST, conditions: [condition('Drilled', 'True', 'Drilled')] };

  test.each<[string, Partial<BackupScheduleSpec>, string]>([
    ['its own cron', { drill: { schedule: '0 0 * * 9' } }, 'InvalidSchedule'],
    ['its own time zone', { drill: { ...DRILL, timeZone: 'Mars/Olympus' } }, 'InvalidTimeZone'],
    ['the time zone that it takes from its schedule', { timeZone: 'Mars/Olympus' }, 'InvalidTimeZone'],
  ])('forgets nothing while %s is none, and is made up for afterwards', (_what, spec, reason) => {
    const { actions, status } = decide(facts(aSchedule(spec, SAID)), at('06:00:05'));
    expect(actions).toEqual([]);
    expect(status).toMatchObject({ lastDrill: LAST, lastDrillScheduleTime: DRILLED.lastDrillScheduleTime });
    expect(status?.nextDrillTime).toBeUndefined();
    const said = status?.conditions?.find(({ type }) => type === 'Drilled');
    expect(said).toMatchObject({ status: 'False', reason });
    expect(said?.message).not.toContain('undefined');
    const mended = facts(aSchedule({}, status));
    expect(made(mended, at('07:00:00')).map(({ metadata }) => metadata.name)).toEqual(['nightly-drill-202611240600']);
    // Its Restore is gone: what it came to is all that is left.
    expect(decide(mended, at('07:00:00')).status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Drilled', status: 'True', message: 'Backup a was restored' }),
    );
  });

  test('that found nothing is no word any more once it is under way', () => {
    const { status } = decide(facts(aSchedule(), { children: [] }), at('06:00:05'));
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Drilled', reason: 'NothingToDrill' }));
    const drills = [aDrill('nightly-drill-202611240600')];
    const { status: next } = decide(facts(aSchedule({}, status), { drills }), at('06:05:00'));
    expect(next?.conditions?.map(({ type }) => type)).toEqual(['Ready']);
  });

  test.each<[string, string, Partial<BackupScheduleSpec>]>([
    ['is none', 'InvalidSchedule', { schedule: '0 0 * * 9' }],
    ['never comes', 'NeverComes', { schedule: '0 0 31 2 *' }],
    ['is in no time zone', 'InvalidTimeZone', { timeZone: 'Mars/Olympus', drill: { ...DRILL, timeZone: 'Etc/UTC' } }],
  ])('goes on where the cron of its schedule %s', (_what, reason, spec) => {
    const schedule = aSchedule(spec, SAID);
    const before = decide(facts(schedule), at('05:30:00'));
    expect(before.requeueAfter).toBe(1_800_000);
    expect(before.status).toMatchObject({ lastDrill: LAST, nextDrillTime: '2026-11-24T06:00:00+00:00' });
    const { status, statusOnFailure } = decide(facts(schedule), at('06:00:05'));
    expect(made(facts(schedule), at('06:00:05'))).toHaveLength(1);
    expect(status).toMatchObject({ lastDrill: LAST, lastDrillScheduleTime: '2026-11-24T06:00:00Z' });
    const conditions = status?.conditions?.map(({ type, status: value }) => `${type}=${value}`);
    expect(conditions).toEqual(['Ready=False', 'Stalled=True', 'Drilled=True']);
    expect(status?.failure?.reason).toBe(reason);
    const refused = statusOnFailure?.({ reason: 'Forbidden', message: 'quota' });
    expect(refused?.lastDrillScheduleTime).toBe(DRILLED.lastDrillScheduleTime);
    expect(refused?.failure).toEqual({ reason: 'Forbidden', message: 'quota' });
    expect(refused?.conditions).toEqual(status?.conditions);
  });

  test('that ended well is told in the status', () => {
    const { status } = decide(facts(aSchedule(), { drills: [ended('nightly-drill-1', 'Drilled')] }), at('05:30:00'));
    expect(status).toMatchObject({
      lastDrill: {
        time: '2026-11-24T06:03:00Z',
        restore: 'nightly-drill-1',
        backup: 'b',
        result: 'Restored',
        duration: '2m',
      },
    });
    expect(status?.failure).toBeUndefined();
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Drilled', status: 'True', message: expect.stringContaining('530 rows') }),
    );
  });

  test('that failed is a Warning, with the reason and the next step, and leaves the schedule Ready', () => {
    const schedule = aSchedule();
    const { status } = decide(
      facts(schedule, { drills: [ended('x', 'Drilled'), ended('y', 'Failed')] }),
      at('05:30:00'),
    );
    expect(status).toMatchObject({
      lastDrill: { result: 'Failed', restore: 'y' },
      failure: { reason: 'DrillFailed', hint: 'look' },
    });
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({
        type: 'Drilled',
        status: 'False',
        reason: 'DrillFailed',
        message: expect.stringContaining('CheckFailed'),
      }),
    );
    expect(status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    expect(transitions(schedule.status, status ?? {}, [])).toContainEqual(
      expect.objectContaining({ type: 'Warning', reason: 'DrillFailed' }),
    );
  });

  test('that failed is a Warning also where a failed backup is what the schedule speaks of', () => {
    const children = [aChild('a', 'Complete'), aChild('b', 'Failed', '01')];
    const schedule = aSchedule();
    const { status } = decide(facts(schedule, { children, drills: [ended('y', 'Failed')] }), at('05:30:00'));
    expect(status?.failure?.reason).toBe('LastBackupFailed');
    expect(transitions(schedule.status, status ?? {}, [])).toContainEqual(
      expect.objectContaining({ type: 'Warning', reason: 'DrillFailed' }),
    );
  });

  test('keeps the last three to be looked at, and what was said of one that is gone', () => {
    const drills = ['1', '2', '3', '4', '5'].map((name) => ended(name, 'Drilled'));
    const { actions, status } = decide(facts(aSchedule(), { drills }), at('05:30:00'));
    expect(actions).toMatchObject([
      { action: 'deleteRestore', name: '1' },
      { action: 'deleteRestore', name: '2' },
    ]);
    const later = decide(facts(aSchedule({}, { ...DRILLED, ...status })), at('05:31:00')).status;
    expect(later?.lastDrill).toEqual(status?.lastDrill);
    expect(later?.conditions?.find(({ type }) => type === 'Drilled')).toMatchObject({ status: 'True' });
  });
});

describe('a backup that was drilled', () => {
  const backup = aCompleteBackup();
  const digest = backup.status?.manifestDigest ?? '';
  const drillOf = (more: Partial<Restore['spec']> = {}, status: RestoreStatus = {}): Restore => {
    const restore = ended('sunday', 'Drilled');
    const resolved = { backup: 'nightly', path: 'x', digest, time: '2026-11-24T00:00:00Z' };
    return { ...restore, spec: { ...restore.spec, ...more }, status: { ...restore.status, resolved, ...status } };
  };

  test('is Restored, since the drill ended', () => {
    const drill = lastDrillOf(backup, [drillOf()]);
    const world = {
      backup,
      store: aStore(),
      key: { wait: { reason: 'x', message: 'x' } },
      runs: [],
      lock: undefined,
      earlier: [],
      nodes: [],
      settings: SETTINGS,
    };
    expect(decideBackup(world, at('07:00:00')).status).toBeUndefined();
    const { status } = decideBackup({ ...world, ...(drill === undefined ? {} : { drill }) }, at('07:00:00'));
    expect(status).toMatchObject({
      phase: 'Complete',
      verification: { level: 'Restored', time: '2026-11-24T06:03:00Z' },
    });
    expect(status?.conditions?.map(({ type, reason }) => [type, reason])).toEqual([
      ['Complete', 'Said'],
      ['Verified', 'Restored'],
    ]);
    const known = { ...backup, ...(status === undefined ? {} : { status }) };
    expect(
      decideBackup({ ...world, backup: known, ...(drill === undefined ? {} : { drill }) }, at('08:00:00')).status,
    ).toBeUndefined();
  });

  test.each([
    [
      'of another archive',
      drillOf({}, { resolved: { backup: 'nightly', path: 'x', digest: 'sha256:other', time: '2026-11-24T00:00:00Z' } }),
    ],
    ['that failed', drillOf({}, { outcome: { result: 'Failed', time: '2026-11-24T06:03:00Z' } })],
    ['of one database of a whole server', drillOf({ from: { backupRef: { name: 'nightly' }, database: 'shop' } })],
    ['that was no drill', drillOf({ target: {} })],
  ])('is not so by a restore %s', (_, restore) => {
    expect(lastDrillOf(backup, [restore])).toBeUndefined();
  });
});

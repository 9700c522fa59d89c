/** Every kind in every state, as the tools see it that go by kstatus. */
import { describe, expect, test } from '@jest/globals';
import type { BackupStatus } from '../../../src/api/backup.ts';
import type { BackupSchedule } from '../../../src/api/backup-schedule.ts';
import type { Condition } from '../../../src/api/conditions.ts';
import { customResourceDefinition, KINDS } from '../../../src/api/crd.ts';
import type { Report } from '../../../src/api/task.ts';
import { decide as decideBackup } from '../../../src/controllers/backup/decide.ts';
import type { BackupFacts } from '../../../src/controllers/backup/facts.ts';
import { chooseKey } from '../../../src/controllers/backup/key.ts';
import { decide as decideKey } from '../../../src/controllers/backup-key/decide.ts';
import { decide as decideSchedule } from '../../../src/controllers/backup-schedule/decide.ts';
import { decide as decideStore, specHash } from '../../../src/controllers/backup-store/decide.ts';
import { isTerminal } from '../../../src/controllers/restore/facts.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { aBackup, aKey, aStore, BACKED_UP, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';
import { type Kstatus, kstatus } from '../../support/kstatus.ts';
import { CHECKED, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

interface Status {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

const GENERATION = 4;

function see(status: Status | undefined, generation = GENERATION): Kstatus {
  return kstatus({ metadata: { generation }, ...(status === undefined ? {} : { status }) });
}

/** What holds of every status of ours, whatever it says. */
function expectSound(status: Status | undefined, main: 'Ready' | 'Complete', generation = GENERATION): void {
  const conditions = status?.conditions ?? [];
  const types = conditions.map(({ type }) => type);
  expect(types).toContain(main);
  expect(new Set(types).size).toBe(types.length);
  // Of the pair one at most, and only as long as it is true: kstatus goes by the first that it meets.
  const pair = conditions.filter(({ type }) => type === 'Reconciling' || type === 'Stalled');
  expect(pair.every(({ status: value }) => value === 'True')).toBe(true);
  // Older versions of kstatus know no Ready: what is not well must say by the pair whether it goes on.
  expect(pair).toHaveLength(conditions.find(({ type }) => type === main)?.status === 'True' ? 0 : 1);
  expect([status?.observedGeneration, ...conditions.map((each) => each.observedGeneration)]).toEqual(
    Array.from({ length: conditions.length + 1 }, () => generation),
  );
  for (const { reason, message, lastTransitionTime } of conditions) {
    expect(reason).toMatch(/^[A-Za-z]+$/);
    expect(message).not.toBe('');
    expect(lastTransitionTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  }
}

const withGeneration = <T extends { metadata: object }>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, generation: GENERATION },
});

const FAILURE = { reason: 'Any', message: 'It failed.', hint: 'Mend it.' } as const;

function aRun(purpose: RunFacts['purpose'], more: Partial<RunFacts> = {}): RunFacts {
  return {
    purpose,
    attempt: 1,
    name: `some-${purpose}-1`,
    job: { uid: 'job', created: NOON, leaving: false },
    state: 'active',
    livingPods: 1,
    started: true,
    ...more,
  };
}

const ended = (state: 'succeeded' | 'failed', report?: Report): Partial<RunFacts> => ({
  state,
  ended: noonPlus(5),
  livingPods: 0,
  ...(report === undefined ? {} : { report }),
});

describe('an object that the operator has not looked at', () => {
  test.each(KINDS.map((kind) => [kind.kind, kind] as const))('%s is in progress', (_name, kind) => {
    const crd = JSON.parse(JSON.stringify(customResourceDefinition(kind, 'any')));
    const { default: status } = crd.spec.versions[0].schema.openAPIV3Schema.properties.status;
    expect(see(status, 1)).toBe('InProgress');
  });
});

describe('a store', () => {
  const fresh = withGeneration({ ...aStore(), status: {} });
  const works: Report = { command: 'probe', ok: true, result: { conditionalWrites: true } };
  const fails: Report = { command: 'probe', ok: false, retry: true, failure: FAILURE };

  test.each<[string, RunFacts[], Kstatus]>([
    ['that nobody has tried', [], 'InProgress'],
    ['that is being tried', [aRun('probe')], 'InProgress'],
    ['whose probe gets no pod', [aRun('probe', { livingPods: 0, started: false })], 'InProgress'],
    ['that works', [aRun('probe', ended('succeeded', works))], 'Current'],
    ['that does not work and is tried again', [aRun('probe', ended('failed', fails))], 'InProgress'],
    ['whose probe was lost', [aRun('probe', ended('failed'))], 'InProgress'],
  ])('%s', (_name, runs, expected) => {
    const probed = new Map(runs.map(({ name }) => [name, specHash(fresh)]));
    const { status } = decideStore({ store: fresh, runs, probed, settings: SETTINGS }, noonPlus(60));
    expect(see(status)).toBe(expected);
    expectSound(status, 'Ready');
  });

  test('whose spec was changed is in progress until it was tried anew', () => {
    const { status } = decideStore(
      { store: fresh, runs: [aRun('probe', ended('succeeded', works))], probed: new Map(), settings: SETTINGS },
      noonPlus(60),
    );
    expect(see(status)).toBe('InProgress');
    expect(see(status, GENERATION + 1)).toBe('InProgress');
  });
});

describe('a key', () => {
  const key = withGeneration(aKey());

  test.each<[string, typeof key, string[], Kstatus]>([
    ['that can be used', key, ['team'], 'Current'],
    ['that is one of two defaults', key, ['other', 'team'], 'Failed'],
    ['with a mistyped recipient', { ...key, spec: { ...key.spec, recipients: ['age1abcdefgh'] } }, ['team'], 'Failed'],
  ])('%s', (_name, each, defaults, expected) => {
    const { status } = decideKey({ key: each, defaults }, NOON);
    expect(see(status)).toBe(expected);
    expectSound(status, 'Ready');
  });
});

describe('a schedule', () => {
  const schedule: BackupSchedule = {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupSchedule',
    metadata: { ...aBackup().metadata, generation: GENERATION, name: 'nightly' },
    spec: { schedule: '0 * * * *', template: { spec: aBackup().spec } },
  };

  test.each<[string, Partial<BackupSchedule['spec']>, Kstatus]>([
    ['that comes', {}, 'Current'],
    ['that is suspended', { suspend: true }, 'Current'],
    ['that is not one', { schedule: '0 0 * * 9' }, 'Failed'],
    ['that never comes', { schedule: '0 0 31 2 *' }, 'Failed'],
    ['in a time zone that is none', { timeZone: 'Mars/Olympus' }, 'Failed'],
  ])('%s', (_name, spec, expected) => {
    const { status } = decideSchedule(
      {
        schedule: { ...schedule, spec: { ...schedule.spec, ...spec } },
        children: [],
        drills: [],
        wanted: new Set(),
        stores: new Map([['cellar', aStore()]]),
        runs: [],
        settings: SETTINGS,
      },
      noonPlus(60),
    );
    expect(see(status)).toBe(expected);
    expectSound(status, 'Ready');
  });
});

describe('a backup', () => {
  const facts: BackupFacts = {
    backup: withGeneration(aBackup()),
    store: aStore(),
    key: chooseKey(undefined, [aKey()]),
    runs: [],
    lock: undefined,
    earlier: [],
    nodes: [],
    settings: SETTINGS,
  };
  const refused = (retry: boolean): Report => ({ command: 'backup', ok: false, retry, failure: FAILURE });

  test.each<[string, Partial<BackupFacts>, number, Kstatus]>([
    ['that waits for its store', { store: undefined }, 0, 'InProgress'],
    ['that waits for a key', { key: chooseKey(undefined, []) }, 0, 'InProgress'],
    ['that waits too long', { store: undefined }, 3600, 'Failed'],
    ['that begins', {}, 0, 'InProgress'],
    ['at work', { runs: [aRun('backup')] }, 60, 'InProgress'],
    ['whose pod is not made', { runs: [aRun('backup', { livingPods: 0, started: false })] }, 60, 'InProgress'],
    ['that is tried again', { runs: [aRun('backup', ended('failed', refused(true)))] }, 6, 'InProgress'],
    ['that failed', { runs: [aRun('backup', ended('failed', refused(false)))] }, 6, 'Failed'],
    ['whose runner was lost', { runs: [aRun('backup', ended('failed'))] }, 6, 'InProgress'],
    ['that is complete', { runs: [aRun('backup', ended('succeeded', BACKED_UP))] }, 6, 'Current'],
  ])('%s', (_name, more, seconds, expected) => {
    const status: BackupStatus | undefined = decideBackup({ ...facts, ...more }, noonPlus(seconds)).status;
    expect(see(status)).toBe(expected);
    expectSound(status, 'Complete');
  });
});

describe('a restore is in progress from its first moment to its last', () => {
  const load: Readonly<Record<string, Report | 'silence'>> = {
    'ends well': { command: 'swap', ok: true, result: {} },
    fails: { command: 'swap', ok: false, retry: false, failure: FAILURE },
    'loses its runner': 'silence',
  };

  test.each(Object.entries(load))('one that %s', (_name, report) => {
    const said: Readonly<Record<string, Report | 'silence'>> = {
      plan: PLAN_REPORT,
      backup: BACKED_UP,
      load: LOADED,
      check: CHECKED,
      swap: report,
    };
    const world = new RestoreWorld(
      (purpose, { live }) => said[purpose] ?? { command: 'cleanup', ok: true, result: { restored: live === 'new' } },
    );
    const phases = new Set<string>();
    while (!isTerminal(world.restore!)) {
      world.step();
      const { status } = world.restore!;
      if (status === undefined || isTerminal(world.restore!)) continue;
      phases.add(status.phase!);
      expect(see(status, 1)).toBe('InProgress');
      expectSound(status, 'Complete', 1);
    }
    const all = ['Resolving', 'SafetyBackup', 'Quiescing', 'Loading', 'Checking', 'Swapping', 'Resuming'];
    expect([...phases]).toEqual(all);
    expect(see(world.restore!.status, 1)).toBe(world.live === 'new' ? 'Current' : 'Failed');
    expectSound(world.restore!.status, 'Complete', 1);
  });
});

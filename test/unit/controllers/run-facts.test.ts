import { describe, expect, test } from '@jest/globals';
import type { Job, Pod } from '../../../src/api/kubernetes.ts';
import { parseReport } from '../../../src/controllers/report.ts';
import { holdUpOf, isOver, newest, runFacts } from '../../../src/controllers/run-facts.ts';

const labels = (command: string, attempt: number) => ({
  'holdfast.dev/command': command,
  'holdfast.dev/attempt': String(attempt),
});
const metadata = (name: string, more: object = {}) => ({
  name,
  namespace: 'shop',
  uid: `${name}-uid`,
  resourceVersion: '1',
  creationTimestamp: '2026-11-24T12:00:00Z',
  ...more,
});

function aJob(command = 'backup', attempt = 1, condition?: 'Complete' | 'Failed', reason = 'Said'): Job {
  const conditions =
    condition === undefined
      ? []
      : [{ type: condition, status: 'True' as const, reason, lastTransitionTime: '2026-11-24T12:05:00Z' }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: metadata(`job-${attempt}`, { labels: labels(command, attempt) }),
    spec: {},
    status: { conditions },
  };
}

function aPod(
  state: object,
  phase = 'Running',
  more: { attempt?: number; created?: string; command?: string } = {},
): Pod {
  const { attempt = 1, created = '2026-11-24T12:00:01Z', command = 'backup' } = more;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: metadata(`pod-${created}`, { labels: labels(command, attempt), creationTimestamp: created }),
    spec: {},
    status: { phase, containerStatuses: [{ name: 'runner', state }] },
  };
}

const probeAnswer = JSON.stringify({ command: 'probe', ok: true, result: { conditionalWrites: true } });

describe('a run, seen through its Job and its pods', () => {
  test('is active while its Job is not over', () => {
    const [run] = runFacts([aJob()], [aPod({ running: {} })]);
    expect(run).toMatchObject({ state: 'active', livingPods: 1, started: true });
    expect(isOver(run!)).toBe(false);
  });

  test('is not over while a pod outlives its Job', () => {
    const [run] = runFacts([], [aPod({ running: {} })]);
    expect(run).toMatchObject({ state: 'gone', livingPods: 1 });
    expect(isOver(run!)).toBe(false);
  });

  test('answers with the newest pod that could be understood', () => {
    const first = aPod({ terminated: { exitCode: 0, message: probeAnswer } }, 'Succeeded', { command: 'probe' });
    const second = aPod({ terminated: { exitCode: 137 } }, 'Failed', {
      command: 'probe',
      created: '2026-11-24T12:02:00Z',
    });
    expect(runFacts([aJob('probe', 1, 'Failed')], [second, first])[0]?.report).toMatchObject({ ok: true });
  });

  test.each<[string, object, string, Job]>([
    ['memory', { terminated: { exitCode: 137, reason: 'OOMKilled' } }, 'OutOfMemory', aJob('backup', 1, 'Failed')],
    [
      'its deadline',
      { terminated: { exitCode: 143 } },
      'DeadlineExceeded',
      aJob('backup', 1, 'Failed', 'DeadlineExceeded'),
    ],
    ['something unknown', { terminated: { exitCode: 139, signal: 11 } }, 'RunnerLost', aJob('backup', 1, 'Failed')],
    [
      'an image that is not there',
      { waiting: { reason: 'ErrImagePull', message: 'not found' } },
      'ErrImagePull',
      aJob(),
    ],
  ])('says that it fell to %s', (_what, state, reason, job) => {
    expect(runFacts([job], [aPod(state)])[0]?.trouble?.reason).toBe(reason);
  });

  test('with labels that are not ours is nobody’s', () => {
    expect(runFacts([aJob('mining', 1), aJob('backup', Number.NaN)], [])).toEqual([]);
  });

  test('the newest attempt is the one with the highest number, in whatever order they come', () => {
    expect(newest(runFacts([aJob('backup', 10), aJob('backup', 9)], []), 'backup')?.attempt).toBe(10);
  });
});

describe('a termination message', () => {
  test('of the command that was asked for is a report', () => {
    expect(parseReport('probe', probeAnswer)).toEqual({
      command: 'probe',
      ok: true,
      result: { conditionalWrites: true },
    });
  });

  test.each([
    ['nothing', undefined],
    ['no JSON', '{"command":'],
    ['an array', '[]'],
    ['null', 'null'],
    ['another command', JSON.stringify({ command: 'backup', ok: true, result: {} })],
    [
      'a result of the wrong shape',
      JSON.stringify({ command: 'probe', ok: true, result: { conditionalWrites: 'yes' } }),
    ],
    [
      'a failure without a message',
      JSON.stringify({ command: 'probe', ok: false, retry: true, failure: { reason: 'X' } }),
    ],
  ])('that is %s is none', (_what, message) => {
    expect(parseReport('probe', message)).toBeUndefined();
  });

  test('of a backup must have a digest that is one', () => {
    const result = {
      manifestDigest: 'sha256:zz',
      sizes: { source: 1, stored: 1 },
      keyFingerprints: [],
      server: { engine: 'postgresql', version: '17' },
      tool: 'pg_dump 17',
      verifiedTime: '2026-11-24T12:00:00Z',
    };
    expect(parseReport('backup', JSON.stringify({ command: 'backup', ok: true, result }))).toBeUndefined();
    const good = { ...result, manifestDigest: `sha256:${'0a'.repeat(32)}` };
    expect(parseReport('backup', JSON.stringify({ command: 'backup', ok: true, result: good }))).toBeDefined();
  });
});

describe('what holds a run up', () => {
  const late = new Date('2026-11-24T12:00:20Z');

  test('is nothing while its pod may still come', () => {
    expect(holdUpOf(runFacts([aJob()], [])[0]!, new Date('2026-11-24T12:00:05Z'))).toBeUndefined();
  });

  test('is most likely a policy, when no pod comes, and the hint tells where the refusal is written', () => {
    const failure = holdUpOf(runFacts([aJob()], [])[0]!, late);
    expect(failure).toMatchObject({ reason: 'PodNotCreated' });
    expect(failure?.hint).toContain('kubectl describe job job-1');
  });

  test('may be a service account that is not there, where the pod asks for one', () => {
    const job = aJob();
    const asking = { ...job, spec: { ...job.spec, template: { spec: { serviceAccountName: 'keeper' } } } };
    expect(holdUpOf(runFacts([asking], [])[0]!, late)?.message).toContain('the ServiceAccount keeper does not exist');
    expect(holdUpOf(runFacts([job], [])[0]!, late)?.message).not.toContain('ServiceAccount');
  });

  test('is nothing once a container ran', () => {
    expect(holdUpOf(runFacts([aJob()], [aPod({ running: {} })])[0]!, late)).toBeUndefined();
  });
});

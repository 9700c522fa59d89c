import { describe, expect, test } from '@jest/globals';
import type { Job, Pod } from '../../../src/api/kubernetes.ts';
import { parseReport } from '../../../src/controllers/report.ts';
import {
  holdUpOf,
  isOver,
  neverStarted,
  newest,
  runFacts,
  runnerLost,
  strandedOf,
} from '../../../src/controllers/run-facts.ts';

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

const SWAP = { command: 'swap' };

const probeAnswer = JSON.stringify({ command: 'probe', ok: true, result: { conditionalWrites: true } });

const probeFailure = JSON.stringify({
  command: 'probe',
  ok: false,
  retry: true,
  failure: { reason: 'Said', message: 'so' },
});

describe('a run, seen through its Job and its pods', () => {
  test('is active while its Job is not over', () => {
    const [run] = runFacts([aJob()], [aPod({ running: {} })]);
    expect(run).toMatchObject({ state: 'active', livingPods: 1, started: true });
    expect(isOver(run!)).toBe(false);
  });

  test.each([
    [0, 'Succeeded', 'succeeded'],
    [3, 'Failed', 'failed'],
    [4, 'Failed', 'failed'],
  ])(
    'a pod that has reported and ended with exit code %i settles its Job before that says so',
    (exitCode, phase, state) => {
      const message = exitCode === 0 ? probeAnswer : probeFailure;
      const end = { exitCode, message, finishedAt: '2026-11-24T12:04:00Z' };
      const [run] = runFacts([aJob('probe')], [aPod({ terminated: end }, phase, { command: 'probe' })]);
      expect(run).toMatchObject({ state, ended: new Date('2026-11-24T12:04:00Z') });
      expect(isOver(run!)).toBe(true);
    },
  );

  test.each([
    ['it was drained', { exitCode: 5, message: probeFailure }],
    ['it was killed', { exitCode: 137, message: probeFailure }],
    ['it left no report', { exitCode: 4 }],
  ])('a pod settles nothing where %s: the Job may make another one', (_, terminated) => {
    const [run] = runFacts([aJob('probe')], [aPod({ terminated }, 'Failed', { command: 'probe' })]);
    expect(run?.state).toBe('active');
  });

  test('an earlier pod settles nothing while a later one runs, nor does one whose other containers run on', () => {
    const terminated = { exitCode: 0, message: probeAnswer };
    const first = aPod({ terminated }, 'Succeeded', { command: 'probe' });
    const second = aPod({ running: {} }, 'Running', { command: 'probe', created: '2026-11-24T12:02:00Z' });
    expect(runFacts([aJob('probe')], [first, second])[0]?.state).toBe('active');
    expect(runFacts([aJob('probe')], [aPod({ terminated }, 'Running', { command: 'probe' })])[0]?.state).toBe('active');
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

  test.each<[string, boolean, Job[], Pod[]]>([
    ['nothing is left of its pod', true, [aJob('swap', 1, 'Failed')], []],
    ['its pod went with its node', true, [aJob('swap', 1, 'Failed')], [aPod({ running: {} }, 'Failed', SWAP)]],
    [
      'its container ended',
      false,
      [aJob('swap', 1, 'Failed')],
      [aPod({ terminated: { exitCode: 137 } }, 'Failed', SWAP)],
    ],
    ['a node refused its pod', false, [aJob('swap', 1, 'Failed')], [aPod({ waiting: {} }, 'Failed', SWAP)]],
    ['it is at work', false, [aJob('swap')], [aPod({ running: {} }, 'Running', SWAP)]],
    ['it has no pod yet', false, [aJob('swap')], []],
  ])('when %s, that it may be at work unseen is %s', (_how, unaccounted, jobs, pods) => {
    expect(runFacts(jobs, pods)[0]?.unaccounted ?? false).toBe(unaccounted);
  });

  test('whose pod is Terminating for longer than its node may take tells pod and node', () => {
    const pod = aPod({ running: {} }, 'Running', SWAP);
    const leaving: Pod = {
      ...pod,
      metadata: { ...pod.metadata, name: 'swap-x', deletionTimestamp: '2026-11-24T12:10:00Z' },
      spec: { nodeName: 'node-7' },
    };
    const [run] = runFacts([aJob('swap')], [leaving]);
    expect(strandedOf(run!, new Date('2026-11-24T12:10:59Z'))).toBeUndefined();
    expect(strandedOf(run!, new Date('2026-11-24T12:11:00Z'))).toEqual({
      reason: 'NodeLost',
      message: 'Pod swap-x is Terminating and does not end: its node node-7 does not answer.',
      hint: 'kubectl describe node node-7 tells more. Where that machine is off for good: kubectl delete pod swap-x --force.',
    });
    const ended = { ...leaving, status: { phase: 'Failed' } };
    expect(strandedOf(runFacts([aJob('swap')], [ended])[0]!, new Date('2026-11-24T13:00:00Z'))).toBeUndefined();
  });

  test('of 0.2.0 that loaded and swapped in one is a swap without a word', () => {
    const said = JSON.stringify({ command: 'restore', ok: true, result: {} });
    const [run] = runFacts(
      [aJob('restore', 1, 'Complete')],
      [aPod({ terminated: { exitCode: 0, message: said } }, 'Succeeded', { command: 'restore' })],
    );
    expect(run).toMatchObject({ purpose: 'swap', state: 'succeeded', livingPods: 0 });
    expect(run?.report).toBeUndefined();
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

describe('the server of a drill', () => {
  const aDrillPod = (initContainer: object, phase = 'Pending'): Pod => {
    const pod = aPod({ waiting: { reason: 'PodInitializing' } }, phase, { command: 'drill' });
    return { ...pod, status: { ...pod.status, initContainerStatuses: [{ name: 'password' }, initContainer] as never } };
  };

  test('whose image does not come is told by its container', () => {
    const waiting = { reason: 'ErrImagePull', message: 'no such image' };
    const [run] = runFacts([aJob('drill')], [aDrillPod({ name: 'initdb', state: { waiting } })]);
    expect(run).toMatchObject({
      started: false,
      trouble: { reason: 'ErrImagePull', message: 'The container "initdb" does not start: no such image' },
    });
  });

  test('that keeps ending is told with its last words', () => {
    const terminated = { exitCode: 1, message: 'LOG: one\nFATAL: could not create lock file' };
    const state = { waiting: { reason: 'CrashLoopBackOff' } };
    const [run] = runFacts([aJob('drill')], [aDrillPod({ name: 'server', state, lastState: { terminated } })]);
    expect(run?.trouble?.message).toBe(
      'The container "server" does not start: CrashLoopBackOff; it said: LOG: one FATAL: could not create lock file',
    );
  });

  test('that could not be made ends the run with what initdb said', () => {
    const terminated = { exitCode: 128, reason: 'StartError', message: 'exec: "initdb": not found' };
    const [run] = runFacts(
      [aJob('drill', 1, 'Failed', 'BackoffLimitExceeded')],
      [aDrillPod({ name: 'initdb', state: { terminated } }, 'Failed')],
    );
    expect(run?.trouble).toMatchObject({
      reason: 'ServerNotMade',
      message: expect.stringContaining('exec: "initdb": not found'),
    });
  });

  test('that filled its disk ends the run as what it was', () => {
    const pod = aPod({ terminated: { exitCode: 137 } }, 'Failed', { command: 'drill' });
    const evicted = {
      ...pod,
      status: { ...pod.status, reason: 'Evicted', message: 'Usage of EmptyDir volume "server" exceeds the limit' },
    };
    const [run] = runFacts([aJob('drill', 1, 'Failed')], [evicted]);
    expect(run?.trouble).toMatchObject({
      reason: 'Evicted',
      message: expect.stringContaining('EmptyDir volume "server"'),
    });
  });
});

describe('where a run is given up for good', () => {
  const late = new Date('2026-11-24T13:00:00Z');

  test.each([
    ['without a pod', [], 'PodNotCreated'],
    ['with a pod that has no image', [aPod({ waiting: { reason: 'ErrImagePull' } }, 'Pending')], 'ErrImagePull'],
    ['with a pod that says nothing', [aPod({}, 'Pending')], 'PodNotStarted'],
  ])('%s, the hint leads to nothing that goes with it', (_what, pods, reason) => {
    const failure = neverStarted(runFacts([aJob()], pods)[0]!, 'shop', late);
    expect(failure.reason).toBe(reason);
    expect(failure.hint).toBe(
      'kubectl get events -n shop | grep job-1 tells why, for about an hour. Mend that, then make a new object.',
    );
  });

  test('a pod whose name had to cut that of its Job is still found', () => {
    const name = `${'long-'.repeat(10)}load-22222222-1`.slice(0, 63);
    expect(neverStarted({ ...runFacts([aJob()], [])[0]!, name }, 'shop', late).hint).toContain(
      `grep ${name.slice(0, 57)} tells`,
    );
  });

  test('its Job is named, if it ended without a word', () => {
    const [silent] = runFacts([aJob('backup', 1, 'Failed')], [aPod({ terminated: { exitCode: 137 } }, 'Failed')]);
    expect(runnerLost(silent!, 'shop').hint).toContain(
      'kubectl describe job job-1 -n shop, kubectl logs job/job-1 -n shop',
    );
    const { trouble: _, ...untold } = silent!;
    expect(runnerLost(untold, 'shop').hint).toBe('kubectl describe job job-1 -n shop tells more.');
    const { job: __, ...gone } = untold;
    expect(runnerLost({ ...gone, state: 'gone' }, 'shop')).toEqual({
      reason: 'RunnerLost',
      message: 'The runner ended without a report: Job job-1 is gone.',
      hint: 'kubectl get events -n shop | grep job-1 tells more.',
    });
  });
});

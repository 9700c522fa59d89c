import { describe, expect, test } from '@jest/globals';
import {
  PATIENCE_MS,
  planSettle,
  type RestoreToSettle,
  type SettleFacts,
  SILENCE_MS,
  type TakenWorkload,
} from '../../../src/hooks/settle-plan.ts';
import type { HoldfastError } from '../../../src/lib/errors.ts';

function aRestore(over: Partial<RestoreToSettle> = {}): RestoreToSettle {
  return {
    namespace: 'shop',
    name: 'first',
    uid: 'uid-first',
    resourceVersion: '1',
    finalizers: ['holdfast.dev/restore'],
    over: false,
    leaving: true,
    guarded: true,
    scratchDatabase: 'holdfast_scratch_x',
    ...over,
  };
}

function anApp(over: Partial<TakenWorkload> = {}): TakenWorkload {
  return {
    namespace: 'shop',
    lease: 'holdfast-scale-1',
    workload: 'Deployment/web',
    replicas: 3,
    holder: 'uid-first',
    holderName: 'Restore shop/first',
    current: 0,
    jobs: [],
    ...over,
  };
}

const plan = (facts: Partial<SettleFacts>) => planSettle({ restores: [], taken: [], elapsed: 0, silence: 0, ...facts });

const silent = { silence: SILENCE_MS };

describe('while an operator works', () => {
  test('what is not over is deleted, and the rest waited for', () => {
    const [running, leaving] = [aRestore({ leaving: false }), aRestore({ name: 'second', uid: 'uid-second' })];
    const over = aRestore({ name: 'third', uid: 'uid-third', over: true, leaving: false, guarded: false });
    expect(plan({ restores: [running, leaving, over], taken: [anApp()] })).toEqual({
      step: 'wait',
      remove: [running],
      waitsFor: [running, leaving],
    });
  });

  test.each([
    ['a little before its patience ends', { elapsed: PATIENCE_MS - 1 }, 'wait'],
    ['at its end', { elapsed: PATIENCE_MS }, 'release'],
    ['when it has been silent for almost too long', { silence: SILENCE_MS - 1 }, 'wait'],
    ['when it has been silent for too long', silent, 'release'],
  ])('%s', (_when, facts, step) => {
    expect(plan({ restores: [aRestore()], ...facts }).step).toBe(step);
  });

  test('an app that it did not bring back in time is told, with the hope that is left', () => {
    const step = plan({ restores: [aRestore()], taken: [anApp()], elapsed: PATIENCE_MS });
    expect(step).toMatchObject({ step: 'stop', failure: { hint: expect.stringMatching(/^The operator works, but/) } });
  });
});

test('a Restore that is there again whenever it is deleted stops the uninstall in time, by name', () => {
  const facts = { restores: [aRestore({ leaving: false })] };
  expect(plan({ ...facts, elapsed: PATIENCE_MS - 1 }).step).toBe('wait');
  expect(plan({ ...facts, elapsed: PATIENCE_MS })).toMatchObject({
    step: 'stop',
    failure: { reason: 'RestoreMadeAnew', message: expect.stringContaining('Restore shop/first') },
  });
});

describe('without an operator', () => {
  test('one that nobody deleted yet is deleted first, so that nobody takes it up again', () => {
    const running = aRestore({ leaving: false });
    expect(plan({ ...silent, restores: [running] })).toMatchObject({ step: 'wait', remove: [running] });
  });

  test('those that hold no app at zero are let go, and only those', () => {
    const [holds, harmless] = [aRestore(), aRestore({ name: 'second', uid: 'uid-second' })];
    const facts = { ...silent, restores: [holds, harmless], taken: [anApp()] };
    expect(plan(facts)).toEqual({ step: 'release', restores: [harmless] });
    expect(plan({ ...facts, restores: [holds] })).toMatchObject({ step: 'stop' });
  });

  test.each([
    ['an app that somebody scaled up since', { current: 1 }],
    ['an app that was at zero before', { replicas: 0 }],
    ['an app that is gone', { current: undefined }],
  ])('%s is no reason to stop', (_what, app) => {
    expect(plan({ ...silent, restores: [aRestore()], taken: [anApp(app)] }).step).toBe('release');
    expect(plan({ ...silent, taken: [anApp(app)] })).toEqual({ step: 'done' });
  });

  test('each app at zero is named with a line to paste, the runner first', () => {
    const facts = {
      taken: [
        anApp({ jobs: ['first-restore-1'] }),
        anApp({ namespace: 'blog', workload: 'StatefulSet/db', lease: 'holdfast-scale-2', replicas: 1 }),
      ],
    };
    expect(plan({ ...silent, ...facts })).toMatchObject({
      failure: {
        reason: 'AppAtZero',
        message:
          'Deployment/web in shop is at zero: Restore shop/first took it there, from 3.\n' +
          'StatefulSet/db in blog is at zero: Restore shop/first took it there, from 1.',
        hint:
          'No operator works that could bring it back. By hand:\n' +
          '  kubectl --namespace shop delete job first-restore-1 --cascade=foreground && kubectl --namespace shop scale deployment/web --replicas=3 && kubectl --namespace shop delete lease holdfast-scale-1\n' +
          '  kubectl --namespace blog scale statefulset/db --replicas=1 && kubectl --namespace blog delete lease holdfast-scale-2\n' +
          'Then helm uninstall again.',
      },
    });
  });

  test.each([
    ['cronjobs.batch/report', `patch cronjobs.batch/report --patch '{"spec":{"suspend":false}}'`],
    ['rollouts.argoproj.io/web', 'scale rollouts.argoproj.io/web --replicas=1'],
  ])('%s is brought back as its kind wants it', (workload, command) => {
    const { failure } = plan({ ...silent, taken: [anApp({ workload, replicas: 1 })] }) as { failure: HoldfastError };
    expect(failure.hint).toContain(`kubectl --namespace shop ${command} && `);
  });

  test('a Lease that lost its count holds the app all the same', () => {
    expect(plan({ ...silent, taken: [anApp({ replicas: undefined })] })).toMatchObject({
      step: 'stop',
      failure: { hint: expect.stringContaining('--replicas=<count>') },
    });
  });
});

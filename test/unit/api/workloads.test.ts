import { describe, expect, test } from '@jest/globals';
import { scaleLeaseName } from '../../../src/api/names.ts';
import {
  CRON_JOBS,
  isCronJob,
  type ScalableKind,
  scalableKindOf,
  workloadArgument,
  workloadNamed,
} from '../../../src/api/workloads.ts';

const ROLLOUTS: ScalableKind = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', plural: 'rollouts' };
const ALLOWED = [ROLLOUTS, CRON_JOBS];

describe('the kinds that may go to zero', () => {
  test.each([
    [{ kind: 'Deployment', name: 'web' }, 'deployments'],
    [{ apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web' }, 'statefulsets'],
    [{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'web' }, 'rollouts'],
    [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'web' }, 'cronjobs'],
    [{ apiVersion: 'argoproj.io/v1', kind: 'Rollout', name: 'web' }, undefined],
    [{ kind: 'CronJob', name: 'web' }, undefined],
    [{ kind: 'DaemonSet', name: 'web' }, undefined],
    [{ apiVersion: 'argoproj.io/v1alpha1', kind: 'Deployment', name: 'web' }, undefined],
  ])('%j is %s', (workload, plural) => {
    expect(scalableKindOf(workload, ALLOWED)?.plural).toBe(plural);
  });

  test('are Deployments and StatefulSets where nothing else is allowed', () => {
    expect(scalableKindOf({ apiVersion: 'batch/v1', kind: 'CronJob', name: 'x' }, [])).toBeUndefined();
    expect(scalableKindOf({ kind: 'Deployment', name: 'x' }, [])).toBeDefined();
  });

  test('a CronJob is one of batch alone', () => {
    expect([
      isCronJob(CRON_JOBS),
      isCronJob({ kind: 'CronJob' }),
      isCronJob({ ...CRON_JOBS, apiVersion: 'x/v1' }),
    ]).toEqual([true, false, false]);
  });
});

describe('a Lease of a workload', () => {
  test('names it as kubectl takes it, and it is found again by that', () => {
    const [web] = [scalableKindOf({ kind: 'Deployment', name: 'web' }, [])!];
    expect([web, ROLLOUTS, CRON_JOBS].map((kind) => workloadArgument(kind, 'web'))).toEqual([
      'Deployment/web',
      'rollouts.argoproj.io/web',
      'cronjobs.batch/web',
    ]);
    for (const resource of [web, ROLLOUTS, CRON_JOBS])
      expect(workloadNamed(workloadArgument(resource, 'web'), ALLOWED)).toEqual({ resource, name: 'web' });
  });

  test.each(['', 'web', 'Deployment/', 'DaemonSet/web', 'rollouts.example.com/web', 'rollouts/web'])(
    'that names "%s" names nothing',
    (text) => {
      expect(workloadNamed(text, ALLOWED)).toBeUndefined();
    },
  );

  test('has another name for each group and kind, the same for each version, and of Deployments the one it always had', () => {
    const names = [
      { kind: 'Deployment', name: 'web' },
      { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      { apiVersion: 'a.b/v1', kind: 'Deployment', name: 'web' },
      { apiVersion: 'a.b/v2', kind: 'Deployment', name: 'web' },
      { apiVersion: 'a.b/v2', kind: 'StatefulSet', name: 'web' },
    ].map(scaleLeaseName);
    expect(names[0]).toBe(names[1]);
    expect(names[2]).toBe(names[3]);
    expect(new Set(names).size).toBe(3);
    expect(names[0]).toBe('holdfast-scale-5c3e62dae8fffbe4');
  });
});

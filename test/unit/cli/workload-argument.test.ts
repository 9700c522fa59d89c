import { describe, expect, test } from '@jest/globals';
import { parseWorkload } from '../../../src/cli/workload-argument.ts';

describe('--scale-down', () => {
  test.each([
    ['deployment/web', { kind: 'Deployment', name: 'web' }],
    ['deploy/web', { kind: 'Deployment', name: 'web' }],
    ['sts/data', { kind: 'StatefulSet', name: 'data' }],
    ['cronjob/report', { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' }],
    ['cj/report', { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' }],
    ['Rollout.v1alpha1.argoproj.io/web', { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', name: 'web' }],
  ])('takes %s', (text, workload) => {
    expect(parseWorkload(text)).toEqual(workload);
  });

  test.each(['web', 'pod/web', 'deployment/', '/web', 'deployment/a/b', 'rollout.argoproj.io/web', 'Rollout.v1/web'])(
    'does not take %s, and says what it takes',
    (text) => {
      expect(() => parseWorkload(text)).toThrow(
        expect.objectContaining({ reason: 'Usage', hint: expect.stringContaining('cronjob/NAME') }),
      );
    },
  );
});

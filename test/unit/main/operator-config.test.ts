import { describe, expect, test } from '@jest/globals';
import { HoldfastError } from '../../../src/lib/errors.ts';
import { operatorConfig } from '../../../src/main/operator-config.ts';

const COMPLETE = {
  HOLDFAST_CLUSTER_NAME: 'north',
  HOLDFAST_NAMESPACE: 'holdfast-system',
  HOLDFAST_RUNNER_IMAGE: 'registry.example.com/holdfast:1',
};

describe("the operator's environment", () => {
  test('needs three variables, the rest has defaults', () => {
    expect(operatorConfig(COMPLETE)).toEqual({
      settings: {
        clusterName: 'north',
        namespace: 'holdfast-system',
        runner: { image: 'registry.example.com/holdfast:1', imagePullPolicy: 'IfNotPresent' },
        drill: { image: 'docker.io/library/postgres:{major}' },
        scalableKinds: [],
      },
      namespaces: [],
      logLevel: 'info',
      port: 8080,
    });
  });

  test('may say all', () => {
    const config = operatorConfig({
      ...COMPLETE,
      HOLDFAST_RUNNER_IMAGE_PULL_POLICY: 'Never',
      HOLDFAST_RUNNER_RESOURCES: '{"requests":{"cpu":"100m"},"limits":{"memory":"512Mi"}}',
      HOLDFAST_LOG_LEVEL: 'debug',
      HOLDFAST_PORT: '0',
    });
    expect(config.settings.runner.resources).toEqual({ requests: { cpu: '100m' }, limits: { memory: '512Mi' } });
    expect([config.settings.runner.imagePullPolicy, config.logLevel, config.port]).toEqual(['Never', 'debug', 0]);
  });

  test('names the kinds that restores may take to zero beyond the usual, CronJobs among them', () => {
    const rollout = { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', kind: 'Rollout' };
    const { settings } = operatorConfig({
      ...COMPLETE,
      HOLDFAST_SCALABLE_KINDS: JSON.stringify([rollout]),
      HOLDFAST_SUSPEND_CRON_JOBS: 'true',
    });
    expect(settings.scalableKinds).toEqual([
      { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', plural: 'rollouts' },
      { apiVersion: 'batch/v1', kind: 'CronJob', plural: 'cronjobs' },
    ]);
  });

  test('names the image of the servers of drills, and their user where it is not left to the platform', () => {
    const { settings } = operatorConfig({
      ...COMPLETE,
      HOLDFAST_DRILL_IMAGE: 'registry.example.com/postgres:{major}-bookworm',
      HOLDFAST_DRILL_RUN_AS_USER: '65532',
    });
    expect(settings.drill).toEqual({ image: 'registry.example.com/postgres:{major}-bookworm', runAsUser: 65532 });
  });

  test.each([
    ['shop', ['shop']],
    ['shop,billing', ['shop', 'billing']],
    [' shop, billing ', ['shop', 'billing']],
    ['', []],
  ])('names the namespaces to watch: "%s"', (text, namespaces) => {
    expect(operatorConfig({ ...COMPLETE, HOLDFAST_WATCH_NAMESPACES: text }).namespaces).toEqual(namespaces);
  });

  test.each([
    ['HOLDFAST_CLUSTER_NAME', ''],
    ['HOLDFAST_CLUSTER_NAME', 'North'],
    ['HOLDFAST_CLUSTER_NAME', 'a/b'],
    ['HOLDFAST_CLUSTER_NAME', '..'],
    ['HOLDFAST_CLUSTER_NAME', 'x'.repeat(64)],
    ['HOLDFAST_NAMESPACE', 'a.b'],
    ['HOLDFAST_WATCH_NAMESPACES', ','],
    ['HOLDFAST_WATCH_NAMESPACES', ' '],
    ['HOLDFAST_WATCH_NAMESPACES', 'shop,'],
    ['HOLDFAST_WATCH_NAMESPACES', 'shop billing'],
    ['HOLDFAST_WATCH_NAMESPACES', 'shop,shop'],
    ['HOLDFAST_WATCH_NAMESPACES', '*'],
    ['HOLDFAST_RUNNER_IMAGE', 'a b'],
    ['HOLDFAST_DRILL_IMAGE', 'postgres:{minor}'],
    ['HOLDFAST_DRILL_RUN_AS_USER', '0'],
    ['HOLDFAST_DRILL_RUN_AS_USER', 'root'],
    ['HOLDFAST_SCALABLE_KINDS', 'rollouts'],
    ['HOLDFAST_SCALABLE_KINDS', '{}'],
    ['HOLDFAST_SCALABLE_KINDS', '[{"group":"","version":"v1","resource":"secrets","kind":"Secret"}]'],
    ['HOLDFAST_SCALABLE_KINDS', '[{"group":"a.b","version":"v1","resource":"*","kind":"X"}]'],
    ['HOLDFAST_SCALABLE_KINDS', '[{"group":"a.b","version":"v1","resource":"x/status","kind":"X"}]'],
    ['HOLDFAST_SUSPEND_CRON_JOBS', 'yes'],
    ['HOLDFAST_RUNNER_IMAGE_PULL_POLICY', 'always'],
    ['HOLDFAST_RUNNER_RESOURCES', '{'],
    ['HOLDFAST_RUNNER_RESOURCES', '{"limits":{"memory":512}}'],
    ['HOLDFAST_RUNNER_RESOURCES', '{"limit":{}}'],
    ['HOLDFAST_LOG_LEVEL', 'loud'],
    ['HOLDFAST_PORT', '80a'],
    ['HOLDFAST_PORT', '65536'],
    ['HOLDFAST_PORT', '-1'],
  ])('is refused for %s=%s, by name', (name, value) => {
    const read = () => operatorConfig({ ...COMPLETE, [name]: value });
    expect(read).toThrow(HoldfastError);
    expect(read).toThrow(`${name} must be`);
  });

  test('is refused once, with everything that is wrong', () => {
    expect(() => operatorConfig({})).toThrow(/CLUSTER_NAME.*NAMESPACE.*RUNNER_IMAGE/s);
  });
});

/** A Job of a restore whose pod never begins: given up, and what is said of it stays true once the Job is gone. */
import { expect, test } from '@jest/globals';
import type { Report } from '../../../src/api/task.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import { BACKED_UP, noonPlus } from '../../support/builders.ts';
import { CHECKED, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const PLAN = PLAN_REPORT as Extract<Report<'plan'>, { ok: true }>;
const REPORTS = { plan: PLAN_REPORT, backup: BACKED_UP, load: LOADED, check: CHECKED } as const;

test.each(['plan', 'load', 'check', 'swap'])('that of the %s', (purpose) => {
  const world = new RestoreWorld((each, { live }) =>
    each === 'cleanup'
      ? { command: 'cleanup', ok: true, result: { restored: live === 'new' } }
      : (REPORTS[each as keyof typeof REPORTS] ?? 'silence'),
  );
  for (let look = 0; look < 7_200 && world.restore?.status?.phase !== 'Failed'; look += 1) {
    world.step();
    for (const [name, job] of world.jobs) {
      const { run } = job;
      if (run.purpose !== purpose || run.state !== 'active') continue;
      world.jobs.set(name, { ...job, until: Number.MAX_VALUE, run: { ...run, started: false, livingPods: 0 } });
    }
  }
  const { status } = world.restore!;
  const job = `bring-back-${purpose}-22222222-1`;
  expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'PodNotCreated' } });
  expect(status?.failure?.hint).toContain(`kubectl get events -n shop | grep ${job}`);
  expect(status?.failure?.hint).not.toMatch(/describe job|by itself/);
  expect(world.jobs.get(job)?.run.state ?? 'gone').toBe('gone');
  expect(world.replicas).toBe(3);
});

test('that of a load into the live database keeps no app at zero for a day, though no Job gets a pod', () => {
  const plan: Report = { ...PLAN, result: { ...PLAN.result, inPlace: true } };
  const world = new RestoreWorld((each) => (each === 'plan' ? plan : (REPORTS[each as 'backup'] ?? 'silence')));
  const { checks: _, ...spec } = world.restore!.spec;
  world.restore = {
    ...world.restore!,
    spec: { ...spec, include: { tables: [{ schema: 'public', name: 'a' }] }, onConflict: 'Replace' },
  };
  let begun: number | undefined;
  for (let look = 0; look < 3_600 && (begun === undefined || world.replicas === 0); look += 1) {
    world.step();
    for (const [name, job] of world.jobs) {
      const { run } = job;
      if (run.purpose === 'load') begun ??= world.now;
      if (run.state === 'gone' && run.livingPods === 0) world.jobs.delete(name);
      if (run.state !== 'active' || !['load', 'cleanup'].includes(run.purpose)) continue;
      world.jobs.set(name, { ...job, until: Number.MAX_VALUE, run: { ...run, started: false, livingPods: 0 } });
    }
  }
  expect(world.replicas).toBe(3);
  expect(world.now - begun!).toBeLessThan(330);
});

test.each(['load', 'check', 'swap'])('a Job of the %s that the API server refuses keeps no app at zero', (purpose) => {
  const world = new RestoreWorld((each) => REPORTS[each as keyof typeof REPORTS] ?? 'silence');
  const quota = { reason: 'Forbidden', message: 'exceeded quota: jobs' };
  const begins = () => {
    const { actions } = decide(world.facts(world.restore!), noonPlus(world.now));
    return actions.some((one) => one.action === 'createJob' && one.job.metadata.name.includes(`-${purpose}-`));
  };
  for (let look = 0; look < 200 && !begins(); look += 1) world.step();
  const refuse = () => {
    const { statusOnFailure } = decide(world.facts(world.restore!), noonPlus(world.now));
    world.restore = { ...world.restore!, status: statusOnFailure!(quota) };
  };
  for (let tries = 0; tries < 29; tries += 1, world.now += 10) {
    expect(begins()).toBe(true);
    refuse();
  }
  world.now += 20;
  expect(stateOf(world.facts(world.restore!), noonPlus(world.now))).toMatchObject({
    state: 'concluded',
    outcome: { failure: { reason: 'Forbidden', message: expect.stringContaining('exceeded quota: jobs') } },
  });
  world.run();
  expect(world.replicas).toBe(3);
});

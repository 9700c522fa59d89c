/** A Job of a restore whose pod never begins: given up, and what is said of it stays true once the Job is gone. */
import { expect, test } from '@jest/globals';
import { BACKED_UP } from '../../support/builders.ts';
import { CHECKED, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

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

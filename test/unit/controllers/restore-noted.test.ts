/** What a load noted goes to check and swap, whose pods then get neither store nor key. */
import { describe, expect, test } from '@jest/globals';
import type { NewJob } from '../../../src/api/kubernetes.ts';

import { type LoadTask, type Report, TASK_ANNOTATION } from '../../../src/api/task.ts';
import { sourceAccessOf } from '../../../src/controllers/access.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { checkJob, loadJob, swapJob } from '../../../src/controllers/restore/jobs.ts';
import { aBackup, aKey, aRestore, aStore, BACKED_UP, NOON, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';
import { CHECKED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const NOTED = `sha256:${'ab'.repeat(32)}`;

const restore = aRestore({
  status: { resolved: { backupUID: aBackup().metadata.uid, path: 'x/', digest: 'd', time: 't' } },
});
const store = { ...aStore(), spec: { ...aStore().spec, serviceAccountName: 'keeper' } };
const facts = {
  restore,
  ...theSource(restore, { store }),
  identity: chooseIdentity(restore, aKey({ identity: true })),
  ...{ runs: [], lock: undefined, workloads: [], settings: SETTINGS },
};
const needs = {
  source: { store: 'cellar', path: 'x/', digest: 'd', cluster: 'lodz', namespace: 'shop' },
  store,
  target: sourceAccessOf(aBackup().spec.source.postgresql),
  identity: { secret: 'private', key: 'identity' },
};

interface Template {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: { readonly serviceAccountName?: string; readonly volumes: readonly { readonly name: string }[] };
}
const templateOf = ({ spec }: NewJob) => spec['template'] as Template;
const given = (job: NewJob) => {
  const { serviceAccountName, volumes } = templateOf(job).spec;
  return { serviceAccountName, volumes: volumes.map(({ name }) => name) };
};
const loaded = JSON.parse(
  templateOf(loadJob(facts, needs, {}, NOON)).metadata.annotations[TASK_ANNOTATION] ?? '',
) as LoadTask;

describe.each([
  ['check', checkJob],
  ['swap', swapJob],
])('a %s', (_, job) => {
  test('of what was noted is given the Secrets of the database alone', () => {
    expect(given(job(facts, { ...loaded, noted: NOTED }, 1, NOON))).toEqual({
      serviceAccountName: undefined,
      volumes: ['task', 'tmp', 'database'],
    });
  });

  test('of what an older runner loaded is given store and key as well', () => {
    expect(given(job(facts, loaded, 1, NOON))).toEqual({
      serviceAccountName: 'keeper',
      volumes: ['task', 'tmp', 'store', 'database', 'identity'],
    });
  });
});

test('what the load noted goes from one run to the next, whichever is left to tell it', () => {
  const busy: Report = { command: 'swap', ok: false, retry: true, failure: { reason: 'NoAnswer', message: 'x' } };
  let swaps = 0;
  const reports: Readonly<Record<string, () => Report>> = {
    plan: () => PLAN_REPORT,
    backup: () => BACKED_UP,
    load: () => ({ command: 'load', ok: true, result: { noted: NOTED } }),
    check: () => CHECKED,
    swap: () => {
      swaps += 1;
      return swaps === 1 ? busy : { command: 'swap', ok: true, result: {} };
    },
    cleanup: () => ({ command: 'cleanup', ok: true, result: { restored: true } }),
  };
  const world = new RestoreWorld((purpose) => reports[purpose]!());
  world.run();
  const told = [...world.jobs.values()].flatMap(({ run: { purpose, attempt, task } }) =>
    purpose === 'check' || purpose === 'swap' ? [[purpose, attempt, (task as { noted?: string }).noted]] : [],
  );
  expect(told).toEqual([
    ['check', 1, NOTED],
    ['swap', 1, NOTED],
    ['swap', 2, NOTED],
  ]);
  expect(world.live).toBe('new');
});

/** Rows of a decision: one object that is refused keeps no other waiting. */
import { expect, test } from '@jest/globals';
import type { Restore } from '../../../src/api/restore.ts';
import type { Decision } from '../../../src/controllers/action.ts';
import { reconcile, type Tools } from '../../../src/controllers/reconcile.ts';
import { bringBack } from '../../../src/controllers/restore/scaling.ts';
import type { WorkloadFacts } from '../../../src/controllers/restore/workload-facts.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { KIND } from '../../../src/kube/kinds.ts';
import { aRestore, NOON } from '../../support/builders.ts';

const DEPLOYMENTS = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };

function asleep(name: string): WorkloadFacts {
  const lease = { namespace: 'shop', name: `lease-${name}`, uid: name, resourceVersion: '1', holder: 'us' };
  return {
    workload: { kind: 'Deployment', name },
    resource: DEPLOYMENTS,
    found: { uid: name, resourceVersion: '1', replicas: 0, pods: [] },
    lease: { ...lease, holderUid: aRestore().metadata.uid, holderAlive: true, replicas: 2 },
  };
}

/** One pass over three apps at zero, on a cluster that says this to a scale. */
async function pass(answers: Readonly<Record<string, KubeError>>) {
  const restore = aRestore();
  const calls: string[] = [];
  let told: unknown;
  const cluster = {
    get: async () => restore,
    setScale: async (_kind: unknown, { name }: { name: string }, replicas: number) => {
      calls.push(`scale ${name} ${replicas}`);
      if (answers[name] !== undefined) throw answers[name];
    },
    delete: async (_kind: unknown, { name }: { name: string }) => {
      calls.push(`delete ${name}`);
    },
    event: async () => {},
    applyStatus: async (_kind: unknown, _version: unknown, status: object) => {
      told = status;
      return { ...restore, status };
    },
  };
  const decision: Decision = {
    rows: bringBack({ restore, workloads: ['a', 'b', 'c'].map(asleep) }).rows,
    actions: [{ action: 'deleteLease', namespace: 'shop', name: 'after', uid: 'x', resourceVersion: '1' }],
    status: { phase: 'Resuming' },
    statusOnFailure: (failure) => ({ failure }),
  };
  const controller = { kind: KIND.restore, observe: async () => ({}), decide: () => decision };
  const tools = { world: { cluster }, learn: () => {}, now: () => NOON, onTrouble: () => {}, settled: new Map() };
  const thrown = await reconcile<Restore, object, object>(controller, restore, 0, tools as unknown as Tools).then(
    () => undefined,
    (error: unknown) => error,
  );
  return { calls, told, thrown };
}

const denied = (name: string) =>
  new KubeError(`PUT ${name}/scale`, { status: 403, reason: 'Forbidden', message: `a policy denied ${name}` });

test('the others are brought back, and the one that is refused is told', async () => {
  const { calls, told, thrown } = await pass({ a: denied('a') });
  expect(calls).toEqual(['scale a 2', 'scale b 2', 'delete lease-b', 'scale c 2', 'delete lease-c']);
  expect(told).toMatchObject({ failure: { reason: 'Forbidden', message: expect.stringContaining('denied a') } });
  expect(thrown).toMatchObject({ status: 403 });
});

test('two that are refused are told together, and one that passes by itself is not', async () => {
  const conflict = new KubeError('PUT c/scale', { status: 409, reason: 'Conflict', message: 'changed' });
  const { told } = await pass({ a: denied('a'), b: denied('b'), c: conflict });
  expect(told).toEqual({
    failure: { reason: 'Forbidden', message: 'PUT a/scale: a policy denied a; PUT b/scale: a policy denied b' },
  });
});

test('what passes by itself stops the rest of the pass without a word', async () => {
  const conflict = new KubeError('PUT a/scale', { status: 409, reason: 'Conflict', message: 'changed' });
  const { calls, told, thrown } = await pass({ a: conflict });
  expect(calls).not.toContain('delete after');
  expect({ told, thrown }).toEqual({ told: undefined, thrown: conflict });
});

test('when all went well the actions follow, and the status', async () => {
  const { calls, told } = await pass({});
  expect(calls.at(-1)).toBe('delete after');
  expect(told).toEqual({ phase: 'Resuming' });
});

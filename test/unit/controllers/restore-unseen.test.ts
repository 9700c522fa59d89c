/** One workload that cannot be looked at, or whose pods cannot be told, among others. */
import { describe, expect, test } from '@jest/globals';
import type { Lease, Scale } from '../../../src/api/kubernetes.ts';
import { scaleLeaseName } from '../../../src/api/names.ts';
import type { Restore, Workload } from '../../../src/api/restore.ts';
import type { World } from '../../../src/controllers/controller.ts';
import { scaleLease } from '../../../src/controllers/leases.ts';
import { startedAgain, workloadRefusals } from '../../../src/controllers/restore/contest.ts';
import { observeWorkloads } from '../../../src/controllers/restore/observe-workloads.ts';
import { bringBack, takeDown, waitsFor } from '../../../src/controllers/restore/scaling.ts';
import { progressStatus } from '../../../src/controllers/restore/status.ts';
import type { WorkloadFacts } from '../../../src/controllers/restore/workload-facts.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { aRestore, NOON, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';

const SHOPS = { apiVersion: 'example.com/v1', kind: 'Shop', plural: 'shops' };
const WEB: Workload = { kind: 'Deployment', name: 'web' };
const TOYS: Workload = { apiVersion: 'example.com/v1', kind: 'Shop', name: 'toys' };
const BROKEN = new KubeError('GET shops/toys/scale', { status: 500, message: 'conversion webhook failed' });

interface Answers {
  readonly scales: Readonly<Record<string, Partial<Scale['spec'] & Scale['status']> | KubeError>>;
  readonly whole?: KubeError;
  readonly leases?: readonly Workload[];
}

/** An API server that answers so. */
function observed(restore: Restore, { scales, whole, leases = [] }: Answers): Promise<WorkloadFacts[]> {
  const held = leases.map((workload): Lease => {
    const resource = workload === TOYS ? SHOPS : { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };
    const lease = scaleLease(workload, resource, 3, { kind: 'Restore', metadata: restore.metadata });
    const metadata = { ...lease.metadata, uid: 'l', resourceVersion: '1', creationTimestamp: NOON.toISOString() };
    return { ...lease, metadata } as Lease;
  });
  const metadata = (name: string) => ({ name, namespace: 'shop', uid: name, resourceVersion: '1' });
  const cluster = {
    get: async ({ kind }: { kind: string }, { name }: { name: string }) => {
      if (kind === 'Lease') return held.find((lease) => lease.metadata.name === name);
      if (whole !== undefined) throw whole;
      return { metadata: metadata(name) };
    },
    getScale: async (_kind: unknown, { name }: { name: string }) => {
      const scale = scales[name];
      if (scale instanceof KubeError) throw scale;
      const { replicas = 0, selector, ...rest } = scale ?? {};
      const status = { replicas, ...(selector === undefined ? {} : { selector }), ...rest };
      return { metadata: metadata(name), spec: { replicas }, status };
    },
    list: async () => [],
  };
  const stores = {
    restores: { byUid: () => restore },
    backups: { byUid: () => undefined },
    pods: { ownedBy: () => [] },
  };
  const settings = { ...SETTINGS, scalableKinds: [SHOPS] };
  return observeWorkloads({ cluster, stores, settings } as unknown as World, restore);
}

const restoring = (more: Parameters<typeof aRestore>[0] = {}) =>
  aRestore({ spec: { scaleDown: { workloads: [WEB, TOYS] } }, ...more });

describe('a workload of which the API server does not tell', () => {
  const scales = { web: { replicas: 0, selector: 'app=web' }, toys: BROKEN };
  const ways: [string, Restore, readonly Workload[]][] = [
    ['its own Lease says that it is down', restoring(), [TOYS]],
    ['the Lease of another says that the app is down', restoring(), [WEB]],
    ['the outcome is known', restoring({ status: { outcome: { result: 'Failed', time: NOON.toISOString() } } }), []],
    ['the Restore is being deleted', restoring({ metadata: { deletionTimestamp: NOON.toISOString() } }), []],
  ];

  test.each(ways)('keeps no other waiting when %s', async (_how, restore, leases) => {
    const workloads = await observed(restore, { scales, leases });
    const seen = Object.fromEntries(workloads.map(({ workload, found, unseen }) => [workload.name, { found, unseen }]));
    expect(seen['web']?.found).toMatchObject({ replicas: 0 });
    expect(seen['toys']).toEqual({
      unseen: {
        reason: 'WorkloadUnreadable',
        message: expect.stringContaining('Shop "toys": GET shops/toys/scale: conversion webhook failed'),
        hint: expect.stringContaining('conversion'),
      },
    });
  });

  test('stops the look before anything is at zero: nothing is decided without it', async () => {
    await expect(observed(restoring(), { scales })).rejects.toBe(BROKEN);
  });

  test('keeps its Lease while the other comes back, and the status says what it is', async () => {
    const restore = restoring({ metadata: { deletionTimestamp: NOON.toISOString() } });
    const workloads = await observed(restore, { scales, leases: [WEB, TOYS] });
    const { rows, trouble } = bringBack({ restore, workloads });
    expect(rows).toMatchObject([[{ action: 'scale', name: 'web', replicas: 3 }, { action: 'deleteLease' }]]);
    expect(rows).toHaveLength(1);
    expect(trouble?.reason).toBe('WorkloadUnreadable');
    const source = theSource(restore);
    const identity = { wait: { reason: 'x', message: 'x' } };
    const facts = { ...source, restore, workloads, identity, runs: [], lock: undefined, settings: SETTINGS };
    const { conditions } = progressStatus(facts, { phase: 'Resuming', trouble }, NOON);
    expect(conditions).toContainEqual(
      expect.objectContaining({ type: 'Quiesced', status: 'False', reason: 'WorkloadUnreadable' }),
    );
  });

  test('whose Lease was removed as well is waited for: only our status knows that it is at zero', async () => {
    const scaledWorkloads = [{ ...TOYS, apiVersion: 'example.com/v1', uid: 'toys', replicas: 4, restored: false }];
    const restore = restoring({ status: { scaledWorkloads } });
    const workloads = await observed(restore, { scales });
    expect(bringBack({ restore, workloads })).toMatchObject({ rows: [], trouble: { reason: 'WorkloadUnreadable' } });
  });

  test('is neither missing nor at rest nor started again', async () => {
    const restore = restoring();
    const workloads = await observed(restore, { scales, leases: [WEB, TOYS] });
    expect(workloadRefusals({ restore, workloads })).toEqual([]);
    expect(waitsFor({ restore, workloads })).toContainEqual(expect.stringMatching(/^Shop toys to be looked at: /));
    expect(startedAgain({ restore, workloads })).toBeUndefined();
    expect(takeDown({ restore, workloads }, NOON).map(({ action }) => action)).toEqual(['annotateLease']);
  });

  test('who wrote a count is not worth an app that stays at zero', async () => {
    const whole = new KubeError('GET deployments/web', { status: 500, message: 'x' });
    const all = { web: { replicas: 2, selector: 'app=web' }, toys: { replicas: 1, selector: 'app=toys' } };
    const workloads = await observed(restoring(), { scales: all, whole });
    expect(workloads.map(({ found }) => found?.replicas).toSorted()).toEqual([1, 2]);
  });
});

describe('a workload whose scale has no selector', () => {
  test('is refused with the plan: nobody can tell its pods', async () => {
    const restore = restoring();
    const scales = { web: { replicas: 2, selector: 'app=web' }, toys: { replicas: 4 } };
    const workloads = await observed(restore, { scales });
    expect(workloadRefusals({ restore, workloads })).toEqual([
      {
        reason: 'WorkloadWithoutSelector',
        message: expect.stringContaining('Shop toys has no selector'),
        hint: expect.stringContaining('labelSelectorPath'),
      },
    ]);
  });

  test('and has lost it since is not taken for one without pods, and comes back', async () => {
    const restore = restoring();
    const scales = { web: { replicas: 0, selector: 'app=web' }, toys: { replicas: 0 } };
    const workloads = (await observed(restore, { scales, leases: [WEB, TOYS] })).map((each) => ({
      ...each,
      lease: { ...each.lease!, atZero: NOON },
    }));
    expect(waitsFor({ restore, workloads })).toEqual(['the scale of Shop toys to tell the selector of its pods']);
    expect(bringBack({ restore, workloads }).rows.flat()).toContainEqual(
      expect.objectContaining({ action: 'scale', name: 'toys', replicas: 3 }),
    );
  });
});

test('a replica that the workload counts is waited for, though the selector finds no pod of it', () => {
  const restore = restoring();
  const lease = { namespace: 'shop', name: scaleLeaseName(TOYS), uid: 'l', resourceVersion: '1', holder: 'us' };
  const toys = (left: number): WorkloadFacts => ({
    workload: TOYS,
    resource: SHOPS,
    found: { uid: 'toys', resourceVersion: '1', replicas: 0, pods: [], left },
    lease: { ...lease, holderUid: restore.metadata.uid, holderAlive: true, replicas: 4, atZero: NOON },
  });
  expect(waitsFor({ restore, workloads: [toys(2)] })).toEqual(['Shop toys to have no replica (2 of them left)']);
  expect(waitsFor({ restore, workloads: [toys(0)] })).toEqual([]);
});

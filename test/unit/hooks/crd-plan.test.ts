import { expect, test } from '@jest/globals';
import type { Crd, NewCrd } from '../../../src/api/kubernetes.ts';
import { planCrd, unusable } from '../../../src/hooks/crd-plan.ts';

function aCrd(version: string | undefined, over: { leaving?: boolean; serves?: string[]; conditions?: object[] } = {}) {
  const { leaving = false, serves = ['v1alpha1'], conditions = [] } = over;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'backups.holdfast.dev',
      annotations: version === undefined ? {} : { 'holdfast.dev/version': version },
      ...(leaving ? { deletionTimestamp: '2026-11-24T12:00:00Z' } : {}),
    },
    spec: {
      group: 'holdfast.dev',
      names: { plural: 'backups' },
      versions: serves.map((name) => ({ name, served: true })),
    },
    status: { conditions },
  } as unknown as Crd & NewCrd;
}

const ours = aCrd('0.2.0');

test.each([
  ['none', undefined, 'create'],
  ['one without a version', aCrd(undefined), 'apply'],
  ['one whose version is no version', aCrd('yesterday'), 'apply'],
  ['an older one', aCrd('0.1.9'), 'apply'],
  ['one of the same version', aCrd('0.2.0'), 'apply'],
  ['a newer one', aCrd('0.3.0-rc.1', { serves: ['v1beta1', 'v1alpha1'] }), 'keep'],
  ['one that is being deleted', aCrd('0.3.0', { leaving: true }), 'wait'],
])('where there is %s: %3$s', (_what, found, step) => {
  expect(planCrd(ours, found).step).toBe(step);
});

test('where a newer one no longer serves our version, it is refused', () => {
  expect(() => planCrd(ours, aCrd('1.0.0', { serves: ['v1'] }))).toThrow('serves v1alpha1 no longer');
});

const established = { type: 'Established', status: 'True' };
const served = new Set(['backups']);

test.each([
  ['there is none', undefined, 'it is not Established'],
  ['nothing is said of it yet', aCrd('0.2.0'), 'it is not Established'],
  [
    'its names are taken',
    aCrd('0.2.0', { conditions: [established, { type: 'NamesAccepted', status: 'False', message: 'taken' }] }),
    'taken',
  ],
  [
    'it is not Established',
    aCrd('0.2.0', { conditions: [{ type: 'Established', status: 'False', message: 'not yet' }] }),
    'not yet',
  ],
])('while %s, it cannot be used', (_what, found, because) => {
  expect(unusable(ours, found, served)).toBe(because);
});

test('it can be used once it is Established and served', () => {
  const found = aCrd('0.2.0', { conditions: [established] });
  expect(unusable(ours, found, new Set())).toBe('the API server does not serve it yet');
  expect(unusable(ours, found, served)).toBeUndefined();
});

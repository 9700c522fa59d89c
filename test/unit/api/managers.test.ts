import { describe, expect, test } from '@jest/globals';
import { pauseAdvice, writersOf, writerTitle, writerWarnings } from '../../../src/api/managers.ts';
import type { ManagedFields } from '../../../src/api/meta.ts';

const REPLICAS = ['spec', 'replicas'];
const OWNS = { 'f:spec': { 'f:replicas': {} } };

function entry(manager: string, more: Partial<ManagedFields> = {}): ManagedFields {
  return { manager, operation: 'Update', time: '2026-11-24T12:00:00Z', fieldsV1: OWNS, ...more };
}

describe('who owns a count', () => {
  test('is everybody whose fields have it, the newest first, and never we', () => {
    const managed = [
      entry('kubectl', { time: '2026-11-24T11:00:00Z' }),
      entry('holdfast', { subresource: 'scale', time: '2026-11-24T13:00:00Z' }),
      entry('argocd-controller', { operation: 'Apply' }),
      entry('kube-controller-manager', { subresource: 'status', fieldsV1: { 'f:status': { 'f:replicas': {} } } }),
      entry('istio', { fieldsV1: { 'f:spec': { 'f:template': {} } } }),
    ];
    expect(writersOf(managed, REPLICAS)).toEqual([
      { manager: 'argocd-controller', time: '2026-11-24T12:00:00Z' },
      { manager: 'kubectl', time: '2026-11-24T11:00:00Z' },
    ]);
  });

  test.each<[string, ManagedFields[] | undefined]>([
    ['no managed fields', undefined],
    ['none', []],
    ['fields that are no object', [entry('x', { fieldsV1: 'f:spec' })]],
    ['fields that are null', [entry('x', { fieldsV1: { 'f:spec': null } })]],
    ['no name', [{ fieldsV1: OWNS }]],
  ])('is nobody where there are %s', (_what, managed) => {
    expect(writersOf(managed, REPLICAS)).toEqual([]);
  });

  test('may have no time', () => {
    expect(writersOf([{ manager: 'x', fieldsV1: OWNS }], REPLICAS)).toEqual([{ manager: 'x' }]);
  });
});

describe('what is said of one', () => {
  const HPA = { manager: 'kube-controller-manager', subresource: 'scale' };

  test.each([
    [{ manager: 'argocd-controller' }, 'Argo CD (argocd-controller)', 'ignoreDifferences'],
    [{ manager: 'kustomize-controller' }, 'Flux (kustomize-controller)', 'flux suspend'],
    [{ manager: 'helm-controller' }, 'Flux (helm-controller)', 'flux suspend'],
    [{ manager: 'keda', subresource: 'scale' }, 'KEDA (keda)', 'paused-replicas'],
    [{ manager: 'rabbitmq-cluster-operator' }, 'another program (rabbitmq-cluster-operator)', 'pause what it works'],
  ])('%j insists, and there is a way to pause it', (writer, title, pause) => {
    expect(writerTitle(writer)).toBe(title);
    expect(pauseAdvice(writer)).toContain(pause);
    const [warning, ...rest] = writerWarnings('Deployment web', [writer]);
    expect(rest).toEqual([]);
    expect(warning).toContain(`Deployment web: ${title} writes its count and may start it again`);
    expect(warning).toContain(pause);
  });

  test('an autoscaler sleeps at zero and wakes up again, unless KEDA is behind it', () => {
    expect(writerWarnings('Deployment web', [HPA])).toEqual([
      expect.stringMatching(/HorizontalPodAutoscaler .* sleeps while that is zero and wakes up .* KEDA/),
    ]);
  });

  test('the controller manager itself, which writes many things, is no autoscaler', () => {
    expect(writerTitle({ manager: 'kube-controller-manager' })).not.toContain('Autoscaler');
  });

  test.each([
    'kubectl',
    'kubectl-client-side-apply',
    'kubectl-edit',
    'helm',
    'k9s',
    'oc',
    'Mozilla',
    'terraform',
    'before-first-apply',
  ])('%s wrote it once, and nobody is warned of that', (manager) => {
    expect(writerWarnings('Deployment web', [{ manager }])).toEqual([]);
    expect(writerTitle({ manager })).toBe(`a person or a pipeline (${manager})`);
  });
});

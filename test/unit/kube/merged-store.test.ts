import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/api/kubernetes.ts';
import { LABELS } from '../../../src/api/names.ts';
import { MergedStore, type Part } from '../../../src/kube/merged-store.ts';
import { LocalStore } from '../../../src/kube/store.ts';

const thing = (namespace: string, name: string, uid: string, owner = 'o'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: {
    ...{ name, namespace, uid, resourceVersion: '3', creationTimestamp: '2026-11-24T08:00:00Z' },
    labels: { [LABELS.owner]: owner },
  },
});

function part(namespace: string, objects: readonly KubeObject[]): Part<KubeObject> & { store: LocalStore<KubeObject> } {
  const store = new LocalStore<KubeObject>();
  store.replace(objects, '5');
  return { covers: (asked) => asked === namespace, store };
}

const uids = (objects: readonly KubeObject[]) => objects.map(({ metadata }) => metadata.uid);

describe('copies of several namespaces seen as one', () => {
  const shop = part('shop', [thing('shop', 'a', '1'), thing('shop', 'b', '2', 'other')]);
  const billing = part('billing', [thing('billing', 'a', '3')]);
  const both = new MergedStore([shop, billing]);

  test('two objects of one name are two', () => {
    expect(both.get('shop', 'a')?.metadata.uid).toBe('1');
    expect(both.get('billing', 'a')?.metadata.uid).toBe('3');
    expect(both.get('elsewhere', 'a')).toBeUndefined();
    expect(uids(both.list())).toEqual(['1', '2', '3']);
    expect(uids(both.list('billing'))).toEqual(['3']);
    expect(both.list('elsewhere')).toEqual([]);
  });

  test('are found by uid and by owner wherever they are', () => {
    expect(both.byUid('3')?.metadata.namespace).toBe('billing');
    expect(both.byUid('9')).toBeUndefined();
    expect(uids(both.ownedBy('o'))).toEqual(['1', '3']);
  });

  test('what goes in one of them stays in the other', () => {
    const here = part('here', [thing('here', 'a', '1')]);
    const there = part('there', [thing('there', 'a', '2')]);
    const merged = new MergedStore([here, there]);
    here.store.replace([], '9');
    expect(uids(merged.list())).toEqual(['2']);
  });

  test('one that is not to be looked at shows nothing, and absence means nothing while there is one', () => {
    const hidden: Part<KubeObject> = { covers: (asked) => asked === 'dark', store: undefined };
    const merged = new MergedStore([shop, hidden]);
    expect(merged.get('dark', 'a')).toBeUndefined();
    expect(uids(merged.list())).toEqual(['1', '2']);
    expect([both.synced(), merged.synced()]).toEqual([true, false]);
  });
});

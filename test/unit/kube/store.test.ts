import { describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/api/kubernetes.ts';
import { LABELS } from '../../../src/api/names.ts';
import { type Change, isNewer, LocalStore } from '../../../src/kube/store.ts';

const lease = (name: string, uid: string, resourceVersion: string, owner?: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: {
    name,
    namespace: 'n',
    uid,
    resourceVersion,
    creationTimestamp: '2026-11-24T08:00:00Z',
    ...(owner === undefined ? {} : { labels: { [LABELS.owner]: owner } }),
  },
});

const told = (changes: readonly Change[]) => changes.map(({ type, object }) => `${type} ${object.metadata.uid}`);

describe('a local copy', () => {
  test('knows nothing until the first list is in, not even that there is nothing', () => {
    const store = new LocalStore();
    expect(store.synced()).toBe(false);
    expect(told(store.replace([], '5'))).toEqual([]);
    expect(store.synced()).toBe(true);
  });

  test('tells of a list only what is news', () => {
    const store = new LocalStore();
    expect(told(store.replace([lease('a', '1', '3'), lease('b', '2', '4')], '5'))).toEqual(['added 1', 'added 2']);
    expect(told(store.replace([lease('a', '1', '3'), lease('b', '2', '6')], '7'))).toEqual(['changed 2']);
  });

  test('notices by a list what was deleted while nobody looked', () => {
    const store = new LocalStore();
    store.replace([lease('a', '1', '3'), lease('b', '2', '4')], '5');
    expect(told(store.replace([lease('b', '2', '4')], '9'))).toEqual(['deleted 1']);
    expect(store.get('n', 'a')).toBeUndefined();
  });

  test.each(['replace', 'seen'] as const)('an object made anew under its old name went and came (%s)', (way) => {
    const store = new LocalStore();
    store.replace([lease('a', '1', '3', 'old')], '5');
    const anew = lease('a', '2', '8', 'new');
    const changes = way === 'replace' ? store.replace([anew], '9') : store.seen(anew);
    expect(told(changes)).toEqual(['deleted 1', 'added 2']);
    expect(store.ownedBy('old')).toEqual([]);
    expect(store.ownedBy('new')).toEqual([anew]);
    expect(store.byUid('1')).toBeUndefined();
  });

  test('a late DELETED of the predecessor leaves the successor alone', () => {
    const store = new LocalStore();
    store.replace([lease('a', '2', '8')], '9');
    expect(told(store.removed(lease('a', '1', '7')))).toEqual([]);
    expect(store.get('n', 'a')?.metadata.uid).toBe('2');
  });

  test('a replayed or older event changes nothing', () => {
    const store = new LocalStore();
    store.replace([lease('a', '1', '8')], '9');
    expect(told(store.seen(lease('a', '1', '8')))).toEqual([]);
    expect(told(store.seen(lease('a', '1', '6')))).toEqual([]);
    expect(store.get('n', 'a')?.metadata.resourceVersion).toBe('8');
  });

  test('finds what an owner has, also after its label changed', () => {
    const store = new LocalStore();
    store.replace([lease('a', '1', '3', 'x'), lease('b', '2', '4', 'x')], '5');
    expect(store.ownedBy('x').map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    store.seen(lease('a', '1', '6', 'y'));
    expect(store.ownedBy('x').map(({ metadata }) => metadata.name)).toEqual(['b']);
    expect(store.ownedBy('y').map(({ metadata }) => metadata.name)).toEqual(['a']);
    store.removed(lease('b', '2', '7', 'x'));
    expect(store.ownedBy('x')).toEqual([]);
  });

  describe('learns from the answer to a write', () => {
    test('what the watch has not told yet', () => {
      const store = new LocalStore();
      store.replace([], '5');
      store.learn(lease('a', '1', '8'));
      expect(store.get('n', 'a')?.metadata.uid).toBe('1');
    });

    test('and tells of it when the watch does, once', () => {
      const store = new LocalStore();
      store.replace([lease('b', '2', '3')], '5');
      store.learn(lease('a', '1', '8'));
      store.learn(lease('b', '2', '9'));
      expect(told(store.seen(lease('a', '1', '8')))).toEqual(['added 1']);
      expect(told(store.seen(lease('b', '2', '9')))).toEqual(['changed 2']);
      expect(told(store.seen(lease('b', '2', '9')))).toEqual([]);
      expect(told(store.seen(lease('b', '2', '10')))).toEqual(['changed 2']);
    });

    test('and tells of one whose first version the watch never told', () => {
      const store = new LocalStore();
      store.replace([], '5');
      store.learn(lease('a', '1', '8'));
      expect(told(store.seen(lease('a', '1', '9')))).toEqual(['added 1']);
      store.learn(lease('b', '2', '10'));
      expect(told(store.removed(lease('b', '2', '11')))).toEqual(['added 2', 'deleted 2']);
    });

    test('and keeps the newest of what it learned', () => {
      const store = new LocalStore();
      store.replace([], '5');
      store.learn(lease('a', '1', '9'));
      store.learn(lease('a', '1', '8'));
      expect(store.get('n', 'a')?.metadata.resourceVersion).toBe('9');
      expect(told(store.seen(lease('a', '1', '8')))).toEqual([]);
      expect(told(store.seen(lease('a', '1', '9')))).toEqual(['added 1']);
    });

    test('nothing that the watch is past already: it may have seen the object go', () => {
      const store = new LocalStore();
      store.replace([], '5');
      store.seen(lease('a', '1', '8'));
      store.removed(lease('a', '1', '9'));
      store.learn(lease('a', '1', '8'));
      expect(store.get('n', 'a')).toBeUndefined();
    });

    test('and keeps it when a list that was begun before comes in after it', () => {
      const store = new LocalStore();
      store.replace([lease('b', '2', '3')], '5');
      store.learn(lease('a', '1', '8'));
      store.learn(lease('b', '2', '9'));
      expect(told(store.replace([lease('b', '2', '6')], '7'))).toEqual([]);
      expect(store.get('n', 'a')?.metadata.uid).toBe('1');
      expect(store.get('n', 'b')?.metadata.resourceVersion).toBe('9');
    });

    test('but not for ever: an API server that was set back is believed', () => {
      const store = new LocalStore();
      store.replace([], '5');
      store.learn(lease('a', '1', '8'));
      store.replace([], '2');
      expect(told(store.replace([], '3'))).toEqual(['added 1', 'deleted 1']);
    });
  });
});

describe('resourceVersions', () => {
  test.each([
    ['10', '9', true],
    ['9', '10', false],
    ['9', '9', false],
    ['18446744073709551617', '18446744073709551616', true],
    ['b', 'a', false],
    ['', '', false],
  ])('%s is newer than %s: %s', (a, b, answer) => {
    expect(isNewer(a, b)).toBe(answer);
  });
});

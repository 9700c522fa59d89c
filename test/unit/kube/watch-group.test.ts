import { afterEach, describe, expect, test } from '@jest/globals';
import type { KubeObject } from '../../../src/api/kubernetes.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import type { Call, Http } from '../../../src/kube/http.ts';
import { KIND, type KindRef } from '../../../src/kube/kinds.ts';
import { type GroupOptions, type Refusal, WatchGroup } from '../../../src/kube/watch-group.ts';
import { Watches } from '../../../src/kube/watches.ts';

/** An API server whose answers for each path are the test's; watches hear nothing until they are cut. */
class FakeApi {
  readonly refused = new Set<string>();
  readonly hanging = new Set<string>();
  readonly content = new Map<string, KubeObject[]>();
  readonly asked: string[] = [];
  private cuts: (() => void)[] = [];

  readonly http = {
    json: async (call: Call) => {
      this.enter('list', call);
      while (this.hanging.has(call.path)) await pause(5);
      return { metadata: { resourceVersion: '7' }, items: this.content.get(call.path) ?? [] };
    },
    stream: async (call: Call, signal: AbortSignal) => {
      this.enter('watch', call);
      const cut = new Promise<void>((resolve) => {
        this.cuts.push(resolve);
        signal.addEventListener('abort', () => resolve());
      });
      return silentUntil(cut);
    },
  } as unknown as Http;

  cutAll(): void {
    for (const cut of this.cuts.splice(0)) cut();
  }

  private enter(verb: string, { path }: Call): void {
    this.asked.push(`${verb} ${path}`);
    if (this.refused.has(path)) throw new KubeError(`GET ${path}`, { status: 403, message: 'is forbidden' });
  }
}

// biome-ignore lint/correctness/useYield: a watch that hears nothing
async function* silentUntil(end: Promise<void>): AsyncGenerator<Buffer> {
  await end;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(there: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (there()) return;
    await pause(5);
  }
  throw new Error('it never came to that');
}

const KEYS = '/apis/holdfast.dev/v1alpha1/namespaces/shop/backupkeys';
const BACKUPS = '/apis/holdfast.dev/v1alpha1/namespaces/shop/backups';

const object = ({ apiVersion, kind }: KindRef, name: string): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, namespace: 'shop', uid: name, resourceVersion: '3', creationTimestamp: '2026-11-24T08:00:00Z' },
});

let group: WatchGroup | undefined;

afterEach(async () => {
  await group?.stop();
  group = undefined;
});

function groupOf(api: FakeApi, more: Partial<GroupOptions> = {}) {
  const told: string[] = [];
  const refusals: Refusal[] = [];
  const served: string[] = [];
  const bugs: unknown[] = [];
  group = new WatchGroup(api.http, {
    namespace: 'shop',
    kinds: [{ kind: KIND.backupKey }, { kind: KIND.backup }],
    patience: 50,
    timings: { backoff: { base: 5, cap: 10 } },
    onChange: ({ type, object: { metadata } }) => told.push(`${type} ${metadata.name}`),
    onRestart: () => undefined,
    onRefused: (refusal) => refusals.push(refusal),
    onServed: (namespace) => served.push(namespace),
    onFatal: (error) => bugs.push(error),
    ...more,
  });
  return { group, told, refusals, served, bugs };
}

describe('a namespace is looked at as a whole', () => {
  test('nothing is shown or told before its last list is in, then all of it', async () => {
    const api = new FakeApi();
    api.content.set(KEYS, [object(KIND.backupKey, 'k')]);
    api.content.set(BACKUPS, [object(KIND.backup, 'b')]);
    api.hanging.add(BACKUPS);
    const { group, told } = groupOf(api);
    group.start();
    await until(() => api.asked.includes(`watch ${KEYS}`));
    await pause(30);
    expect([told, group.visible('BackupKey'), group.isSettled()]).toEqual([[], undefined, false]);
    api.hanging.clear();
    await until(() => group.isSettled());
    expect(told).toEqual(['added k', 'added b']);
    expect(group.visible('BackupKey')?.list()).toHaveLength(1);
  });

  test('an answer of the API server is learned only once it is open', async () => {
    const api = new FakeApi();
    api.hanging.add(BACKUPS);
    const { group } = groupOf(api);
    group.start();
    await until(() => api.asked.includes(`watch ${KEYS}`));
    const newer = { ...object(KIND.backupKey, 'k'), metadata: { ...object(KIND.backupKey, 'k').metadata } };
    group.learn({ ...newer, metadata: { ...newer.metadata, resourceVersion: '9' } });
    api.hanging.clear();
    await until(() => group.isSettled());
    expect(group.visible('BackupKey')?.list()).toEqual([]);
    group.learn({ ...newer, metadata: { ...newer.metadata, resourceVersion: '9' } });
    expect(group.visible('BackupKey')?.list()).toHaveLength(1);
  });
});

describe('a namespace that refuses us', () => {
  test('is given up after a while, and one watch goes on asking', async () => {
    const api = new FakeApi();
    api.refused.add(KEYS);
    const { group, refusals } = groupOf(api);
    const begun = performance.now();
    group.start();
    await until(() => group.isRefused());
    expect(performance.now() - begun).toBeGreaterThanOrEqual(49);
    const before = api.asked.length;
    await until(() => api.asked.length > before + 5);
    expect(new Set(api.asked)).toEqual(new Set([`list ${KEYS}`]));
    expect(refusals).toMatchObject([{ namespace: 'shop', lost: [], reason: expect.stringContaining('is forbidden') }]);
  });

  test('is served as a whole when it lets us in', async () => {
    const api = new FakeApi();
    api.refused.add(KEYS);
    api.content.set(BACKUPS, [object(KIND.backup, 'b')]);
    const { group, told, served } = groupOf(api);
    group.start();
    await until(() => group.isRefused());
    api.refused.clear();
    await until(() => !group.isRefused());
    expect([told, served]).toEqual([['added b'], ['shop']]);
  });

  test('does not let a leader wait', async () => {
    const api = new FakeApi();
    api.refused.add(KEYS);
    const { group } = groupOf(api);
    group.start();
    await group.refresh();
    expect(group.isRefused()).toBe(true);
    await group.refresh();
  });

  test('in one kind alone is refused as a whole, and that kind is named once', async () => {
    const api = new FakeApi();
    api.refused.add(BACKUPS);
    api.content.set(KEYS, [object(KIND.backupKey, 'k')]);
    const { group, told, refusals } = groupOf(api);
    group.start();
    await until(() => group.isRefused());
    await pause(150);
    expect(told).toEqual([]);
    expect(refusals.map(({ reason }) => reason.includes('/backups:'))).toEqual([true]);
  });

  test('takes back what was told of it, once, and starts from nothing', async () => {
    const api = new FakeApi();
    api.content.set(KEYS, [object(KIND.backupKey, 'k')]);
    api.content.set(BACKUPS, [object(KIND.backup, 'b')]);
    const { group, told, refusals } = groupOf(api);
    group.start();
    await until(() => group.isSettled());
    api.refused.add(KEYS);
    api.refused.add(BACKUPS);
    api.content.delete(BACKUPS);
    api.cutAll();
    await until(() => group.isRefused());
    expect(told.slice(2).sort()).toEqual(['deleted b', 'deleted k']);
    expect(group.visible('Backup')).toBeUndefined();
    expect(refusals[0]?.lost).toHaveLength(2);
    api.refused.clear();
    await until(() => !group.isRefused());
    await pause(30);
    expect(told.slice(4)).toEqual(['added k']);
    expect(refusals).toHaveLength(1);
  });

  test('for a moment only is no reason to forget anything', async () => {
    const api = new FakeApi();
    api.content.set(KEYS, [object(KIND.backupKey, 'k')]);
    const { group, told, refusals } = groupOf(api, { patience: 5_000 });
    group.start();
    await until(() => group.isSettled());
    api.refused.add(KEYS);
    api.cutAll();
    await pause(100);
    api.refused.clear();
    await pause(50);
    expect([told, refusals]).toEqual([['added k'], []]);
  });

  test('now and then is let in in between: only a refusal without an end counts', async () => {
    const api = new FakeApi();
    const { group, refusals } = groupOf(api, { patience: 2_000 });
    group.start();
    await until(() => group.isSettled());
    for (const wait of [2_100, 0]) {
      api.refused.add(KEYS);
      api.cutAll();
      await pause(100);
      api.refused.clear();
      await pause(wait);
    }
    expect(refusals).toEqual([]);
  });

  test('is waited for, for ever, where that is asked', async () => {
    const api = new FakeApi();
    api.refused.add(KEYS);
    group = new WatchGroup(api.http, HOME);
    group.start();
    await pause(150);
    expect(group.isSettled()).toBe(false);
  });
});

/** Of a group that is never given up. */
const HOME: GroupOptions = {
  namespace: 'shop',
  kinds: [{ kind: KIND.backupKey }],
  timings: { backoff: { base: 5, cap: 10 } },
  onChange: () => undefined,
  onRestart: () => undefined,
  onRefused: () => undefined,
  onServed: () => undefined,
  onFatal: () => undefined,
};

test('watches that were not begun are not stuck, however long that is', async () => {
  const api = new FakeApi();
  api.refused.add(KEYS);
  const { group } = groupOf(api);
  await pause(60);
  expect(group.idleFor()).toBe(0);
  group.start();
  await until(() => group.isRefused());
  await pause(500);
  expect(group.idleFor()).toBeLessThan(400);
});

describe('the watches of an operator', () => {
  const options = { onChange: () => undefined, onRestart: () => undefined, onFatal: () => undefined };

  async function asked(only?: { namespaces: readonly string[]; home: string }): Promise<string[]> {
    const api = new FakeApi();
    const watches = new Watches(api.http, { ...options, ...(only === undefined ? {} : { only }) });
    watches.start();
    await until(() => watches.synced());
    await watches.stop();
    return api.asked.filter((line) => line.startsWith('list')).map((line) => line.slice('list '.length));
  }

  test('of all namespaces are one for each kind', async () => {
    const lists = await asked();
    expect(lists).toHaveLength(8);
    expect(lists.filter((path) => path.includes('/namespaces/'))).toEqual([]);
  });

  test('of some are one for each kind in each, and one for the Leases of its own namespace', async () => {
    const lists = await asked({ namespaces: ['shop', 'billing'], home: 'holdfast-system' });
    expect(lists).toHaveLength(17);
    expect(lists.filter((path) => path.includes('/holdfast-system/'))).toEqual([
      '/apis/coordination.k8s.io/v1/namespaces/holdfast-system/leases',
    ]);
  });

  test('its own namespace among them is watched once', async () => {
    const lists = await asked({ namespaces: ['holdfast-system'], home: 'holdfast-system' });
    expect(new Set(lists).size).toBe(lists.length);
    expect(lists).toHaveLength(8);
  });
});

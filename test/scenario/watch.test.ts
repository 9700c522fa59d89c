/** The watch against a real API server, with every fault on the way that a watch can meet. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Lease } from '../../src/api/kubernetes.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import { KIND } from '../../src/kube/kinds.ts';
import type { Change } from '../../src/kube/store.ts';
import { Reflector, type WatchTimings } from '../../src/kube/watch.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { waitFor } from '../cluster/wait.ts';
import {
  type ApiProxy,
  type Asked,
  type Fault,
  isList,
  isWatch,
  type LineFault,
  startApiProxy,
} from '../support/api-proxy.ts';
import { Leases, versions } from '../support/kube-leases.ts';

let server: ApiServer;
let proxy: ApiProxy;
let direct: ApiProxy;
let steady: KubeCluster;
let count = 0;

beforeAll(async () => {
  server = await upApiServer();
  proxy = await startApiProxy(server.kubeconfig);
  direct = await startApiProxy(server.kubeconfig);
  steady = new KubeCluster(new Http(direct.credentials));
}, 120_000);

afterAll(async () => {
  await proxy?.stop();
  await direct?.stop();
  await server?.stop();
});

/** Fast enough for a test; the proportions are the real ones. */
const QUICK: WatchTimings = {
  serverSeconds: 60,
  silence: 3_000,
  relistAfter: 600_000,
  backoff: { base: 20, cap: 200 },
  healthy: 200,
};

interface Watching {
  readonly leases: Leases;
  readonly reflector: Reflector<Lease>;
  readonly changes: Change<Lease>[];
  readonly restarts: string[];
  readonly bugs: unknown[];
}

let watching: Watching | undefined;

afterEach(async () => {
  proxy.fault = () => undefined;
  await watching?.reflector.stop();
  watching = undefined;
});

function watch(
  options: { timings?: Partial<WatchTimings>; onChange?: (change: Change<Lease>) => void } = {},
): Watching {
  count += 1;
  const leases = new Leases(steady, `watch-${count}`);
  const changes: Change<Lease>[] = [];
  const restarts: string[] = [];
  const bugs: unknown[] = [];
  const reflector = new Reflector<Lease>(new Http(proxy.credentials, { timeout: 2_000 }), KIND.lease, {
    labelSelector: leases.selector,
    timings: { ...QUICK, ...options.timings },
    onChange: (change) => {
      changes.push(change);
      options.onChange?.(change);
    },
    onRestart: (reason) => restarts.push(reason),
    onFatal: (error) => bugs.push(error),
  });
  watching = { leases, reflector, changes, restarts, bugs };
  return watching;
}

/** The copy is what the API server has, and the changes that were told add up to it. */
async function caughtUp({ leases, reflector, changes, restarts }: Watching, within = 10_000): Promise<void> {
  let truth: string[] = [];
  await waitFor(
    async () => {
      truth = await leases.truth();
      return reflector.store.synced() && JSON.stringify(truth) === JSON.stringify(versions(reflector.store.list()));
    },
    {
      timeoutMs: within,
      everyMs: 20,
      otherwise: () =>
        `the copy has ${JSON.stringify(versions(reflector.store.list()))}, the API server ${JSON.stringify(truth)}; restarts: ${restarts.join('; ')}`,
    },
  );
  expect(replayed(changes)).toEqual(truth);
}

/** What somebody would have who only listened; fails where the story has a hole. */
function replayed(changes: readonly Change<Lease>[]): string[] {
  const known = new Map<string, Lease>();
  for (const { type, object } of changes) {
    const { uid } = object.metadata;
    expect({ type, isKnown: known.has(uid) }).toEqual({ type, isKnown: type !== 'added' });
    if (type === 'deleted') known.delete(uid);
    else known.set(uid, object);
  }
  return versions([...known.values()]);
}

/** The faults for the n-th, n+1-th … request of a sort; the sorts are counted from 0. */
function onNth(sort: (asked: Asked) => boolean, which: (n: number) => Fault | undefined) {
  let n = -1;
  proxy.fault = (asked) => {
    if (!sort(asked)) return undefined;
    n += 1;
    return which(n);
  };
}

const asksFor = ({ leases }: Watching, sort: (asked: Asked) => boolean) =>
  proxy.asked.filter((asked) => sort(asked) && asked.query.get('labelSelector') === leases.selector);

describe('a watch', () => {
  test('tells what is there, what comes, what changes and what goes, each once', async () => {
    const w = watch({ timings: { silence: 60_000 } });
    await w.leases.create('a');
    await w.leases.create('b');
    w.reflector.start();
    await caughtUp(w);
    await w.leases.change('a', 'x');
    await w.leases.create('c');
    await w.leases.remove('b');
    await caughtUp(w);
    expect(w.changes.map(({ type }) => type)).toEqual(['added', 'added', 'changed', 'added', 'deleted']);
    expect(w.restarts).toEqual([]);
    expect(w.reflector.store.list().every(({ metadata }) => !('managedFields' in metadata))).toBe(true);
  });

  test('lists in pages and misses nothing', async () => {
    const w = watch({ timings: { silence: 60_000 } });
    for (let i = 0; i < 60; i += 1)
      await Promise.all(Array.from({ length: 20 }, (_, k) => w.leases.create(`${i * 20 + k}`)));
    w.reflector.start();
    await caughtUp(w);
    expect(w.reflector.store.list()).toHaveLength(1_200);
    expect(asksFor(w, isList)).toHaveLength(3);
  }, 120_000);

  test('goes on from where it was when the API server ends it, without a list', async () => {
    const w = watch({ timings: { serverSeconds: 1, healthy: 100, silence: 60_000 } });
    await w.leases.create('a');
    w.reflector.start();
    await waitFor(async () => asksFor(w, isWatch).length >= 3, {
      timeoutMs: 15_000,
      otherwise: () => 'it did not end',
    });
    await w.leases.create('b');
    await caughtUp(w);
    expect(asksFor(w, isList)).toHaveLength(1);
    expect(w.restarts).toEqual([]);
  }, 30_000);

  test('asks for nothing while nothing happens', async () => {
    const w = watch({ timings: { silence: 60_000 } });
    await w.leases.create('a');
    w.reflector.start();
    await caughtUp(w);
    const before = asksFor(w, () => true).length;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(asksFor(w, () => true)).toHaveLength(before);
  }, 15_000);
});

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['a refused connection', 'refuse'],
  ['a lost answer', 'lose-answer'],
  ['no answer', 'hang'],
  ['half an answer', 'cut'],
  ['garbage', 'garbage'],
  ['400', { status: 400, reason: 'BadRequest' }],
  ['401', { status: 401, reason: 'Unauthorized' }],
  ['403', { status: 403, reason: 'Forbidden' }],
  ['404', { status: 404, reason: 'NotFound' }],
  ['410', { status: 410, reason: 'Expired' }],
  ['429', { status: 429, reason: 'TooManyRequests' }],
  ['500', { status: 500, reason: 'InternalError' }],
  ['502 without a Status', { status: 502 }],
  ['504', { status: 504, reason: 'Timeout' }],
];

describe('a call that fails never makes it deaf', () => {
  test.each(FAULTS)(
    'the first, second and third list meet %s',
    async (_name, fault) => {
      const w = watch();
      await w.leases.create('a');
      onNth(isList, (n) => (n < 3 ? fault : undefined));
      w.reflector.start();
      await caughtUp(w, 20_000);
      await w.leases.create('b');
      await caughtUp(w);
      expect(w.restarts.length).toBeGreaterThanOrEqual(3);
    },
    40_000,
  );

  // A watch has no half answer of one piece; its lines are cut below.
  const onWatches = FAULTS.filter(([, fault]) => fault !== 'cut' && fault !== 'lose-answer' && fault !== 'hang');
  test.each(onWatches)(
    'every watch meets %s for a while, and meanwhile something goes',
    async (_name, fault) => {
      const w = watch();
      await w.leases.create('a');
      await w.leases.create('b');
      w.reflector.start();
      await caughtUp(w);
      onNth(isWatch, (n) => (n < 5 ? fault : undefined));
      proxy.cutAll();
      await w.leases.remove('a');
      await w.leases.create('c');
      await caughtUp(w, 20_000);
      await w.leases.create('d');
      await caughtUp(w);
    },
    40_000,
  );

  test('the wait that a 429 asks for is kept', async () => {
    const w = watch();
    onNth(isList, (n) => (n === 0 ? { status: 429, reason: 'TooManyRequests', retryAfter: 2 } : undefined));
    w.reflector.start();
    await caughtUp(w);
    const [first, second] = asksFor(w, isList) as [Asked, Asked];
    expect(second.at - first.at).toBeGreaterThanOrEqual(1_990);
  });

  test('a resourceVersion that is refused again and again is given up for that of a new list', async () => {
    const w = watch();
    await w.leases.create('a');
    let first: string | null = null;
    proxy.fault = (asked) => {
      if (!isWatch(asked)) return undefined;
      first ??= asked.query.get('resourceVersion');
      return asked.query.get('resourceVersion') === first ? { status: 504, reason: 'Timeout' } : undefined;
    };
    w.reflector.start();
    await waitFor(async () => w.restarts.length > 0, { timeoutMs: 5_000, otherwise: () => 'it was not refused' });
    await w.leases.create('b');
    await caughtUp(w);
    await w.leases.create('c');
    await caughtUp(w);
  }, 30_000);

  test('a long outage ends with the next watch, not with a list', async () => {
    const w = watch();
    await w.leases.create('a');
    w.reflector.start();
    await caughtUp(w);
    proxy.fault = () => 'refuse';
    proxy.cutAll();
    await w.leases.remove('a');
    await waitFor(async () => w.restarts.length > 6, { timeoutMs: 10_000, otherwise: () => 'it does not try' });
    proxy.fault = () => undefined;
    await caughtUp(w);
    expect(asksFor(w, isList)).toHaveLength(1);
  }, 30_000);

  test('the API server restarts', async () => {
    const w = watch();
    await w.leases.create('a');
    w.reflector.start();
    await caughtUp(w);
    await server.restart();
    await waitFor(() => w.leases.create('b').then(() => true), { timeoutMs: 30_000, otherwise: () => 'no API server' });
    await caughtUp(w, 30_000);
  }, 90_000);
});

describe('events that were missed', () => {
  test('a real 410: history is compacted while it is cut off, and what was deleted meanwhile is told', async () => {
    const w = watch();
    await w.leases.create('a');
    await w.leases.create('b');
    w.reflector.start();
    await caughtUp(w);
    proxy.fault = () => 'refuse';
    proxy.cutAll();
    await w.leases.remove('a');
    await w.leases.change('b', 'x');
    await w.leases.create('c');
    await server.compact();
    proxy.fault = () => undefined;
    await caughtUp(w, 30_000);
    expect(w.restarts.join('; ')).toMatch(/too old resource version|resourceVersion for the provided watch|compacted/);
    expect(w.changes.filter(({ type }) => type === 'deleted').map(({ object }) => object.metadata.name)).toEqual([
      `watch-${count}-a`,
    ]);
  }, 90_000);

  test('an ERROR event with 410 in the middle of a watch', async () => {
    const w = watch();
    await w.leases.create('a');
    const expired = JSON.stringify({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' },
    });
    onNth(isWatch, (n) => (n === 0 ? { line: () => ({ instead: expired }) } : undefined));
    w.reflector.start();
    await caughtUp(w);
    await w.leases.remove('a');
    await w.leases.create('b');
    await caughtUp(w);
    expect(asksFor(w, isList)).toHaveLength(2);
  });

  test.each([0, 1, 2, 3])(
    'line %s of a watch is lost on the way: the next list heals it',
    async (lost) => {
      const w = watch({ timings: { serverSeconds: 1, relistAfter: 1_000, healthy: 100 } });
      await w.leases.create('a');
      w.reflector.start();
      await caughtUp(w);
      let n = -1;
      const line = (): LineFault => {
        n += 1;
        return n === lost ? 'drop' : undefined;
      };
      proxy.fault = (asked) => (isWatch(asked) ? { line } : undefined);
      proxy.cutAll();
      await w.leases.create('b');
      await w.leases.change('b', 'x');
      await w.leases.remove('a');
      await w.leases.create('c');
      await caughtUp(w, 15_000);
    },
    40_000,
  );

  test('an object that was deleted and made anew in one step of the watch went and came', async () => {
    const w = watch();
    await w.leases.create('a');
    onNth(isWatch, () => ({ line: (text) => (text.startsWith('{"type":"DELETED"') ? 'drop' : undefined) }));
    w.reflector.start();
    await caughtUp(w);
    await w.leases.remove('a');
    await w.leases.create('a');
    await caughtUp(w);
    expect(w.changes.map(({ type }) => type)).toEqual(['added', 'deleted', 'added']);
  });

  test('a replay of every line changes nothing', async () => {
    const w = watch();
    onNth(isWatch, () => ({ line: (text) => ({ instead: `${text}\n${text}` }) }));
    w.reflector.start();
    await caughtUp(w);
    await w.leases.create('a');
    await w.leases.change('a', 'x');
    await w.leases.remove('a');
    await w.leases.create('b');
    await caughtUp(w);
    expect(w.changes.map(({ type }) => type)).toEqual(['added', 'changed', 'deleted', 'added']);
  });

  test('a new list on demand is at least as new as the demand', async () => {
    const w = watch();
    await w.leases.create('a');
    onNth(isWatch, () => ({ line: () => 'drop' }));
    w.reflector.start();
    await caughtUp(w);
    await w.leases.create('b');
    await w.reflector.refresh();
    expect(versions(w.reflector.store.list())).toEqual(await w.leases.truth());
  });
});

const BROKEN: readonly (readonly [string, (line: string) => LineFault])[] = [
  ['cut in the middle', () => 'cut'],
  ['no JSON', (line) => ({ instead: line.slice(0, line.length / 2) })],
  ['empty', () => ({ instead: '' })],
  ['JSON, but no event', () => ({ instead: '{"type":"ADDED","object":{}}' })],
  ['the number 5', () => ({ instead: '5' })],
  ['null', () => ({ instead: 'null' })],
  ['an ERROR of the server', () => ({ instead: '{"type":"ERROR","object":{"code":500,"message":"etcd trouble"}}' })],
  ['an ERROR that says nothing', () => ({ instead: '{"type":"ERROR","object":null}' })],
  ['the last thing that is heard', () => 'silence'],
];

describe('a line that is broken', () => {
  const cases = BROKEN.flatMap(([name, fault]) => [0, 1, 2].map((index) => [index, name, fault] as const));
  test.each(cases)(
    'line %s is %s',
    async (index, _name, fault) => {
      const w = watch({ timings: { silence: 1_500 } });
      await w.leases.create('a');
      onNth(isWatch, (n) => (n === 0 ? { line: (text, i) => (i === index ? fault(text) : undefined) } : undefined));
      w.reflector.start();
      await caughtUp(w);
      await w.leases.create('b');
      await w.leases.change('b', 'x');
      await w.leases.remove('a');
      await w.leases.create('c');
      await caughtUp(w);
      expect(w.bugs).toEqual([]);
      expect(w.restarts).not.toEqual([]);
    },
    20_000,
  );
});

describe('a connection that falls silent', () => {
  test('is given up, and what happened meanwhile is told', async () => {
    const w = watch({ timings: { silence: 1_000 } });
    await w.leases.create('a');
    onNth(isWatch, (n) => (n === 0 ? { line: () => 'silence' } : undefined));
    w.reflector.start();
    await caughtUp(w);
    await w.leases.remove('a');
    await w.leases.create('b');
    await caughtUp(w);
    expect(w.restarts[0]).toContain('nothing was heard');
    expect(asksFor(w, isList)).toHaveLength(1);
  });
});

describe('its ends', () => {
  test('a handler that throws is a bug: told in the one place that ends the process', async () => {
    const w = watch({
      onChange: () => {
        throw new Error('bug');
      },
    });
    await w.leases.create('a');
    w.reflector.start();
    await waitFor(async () => w.bugs.length > 0, { timeoutMs: 5_000, otherwise: () => 'nobody was told' });
    expect(w.bugs).toEqual([new Error('bug')]);
  });

  test.each(['at once', 'while it watches', 'while nobody answers'])(
    'stopping it %s leaves no connection',
    async (when) => {
      const w = watch();
      await w.leases.create('a');
      if (when === 'while nobody answers') proxy.fault = (asked) => (isWatch(asked) ? 'hang' : undefined);
      w.reflector.start();
      if (when !== 'at once') {
        await waitFor(async () => asksFor(w, isWatch).length > 0, { timeoutMs: 5_000, otherwise: () => 'no watch' });
      }
      await w.reflector.stop();
      await waitFor(async () => asksFor(w, isWatch).every(({ open }) => !open), {
        timeoutMs: 2_000,
        otherwise: () => 'a watch is still open',
      });
      const before = proxy.asked.length;
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(proxy.asked).toHaveLength(before);
    },
  );
});

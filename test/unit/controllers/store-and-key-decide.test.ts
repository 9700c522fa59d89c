import { describe, expect, test } from '@jest/globals';
import type { BackupStore } from '../../../src/api/backup-store.ts';
import type { NewJob } from '../../../src/api/kubernetes.ts';
import { decide as decideKey } from '../../../src/controllers/backup-key/decide.ts';
import { type BackupStoreFacts, decide, specHash } from '../../../src/controllers/backup-store/decide.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { aKey, aStore, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';

function fresh(): BackupStore {
  const { status: _, ...store } = aStore();
  return store;
}

function facts(store: BackupStore, runs: readonly RunFacts[] = [], hash = specHash(store)): BackupStoreFacts {
  return { store, runs, probed: new Map(runs.map(({ name }) => [name, hash])), settings: SETTINGS };
}

function aProbe(more: Partial<RunFacts> = {}): RunFacts {
  return {
    purpose: 'probe',
    attempt: 1,
    name: 'cellar-probe-1',
    job: { uid: 'p', created: NOON, leaving: false },
    state: 'succeeded',
    ended: noonPlus(5),
    livingPods: 0,
    started: true,
    ...more,
  };
}

const works: Partial<RunFacts> = { report: { command: 'probe', ok: true, result: { conditionalWrites: true } } };
const fails: Partial<RunFacts> = {
  state: 'failed',
  report: { command: 'probe', ok: false, retry: true, failure: { reason: 'BucketNotFound', message: 'no bucket' } },
};
const ready = (status: object | undefined) =>
  (status as { conditions: { type: string }[] } | undefined)?.conditions.find(({ type }) => type === 'Ready');

describe('what every Job that uses a store is given', () => {
  const spec = (more: object): BackupStore => ({ ...fresh(), spec: { ...fresh().spec, ...more } });
  const s3 = fresh().spec.s3;
  const { credentials: _, ...ambient } = s3;
  const jobOf = (store: BackupStore) => {
    const [action] = decide(facts(store), NOON).actions;
    return (action as unknown as { job: NewJob }).job.spec['template'] as {
      spec: { serviceAccountName?: string; automountServiceAccountToken: boolean; volumes: { name: string }[] };
    };
  };
  const volume = (store: BackupStore, name: string) => jobOf(store).spec.volumes.find((found) => found.name === name);

  test('is the Secret, and no service account, where the Secret says who it is', () => {
    expect(volume(fresh(), 'store')).toMatchObject({ secret: { secretName: 'bucket' } });
    expect(jobOf(fresh()).spec.serviceAccountName).toBeUndefined();
  });

  test('is the service account, and no Secret and no token of Kubernetes, where the cloud says who it is', () => {
    const store = spec({ s3: ambient, serviceAccountName: 'keeper' });
    expect(volume(store, 'store')).toBeUndefined();
    expect(jobOf(store).spec).toMatchObject({ serviceAccountName: 'keeper', automountServiceAccountToken: false });
  });

  test.each([
    [{ caConfigMapRef: { name: 'ca', key: 'ca.crt' } }, { configMap: { name: 'ca', optional: true } }],
    [{ caSecretRef: { name: 'ca', key: 'ca.crt' } }, { secret: { secretName: 'ca', optional: true } }],
  ])('is the file of the authority, and nothing else of what holds it: %j', (tls, expected) => {
    const [[kind, inside]] = Object.entries(expected) as [[string, object]];
    expect(volume(spec({ s3: { ...s3, tls } }), 'store-ca')).toMatchObject({
      [kind]: { ...inside, items: [{ key: 'ca.crt', path: 'ca.crt' }] },
    });
  });

  test('another service account, another authority or another key in the Secret is tried anew', () => {
    const hashes = [
      fresh(),
      spec({ serviceAccountName: 'keeper' }),
      spec({ s3: { ...s3, tls: { caConfigMapRef: { name: 'ca', key: 'ca.crt' } } } }),
      spec({ s3: { ...s3, credentials: { secretRef: { name: 'bucket', accessKeyIdKey: 'id' } } } }),
    ].map(specHash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe('a store', () => {
  test('is tried by a Job before anything is said of it', () => {
    const { actions, status } = decide(facts(fresh()), NOON);
    expect(actions.map(({ action }) => action)).toEqual(['createJob']);
    expect(status).toMatchObject({ resolvedEndpoint: 'https://s3.example.com' });
    expect(ready(status)).toMatchObject({ status: 'Unknown', reason: 'Probing' });
  });

  test('that works is Ready, and tried again after an hour', () => {
    const decision = decide(facts(fresh(), [aProbe(works)]), noonPlus(6));
    expect(ready(decision.status)).toMatchObject({ status: 'True' });
    expect(decision.status?.conditionalWrites).toBe(true);
    expect(decision.requeueAfter).toBe(3_599_000);
    expect(decide(facts(fresh(), [aProbe(works)]), noonPlus(3605)).actions.map(({ action }) => action)).toEqual([
      'createJob',
      'deleteJob',
    ]);
  });

  test('that does not work says why, and is tried again soon', () => {
    const decision = decide(facts(fresh(), [aProbe(fails)]), noonPlus(6));
    expect(ready(decision.status)).toMatchObject({ status: 'False', reason: 'BucketNotFound' });
    expect(decision.requeueAfter).toBeLessThanOrEqual(10_000);
    expect(decide(facts(fresh(), [aProbe(fails)]), noonPlus(16)).actions.map(({ action }) => action)).toEqual([
      'createJob',
      'deleteJob',
    ]);
  });

  test('whose spec changed is tried anew at once', () => {
    expect(decide(facts(fresh(), [aProbe(works)], 'another'), noonPlus(6)).actions.map(({ action }) => action)).toEqual(
      ['createJob', 'deleteJob'],
    );
  });

  test('is not called broken for a probe that was lost, but for what became of it', () => {
    const lost = aProbe({ state: 'failed', trouble: { reason: 'OutOfMemory', message: 'killed' } });
    expect(ready(decide(facts(fresh(), [lost]), noonPlus(6)).status)).toMatchObject({
      status: 'False',
      reason: 'OutOfMemory',
    });
  });

  test('keeps its last answer while it is tried again', () => {
    const probing = aProbe({ state: 'active', livingPods: 1 });
    expect(ready(decide(facts(aStore(), [probing]), noonPlus(6)).status)).toMatchObject({ status: 'True' });
  });
});

describe('a key', () => {
  test('with proper recipients is Ready and shows their fingerprints', () => {
    const { status } = decideKey({ key: aKey(), defaults: ['team'] }, NOON);
    expect(ready(status)).toMatchObject({ status: 'True' });
    expect(status?.fingerprints?.[0]).toMatch(/^sha256:[0-9a-f]{32}$/);
  });

  test('with a recipient that was mistyped is not', () => {
    const key = aKey();
    const mistyped = { ...key, spec: { ...key.spec, recipients: [`${key.spec.recipients[0]!.slice(0, -1)}q`] } };
    const { status } = decideKey({ key: mistyped, defaults: [] }, NOON);
    expect(ready(status)).toMatchObject({ status: 'False', reason: 'InvalidRecipient' });
    expect((ready(status) as unknown as { message: string }).message).toContain('spec.recipients[0]');
  });

  test('of two defaults is neither', () => {
    expect(ready(decideKey({ key: aKey(), defaults: ['other', 'team'] }, NOON).status)).toMatchObject({
      status: 'False',
      reason: 'DefaultConflict',
    });
  });
});

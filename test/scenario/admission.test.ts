/** What a real API server takes of our kinds, and what it refuses: every bound of every field on both sides, and every rule. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KINDS } from '../../src/api/crd.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { Http } from '../../src/kube/http.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { installKinds } from '../support/kube-crds.ts';
import { type BoundCase, boundCases } from '../support/schema-bounds.ts';

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
}, 120_000);

afterAll(async () => {
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

type Json = Record<string, unknown>;
const POSTGRESQL = {
  host: 'pg.shop.svc',
  port: 5432,
  database: 'orders',
  maintenanceDatabase: 'postgres',
  credentials: { secretRef: { name: 'pg' } },
};
const BACKUP_SPEC = {
  source: { postgresql: POSTGRESQL },
  storeRef: { name: 'cellar' },
  keyRef: { name: 'team' },
  compression: { level: 3 },
};

/** A good spec of each kind, with every optional object in place, so that each field can be reached. */
const GOOD: Readonly<Record<string, Json>> = {
  BackupStore: {
    s3: {
      endpoint: 's3.example.com',
      region: 'eu-1',
      bucket: 'acme',
      prefix: 'prod',
      credentials: { secretRef: { name: 'bucket' } },
    },
  },
  BackupKey: { recipients: ['age1abcd'], identity: { secretRef: { name: 'private', key: 'identity' } } },
  Backup: BACKUP_SPEC,
  BackupSchedule: {
    schedule: '0 2 * * *',
    retention: { keepLast: 3, keepWithin: '14d' },
    template: { metadata: { labels: { team: 'blue' } }, spec: BACKUP_SPEC },
  },
  Restore: {
    from: { backupRef: { name: 'nightly' } },
    target: { postgresql: { host: 'pg', credentials: { secretRef: { name: 'pg' } } } },
    scaleDown: { workloads: [{ kind: 'Deployment', name: 'web' }], timeout: '10m' },
    identity: { secretRef: { name: 'private', key: 'identity' } },
  },
};

const path = (kind: string, name = '') =>
  `/apis/${API_VERSION}/namespaces/default/${KINDS.find((each) => each.kind === kind)!.plural}${name === '' ? '' : `/${name}`}`;

/** Resolves to `undefined` when the object is taken, else to what the API server said. */
async function refusal(kind: string, spec: unknown): Promise<string | undefined> {
  const body = { apiVersion: API_VERSION, kind, metadata: { name: 'tried' }, spec };
  try {
    await http.json({ method: 'POST', path: path(kind), query: { dryRun: 'All', fieldValidation: 'Strict' }, body });
    return undefined;
  } catch (caught) {
    return (caught as Error).message;
  }
}

/** The good spec with one value put in its place. */
function withValue(spec: Json, [head, ...rest]: readonly string[], value: unknown): Json {
  const key = head!;
  const copy: Json | unknown[] = Array.isArray(spec) ? [...spec] : { ...spec };
  (copy as Json)[key] = rest.length === 0 ? value : withValue((spec[key] ?? {}) as Json, rest, value);
  return copy as Json;
}

/** As the API server names it: spec.scaleDown.workloads[0].name. */
function shown(fieldPath: readonly string[]): string {
  return ['spec', ...fieldPath].join('.').replace(/\.(\d+)/g, '[$1]');
}

/** Not among the cases: what another rule forbids together with it. */
const BESIDES: Readonly<Record<string, (bound: BoundCase) => boolean>> = {
  // `a.b` and the like are refused by the rule on parts; lengths are the subject here.
  BackupKey: ({ bound }) => bound !== '4096 characters' && bound !== '4097 characters',
};

describe.each(KINDS.map(({ kind, spec }) => ({ kind, spec })))('$kind', ({ kind, spec }) => {
  const good = GOOD[kind]!;
  const cases = boundCases(JSON.parse(JSON.stringify(spec))).filter(BESIDES[kind] ?? (() => true));

  test('is taken when it is good', async () => {
    expect(await refusal(kind, good)).toBeUndefined();
  });

  test('has bounds to try', () => {
    expect(cases.length).toBeGreaterThan(10);
  });

  test.each(cases.map((bound) => [`${shown(bound.path)}: ${bound.bound}`, bound] as const))(
    '%s',
    async (_name, { path: fieldPath, value, valid }) => {
      const answer = await refusal(kind, withValue(good, fieldPath, value));
      if (valid) expect(answer).toBeUndefined();
      else expect(answer).toContain(shown(fieldPath).replace(/\[\d+\]$/, ''));
    },
  );

  test('an unknown field is refused with its path', async () => {
    expect(await refusal(kind, { ...good, nonesuch: true })).toContain('spec.nonesuch');
  });

  const required = Object.keys(good).filter((name) =>
    (spec as unknown as { required: string[] }).required.includes(name),
  );
  test.each(required)('without spec.%s it is refused', async (name) => {
    const { [name]: _, ...rest } = good;
    expect(await refusal(kind, rest)).toContain(`spec.${name}`);
  });
});

describe('rules that look at more than one value', () => {
  test('a key does not mix post-quantum recipients with classic ones', async () => {
    expect(await refusal('BackupKey', { recipients: ['age1abcd', 'age1pq1abc0'] })).toContain('age forbids mixing');
    expect(await refusal('BackupKey', { recipients: ['age1pq1abc0', 'age1pq1abd0'] })).toBeUndefined();
  });

  test.each(['prod/../other', '.', 'a/./b'])('the prefix %s climbs nowhere', async (prefix) => {
    expect(await refusal('BackupStore', withValue(GOOD['BackupStore']!, ['s3', 'prefix'], prefix))).toContain(
      'a prefix may not contain',
    );
  });

  test('a prefix with dots in its names is fine', async () => {
    expect(
      await refusal('BackupStore', withValue(GOOD['BackupStore']!, ['s3', 'prefix'], 'prod.v2/..x/eu')),
    ).toBeUndefined();
  });

  test('a database is not backed up from inside itself', async () => {
    const spec = withValue(BACKUP_SPEC, ['source', 'postgresql', 'maintenanceDatabase'], 'orders');
    expect(await refusal('Backup', spec)).toContain('must differ');
  });

  test('retention says something', async () => {
    expect(await refusal('BackupSchedule', withValue(GOOD['BackupSchedule']!, ['retention'], {}))).toContain(
      'spec.retention',
    );
  });
});

describe('what never changes', () => {
  async function made(kind: string, name: string, spec: unknown): Promise<Json> {
    return http.json({
      method: 'POST',
      path: path(kind),
      body: { apiVersion: API_VERSION, kind, metadata: { name }, spec },
    });
  }

  async function changed(kind: string, name: string, spec: unknown): Promise<string | undefined> {
    const call = {
      method: 'PATCH',
      path: path(kind, name),
      body: { spec },
      contentType: 'application/merge-patch+json',
    } as const;
    return http.json(call).then(
      () => undefined,
      (caught: Error) => caught.message,
    );
  }

  test('the spec of a Backup', async () => {
    await made('Backup', 'fixed', BACKUP_SPEC);
    expect(await changed('Backup', 'fixed', { compression: { level: 9 } })).toContain('never changes');
    expect(await changed('Backup', 'fixed', { startDeadline: '2h' })).toContain('never changes');
    expect(await changed('Backup', 'fixed', { compression: { level: 3 } })).toBeUndefined();
  });

  test.each([
    ['from', { from: { backupRef: { name: 'other' } } }],
    ['target', { target: null }],
    ['target, in part', { target: { postgresql: { database: 'other' } } }],
    ['onConflict', { onConflict: 'Replace' }],
    ['scaleDown', { scaleDown: null }],
    ['scaleDown, in part', { scaleDown: { timeout: '1m' } }],
    ['identity', { identity: null }],
    ['identity, in part', { identity: { secretRef: { key: 'other' } } }],
    ['startDeadline', { startDeadline: '2h' }],
    ['activeDeadlineSeconds', { activeDeadlineSeconds: 90 }],
  ])('%s of a Restore', async (what, spec) => {
    const name = `fixed-${what.replace(/[^a-z]/gi, '').toLowerCase()}`;
    await made('Restore', name, GOOD['Restore']);
    expect(await changed('Restore', name, spec)).toContain('only keepPrevious may change');
  });

  test('but keepPrevious of a Restore may, and the template of a schedule', async () => {
    await made('Restore', 'kept', GOOD['Restore']);
    expect(await changed('Restore', 'kept', { keepPrevious: '0s' })).toBeUndefined();
    await made('BackupSchedule', 'kept', GOOD['BackupSchedule']);
    expect(
      await changed('BackupSchedule', 'kept', { template: { spec: { compression: { level: 9 } } } }),
    ).toBeUndefined();
  });
});

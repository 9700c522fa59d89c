import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { mustBeValid } from '../../../src/cli/validate.ts';
import { type Manifest, only, refusal, render } from './render.ts';

const RECIPIENT = 'age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq';

/** The least that makes a schedule. */
const LEAST = {
  clusterName: 'north',
  keys: { recipients: [RECIPIENT] },
  s3: { endpoint: 's3.example.com', bucket: 'backups', credentialsSecretName: 'bucket' },
  database: { host: 'pg', name: 'shop', credentialsSecretName: 'login' },
};

const OURS = ['BackupStore', 'BackupKey', 'BackupSchedule'];

const rendered = (file: object, set: Record<string, string> = {}) => render(set, { file });

/** The object of that kind, which the API server would take. */
function valid(manifests: readonly Manifest[], kind: string): Manifest & { readonly spec: Record<string, unknown> } {
  const found = only(manifests, kind);
  mustBeValid(found);
  return found as Manifest & { readonly spec: Record<string, unknown> };
}

const postgresqlOf = (schedule: { readonly spec: Record<string, unknown> }) =>
  (schedule.spec as { template: { spec: { source: { postgresql: object } } } }).template.spec.source.postgresql;

describe('values alone', () => {
  test('without store, database and key install the operator, and none of our kinds', async () => {
    const kinds = (await rendered({ clusterName: 'north' })).map(({ kind }) => kind);
    expect(kinds.filter((kind) => OURS.includes(kind))).toEqual([]);
  });

  test('with the least of them make a store, a key and a schedule that name each other, all valid', async () => {
    const manifests = await rendered(LEAST);
    const [store, key, schedule] = OURS.map((kind) => valid(manifests, kind));
    expect(store!.spec).toEqual({
      s3: {
        endpoint: 's3.example.com',
        region: 'us-east-1',
        bucket: 'backups',
        forcePathStyle: false,
        credentials: { secretRef: { name: 'bucket' } },
      },
    });
    expect(key!.spec).toEqual({ recipients: [RECIPIENT], default: false });
    expect(schedule!.spec).toEqual({
      schedule: 'H 0 * * *',
      timeZone: 'Etc/UTC',
      suspend: false,
      runOnCreate: false,
      template: {
        spec: {
          source: {
            postgresql: {
              host: 'pg',
              port: 5432,
              database: 'shop',
              maintenanceDatabase: 'postgres',
              credentials: { secretRef: { name: 'login' } },
            },
          },
          storeRef: { name: store!.metadata.name },
          keyRef: { name: key!.metadata.name },
        },
      },
    });
  });

  test('with every value reach the fields that they are for, all valid', async () => {
    const manifests = await rendered({
      ...LEAST,
      keys: { recipients: [RECIPIENT], default: true, identitySecretName: 'private', identityKey: 'age.key' },
      s3: {
        ...{ ...LEAST.s3, region: 'eu-de', prefix: 'prod/db', forcePathStyle: true },
        ...{ accessKeyIdKey: 'id', secretAccessKeyKey: 'key', sessionTokenKey: 'token', serviceAccountName: 'jobs' },
        tls: { caSecretRef: { name: 'ca', key: 'ca.crt' } },
      },
      database: {
        ...LEAST.database,
        port: 6432,
        maintenanceDatabase: 'admin',
        usernameKey: 'user',
        passwordKey: 'pw',
        tls: { mode: 'verify-full', caSecretRef: { name: 'ca', key: 'ca.crt' } },
        authentication: ['scram-sha-256'],
      },
      backup: {
        namespace: 'shop',
        name: 'nightly',
        schedule: '0 3 * * *',
        timeZone: 'Europe/Paris',
        suspend: true,
        concurrencyPolicy: 'Replace',
        startingDeadlineSeconds: 31_536_000,
        runOnCreate: true,
        trigger: 'before-the-upgrade',
        retention: { keepLast: 60, keepWithin: '14d' },
        failedBackupsHistoryLimit: 0,
        compression: { level: 9 },
        startDeadline: '2h',
        activeDeadlineSeconds: 604_800,
      },
    });
    const [store, key, schedule] = OURS.map((kind) => valid(manifests, kind));
    expect([store, key, schedule].map((object) => object!.metadata)).toEqual(
      Array(3).fill(expect.objectContaining({ name: 'nightly', namespace: 'shop' })),
    );
    expect(store!.spec).toEqual({
      s3: {
        ...{ endpoint: 's3.example.com', region: 'eu-de', bucket: 'backups', prefix: 'prod/db', forcePathStyle: true },
        credentials: {
          secretRef: { name: 'bucket', accessKeyIdKey: 'id', secretAccessKeyKey: 'key', sessionTokenKey: 'token' },
        },
        tls: { caSecretRef: { name: 'ca', key: 'ca.crt' } },
      },
      serviceAccountName: 'jobs',
    });
    expect(key!.spec).toMatchObject({ default: true, identity: { secretRef: { name: 'private', key: 'age.key' } } });
    expect(schedule!.spec).toMatchObject({
      schedule: '0 3 * * *',
      timeZone: 'Europe/Paris',
      suspend: true,
      concurrencyPolicy: 'Replace',
      startingDeadlineSeconds: 31_536_000,
      runOnCreate: true,
      trigger: 'before-the-upgrade',
      retention: { keepLast: 60, keepWithin: '14d' },
      failedBackupsHistoryLimit: 0,
      template: { spec: { compression: { level: 9 }, startDeadline: '2h', activeDeadlineSeconds: 604_800 } },
    });
    expect(postgresqlOf(schedule!)).toEqual({
      host: 'pg',
      port: 6432,
      database: 'shop',
      maintenanceDatabase: 'admin',
      credentials: { secretRef: { name: 'login', usernameKey: 'user', passwordKey: 'pw' } },
      tls: { mode: 'verify-full', caSecretRef: { name: 'ca', key: 'ca.crt' } },
      authentication: ['scram-sha-256'],
    });
  });

  test('name a URI in place of role and password', async () => {
    const manifests = await rendered(LEAST, { 'database.uriKey': 'uri' });
    expect(postgresqlOf(valid(manifests, 'BackupSchedule'))).toMatchObject({
      credentials: { secretRef: { name: 'login', uriKey: 'uri' } },
    });
  });

  test('ask for the whole server in place of one database', async () => {
    const { name: _, ...database } = LEAST.database;
    const schedule = valid(
      await rendered({ ...LEAST, database: { ...database, scope: 'Instance' } }),
      'BackupSchedule',
    );
    expect(postgresqlOf(schedule)).toMatchObject({ scope: 'Instance', host: 'pg' });
    expect(postgresqlOf(schedule)).not.toHaveProperty('database');
  });

  test('name a service account in place of the credentials of the bucket', async () => {
    const { credentialsSecretName: _, ...s3 } = LEAST.s3;
    const store = valid(await rendered({ ...LEAST, s3: { ...s3, serviceAccountName: 'jobs' } }), 'BackupStore');
    expect(store.spec).toMatchObject({ serviceAccountName: 'jobs' });
    expect(store.spec['s3']).not.toHaveProperty('credentials');
  });

  test.each([
    ['https://s3.eu-central-1.amazonaws.com', 'eu-central-1'],
    ['s3.dualstack.us-west-2.amazonaws.com', 'us-west-2'],
    ['https://s3.us-south.cloud-object-storage.appdomain.cloud/', 'us-south'],
    ['s3.private.eu-de.cloud-object-storage.appdomain.cloud', 'eu-de'],
    ['s3.amazonaws.com', 'us-east-1'],
    ['s3-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
    ['s3-eu-west-1.amazonaws.com', 'eu-west-1'],
    ['http://minio.storage.svc:9000', 'us-east-1'],
  ])('the region that the endpoint %s names is %s', async (endpoint, region) => {
    const store = valid(await rendered(LEAST, { 's3.endpoint': endpoint }), 'BackupStore');
    expect(store.spec['s3']).toMatchObject({ endpoint, region });
  });

  test('leave store and key where they are when the release goes, since what is left of backups needs them', async () => {
    const manifests = await rendered(LEAST);
    const kept = manifests.filter(({ metadata }) => metadata.annotations?.['helm.sh/resource-policy'] === 'keep');
    expect(kept.map(({ kind }) => kind).sort()).toEqual(['BackupKey', 'BackupStore']);
  });
});

describe('the names that admins of a key manager know', () => {
  const { s3: _, ...rest } = LEAST;
  const lower = {
    ...rest,
    backup: { cronSchedule: '0 0 * * *', s3Prefix: 'prod' },
    global: { s3: { endpoint: 's3.example.com', bucket: 'backups', hmacSecretName: 'bucket' } },
  };

  test('make the same objects as the names of this chart', async () => {
    const known = await rendered(lower);
    const own = await rendered({
      ...LEAST,
      s3: { ...LEAST.s3, prefix: 'prod' },
      backup: { schedule: '0 0 * * *' },
    });
    expect(OURS.map((kind) => valid(known, kind))).toEqual(OURS.map((kind) => valid(own, kind)));
  });

  test('with capitals too', async () => {
    const capitals = await rendered({
      ...rest,
      Backup: { CronSchedule: '0 0 * * *', S3Prefix: 'prod' },
      global: { S3: { Endpoint: 's3.example.com', Bucket: 'backups', HmacSecretName: 'bucket' } },
    });
    const known = await rendered(lower);
    expect(OURS.map((kind) => valid(capitals, kind))).toEqual(OURS.map((kind) => valid(known, kind)));
  });

  test('may say the same as the others', async () => {
    const both = await rendered({ ...LEAST, global: { s3: { bucket: 'backups' } } });
    expect(valid(both, 'BackupStore').spec['s3']).toMatchObject({ bucket: 'backups' });
  });

  const DIFFERENT = { s3: { ...LEAST.s3, prefix: 'prod' }, backup: { schedule: '@daily' } };

  test.each([
    ['s3.endpoint', 'global.s3.endpoint', 'other.example.com'],
    ['s3.bucket', 'global.S3.Bucket', 'other'],
    ['s3.credentialsSecretName', 'global.s3.hmacSecretName', 'other'],
    ['s3.prefix', 'backup.s3Prefix', 'other'],
    ['backup.schedule', 'backup.cronSchedule', '@hourly'],
  ])('are refused where %s and %s differ', async (own, known, other) => {
    const text = await refusal({ [known]: other }, { file: { ...LEAST, ...DIFFERENT } });
    expect(text).toContain(`${own} and ${known} are two names of one value, and differ: `);
    expect(text).toContain(`"${other}". Give one of them.`);
    expect(text).not.toContain('is missing');
  });

  test('of global, meant for every chart of a larger one, ask for nothing by themselves', async () => {
    const kinds = (await rendered({ clusterName: 'north', global: lower.global })).map(({ kind }) => kind);
    expect(kinds.filter((kind) => OURS.includes(kind))).toEqual([]);
  });
});

describe('half of the values', () => {
  test('is refused with every one that is missing, at once, and what to add', async () => {
    const text = await refusal({ 'backup.cronSchedule': '@daily', 's3.bucket': 'backups' });
    const missing = [...text.matchAll(/^([A-Za-z0-9.]+) is missing: /gm)].map(([, name]) => name);
    expect(missing).toEqual([
      'clusterName',
      'keys.recipients',
      's3.endpoint',
      's3.credentialsSecretName',
      'database.host',
      'database.name',
      'database.credentialsSecretName',
    ]);
    expect(text).toContain('These values ask for a schedule: backup.cronSchedule, s3.bucket.');
    expect(text).toContain(
      "Add: --set clusterName=<name> --set 'keys.recipients={age1…}' --set s3.endpoint=<…> --set s3.credentialsSecretName=<…> --set database.host=<…> --set database.name=<…> --set database.credentialsSecretName=<…>",
    );
  });

  test('without a recipient alone prints the command that makes one, and nothing else is missing', async () => {
    const text = await refusal({}, { file: { ...LEAST, keys: { recipients: [] } } });
    expect(text).toContain('keys.recipients is missing');
    expect(text).toContain('kubectl holdfast key create holdfast --dry-run');
    expect(text.match(/is missing/g)).toHaveLength(1);
  });

  test.each([
    ['keys.recipients[0]', RECIPIENT],
    ['s3.region', 'eu-de'],
    ['database.port', '6432'],
    ['backup.retention.keepLast', '3'],
    ['Backup.CronSchedule', '@daily'],
    ['restore.scaleDown[0]', 'deployment/web'],
  ])('is refused, whichever it is: %s', async (name, value) => {
    const text = await refusal({ clusterName: 'north', [name]: value });
    expect(text).toContain(`These values ask for a schedule: ${name.replace(/(\[0]|[.]keepLast)$/, '')}.`);
  });

  test('a schedule in a namespace that nobody watches is refused', async () => {
    const file = { ...LEAST, watchNamespaces: ['shop'] };
    expect(await refusal({}, { file })).toContain('the namespace "holdfast-system" (backup.namespace), which is not');
  });
});

describe('a restore', () => {
  test('is never made by the chart', async () => {
    const manifests = await rendered({ ...LEAST, restore: { scaleDown: ['deployment/web'] } });
    expect(manifests.filter(({ kind }) => kind === 'Restore')).toEqual([]);
  });

  /** What the ConfigMap has ready, as it is once somebody has put in the name of a Backup. */
  const ready = async (file: object) => {
    const map = only(await rendered(file), 'ConfigMap', '-restore') as Manifest & { data: Record<string, string> };
    const text = map.data['restore.yaml'] ?? '';
    return { asItIs: parse(text), filledIn: parse(text.replace('BACKUP', 'nightly-20261124-000000')) };
  };
  const named = (restore: { metadata: object }) => ({ ...restore, metadata: { ...restore.metadata, name: 'x' } });

  test('is ready in a ConfigMap, with the workloads, and valid once it names a Backup', async () => {
    const restore = { scaleDown: ['deployment/web', 'statefulset/worker'], timeout: '5m', keepPrevious: '2d' };
    const { filledIn } = await ready({ ...LEAST, backup: { namespace: 'shop' }, restore });
    mustBeValid(named(filledIn) as never);
    expect(filledIn.metadata).toEqual({ generateName: 'holdfast-', namespace: 'shop' });
    expect(filledIn.spec).toEqual({
      from: { backupRef: { name: 'nightly-20261124-000000' } },
      onConflict: 'Replace',
      keepPrevious: '2d',
      scaleDown: {
        timeout: '5m',
        workloads: [
          { kind: 'Deployment', name: 'web' },
          { kind: 'StatefulSet', name: 'worker' },
        ],
      },
      identity: { secretRef: { name: 'holdfast-identity', key: 'identity' } },
    });
  });

  test('suspends a CronJob where that is allowed, and is refused where it is not', async () => {
    const restore = { scaleDown: ['cronjob/report'] };
    expect(await refusal({}, { file: { ...LEAST, restore } })).toContain('restore.suspendCronJobs=true gives');
    const { filledIn } = await ready({ ...LEAST, restore: { ...restore, suspendCronJobs: true } });
    const workloads = [{ apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' }];
    expect(filledIn.spec).toMatchObject({ scaleDown: { workloads } });
  });

  test.each([{ include: { schemas: ['sales'] } }, { exclude: { tableData: [{ schema: 'public', name: 'log' }] } }])(
    'of a part of a database, %j, goes beside the live one, which it could not replace, and scales nothing',
    async (part) => {
      const database = { ...LEAST.database, ...part };
      const { filledIn } = await ready({ ...LEAST, database, restore: { scaleDown: ['deployment/web'] } });
      mustBeValid(named(filledIn) as never);
      expect(filledIn.spec).toEqual({
        from: { backupRef: { name: 'nightly-20261124-000000' } },
        target: { postgresql: { database: 'shop_restored' } },
        identity: { secretRef: { name: 'holdfast-identity', key: 'identity' } },
      });
    },
  );

  test('is refused as long as it names none', async () => {
    const { asItIs } = await ready(LEAST);
    expect(() => mustBeValid(named(asItIs) as never)).toThrow(/spec.from.backupRef.name/);
  });

  test('takes the private key of the BackupKey, where one is stored', async () => {
    const keys = { recipients: [RECIPIENT], identitySecretName: 'private' };
    expect((await ready({ ...LEAST, keys })).filledIn.spec).not.toHaveProperty('identity');
  });
});

import { expect, test } from '@jest/globals';
import { example, named, restoring, withRecipient } from '../../../demo/examples.ts';
import { app, DATABASE, IDENTITY, LOGIN, postgres, S3_PORT, STORE_SECRET, s3 } from '../../../demo/objects.ts';

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

const namesOf = (objects: readonly object[], kind: string) =>
  (objects as Named[]).filter((object) => object.kind === kind).map((object) => object.metadata.name);

test('the examples name the very database, bucket, Secrets and app that the demo starts', async () => {
  const { postgresql } = (await example('postgresql.yaml', 'Backup')).spec.source;
  expect(namesOf(postgres('i'), 'Service')).toEqual([postgresql.host]);
  expect(postgresql.database).toBe(DATABASE);
  expect(postgresql.credentials.secretRef.name).toBe(LOGIN.secret);

  const store = (await example('postgresql.yaml', 'BackupStore')).spec.s3;
  expect(store.endpoint).toBe(`http://${namesOf(s3('i'), 'Service')[0]}:${S3_PORT}`);
  expect(store.credentials?.secretRef.name).toBe(STORE_SECRET);

  const restore = (await example('postgresql-restore.yaml', 'Restore')).spec;
  expect(restore.scaleDown?.workloads.map((workload) => workload.name)).toEqual(namesOf(app('i'), 'Deployment'));
  expect(restore.identity?.secretRef).toEqual({ name: IDENTITY.secret, key: IDENTITY.key });
});

test('the examples name one another', async () => {
  const backup = await example('postgresql.yaml', 'Backup');
  expect(backup.spec.storeRef.name).toBe((await example('postgresql.yaml', 'BackupStore')).metadata.name);
  expect((await example('postgresql.yaml', 'BackupKey')).spec.default).toBe(true);
  const restore = await example('postgresql-restore.yaml', 'Restore');
  expect(restore.spec.from.backupRef?.name).toBe(backup.metadata.name);
});

test('a run fills in its own names and key, and changes nothing else', async () => {
  const key = await example('postgresql.yaml', 'BackupKey');
  expect(withRecipient(key, 'age1x').spec).toEqual({ ...key.spec, recipients: ['age1x'] });
  const restore = await example('postgresql-restore.yaml', 'Restore');
  const mine = restoring(named(restore, 'demo-7'), 'demo-7');
  expect(mine.metadata.name).toBe('demo-7');
  expect(mine.spec).toEqual({ ...restore.spec, from: { backupRef: { name: 'demo-7' } } });
});

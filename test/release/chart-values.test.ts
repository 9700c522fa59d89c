import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { secret } from '../../demo/objects.ts';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupSchedule } from '../../src/api/backup-schedule.ts';
import type { Restore } from '../../src/api/restore.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { printOf, untilAppHas } from '../support/e2e-runs.ts';
import { aScene, contentOf, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { until, untilComplete } from '../support/e2e-wait.ts';
import { kubectlIn, OPERATOR_NAMESPACE, POSTGRES_HOST, S3_ENDPOINT, theWorld } from '../support/e2e-world.ts';

const CHART = join(import.meta.dirname, '..', '..', 'helm', 'holdfast');
const RELEASE = 'holdfast';

async function helm(args: readonly string[], input?: object): Promise<string> {
  const place = ['--kubeconfig', theWorld().kubeconfig, '--namespace', OPERATOR_NAMESPACE];
  return run(await program('helm'), [...args, ...place], input === undefined ? {} : { input: JSON.stringify(input) });
}

type Values = Readonly<Record<string, unknown>>;

const upgrade = (values: Values) => helm(['upgrade', RELEASE, CHART, '--reset-values', '--values', '-'], values);

/** What the hooks do has tests of its own; without them an upgrade takes a second. */
const quickly = (values: Values) => upgrade({ ...values, crds: { upgrade: false } });

/** All that an admin types, under the names of a key manager's chart where it has one; back up at once, then on 29 February only. */
function values(scene: Scene): Values & { readonly backup: Values } {
  return {
    keys: { recipients: [scene.recipient] },
    global: { s3: { endpoint: S3_ENDPOINT, bucket: scene.bucket, hmacSecretName: 'store-credentials' } },
    s3: { forcePathStyle: true },
    database: { host: POSTGRES_HOST, name: scene.database, credentialsSecretName: 'database-login' },
    backup: {
      ...{ namespace: scene.namespace, cronSchedule: '0 0 29 2 *', s3Prefix: 'by-values', runOnCreate: true },
      retention: { keepLast: 60, keepWithin: '14d' },
    },
    restore: { scaleDown: ['deployment/app'] },
  };
}

test('values alone give a schedule that backs up, a test that says so, a Restore that is ready, and an end that loses nothing', async () => {
  await using scene = await aScene('chart-values');
  const { kubectl } = scene;
  // The operator alone, as the tests have it.
  const alone = JSON.parse(await helm(['get', 'values', RELEASE, '-o', 'json'])) as Values;
  await using _ = { [Symbol.asyncDispose]: async () => void (await upgrade(alone)) };

  await quickly({ ...alone, ...values(scene) });
  const { status } = await until<BackupSchedule>(
    ...([kubectl, 'backupschedule', RELEASE] as const),
    (schedule) => schedule.status?.lastBackup !== undefined,
  );
  const name = status!.lastBackup!;
  const backup = await untilComplete<Backup>(kubectl, 'backup', name);
  expect(backup.status?.location).toMatch(`s3://${scene.bucket}/by-values/v1/e2e/${scene.namespace}/${RELEASE}/`);

  expect(await helm(['test', RELEASE, '--logs'])).toContain(
    [
      'ok: the operator is ready',
      'ok: the API server serves our kinds',
      `ok: BackupStore ${scene.namespace}/${RELEASE} is Ready`,
      `ok: BackupKey ${scene.namespace}/${RELEASE} is Ready`,
      `ok: BackupSchedule ${scene.namespace}/${RELEASE} is Ready`,
    ].join('\n'),
  );
  // Helm leaves it for its log; the tests after this one have the namespace as they expect it.
  await kubectlIn(OPERATOR_NAMESPACE).call(['delete', 'pod', `${RELEASE}-test`]);

  // The command of the notes.
  await using session = await scene.open();
  const before = await printOf(scene);
  await session.rows('DELETE FROM orders');
  await kubectl.apply([secret(`${RELEASE}-identity`, { identity: scene.identity })]);
  const text = await kubectl.call(['get', 'configmap', `${RELEASE}-restore`, '-o', 'jsonpath={.data.restore\\.yaml}']);
  await expect(kubectl.call(['create', '-f', '-'], text)).rejects.toThrow(/spec.from.backupRef.name/);
  const made = await kubectl.call(['create', '-f', '-', '-o', 'name'], text.replace('BACKUP', name));
  const restore = made.trim().split('/')[1]!;
  await untilComplete<Restore>(kubectl, 'restore', restore);
  await untilAppHas(scene, REPLICAS);
  expect(await printOf(scene)).toEqual(before);

  // Without the values the schedule goes; what a restore needs of it stays, and comes back under the same release.
  await quickly(alone);
  expect(await kubectl.get('backupschedule', RELEASE)).toBeUndefined();
  expect(await kubectl.get('configmap', `${RELEASE}-restore`)).toBeUndefined();
  for (const kind of ['backupstore', 'backupkey']) expect(await kubectl.get(kind, RELEASE)).toBeDefined();
  expect(await kubectl.get('backup', name)).toBeDefined();
  // The schedule's, and what the restore saved before it.
  expect((await contentOf(scene)).keys.filter((key) => key.endsWith('/manifest.json'))).toHaveLength(2);
  const { backup: when, ...others } = values(scene);
  await quickly({ ...alone, ...others, backup: { ...when, runOnCreate: false } });
  const again = await until<BackupSchedule>(
    ...([kubectl, 'backupschedule', RELEASE] as const),
    (schedule) => schedule.status?.keptBackups === 1,
  );
  expect(again.status?.lastBackup).toBe(name);
});

import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupKey } from '../../src/api/backup-key.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { RELEASE } from '../support/e2e-release.ts';
import { backUp, printOf, restore, startBackup, untilAppHas } from '../support/e2e-runs.ts';
import { aScene, REPLICAS } from '../support/e2e-scene.ts';
import { until, untilComplete } from '../support/e2e-wait.ts';
import { kubectlIn, OPERATOR_NAMESPACE, theWorld } from '../support/e2e-world.ts';

const CHART = join(import.meta.dirname, '..', '..', 'helm', 'holdfast');

async function helm(args: readonly string[], input?: object): Promise<string> {
  const place = ['--kubeconfig', theWorld().kubeconfig, '--namespace', OPERATOR_NAMESPACE];
  return run(await program('helm'), [...args, ...place], input === undefined ? {} : { input: JSON.stringify(input) });
}

async function upgrade(values: object): Promise<void> {
  await helm(['upgrade', RELEASE, CHART, '--reset-values', '--values', '-'], values);
  await kubectlIn(OPERATOR_NAMESPACE).rolledOut(RELEASE);
}

test('with Roles in two namespaces alone it backs up and restores there, leaves others alone, and takes a namespace back that went', async () => {
  await using shop = await aScene('some-shop');
  await using billing = await aScene('some-billing', { without: ['app'] });
  await using elsewhere = await aScene('some-elsewhere', { without: ['app'] });
  const alone = JSON.parse(await helm(['get', 'values', RELEASE, '-o', 'json'])) as object;
  await using _ = { [Symbol.asyncDispose]: () => upgrade(alone) };
  const some = { ...alone, watchNamespaces: [shop.namespace, billing.namespace], crds: { upgrade: false } };
  await upgrade(some);
  const operator = kubectlIn(OPERATOR_NAMESPACE);
  expect(await operator.call(['get', 'clusterrole', RELEASE, '--ignore-not-found'])).toBe('');

  await startBackup(elsewhere, 'nobody-looks');
  await backUp(billing, 'first');
  await backUp(shop, 'first');
  const before = await printOf(shop);
  expect((await restore(shop, 'back', 'first')).status).toMatchObject({
    scaledWorkloads: [{ name: 'app', replicas: REPLICAS, restored: true }],
  });
  expect(await printOf(shop)).toEqual(before);
  await untilAppHas(shop, REPLICAS);
  const left = await elsewhere.kubectl.get<Backup>('backup', 'nobody-looks');
  expect([left?.status?.phase, left?.status?.conditions]).toEqual([undefined, undefined]);

  await operator.call(['delete', 'namespace', billing.namespace, '--wait=true', '--timeout=120s']);
  await backUp(shop, 'second');
  await operator.call(['create', 'namespace', billing.namespace]);
  await upgrade(some);
  const recipients = [billing.recipient];
  await billing.kubectl.apply([
    { apiVersion: 'holdfast.dev/v1alpha1', kind: 'BackupKey', metadata: { name: 'anew' }, spec: { recipients } },
  ]);
  const looked = await until<BackupKey>(
    ...([billing.kubectl, 'backupkey', 'anew'] as const),
    ({ status }) => status?.observedGeneration === 1,
  );
  expect(looked.status?.fingerprints).toHaveLength(1);

  const log = await operator.call(['logs', `deployment/${RELEASE}`, '--all-pods', '--tail=-1']);
  expect(log.split('\n').filter((line) => line.includes('is forbidden') && line.includes(shop.namespace))).toEqual([]);

  // The operator of all namespaces comes back, and with it whoever waited.
  await upgrade(alone);
  await untilComplete<Backup>(elsewhere.kubectl, 'backup', 'nobody-looks');
});

/** A store may need a service account and an authority: whoever makes a Job that uses it must not forget them. */
import { expect, test } from '@jest/globals';
import type { BackupStore } from '../../../src/api/backup-store.ts';
import type { NewJob } from '../../../src/api/kubernetes.ts';
import { sourceAccessOf } from '../../../src/controllers/access.ts';
import { decide as decideBackup } from '../../../src/controllers/backup/decide.ts';
import { chooseKey } from '../../../src/controllers/backup/key.ts';
import { pruneStep } from '../../../src/controllers/backup-schedule/prune.ts';
import { decide as decideStore } from '../../../src/controllers/backup-store/decide.ts';
import type { RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { catalogJob, cleanupJob, loadJob, planJob } from '../../../src/controllers/restore/jobs.ts';
import { aBackup, aCompleteBackup, aKey, aRestore, aStore, NOON, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';

const identity = { secret: 'private', key: 'identity' };

function demanding(): BackupStore {
  const { credentials: _, ...s3 } = aStore().spec.s3;
  const tls = { caConfigMapRef: { name: 'company-ca', key: 'ca.crt' } };
  return { ...aStore(), spec: { s3: { ...s3, tls }, serviceAccountName: 'keeper' } };
}

const restore = aRestore({
  status: { resolved: { backupUID: aBackup().metadata.uid, path: 'x/', digest: 'd', time: 't' } },
});
const restoring: RestoreFacts = {
  restore,
  ...theSource(restore, { store: demanding() }),
  identity: chooseIdentity(restore, aKey({ identity: true })),
  runs: [],
  lock: undefined,
  workloads: [],
  settings: SETTINGS,
};
const needs = {
  source: { store: 'cellar', path: 'x/', digest: 'd', cluster: 'lodz', namespace: 'shop' },
  store: demanding(),
  target: sourceAccessOf(aBackup().spec.source.postgresql),
  identity,
};

function created(actions: readonly { readonly action: string }[]): NewJob | undefined {
  return (actions.find(({ action }) => action === 'createJob') as { job?: NewJob } | undefined)?.job;
}

const JOBS: readonly (readonly [string, () => NewJob | undefined])[] = [
  [
    'probe',
    () => created(decideStore({ store: demanding(), runs: [], probed: new Map(), settings: SETTINGS }, NOON).actions),
  ],
  [
    'backup',
    () =>
      created(
        decideBackup(
          {
            backup: aBackup(),
            store: demanding(),
            key: chooseKey(undefined, [aKey()]),
            runs: [],
            lock: undefined,
            earlier: [],
            nodes: [],
            settings: SETTINGS,
          },
          NOON,
        ).actions,
      ),
  ],
  ['catalog', () => catalogJob(restoring, { store: demanding(), folder: 'x/', attempt: 1 })],
  ['plan', () => planJob(restoring, needs, 1)],
  ['restore', () => loadJob(restoring, needs, {}, NOON)],
  ['prune', () => created(pruning().actions)],
];

/** Two good backups, of which one is kept. */
function pruning() {
  const old = aCompleteBackup();
  const late = { ...old, metadata: { ...old.metadata, name: 'later', uid: 'later' } };
  const verified = (backup: typeof old) => ({
    ...backup,
    spec: { ...backup.spec, storeRef: { name: 'cellar' } },
    status: { ...backup.status, verification: { level: 'ReadBack', time: '2026-11-24T12:00:00Z' } },
  });
  return pruneStep(
    {
      schedule: { metadata: { name: 'nightly', namespace: 'shop', uid: 's' }, spec: { retention: { keepLast: 1 } } },
      children: [verified(old), verified(late)],
      wanted: new Set(),
      stores: new Map([['cellar', demanding()]]),
      runs: [],
      settings: SETTINGS,
    } as unknown as Parameters<typeof pruneStep>[0],
    NOON,
  );
}

test.each(JOBS)(
  'a %s has the service account and the authority of its store, and no token of Kubernetes',
  (_, make) => {
    const { spec } = (make()?.spec['template'] ?? {}) as { spec: { volumes: object[] } };
    expect(spec).toMatchObject({ serviceAccountName: 'keeper', automountServiceAccountToken: false });
    expect(spec.volumes).toContainEqual(
      expect.objectContaining({ name: 'store-ca', configMap: expect.objectContaining({ name: 'company-ca' }) }),
    );
    expect(JSON.stringify(spec)).toContain('AWS_EC2_METADATA_DISABLED');
  },
);

test('a cleanup, which uses no store, has neither', () => {
  const text = JSON.stringify(cleanupJob(restoring, 'cleanup', 1));
  expect(text).not.toContain('keeper');
  expect(text).not.toContain('company-ca');
});

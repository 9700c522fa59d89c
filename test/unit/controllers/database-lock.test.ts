import { describe, expect, test } from '@jest/globals';
import type { Lease } from '../../../src/api/kubernetes.ts';
import { LABELS, serverLabel } from '../../../src/api/names.ts';
import type { PostgresqlAddress } from '../../../src/api/postgresql.ts';
import type { World } from '../../../src/controllers/controller.ts';
import { databaseLock, type Holder } from '../../../src/controllers/leases.ts';
import { observeDatabaseLock, observeOwnLock } from '../../../src/controllers/observe-leases.ts';
import { databaseBusy, releaseLock, takeLock } from '../../../src/controllers/waiting.ts';
import { aBackup, aCompleteBackup, SETTINGS } from '../../support/builders.ts';

const SERVER: PostgresqlAddress = { host: 'pg.shop.svc', port: 5432, maintenanceDatabase: 'postgres' };
const ORDERS: PostgresqlAddress = { ...SERVER, database: 'orders' };

const us: Holder = { kind: 'Backup', metadata: { name: 'ours', namespace: 'shop', uid: 'our-uid' } };
const other: Holder = { kind: 'Backup', metadata: { ...aBackup().metadata, name: 'other' } };

/** What the API server and the local copies know: Leases, and whether the other backup is still at work. */
function world(leases: readonly Lease[], alive = true): World {
  const known = alive ? aBackup() : aCompleteBackup();
  const found = (labelSelector = '') =>
    leases.filter(({ metadata }) =>
      labelSelector.split(',').every((pair) => {
        const [name = '', value] = pair.split('=');
        return metadata.labels?.[name] === value;
      }),
    );
  return {
    settings: SETTINGS,
    cluster: {
      get: async (_kind: unknown, { name }: { name: string }) => leases.find(({ metadata }) => metadata.name === name),
      list: async (_kind: unknown, options: { labelSelector?: string }) => found(options.labelSelector),
    },
    stores: {
      backups: { byUid: (uid: string) => (uid === known.metadata.uid ? known : undefined) },
      restores: { byUid: () => undefined },
      pods: { ownedBy: () => [] },
    },
  } as unknown as World;
}

function held(address: PostgresqlAddress, holder = other): Lease {
  const lease = databaseLock(SETTINGS.namespace, address, holder);
  const metadata = { ...lease.metadata, uid: 'lease', resourceVersion: '3', creationTimestamp: '2026-11-24T12:00:00Z' };
  return { ...lease, metadata } as unknown as Lease;
}

const busy = async (leases: readonly Lease[], address: PostgresqlAddress, alive = true) =>
  databaseBusy(await observeDatabaseLock(world(leases, alive), address), us)?.message;

describe('work on one database', () => {
  test('waits for work on the whole server, and says for whom and on what', async () => {
    expect(await busy([held(SERVER)], ORDERS)).toBe(
      'Backup shop/other is at work on pg.shop.svc:5432/*; this backup starts when it is over.',
    );
  });

  test('says how to end the waiting, where the Lease tells for whom', async () => {
    const hint = async (holder: string) => {
      const lease = held(ORDERS);
      const annotations = { ...lease.metadata.annotations, 'holdfast.dev/holder': holder };
      const found = { ...lease, metadata: { ...lease.metadata, annotations } } as Lease;
      return databaseBusy(await observeDatabaseLock(world([found]), ORDERS), us)?.hint;
    };
    expect(await hint('Backup shop/nightly-1')).toBe(
      'Wait for it, or stop it: kubectl delete backup.holdfast.dev nightly-1 -n shop',
    );
    expect(await hint('Restore shop/back')).toContain('kubectl delete restore.holdfast.dev back -n shop');
    expect(await hint('Backup shop/x; rm -r /')).toBeUndefined();
  });

  test('does not wait for work on another database, another port or another host', async () => {
    expect(await busy([held({ ...SERVER, database: 'stock' })], ORDERS)).toBeUndefined();
    expect(await busy([held({ ...SERVER, port: 5433 })], ORDERS)).toBeUndefined();
    expect(await busy([held({ ...SERVER, host: 'pg.other.svc' })], ORDERS)).toBeUndefined();
  });

  test('takes the host as DNS does: without regard to capitals', async () => {
    expect(await busy([held({ ...SERVER, host: 'PG.shop.svc' })], ORDERS)).toBeDefined();
  });
});

describe('work on a whole server', () => {
  test('waits for work on any of its databases, and on all of it', async () => {
    expect(await busy([held(ORDERS)], SERVER)).toBe(
      'Backup shop/other is at work on pg.shop.svc:5432/orders; this backup starts when it is over.',
    );
    expect(await busy([held(SERVER)], SERVER)).toBe(
      'Backup shop/other is at work on this database; this backup starts when it is over.',
    );
  });

  test('does not wait for a holder that is no more, and takes a lock of its own', async () => {
    const lock = await observeDatabaseLock(world([held(ORDERS)], false), SERVER);
    const lease = databaseLock(SETTINGS.namespace, SERVER, us);
    expect(takeLock(lock, us, lease)).toEqual([{ action: 'createLease', lease }]);
    expect(lease.metadata.labels).toMatchObject({ [LABELS.server]: serverLabel(ORDERS), [LABELS.scope]: 'Instance' });
  });

  test('frees nothing that is held by another', async () => {
    expect(releaseLock(await observeDatabaseLock(world([held(ORDERS)]), SERVER), us)).toEqual([]);
  });
});

test('an operation that is over looks for its own lock alone, so work on the whole server does not hide it', async () => {
  const leases = [held(ORDERS, us), held(SERVER)];
  expect((await observeDatabaseLock(world(leases), ORDERS))?.holderUid).toBe(other.metadata.uid);
  expect((await observeOwnLock(world(leases), ORDERS))?.holderUid).toBe('our-uid');
});

import { describe, expect, test } from '@jest/globals';
import type { PostgresqlSource } from '../../../src/api/postgresql.ts';
import { databaseSecretsOf, sourceAccessOf, targetAccessOf } from '../../../src/controllers/access.ts';
import { runnerPodSpec } from '../../../src/manifests/runner-pod.ts';

const SOURCE: PostgresqlSource = {
  host: 'pg.shop.svc',
  database: 'shop',
  credentials: { secretRef: { name: 'pg' } },
};
const TLS = {
  mode: 'verify-full',
  caSecretRef: { name: 'pg-ca', key: 'ca.crt' },
  clientCertSecretRef: { name: 'app-cert', certKey: 'client.pem' },
} as const;

describe('what a runner is told of a source', () => {
  test('is little where the spec says little', () => {
    expect(sourceAccessOf(SOURCE)).toEqual({
      engine: 'postgresql',
      host: 'pg.shop.svc',
      port: 5432,
      database: 'shop',
      maintenanceDatabase: 'postgres',
      credentials: { secret: 'pg', usernameKey: 'username', passwordKey: 'password' },
    });
  });

  test('is names and keys of Secrets where the spec says all', () => {
    const source: PostgresqlSource = {
      ...SOURCE,
      credentials: { secretRef: { name: 'pg', uriKey: 'uri' } },
      tls: TLS,
      authentication: ['cert'],
    };
    expect(sourceAccessOf(source)).toMatchObject({
      credentials: { secret: 'pg', uriKey: 'uri', databases: ['shop'] },
      tls: {
        mode: 'verify-full',
        authorities: { secret: 'pg-ca', key: 'ca.crt' },
        clientCertificate: { secret: 'app-cert', certificateKey: 'client.pem', privateKeyKey: 'tls.key' },
      },
      authentication: ['cert'],
    });
  });
});

describe('a restore', () => {
  const source: PostgresqlSource = { ...SOURCE, tls: TLS, authentication: ['scram-sha-256'] };
  const URI = { secretRef: { name: 'pg', uriKey: 'uri' } };

  test('goes in as the backup did, field by field', () => {
    expect(targetAccessOf(source, undefined)).toEqual(sourceAccessOf(source));
    expect(targetAccessOf(source, { authentication: ['md5'] })).toMatchObject({
      tls: { mode: 'verify-full', authorities: { secret: 'pg-ca' } },
      authentication: ['md5'],
    });
  });

  test('takes tls as one field: an authority of the backup says nothing about another server', () => {
    expect(targetAccessOf(source, { host: 'pg2', tls: { mode: 'verify-full' } }).tls).toEqual({ mode: 'verify-full' });
  });

  test("may go into another database with the backup's URI, and not with one of its own for another", () => {
    const inherited = targetAccessOf({ ...source, credentials: URI }, { database: 'copy' });
    expect(inherited.credentials).toEqual({ secret: 'pg', uriKey: 'uri', databases: ['copy', 'shop'] });
    const own = targetAccessOf(source, { database: 'copy', credentials: URI });
    expect(own.credentials).toEqual({ secret: 'pg', uriKey: 'uri', databases: ['copy'] });
  });
});

describe('the pod', () => {
  const pod = runnerPodSpec({
    settings: { image: 'holdfast', imagePullPolicy: 'IfNotPresent' },
    secrets: databaseSecretsOf(sourceAccessOf({ ...SOURCE, tls: TLS })),
  });
  const volume = (name: string) => pod.volumes?.find((each) => each.name === name)?.secret;
  const keys = (name: string) => volume(name)?.items?.map(({ key, path }) => [key, path]);

  test('gets of the Secrets for TLS no more than the keys that are named, which may be missing', () => {
    expect(keys('database-ca')).toEqual([['ca.crt', 'ca.crt']]);
    expect(keys('database-certificate')).toEqual([
      ['client.pem', 'client.pem'],
      ['tls.key', 'tls.key'],
    ]);
    for (const name of ['database', 'database-ca', 'database-certificate']) {
      expect(volume(name)).toMatchObject({ optional: true, defaultMode: 0o444 });
    }
  });

  test('has each at the folder in which the runner looks', () => {
    const places = pod.containers[0]?.volumeMounts?.map(({ name, mountPath }) => [name, mountPath]);
    expect(places).toEqual(
      expect.arrayContaining([
        ['database-ca', '/holdfast/run/database-ca'],
        ['database-certificate', '/holdfast/run/database-certificate'],
      ]),
    );
  });
});

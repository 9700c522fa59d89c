import { expect, test } from '@jest/globals';
import type { PostgresqlTls, TlsMode } from '../../../../src/api/postgresql.ts';
import { endpointOf } from '../../../../src/engines/postgres/endpoint.ts';

const authorities = { secret: 'pg-ca', key: 'ca.crt' };

test.each<[PostgresqlTls | undefined, TlsMode | undefined, TlsMode]>([
  [undefined, undefined, 'prefer'],
  [undefined, 'require', 'require'],
  [undefined, 'disable', 'prefer'],
  [{ mode: 'disable' }, 'require', 'require'],
  [{ mode: 'require' }, 'prefer', 'require'],
  [{ mode: 'verify-ca', authorities }, undefined, 'verify-ca'],
  [{ mode: 'verify-ca', authorities }, 'verify-full', 'verify-full'],
  [{ mode: 'verify-full' }, 'disable', 'verify-full'],
  [{ mode: 'require' }, 'verify-ca', 'verify-full'],
])('a spec with %j and a URI with %s come to %s', (tls, leastTls, mode) => {
  const access = {
    engine: 'postgresql',
    host: 'pg',
    port: 5432,
    maintenanceDatabase: 'postgres',
    credentials: { secret: 'pg', uriKey: 'uri' },
    ...(tls === undefined ? {} : { tls }),
  } as const;
  const login = { username: 'app', password: 'x', ...(leastTls === undefined ? {} : { leastTls }) };
  expect(endpointOf(access, login, 'shop', 'test')).toMatchObject({
    database: 'shop',
    tls: { ...tls, mode },
    authentication: ['scram-sha-256', 'md5'],
  });
});

test.each<TlsMode>(['disable', 'prefer'])(
  'a proof that is bound to the TLS connection needs one, also with %s',
  (mode) => {
    const access = {
      engine: 'postgresql',
      host: 'pg',
      port: 5432,
      maintenanceDatabase: 'postgres',
      credentials: { secret: 'pg', uriKey: 'uri' },
      tls: { mode },
    } as const;
    const login = { username: 'app', password: 'x', channelBinding: true };
    expect(endpointOf(access, login, 'shop', 'test').tls.mode).toBe('require');
  },
);

/**
 * Every TLS mode against a real server, by both clients that we have: `pg` for our own sessions, and libpq in the programs. They
 * must say the same, and libpq must be the image's: an older one passes over require_auth.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type AuthenticationMethod,
  DEFAULT_AUTHENTICATION,
  TLS_MODES,
  type TlsMode,
} from '../../src/api/postgresql.ts';
import type { Login } from '../../src/engines/engine.ts';
import { connect } from '../../src/engines/postgres/connection.ts';
import type { Endpoint } from '../../src/engines/postgres/endpoint.ts';
import { connectionString, libpq } from '../../src/engines/postgres/libpq.ts';
import type { HoldfastError } from '../../src/lib/errors.ts';
import { run } from '../../src/platform/subprocess.ts';
import { issue, issueExpired, makeAuthority } from '../cluster/pki.ts';
import { postgresPrograms } from '../cluster/postgres-majors.ts';
import { passTlsOn, serveNoTls, serveTls, withAccessRules } from '../support/postgres-access.ts';
import { withProgramsOfEveryMajor, worldOfMajor } from '../support/postgres-majors.ts';
import { dumpOf, PASSWORD, type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';

withProgramsOfEveryMajor();

let world: PostgresWorld;
let programs: string;
let folder: string;
/** Another authority, of whom the server and we know nothing. */
let strangers: string;
let authorities: string;
const certificates: Record<string, NonNullable<Login['certificate']>> = {};

const app: Login = { username: 'app', password: PASSWORD };
const NAMES = { secret: 'app-cert', certificateKey: 'tls.crt', privateKeyKey: 'tls.key' };

beforeAll(async () => {
  programs = await postgresPrograms();
  world = await postgresWorld();
  for (const role of ['app', 'other']) await world.role(role);
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  strangers = join(folder, 'strangers');
  await makeAuthority(folder, 'authority');
  await makeAuthority(strangers, 'strangers');
  const right = { commonName: 'server', alternativeNames: ['DNS:localhost', 'IP:127.0.0.1'] };
  await issue(folder, { file: 'right', ...right });
  await issue(strangers, { file: 'right', ...right });
  await issue(folder, {
    file: 'elsewhere',
    commonName: 'localhost',
    alternativeNames: ['DNS:pg.elsewhere', 'IP:10.9.8.7'],
  });
  await issue(folder, { file: 'wildcard', commonName: 'server', alternativeNames: ['DNS:local*'] });
  await issue(folder, { file: 'common', commonName: 'localhost' });
  await issueExpired(folder, { file: 'expired', ...right });
  authorities = await readFile(join(folder, 'ca.crt'), 'utf8');
  for (const [name, where] of [
    ['app', folder],
    ['other', folder],
    ['stranger', strangers],
  ] as const) {
    await issue(where, { file: `client-${name}`, commonName: name === 'stranger' ? 'app' : name });
    const read = (ending: string) => readFile(join(where, `client-${name}.${ending}`), 'utf8');
    certificates[name] = { chain: await read('crt'), key: await read('key') };
  }
}, 180_000);

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Way {
  readonly mode: TlsMode;
  readonly host?: string;
  readonly login?: Partial<Login>;
  readonly authentication?: readonly AuthenticationMethod[];
}

function endpointOf({ mode, host = 'localhost', login, authentication = DEFAULT_AUTHENTICATION }: Way): Endpoint {
  return {
    host,
    port: world.server.port,
    database: 'postgres',
    login: { ...app, authorities, ...login },
    tls: {
      mode,
      authorities: { secret: 'pg-ca', key: 'ca.crt' },
      ...(login?.certificate === undefined ? {} : { clientCertificate: NAMES }),
    },
    authentication,
    applicationName: 'holdfast test',
  };
}

/** The reason of a refusal, or whether the connection is encrypted. */
async function bySession(way: Way): Promise<string> {
  try {
    await using session = await connect(endpointOf(way), new AbortController().signal);
    const [row] = await session.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
    return row?.['ssl'] === true ? 'encrypted' : 'plain';
  } catch (caught) {
    return (caught as HoldfastError).reason;
  }
}

/** What pg_dump complains of; nothing: it got in. */
async function byProgram(way: Way): Promise<string | undefined> {
  await using access = await libpq(endpointOf(way), world.context.temporary);
  const exit = await run({
    command: join(programs, String(world.server.major), 'bin/pg_dump'),
    args: ['--schema-only', '--no-password', `--dbname=${connectionString('postgres')}`],
    env: access.env,
  });
  return exit.code === 0 ? undefined : exit.stderr;
}

async function bothSay(way: Way, expected: string, complaint: RegExp | undefined): Promise<void> {
  expect(await bySession(way)).toBe(expected);
  const said = await byProgram(way);
  if (complaint === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(complaint);
}

/** By mode: the outcome of a session, and what libpq complains of. */
type Outcomes = Readonly<Record<TlsMode, readonly [string, RegExp?]>>;
const PLAIN = ['plain'] as const;
const IN = ['encrypted'] as const;
const out = (complaint: RegExp) => ['TlsFailed', complaint] as const;

interface Case {
  readonly name: string;
  readonly serve: () => Promise<void>;
  readonly host?: string;
  readonly login?: () => Partial<Login>;
  readonly outcomes: Outcomes;
}

const RIGHT: Outcomes = { disable: PLAIN, prefer: IN, require: IN, 'verify-ca': IN, 'verify-full': IN };
const otherName = out(/server certificate for "server"|server certificate for .* does not match host name/);
const untrusted = out(/certificate verify failed/);

const CASES: readonly Case[] = [
  { name: 'the right certificate', serve: () => serveTls(world, folder, 'right'), outcomes: RIGHT },
  {
    name: 'the right certificate, by address',
    serve: () => serveTls(world, folder, 'right'),
    host: '127.0.0.1',
    outcomes: RIGHT,
  },
  { name: 'no name but the common one', serve: () => serveTls(world, folder, 'common'), outcomes: RIGHT },
  {
    name: 'a certificate for other names',
    serve: () => serveTls(world, folder, 'elsewhere'),
    outcomes: { ...RIGHT, 'verify-full': otherName },
  },
  {
    name: 'a certificate for other addresses, by address',
    serve: () => serveTls(world, folder, 'elsewhere'),
    host: '127.0.0.1',
    outcomes: { ...RIGHT, 'verify-full': otherName },
  },
  {
    name: 'a wildcard within a label',
    serve: () => serveTls(world, folder, 'wildcard'),
    outcomes: { ...RIGHT, 'verify-full': otherName },
  },
  {
    name: 'a certificate of somebody in between',
    serve: () => serveTls(world, strangers, 'right'),
    outcomes: { ...RIGHT, 'verify-ca': untrusted, 'verify-full': untrusted },
  },
  {
    name: 'a certificate of a private authority, where the public ones count',
    serve: () => serveTls(world, folder, 'right'),
    login: () => ({ authorities: undefined as never }),
    outcomes: { ...RIGHT, 'verify-ca': untrusted, 'verify-full': untrusted },
  },
  {
    name: 'an expired certificate',
    serve: () => serveTls(world, folder, 'expired'),
    outcomes: { ...RIGHT, 'verify-ca': untrusted, 'verify-full': untrusted },
  },
  {
    name: 'no TLS',
    serve: () => serveNoTls(world),
    outcomes: {
      disable: PLAIN,
      prefer: PLAIN,
      require: out(/does not support SSL/),
      'verify-ca': out(/does not support SSL/),
      'verify-full': out(/does not support SSL/),
    },
  },
];

describe.each(CASES)('a server with $name', ({ serve, host, login, outcomes }) => {
  beforeAll(serve);

  test.each(TLS_MODES)('in mode %s', async (mode) => {
    const [session, complaint] = outcomes[mode];
    const way = { mode, ...(host === undefined ? {} : { host }), ...(login === undefined ? {} : { login: login() }) };
    await bothSay(way, session, complaint);
  });
});

describe('a server that wants a client certificate', () => {
  beforeAll(() => serveTls(world, folder, 'right', join(folder, 'ca.crt')));

  const way = (
    certificate?: string,
    authentication?: readonly AuthenticationMethod[],
    mode: TlsMode = 'verify-full',
  ) => ({
    mode,
    ...(certificate === undefined ? {} : { login: { certificate: certificates[certificate]! } }),
    ...(authentication === undefined ? {} : { authentication }),
  });

  test('beside the password gets it, in every mode that may have one', async () => {
    await withAccessRules(
      world,
      'hostssl all app all scram-sha-256 clientcert=verify-full\nhost all app all reject',
      async () => {
        for (const mode of ['require', 'verify-ca', 'verify-full'] as const) {
          await bothSay(way('app', undefined, mode), 'encrypted', undefined);
        }
        await bothSay(way(undefined), 'AuthenticationFailed', /valid client certificate/);
        await bothSay(way(undefined, undefined, 'prefer'), 'AuthenticationFailed', /valid client certificate/);
        await bothSay(way('other'), 'AuthenticationFailed', /password authentication failed/);
        await bothSay(way('stranger'), 'TlsFailed', /unknown ca/);
      },
    );
  });

  test('in place of the password gets it, if the spec expects that', async () => {
    await withAccessRules(world, 'hostssl all app all cert', async () => {
      const login = { username: 'app', authorities, certificate: certificates['app']! };
      await bothSay({ mode: 'verify-full', login: { ...login }, authentication: ['cert'] }, 'encrypted', undefined);
      await bothSay(way('app', ['cert', 'scram-sha-256']), 'encrypted', undefined);
      await bothSay(
        way('app'),
        'AuthenticationRefused',
        /authentication method requirement "scram-sha-256,md5" failed/,
      );
      await bothSay(way('other', ['cert']), 'AuthenticationFailed', /certificate authentication failed/);
    });
  });
});

describe('a server that asks for', () => {
  beforeAll(() => serveTls(world, folder, 'right'));
  const asked = (method: string, act: () => Promise<void>) => withAccessRules(world, `host all app all ${method}`, act);
  const failed = /authentication method requirement ".+" failed/;

  test('the password itself gets it where the server is known, and nowhere else', async () => {
    await asked('password', async () => {
      const authentication = ['password', 'scram-sha-256'] as const;
      await bothSay({ mode: 'verify-full', authentication }, 'encrypted', undefined);
      await bothSay({ mode: 'verify-full', authentication: ['password'] }, 'encrypted', undefined);
      for (const mode of ['disable', 'prefer', 'require', 'verify-ca'] as const) {
        await bothSay({ mode, authentication }, 'AuthenticationRefused', failed);
      }
      await bothSay({ mode: 'verify-full' }, 'AuthenticationRefused', failed);
    });
  });

  test('nothing is not taken for the right one', async () => {
    await asked('trust', () => bothSay({ mode: 'verify-full' }, 'AuthenticationRefused', failed));
  });

  test('SCRAM gets it, unless only MD5 is expected', async () => {
    await bothSay({ mode: 'verify-full', authentication: ['scram-sha-256'] }, 'encrypted', undefined);
    await bothSay({ mode: 'verify-full', authentication: ['md5'] }, 'AuthenticationRefused', failed);
  });

  test('MD5 gets it, unless only SCRAM is expected', async () => {
    const hash = `SELECT 'md5' || md5('${PASSWORD.replaceAll("'", "''")}' || 'old') AS hash`;
    await world.sql('postgres', `SET standard_conforming_strings = on`);
    const [row] = await world.sql('postgres', hash);
    await world.sql('postgres', `CREATE ROLE old LOGIN PASSWORD '${row?.['hash']}'`);
    const login = { username: 'old' };
    await withAccessRules(world, 'host all old all md5', async () => {
      await bothSay({ mode: 'require', login }, 'encrypted', undefined);
      await bothSay({ mode: 'require', login, authentication: ['scram-sha-256'] }, 'AuthenticationRefused', failed);
    });
  });
});

test.each([` :\\'"@/?#%&=*\t~ end `, 'пароль ☂ é \u00a0 e\u0301 ', '🦔'.repeat(200)])(
  'the password %j gets in by both clients',
  async (password) => {
    await world.sql('postgres', `ALTER ROLE other PASSWORD ${literal(password)}`);
    await bothSay({ mode: 'prefer', login: { username: 'other', password } }, 'encrypted', undefined);
  },
);

const literal = (text: string) => `E'${text.replace(/[\\']/g, '\\$&')}'`;

describe('somebody in between who ends TLS with a certificate of their own and passes everything on', () => {
  let stop: () => void;
  let real: number;
  beforeAll(async () => {
    await serveTls(world, folder, 'right');
    real = world.server.port;
    const between = await passTlsOn(world, strangers);
    stop = between.stop;
    Object.assign(world.server, { port: between.port });
  });
  afterAll(() => {
    Object.assign(world.server, { port: real });
    stop();
  });

  test('is found out where certificates count', async () => {
    for (const mode of ['verify-ca', 'verify-full'] as const) await bothSay({ mode }, ...untrusted);
  });

  test('gains nothing where they do not, either: the proof of the password is bound to the connection', async () => {
    await bothSay({ mode: 'require' }, 'TlsFailed', /channel binding check failed/);
  });
});

test('a URI may demand that the proof is bound to the connection', async () => {
  const login = { channelBinding: true };
  await serveTls(world, folder, 'right');
  await bothSay({ mode: 'require', login }, 'encrypted', undefined);
  await bothSay({ mode: 'disable', login }, 'AuthenticationRefused', /channel binding/);
});

// The programs of 16 that tests have were built without TLS.
test.each([13, 17, 18] as const)(
  'a server of PostgreSQL %i is dumped by verify-full, bound to the connection',
  async (major) => {
    const other = await worldOfMajor(major);
    try {
      await serveTls(other, folder, 'right');
      const known: PostgresWorld = {
        ...other,
        access: (database) => ({
          ...other.access(database),
          host: 'localhost',
          tls: { mode: 'verify-full', authorities: { secret: 'pg-ca', key: 'ca.crt' } },
        }),
      };
      const dumped = await dumpOf(known, 'template1', { ...other.superuser, authorities, channelBinding: true });
      expect(dumped.major).toBe(major);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  },
  60_000,
);

test.each<[string, (way: Way) => Promise<unknown>]>([
  ['our own sessions', bySession],
  ['libpq', byProgram],
])('%s tell the name that they want before the handshake, and nothing else', async (_, act) => {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      heard.push(data);
      if (data.length === 8) socket.write('S');
      else socket.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const real = world.server.port;
  try {
    Object.assign(world.server, { port });
    await act({ mode: 'verify-full' });
    expect(Buffer.concat(heard).toString('latin1')).toContain('localhost');
    expect(Buffer.concat(heard).toString('latin1')).not.toContain('app');
    heard.length = 0;
    await act({ mode: 'verify-full', host: '127.0.0.1' });
    expect(Buffer.concat(heard).toString('latin1')).not.toContain('127.0.0.1');
  } finally {
    Object.assign(world.server, { port: real });
    server.close();
  }
});

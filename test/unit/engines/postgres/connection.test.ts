import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type AuthenticationMethod, DEFAULT_AUTHENTICATION } from '../../../../src/api/postgresql.ts';
import { connect } from '../../../../src/engines/postgres/connection.ts';
import type { Endpoint } from '../../../../src/engines/postgres/endpoint.ts';
import { connectFault, statementFault } from '../../../../src/engines/postgres/faults.ts';

const PASSWORD = 'canary-password';

/** As `pg` makes it: an SQLSTATE is the server's, any other code the system's. */
function aFault(code: string, message = 'said the server'): Error {
  const error =
    /^[0-9X]/.test(code) || code === '3D000' ? new pg.DatabaseError(message, 1, 'error') : new Error(message);
  return Object.assign(error, { code });
}

/** Says these messages, one for each that the client says after its greeting; keeps all that it hears. */
async function fakeServer(...messages: readonly Buffer[]) {
  const heard: Buffer[] = [];
  const sockets = new Set<Socket>();
  let greetings = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    const answers = [...messages];
    socket.on('error', () => {});
    socket.on('data', (data) => {
      heard.push(data);
      if (data.length === 8) return socket.write('N');
      greetings += 1;
      const answer = answers.shift();
      return answer === undefined ? undefined : socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      database: 'd',
      login: { username: 'u', password: PASSWORD },
      applicationName: 'test',
      tls: { mode: 'prefer' },
      authentication: DEFAULT_AUTHENTICATION,
    } satisfies Endpoint,
    heard: () => Buffer.concat(heard).toString('latin1'),
    greetings: () => greetings,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function authentication(code: number, ...rest: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from([0, 0, 0, code]), ...rest]);
  const head = Buffer.alloc(5);
  head.write('R');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
const OK = authentication(0);
const CLEAR_TEXT = authentication(3);
const MD5 = authentication(5, Buffer.from('salt'));
const SASL = authentication(10, Buffer.from('SCRAM-SHA-256\0\0'));
const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

let server: Awaited<ReturnType<typeof fakeServer>> | undefined;
afterEach(() => server?.stop());

describe('a server that asks for what it must not have', () => {
  test.each<[string, Buffer[]]>([
    ['the password in clear text', [CLEAR_TEXT]],
    ['the password in clear text, after a hash that it did not like', [MD5, CLEAR_TEXT]],
    ['the password in clear text, after having begun to prove itself', [SASL, CLEAR_TEXT]],
    ['nothing at all', [Buffer.concat([OK, READY])]],
    ['nothing more, after having begun to prove itself', [SASL, Buffer.concat([OK, READY])]],
  ])('%s is refused, and hears no password', async (_, messages) => {
    server = await fakeServer(...messages);
    await expect(connect(server.endpoint, new AbortController().signal)).rejects.toMatchObject({
      reason: 'AuthenticationRefused',
      outlook: 'retry',
      message: expect.not.stringContaining(PASSWORD),
    });
    expect(server.greetings()).toBe(messages.length);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.heard()).not.toContain(PASSWORD);
    expect(server.heard()).toContain('database\0d\0');
  });
});

describe('a server that asks for what this spec does not allow', () => {
  test.each<[string, AuthenticationMethod[], Buffer]>([
    ['MD5', ['scram-sha-256'], MD5],
    ['SCRAM', ['md5'], SASL],
    ['the password itself, where it could not be sure of the server', ['password', 'md5'], CLEAR_TEXT],
    ['nothing, where it could not be sure of the server', ['cert', 'md5'], Buffer.concat([OK, READY])],
  ])('%s is refused, and hears no answer', async (_, authentication, message) => {
    server = await fakeServer(message);
    await expect(connect({ ...server.endpoint, authentication }, new AbortController().signal)).rejects.toMatchObject({
      reason: 'AuthenticationRefused',
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.greetings()).toBe(1);
  });

  test('SCRAM that is bound to no channel, where it must be, is refused', async () => {
    server = await fakeServer(SASL);
    const login = { ...server.endpoint.login, channelBinding: true };
    await expect(connect({ ...server.endpoint, login }, new AbortController().signal)).rejects.toMatchObject({
      reason: 'AuthenticationRefused',
      message: expect.stringContaining('channel binding'),
    });
    server.stop();
    server = await fakeServer(MD5);
    const other = { ...server.endpoint, login };
    await expect(connect(other, new AbortController().signal)).rejects.toMatchObject({
      reason: 'AuthenticationRefused',
      message: expect.stringContaining('only scram-sha-256 is allowed'),
    });
  });

  test('where nothing is left to allow, nobody is called', async () => {
    server = await fakeServer();
    const endpoint: Endpoint = { ...server.endpoint, authentication: ['password'] };
    await expect(connect(endpoint, new AbortController().signal)).rejects.toMatchObject({ reason: 'SpecInvalid' });
    expect(server.heard()).not.toContain('database');
  });
});

test.each(['require', 'verify-ca', 'verify-full'] as const)(
  'a server, or somebody in its place, that declines TLS hears no more in mode %s',
  async (mode) => {
    server = await fakeServer(MD5);
    await expect(connect({ ...server.endpoint, tls: { mode } }, new AbortController().signal)).rejects.toMatchObject({
      reason: 'TlsFailed',
      outlook: 'retry',
      message: expect.stringContaining(`offers no TLS, and tls.mode is ${mode}`),
    });
    expect(Buffer.byteLength(server.heard(), 'latin1')).toBe(8);
  },
);

test('mode disable does not ask for TLS', async () => {
  server = await fakeServer(CLEAR_TEXT);
  await expect(
    connect({ ...server.endpoint, tls: { mode: 'disable' } }, new AbortController().signal),
  ).rejects.toMatchObject({ reason: 'AuthenticationRefused' });
  expect(server.heard()).toMatch(/^\0\0\0.\0\x03\0\0user/);
});

test('a run that ends does not wait for a server that is silent', async () => {
  server = await fakeServer();
  const stop = new AbortController();
  const connecting = connect(server.endpoint, stop.signal);
  setTimeout(() => stop.abort(new Error('enough')), 100);
  await expect(connecting).rejects.toThrow('enough');
});

test('a server that lets us in and then falls silent is given up', async () => {
  const processNumber = Buffer.from([0x4b, 0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 7]);
  server = await fakeServer(MD5, Buffer.concat([OK, processNumber, READY]));
  await expect(connect(server.endpoint, new AbortController().signal, 200)).rejects.toMatchObject({
    reason: 'DatabaseUnreachable',
    outlook: 'retry',
    message: expect.stringContaining('it did not answer in time'),
  });
});

describe('why no connection came about', () => {
  const endpoint: Endpoint = {
    host: 'pg',
    port: 5432,
    database: 'it"s',
    login: { username: 'app', password: PASSWORD },
    applicationName: 't',
    tls: { mode: 'verify-full', authorities: { secret: 'pg-ca', key: 'ca.crt' } },
    authentication: DEFAULT_AUTHENTICATION,
  };
  const fault = (code: string, message = 'said the server') => connectFault(aFault(code, message), endpoint);

  test.each([
    ['ENOTFOUND', 'DatabaseUnreachable', 'host pg is not known'],
    ['ECONNREFUSED', 'DatabaseUnreachable', 'no answer from PostgreSQL at pg:5432'],
    ['28P01', 'AuthenticationFailed', 'does not let role "app" in: said the server'],
    ['28000', 'AuthenticationFailed', 'said the server'],
    ['3D000', 'DatabaseNotFound', 'database "it"s" does not exist'],
    ['53300', 'TooManyConnections', 'no connection left'],
    ['57P03', 'DatabaseStarting', 'no connections yet'],
    ['55000', 'DatabaseClosed', 'takes no connections'],
    ['42501', 'RightMissing', 'may not connect'],
    ['XX000', 'ConnectionRefused', 'did not let us connect: said the server'],
    ['08P01', 'ConnectionRefused', 'did not let us connect: said the server'],
    ['EPIPE', 'DatabaseUnreachable', 'said the server'],
    ['CERT_HAS_EXPIRED', 'TlsFailed', 'has expired'],
    ['CERT_NOT_YET_VALID', 'TlsFailed', 'is not valid yet'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'TlsFailed', 'is for other names: said the server'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'TlsFailed', 'not signed by the authority in key ca.crt of the Secret pg-ca'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'TlsFailed', 'not signed by'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'TlsFailed', 'broke the TLS handshake off'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'TlsFailed', 'no TLS came about'],
  ])('%s is %s', (code, reason, message) => {
    expect(fault(code)).toMatchObject({ reason, outlook: 'retry', message: expect.stringContaining(message) });
  });

  test.each([
    ['connection requires a valid client certificate', 'tls.clientCertSecretRef'],
    ['certificate authentication failed for user "app"', 'common name'],
    ['no pg_hba.conf entry', 'role and password'],
  ])('the hint after "%s" fits', (said, hint) => {
    expect(fault('28000', said).hint).toContain(hint);
  });

  test('an authority of nobody is a public one', () => {
    const said = connectFault(aFault('DEPTH_ZERO_SELF_SIGNED_CERT'), { ...endpoint, tls: { mode: 'verify-full' } });
    expect(said).toMatchObject({ message: expect.stringContaining('not signed by a public authority') });
    expect(said.hint).toContain('name it in tls.caSecretRef');
  });

  test.each(['Unknown authenticationOk message type 7', 'SASL: Only mechanism(s) SCRAM-SHA-256 are supported'])(
    '%s is a proof that we do not give',
    (said) => {
      expect(connectFault(new Error(said), endpoint).reason).toBe('AuthenticationRefused');
    },
  );

  test.each([
    [aFault('28000', 'SCRAM channel binding check failed'), 'does not end at PostgreSQL at pg:5432, but before it'],
    [
      new Error('SASL channel binding: unknown OID 1.2.3 when parsing public certificate canary'),
      'cannot bind a proof',
    ],
  ])('%s is a matter of TLS', (caught, message) => {
    const fault = connectFault(caught, endpoint);
    expect(fault).toMatchObject({ reason: 'TlsFailed', message: expect.stringContaining(message) });
    expect(fault.message).not.toContain('canary');
  });

  test("a pooler's refusal of the password is one", () => {
    expect(fault('08P01', 'SASL authentication failed').reason).toBe('AuthenticationFailed');
  });

  test('every address of a name that refused is told', () => {
    const errors = [new Error('connect ECONNREFUSED ::1:5432'), new Error('connect ECONNREFUSED 127.0.0.1:5432')];
    const caught = Object.assign(new AggregateError(errors), { code: 'ECONNREFUSED' });
    expect(connectFault(caught, endpoint).message).toContain('::1:5432; connect ECONNREFUSED 127.0.0.1');
  });

  test('a time-out is told in words', () => {
    expect(connectFault(new Error('timeout expired'), endpoint).message).toContain('it did not answer in time');
  });

  test('a failed proof is a matter of the password', () => {
    expect(
      connectFault(new Error('SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a non-empty string'), endpoint),
    ).toMatchObject({
      reason: 'AuthenticationFailed',
    });
  });
});

describe('a statement that failed', () => {
  const fault = (caught: unknown) => statementFault(caught, 'the swap', 'SwapFailed');
  const coded = (code: string) => Object.assign(new Error('said'), { code });

  test.each<[string, unknown]>([
    ['a broken pipe, whose code looks like an SQLSTATE', coded('EPIPE')],
    ['a reset', coded('ECONNRESET')],
    ['a record of TLS that was damaged', coded('ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC')],
    ['a stream that went', coded('ERR_STREAM_DESTROYED')],
    ['a connection that ended', new Error('Connection terminated unexpectedly')],
    ['a client that had lost it before', new Error('Client has encountered a connection error and is not queryable')],
    ['a server that goes down', aFault('57P01')],
    ['a pooler that gave up', aFault('08P01')],
  ])('by %s may heal', (_, caught) => {
    expect(fault(caught)).toMatchObject({ reason: 'DatabaseUnreachable', outlook: 'retry' });
  });

  test.each<[string, unknown, string]>([
    ["the server's refusal", aFault('42501'), 'SwapFailed'],
    ['a mistake of ours', new TypeError("Cannot read properties of undefined (reading 'rows')"), 'InternalError'],
    ['a mistake of ours with a code', coded('ERR_INVALID_ARG_TYPE'), 'InternalError'],
    ['an abort', new DOMException('This operation was aborted', 'AbortError'), 'Interrupted'],
    ['an abort of Node', Object.assign(new Error('aborted'), { code: 'ABORT_ERR' }), 'Interrupted'],
    ['no error at all', 'text', 'InternalError'],
  ])('by %s is no fault of the network', (_, caught, reason) => {
    expect(fault(caught)).toMatchObject({ reason, outlook: 'final' });
  });

  test('by a full disk says how to make room, and no other does', () => {
    expect(fault(aFault('53100'))).toMatchObject({
      reason: 'SwapFailed',
      hint: expect.stringMatching(/^make room on the disk of the database server/),
    });
    expect(fault(aFault('53200')).hint).toBeUndefined();
  });
});

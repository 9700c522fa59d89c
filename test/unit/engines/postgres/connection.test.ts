import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { connect } from '../../../../src/engines/postgres/connection.ts';
import { connectFault } from '../../../../src/engines/postgres/faults.ts';

const PASSWORD = 'canary-password';

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
    },
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
  const endpoint = {
    host: 'pg',
    port: 5432,
    database: 'it"s',
    login: { username: 'app', password: PASSWORD },
    applicationName: 't',
  };
  const fault = (code: string, message = 'said the server') =>
    connectFault(Object.assign(new Error(message), { code }), endpoint);

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
    ['XX000', 'DatabaseUnreachable', 'said the server'],
  ])('%s is %s', (code, reason, message) => {
    expect(fault(code)).toMatchObject({ reason, outlook: 'retry', message: expect.stringContaining(message) });
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

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { findCredentials, serviceAccount } from '../../../src/kube/credentials.ts';
import { KubeError } from '../../../src/kube/errors.ts';
import { Http } from '../../../src/kube/http.ts';

let server: Server | undefined;
let http: Http | undefined;

afterEach(async () => {
  http?.close();
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  server = undefined;
});

type Handler = RequestListener;

/** A client of a server that answers as told; `token` is read for each access. */
async function clientOf(handler: Handler, token: () => string = () => 'secret-token', timeout = 5_000): Promise<Http> {
  const listening = createServer(handler);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(listening.address() as AddressInfo).port}/prefix`);
  http = new Http(
    { url, access: async () => ({ headers: { authorization: `Bearer ${token()}` }, tls: {} }) },
    { timeout },
  );
  return http;
}

const errorOf = (promise: Promise<unknown>): Promise<KubeError> =>
  promise.then(
    () => Promise.reject(new Error('it went well')),
    (error: unknown) => error as KubeError,
  );

describe('a request', () => {
  test('carries path, query, body and token, and gives the parsed answer', async () => {
    const seen: string[] = [];
    const client = await clientOf((request, response) => {
      request.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
      request.on('end', () => {
        seen.push(
          `${request.method} ${request.url} ${request.headers.authorization} ${request.headers['content-type']}`,
        );
        response.end('{"a":1}');
      });
    });
    const answer = await client.json({
      method: 'PATCH',
      path: '/x',
      query: { q: 'a b', none: undefined },
      body: { ü: 1 },
      contentType: 'application/merge-patch+json',
    });
    expect(answer).toEqual({ a: 1 });
    expect(seen).toEqual(['{"ü":1}', 'PATCH /prefix/x?q=a+b Bearer secret-token application/merge-patch+json']);
  });

  test('uses its connection again', async () => {
    const sockets = new Set<unknown>();
    const client = await clientOf((request, response) => {
      sockets.add(request.socket);
      response.end('{}');
    });
    for (let i = 0; i < 5; i += 1) await client.json({ method: 'GET', path: '/x' });
    expect(sockets.size).toBe(1);
  });

  test('reads the token anew after a 401: it may just have been replaced', async () => {
    let token = 'old';
    const client = await clientOf(
      (request, response) => {
        response.statusCode = request.headers.authorization === 'Bearer new' ? 200 : 401;
        response.end('{}');
      },
      () => token,
    );
    expect((await errorOf(client.json({ method: 'GET', path: '/x' }))).status).toBe(401);
    token = 'new';
    await client.json({ method: 'GET', path: '/x' });
  });

  test('that is kept back by beforeSend never reaches the server', async () => {
    let reached = 0;
    const client = await clientOf((_request, response) => {
      reached += 1;
      response.end('{}');
    });
    const keepBack = () => {
      throw new Error('not the leader');
    };
    await expect(client.json({ method: 'POST', path: '/x', body: {}, beforeSend: keepBack })).rejects.toThrow(
      'not the leader',
    );
    await client.json({ method: 'GET', path: '/x' });
    await expect(client.json({ method: 'POST', path: '/x', body: {}, beforeSend: keepBack })).rejects.toThrow(
      'not the leader',
    );
    expect(reached).toBe(1);
  });

  test('is asked for at the last instant, not before its connection stands', async () => {
    const order: string[] = [];
    const client = await clientOf((_request, response) => {
      order.push('served');
      response.end('{}');
    });
    server?.on('connection', () => order.push('connected'));
    await client.json({ method: 'POST', path: '/x', body: {}, beforeSend: () => order.push('asked') });
    expect(order.indexOf('asked')).toBeLessThan(order.indexOf('served'));
    expect(order).toContain('connected');
  });
});

describe('a refusal', () => {
  test('has what the Status says', async () => {
    const client = await clientOf((_request, response) => {
      response.statusCode = 409;
      response.end('{"kind":"Status","reason":"AlreadyExists","message":"jobs \\"x\\" already exists"}');
    });
    const error = await errorOf(client.json({ method: 'POST', path: '/jobs', body: {} }));
    expect({ status: error.status, reason: error.kubeReason, message: error.message }).toEqual({
      status: 409,
      reason: 'AlreadyExists',
      message: 'POST /jobs: jobs "x" already exists',
    });
  });

  test.each([
    ['header', { 'retry-after': '7' }, '{}', 7_000],
    ['Status', {}, '{"details":{"retryAfterSeconds":3}}', 3_000],
    ['nowhere', {}, '<html>', undefined],
    ['header that is no number', { 'retry-after': 'tomorrow' }, '{}', undefined],
  ])('says how long to wait: %s', async (_where, headers, body, expected) => {
    const client = await clientOf((_request, response) => {
      response.writeHead(429, headers);
      response.end(body);
    });
    expect((await errorOf(client.json({ method: 'GET', path: '/x' }))).retryAfter).toBe(expected);
  });

  test("of a proxy's page is told by its status, not by its text", async () => {
    const client = await clientOf((_request, response) => {
      response.statusCode = 502;
      response.end('<html>secret-token</html>');
    });
    const error = await errorOf(client.json({ method: 'GET', path: '/x' }));
    expect([error.status, error.message]).toEqual([502, 'GET /x: HTTP 502 Bad Gateway']);
  });
});

describe('no answer', () => {
  const cases: readonly (readonly [string, Handler])[] = [
    ['a connection that is closed', (request) => void request.socket.destroy()],
    ['no answer in time', () => undefined],
    ['half an answer', (request, response) => void response.write('{"a"', () => request.socket.destroy())],
    ['a body that never ends', (_request, response) => void response.write('{"a"')],
    ['no JSON', (_request, response) => void response.end('<html>')],
    ['JSON that is no object', (_request, response) => void response.end('null')],
    ['nothing', (_request, response) => void response.end()],
  ];
  test.each(cases)('%s leaves open what happened', async (_name, handler) => {
    const client = await clientOf(handler, () => 'secret-token', 300);
    const error = await errorOf(client.json({ method: 'GET', path: '/x' }));
    expect(error).toBeInstanceOf(KubeError);
    expect([error.status, error.outlook]).toEqual([0, 'retry']);
    expect(JSON.stringify([error.message, String(error.cause)])).not.toContain('secret-token');
  });
});

describe('credentials', () => {
  test("of a pod are the service account's files, read anew each time", async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-account-'));
    try {
      await writeFile(join(folder, 'ca.crt'), 'CA');
      await writeFile(join(folder, 'token'), 'first\n');
      const account = serviceAccount({ KUBERNETES_SERVICE_HOST: '10.0.0.1', KUBERNETES_SERVICE_PORT: '443' }, folder);
      expect(account.url.href).toBe('https://10.0.0.1/');
      expect((await account.access()).headers).toEqual({ authorization: 'Bearer first' });
      await writeFile(join(folder, 'token'), 'second\n');
      expect(await account.access()).toEqual({
        headers: { authorization: 'Bearer second' },
        tls: { ca: Buffer.from('CA') },
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('reach an API server by an IPv6 address', () => {
    const { url } = serviceAccount({ KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' }, '/nowhere');
    expect(url.href).toBe('https://[fd00::1]:6443/');
  });

  test('in a pod are not taken from a kubeconfig', async () => {
    const found = await findCredentials({ KUBERNETES_SERVICE_HOST: '10.0.0.1' });
    expect(found.url.host).toBe('10.0.0.1');
  });
});

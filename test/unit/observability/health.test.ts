import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type HealthSources, newHealthServer } from '../../../src/observability/health.ts';

const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function get(path: string, sources: Partial<HealthSources> = {}, method = 'GET') {
  const listening = newHealthServer({
    unhealthy: () => undefined,
    unready: () => undefined,
    metrics: async () => 'm 1',
    ...sources,
  });
  servers.push(listening);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const response = await fetch(`http://127.0.0.1:${(listening.address() as AddressInfo).port}${path}`, { method });
  return [response.status, await response.text()];
}

describe('the health server', () => {
  test.each(['/healthz', '/readyz', '/healthz?verbose'])('%s is ok where nothing is wrong', async (path) => {
    expect(await get(path)).toEqual([200, 'ok\n']);
  });

  test('says what is wrong, liveness and readiness apart', async () => {
    const sources = { unhealthy: () => 'a watch is stuck' };
    expect(await get('/healthz', sources)).toEqual([503, 'a watch is stuck\n']);
    expect(await get('/readyz', sources)).toEqual([200, 'ok\n']);
    expect(await get('/readyz', { unready: () => 'not yet' })).toEqual([503, 'not yet\n']);
  });

  test('gives the metrics, and 500 where they cannot be had', async () => {
    expect(await get('/metrics')).toEqual([200, 'm 1\n']);
    const failing = () => Promise.reject(new Error('a secret'));
    expect(await get('/metrics', { metrics: failing })).toEqual([500, 'the metrics could not be computed\n']);
  });

  test.each([
    ['/', 'GET', 404],
    ['/debug', 'GET', 404],
    ['/metrics', 'POST', 405],
    ['/healthz', 'DELETE', 405],
  ])('has nothing at %s for %s', async (path, method, status) => {
    expect((await get(path, {}, method))[0]).toBe(status);
  });
});

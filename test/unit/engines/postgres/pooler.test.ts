import { describe, expect, test } from '@jest/globals';
import type { Session } from '../../../../src/engines/postgres/connection.ts';
import { refuseTransactionPooler } from '../../../../src/engines/postgres/pooler.ts';

type Mode = 'transaction' | 'statement' | 'session' | 'none';

/** Clients of a pooler over `size` server sessions, which are numbered from 100; idle ones are taken newest or oldest first. */
function aPool(mode: Mode, size: number, order: 'newest' | 'oldest') {
  const idle = Array.from({ length: size }, (_, index) => 100 + index);
  const take = () => {
    const pid = order === 'newest' ? idle.pop() : idle.shift();
    if (pid === undefined) throw new Error('a client would wait for ever');
    return pid;
  };
  let clients = 0;
  const client = (): Session => {
    clients += 1;
    let mine = mode === 'session' || mode === 'none' ? take() : undefined;
    const keeps = mine !== undefined;
    const query = async (sql: string) => {
      if (sql === 'BEGIN' && mode === 'statement') throw new Error('transaction blocks not allowed');
      const began = mine === undefined;
      mine ??= take();
      const pid = mine;
      if (!keeps && ((began && sql !== 'BEGIN') || sql === 'ROLLBACK')) {
        idle.push(pid);
        mine = undefined;
      }
      return [{ pid }] as never;
    };
    const pid = mine ?? idle.at(order === 'newest' ? -1 : 0) ?? 0;
    if (mode === 'transaction') idle.sort((a, b) => Number(a === pid) - Number(b === pid));
    return {
      query,
      pid,
      announcedPid: mode === 'none' ? pid : 9_000 + clients,
      server: { version: '17', major: 17 },
      lost: new AbortController().signal,
      destroy: () => {},
      [Symbol.asyncDispose]: async () => {},
    };
  };
  return { client, clients: () => clients };
}

describe('a pooler', () => {
  test.each<[Mode, number, 'newest' | 'oldest']>([
    ['transaction', 1, 'newest'],
    ['transaction', 20, 'newest'],
    ['transaction', 2, 'oldest'],
    ['transaction', 3, 'oldest'],
    ['transaction', 20, 'oldest'],
    ['statement', 20, 'newest'],
  ])('in %s mode with %i server sessions, the %s idle one first, is refused', async (mode, size, order) => {
    const pool = aPool(mode, size, order);
    await expect(refuseTransactionPooler(pool.client(), async () => pool.client())).rejects.toMatchObject({
      reason: 'PoolerInTransactionMode',
      outlook: 'final',
    });
  });

  test('in session mode is as good as none', async () => {
    const pool = aPool('session', 20, 'newest');
    await refuseTransactionPooler(pool.client(), async () => pool.client());
    expect(pool.clients()).toBe(2);
  });
});

test('PostgreSQL itself is not asked twice', async () => {
  const pool = aPool('none', 20, 'newest');
  await refuseTransactionPooler(pool.client(), async () => pool.client());
  expect(pool.clients()).toBe(1);
});

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ask } from '../../src/engines/postgres/ask.ts';
import { connect } from '../../src/engines/postgres/connection.ts';
import { endpointOf } from '../../src/engines/postgres/endpoint.ts';
import { type PostgresWorld, postgresWorld } from '../support/postgres-world.ts';

let world: PostgresWorld;
beforeAll(async () => {
  world = await postgresWorld();
  await world.sql('postgres', 'CREATE DATABASE shop');
  await world.sql('shop', 'CREATE TABLE orders (id int, paid boolean); INSERT INTO orders VALUES (1, true), (2, NULL)');
  await world.sql('shop', `CREATE FUNCTION spend() RETURNS int LANGUAGE sql AS 'DELETE FROM orders RETURNING id'`);
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

async function answer(sql: string, timeoutMs = 10_000): Promise<string> {
  const endpoint = endpointOf(world.access('shop'), world.superuser, 'shop', 'checks');
  await using session = await connect(endpoint, world.context.signal);
  return await ask(session, sql, timeoutMs);
}

describe('a check on a restored database', () => {
  test.each([
    ['SELECT count(*) FROM orders', '2'],
    ['SELECT count(*) > 0 FROM orders;', 'true'],
    ['select paid from orders where id = 2 -- not yet', 'NULL'],
    ['SELECT id FROM orders WHERE false', 'NULL'],
    ['WITH all_of AS (TABLE orders) SELECT sum(id) FROM all_of', '3'],
    ["VALUES ('łódź')", 'łódź'],
    ['SELECT current_schema()', 'public'],
    ['SELECT 0.10::numeric(4,2)', '0.10'],
  ])('%s is answered as text: %s', async (sql, expected) => {
    expect(await answer(sql)).toBe(expected);
  });

  test.each([
    ['SELECT id FROM orders', /more than one row/],
    ['SELECT id, paid FROM orders WHERE id = 1', /more than one column/],
    ['SELECT id FROM customers', /relation "customers" does not exist/],
    ['DELETE FROM orders RETURNING id', /syntax error/],
    ["SELECT setval(pg_get_serial_sequence('orders', 'id'), 1); SELECT 1", /syntax error/],
    ['SELECT spend()', /read-only transaction/],
  ])('%s is no check: the database says why', async (sql, problem) => {
    await expect(answer(sql)).rejects.toMatchObject({
      reason: 'CheckInvalid',
      message: expect.stringMatching(problem),
    });
    expect(await world.sql('shop', 'SELECT count(*)::int AS n FROM orders')).toEqual([{ n: 2 }]);
  });

  test('that takes longer than it may is ended by the server', async () => {
    await expect(answer('SELECT true FROM pg_sleep(60)', 200)).rejects.toMatchObject({
      reason: 'CheckInvalid',
      message: expect.stringContaining('statement timeout'),
    });
  });
});

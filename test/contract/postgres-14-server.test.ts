/**
 * A real server of PostgreSQL 14, with a stand-in for its programs: those of 15. What is proven is every question and every
 * statement of our own (rights, locks, roles, scratch, swap); what pg_dump 14 writes is not.
 */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { localPostgresOfMajor } from '../cluster/postgres-majors.ts';
import { PROGRAMS_FOLDER, standInFor14 } from '../support/postgres-majors.ts';
import { fillServer, instanceWorld, ODD, resultOf } from '../support/runner-instance.ts';

jest.setTimeout(180_000);

let programs: string;

beforeAll(async () => {
  programs = await standInFor14();
});

afterAll(async () => {
  await rm(programs, { recursive: true });
});

test('a whole server of PostgreSQL 14 comes back with its roles, and is replaced as a whole', async () => {
  await using it = await instanceWorld((options) => localPostgresOfMajor(14, options), { [PROGRAMS_FOLDER]: programs });
  expect(it.world.server.major).toBe(14);
  await fillServer(it.world);
  await it.world.sql('postgres', 'DROP TABLE notes');
  const prints = async () => [await it.world.print('shop'), await it.world.print(ODD)];
  const roles = () =>
    it.world.sql('postgres', `SELECT rolname, rolpassword FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 1`);
  const before = [await prints(), await roles()];
  const { task, manifestDigest } = await it.backup();
  await it.world.sql('postgres', 'DROP DATABASE shop', `DROP DATABASE "${ODD.replaceAll('"', '""')}"`);
  await it.world.sql('postgres', 'DROP ROLE reader', 'DROP ROLE team', 'DROP ROLE "shop owner"');
  resultOf(await it.restore(it.restoreTask(task, manifestDigest, { onConflict: 'Fail' })), 'swap');
  expect([await prints(), await roles()]).toEqual(before);

  await it.world.sql('shop', 'TRUNCATE public.orders');
  expect(await prints()).not.toEqual(before[0]);
  const replace = it.restoreTask(task, manifestDigest, { onConflict: 'Replace' });
  const { previousDatabases } = resultOf(await it.restore(replace), 'swap');
  expect(previousDatabases).toContainEqual(expect.stringMatching(/^shop_before_/));
  expect(await prints()).toEqual(before[0]);
});

/** A whole server of every major version, with the programs of that version: backed up, emptied, restored. */

import { beforeAll, expect, jest, test } from '@jest/globals';
import { localPostgresOfMajor, MAJORS_WITH_PROGRAMS, postgresPrograms } from '../cluster/postgres-majors.ts';
import { acrossVersions } from '../support/postgres-across-versions.ts';
import { PROGRAMS_FOLDER } from '../support/postgres-majors.ts';
import { PASSWORD } from '../support/postgres-world.ts';
import { loadAndSwap } from '../support/restore-steps.ts';
import { fillServer, type InstanceWorld, instanceWorld, ODD, resultOf } from '../support/runner-instance.ts';
import { runRunner } from '../support/runner-process.ts';

jest.setTimeout(180_000);

let programs: string;

beforeAll(async () => {
  programs = await postgresPrograms();
});

test.each(MAJORS_WITH_PROGRAMS)('a whole server of PostgreSQL %i comes back with its roles', async (major) => {
  await using it = await instanceWorld((options) => localPostgresOfMajor(major, options), {
    [PROGRAMS_FOLDER]: programs,
  });
  await fillServer(it.world);
  await it.world.sql('postgres', 'DROP TABLE notes');
  const prints = async () => [await it.world.print('shop'), await it.world.print(ODD)];
  const roles = () =>
    it.world.sql(
      'postgres',
      `SELECT rolname, rolpassword, rolconnlimit, rolvaliduntil, shobj_description(oid, 'pg_authid') AS comment
       FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY 1`,
    );
  const before = [await prints(), await roles()];
  const { task, manifestDigest } = await it.backup();
  await it.world.sql('postgres', 'DROP DATABASE shop', `DROP DATABASE "${ODD.replaceAll('"', '""')}"`);
  await it.world.sql('postgres', 'DROP ROLE reader', 'DROP ROLE team', 'DROP ROLE "shop owner"');
  resultOf(await it.restore(it.restoreTask(task, manifestDigest, { onConflict: 'Fail' })), 'swap');
  expect([await prints(), await roles()]).toEqual(before);
});

test('a whole server of PostgreSQL 13 comes back on one of 18, with its roles and their passwords', async () => {
  const env = { [PROGRAMS_FOLDER]: programs };
  await using old = await instanceWorld((options) => localPostgresOfMajor(13, options), env);
  await using young = await instanceWorld((options) => localPostgresOfMajor(18, options), env);
  await fillServer(old.world);
  await old.world.sql('postgres', 'DROP TABLE notes');
  const prints = async ({ world }: InstanceWorld) =>
    (await Promise.all(['shop', ODD].map(world.print))).map(acrossVersions);
  const before = await prints(old);
  const { task, manifestDigest } = await old.backup();
  const restore = young.restoreTask(task, manifestDigest, { store: task.store, onConflict: 'Fail' });
  const secrets = { ...old.secrets(), ...forDatabase(young) };
  const ended = await loadAndSwap(restore, (step) =>
    runRunner(step, { secrets, attempt: `young-${step.command}`, env }),
  );
  resultOf(ended, 'swap');
  expect(await prints(young)).toEqual(before);
  const client = young.world.client('shop', { username: 'reader', password: PASSWORD });
  await client.connect();
  expect((await client.query('SELECT count(*)::int AS n FROM public.orders')).rows).toEqual([{ n: 500 }]);
  await client.end();
});

function forDatabase(it: InstanceWorld) {
  const { database } = it.secrets();
  return database === undefined ? {} : { database };
}

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import type { BackupSchedule } from '../../src/api/backup-schedule.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import type { Restore, RestoreSpec } from '../../src/api/restore.ts';
import { applyExample } from '../support/e2e-examples.ts';
import { backUp, furtherDatabases, IDENTITY, identitySecret } from '../support/e2e-runs.ts';
import { aScene, type Scene } from '../support/e2e-scene.ts';
import { until, untilComplete, untilFailed } from '../support/e2e-wait.ts';
import { sql, theWorld } from '../support/e2e-world.ts';

interface Pod {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly phase?: string };
}

/** What a fingerprint is made of, as questions that are asked of the database here and of the one that is restored in the pod. */
const QUESTIONS = [
  { name: 'customers', sql: hashOf('customers', 'id, name, note, photo, tags, extract(epoch FROM since)') },
  { name: 'orders', sql: hashOf('orders', 'id, customer, filler') },
  {
    name: 'columns',
    sql: `SELECT md5(string_agg(concat_ws(' ', table_name, column_name, data_type, column_default), ', ' ORDER BY table_name, ordinal_position))
      FROM information_schema.columns WHERE table_schema = 'public'`,
  },
  {
    name: 'relations',
    sql: `SELECT md5(string_agg(concat_ws(' ', relname, relkind, pg_get_userbyid(relowner)), ', ' ORDER BY relname))
      FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
  },
  {
    name: 'properties',
    sql: `SELECT concat_ws(' ', pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit)
      FROM pg_database WHERE datname = current_database()`,
  },
];

/** The count of the rows and the sum of their hashes, whatever their order. */
function hashOf(table: string, columns: string): string {
  return `SELECT concat_ws(' ', count(*), sum(('x' || left(md5(ROW(${columns})::text), 16))::bit(64)::int8::numeric)) FROM ${table}`;
}

describe('a drill', () => {
  let scene: Scene;
  /** The questions with what the database here answers: a restored one must say the same. */
  let checks: { name: string; sql: string; expect: string }[];
  const answered = QUESTIONS.map(({ name }) => ({ name, passed: true }));

  beforeAll(async () => {
    scene = await aScene('drill', { rows: 500, without: ['app'] });
    checks = await Promise.all(
      QUESTIONS.map(async (question) => {
        const [row] = await sql<{ answer: string }>(scene.database, `SELECT (${question.sql})::text AS answer`);
        return { ...question, expect: row?.answer ?? '' };
      }),
    );
    expect(checks[0]?.expect).toMatch(/^500 /);
    await scene.kubectl.apply([identitySecret(scene)]);
    await backUp(scene, 'first');
  });

  afterAll(async () => scene?.[Symbol.asyncDispose]());

  const drill = (name: string, over: Partial<RestoreSpec> = {}) =>
    scene.kubectl.apply([
      {
        apiVersion: API_VERSION,
        kind: 'Restore',
        metadata: { name },
        spec: {
          from: { backupRef: { name: 'first' } },
          target: { ephemeral: { image: theWorld().postgresImage, storage: { size: '2Gi' } } },
          identity: IDENTITY,
          ...over,
        },
      },
    ]);

  test('restores a backup without the database that it is of, asks what it is told to, and makes the backup Restored', async () => {
    // The server of the database is not asked, whatever becomes of it.
    await sql('postgres', `ALTER ROLE "${scene.login.role}" NOLOGIN`);
    await drill('sunday', { checks });
    const { status } = await untilComplete<Restore>(scene.kubectl, 'restore', 'sunday');
    expect(status).toMatchObject({
      outcome: { result: 'Drilled' },
      drill: { databases: 1, tables: 2, rows: 1000, duration: expect.stringMatching(/s$/) },
      checks: answered,
    });
    const backup = await until<Backup>(
      scene.kubectl,
      'backup',
      'first',
      (object) => object.status?.verification?.level === 'Restored',
    );
    expect(backup.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Verified', status: 'True', reason: 'Restored' }),
    );
    await sql('postgres', `ALTER ROLE "${scene.login.role}" LOGIN`);
  });

  test('is what examples/drill.yaml asks for', async () => {
    await applyExample(scene, 'drill.yaml', [
      ['name: CHANGE-ME', 'name: first'],
      ['ephemeral:', `ephemeral:\n      image: ${theWorld().postgresImage}`],
      ['  checks:', `  checks:\n${checks.map((check) => `    - ${JSON.stringify(check)}`).join('\n')}`],
    ]);
    const { status } = await untilComplete<Restore>(scene.kubectl, 'restore', 'drill');
    expect(status?.checks).toEqual([...answered, { name: 'has-customers', passed: true }]);
    expect(status?.drill).toMatchObject({ databases: 1, tables: 2, rows: 1000 });
  });

  test('leaves no database, no volume and nothing that runs', async () => {
    expect(await furtherDatabases(scene)).toEqual([]);
    expect(await scene.kubectl.list('persistentvolumeclaim')).toEqual([]);
    const pods = await scene.kubectl.list<Pod>('pod');
    expect(pods.filter(({ status }) => status?.phase !== 'Succeeded')).toEqual([]);
    expect((await scene.kubectl.get<Restore>('restore', 'sunday'))?.metadata.finalizers).toBeUndefined();
  });

  test('with a check that does not hold fails, and takes nothing back of what is known', async () => {
    await drill('strict', { checks: [{ name: 'many', sql: 'SELECT count(*) > 1000000 FROM orders', expect: 'true' }] });
    const { status } = await untilFailed<Restore>(scene.kubectl, 'restore', 'strict');
    expect(status).toMatchObject({ failure: { reason: 'CheckFailed' }, checks: [{ name: 'many', passed: false }] });
    const backup = await scene.kubectl.get<Backup>('backup', 'first');
    expect(backup?.status?.verification?.level).toBe('Restored');
  });

  test('of a schedule comes at its time, of its newest backup, and is told in its status', async () => {
    const ofNightly = 'holdfast.dev/schedule=nightly';
    await scene.kubectl.call(['label', 'backup', 'first', ofNightly]);
    await scene.kubectl.call(['annotate', 'backup', 'first', ofNightly]);
    await scene.kubectl.apply([
      {
        apiVersion: API_VERSION,
        kind: 'BackupSchedule',
        metadata: { name: 'nightly' },
        spec: {
          schedule: '0 0 29 2 *',
          drill: {
            schedule: '* * * * *',
            identity: IDENTITY,
            ephemeral: { image: theWorld().postgresImage },
            checks,
          },
          template: { spec: (await scene.kubectl.get<Backup>('backup', 'first'))?.spec },
        },
      },
    ]);
    // The next minute, and the drill.
    const { status } = await until<BackupSchedule>(
      scene.kubectl,
      'backupschedule',
      'nightly',
      (schedule) => schedule.status?.lastDrill !== undefined,
      { seconds: 200 },
    );
    // Its drills go with it.
    const drilled = await scene.kubectl.get<Restore>('restore', status?.lastDrill?.restore ?? '');
    await scene.kubectl.call(['delete', 'backupschedule', 'nightly']);
    expect(status?.lastDrill).toMatchObject({ backup: 'first', result: 'Restored' });
    expect(status?.lastDrill?.restore).toMatch(/^nightly-drill-[0-9]{12}$/);
    expect(drilled?.status?.drill).toMatchObject({ databases: 1, tables: 2, rows: 1000 });
    expect(drilled?.status?.checks).toEqual(answered);
    expect(status?.conditions).toContainEqual(expect.objectContaining({ type: 'Drilled', status: 'True' }));
  });

  test('with an image that is no PostgreSQL says so', async () => {
    const image = theWorld().holdfastImage;
    await drill('wrong-image', { target: { ephemeral: { image } } });
    const { status } = await untilFailed<Restore>(scene.kubectl, 'restore', 'wrong-image');
    expect(status?.failure?.message).toMatch(/initdb/);
  });
});

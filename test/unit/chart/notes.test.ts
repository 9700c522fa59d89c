import { describe, expect, test } from '@jest/globals';
import { newProgram } from '../../../src/cli/program.ts';
import { notes } from './render.ts';

const ALONE = { clusterName: 'north' };
const SCHEDULE = {
  ...ALONE,
  keys: { recipients: ['age1qqqqqqqqqq'] },
  s3: { endpoint: 's3.example.com', bucket: 'backups', credentialsSecretName: 'bucket-login' },
  database: { host: 'pg.shop.svc', name: 'shop', credentialsSecretName: 'database-login' },
  backup: { namespace: 'shop', name: 'nightly' },
};

describe('what an admin reads after the install', () => {
  test('of the operator alone: whether it works, and how the first backup is made', async () => {
    const text = await notes(ALONE);
    expect(text).toContain('kubectl -n holdfast-system rollout status deployment/holdfast');
    expect(text).toContain('helm test holdfast -n holdfast-system --logs');
    expect(text).toContain('examples/postgresql.yaml');
    expect(text).not.toContain('restore');
  });

  test('of a schedule: the next run, one more now, the list, and which Secrets must be there', async () => {
    const text = await notes(SCHEDULE);
    expect(text).toContain('Database shop on pg.shop.svc is backed up to the bucket backups: H 0 * * * (Etc/UTC).');
    expect(text).toContain(
      'In the namespace shop there must be the Secret database-login (database) and the Secret bucket-login (bucket).',
    );
    expect(text).toContain('kubectl -n shop get hfstore,hfkey,hfsched nightly');
    expect(text).toContain('kubectl -n shop get backups.holdfast.dev');
    expect(text).toContain('kubectl holdfast -n shop backup --from nightly --wait');
    expect(text).toContain('Every backup is kept');
    expect(text).toContain('Nothing is scaled down for a restore');
  });

  test('the way back names the workloads and the private key, for the plugin and without it', async () => {
    const text = await notes({ ...SCHEDULE, restore: { scaleDown: ['deployment/web', 'statefulset/worker'] } });
    expect(text).toContain(
      'kubectl holdfast -n shop restore BACKUP --on-conflict Replace --scale-down deployment/web --scale-down statefulset/worker --identity-file holdfast.key --wait',
    );
    expect(text).toContain('create secret generic nightly-identity --from-file=identity=holdfast.key');
    expect(text).toContain('get configmap nightly-restore -o');
    expect(text).not.toContain('Nothing is scaled down');
  });

  test('the way back of a part of a database is beside the live one', async () => {
    const database = { ...SCHEDULE.database, include: { schemas: ['sales'] } };
    const text = await notes({ ...SCHEDULE, database, restore: { scaleDown: ['deployment/web'] } });
    expect(text).toContain("restore BACKUP --target-database 'shop_restored' --identity-file holdfast.key --wait");
    expect(text).not.toContain('--on-conflict');
    expect(text).not.toContain('Nothing is scaled down');
  });

  test('where the private key is stored, nobody is asked for it', async () => {
    const keys = { ...SCHEDULE.keys, identitySecretName: 'private' };
    const text = await notes({ ...SCHEDULE, keys });
    expect(text).toContain('restore BACKUP --on-conflict Replace --wait');
    expect(text).not.toContain('create secret');
  });

  test('a schedule that is suspended, or keeps all, says so; one that is neither does not', async () => {
    const text = await notes({
      ...SCHEDULE,
      backup: { ...SCHEDULE.backup, suspend: true, retention: { keepLast: 7 } },
    });
    expect(text).toContain('SUSPENDED');
    expect(text).not.toContain('Every backup is kept');
    expect(await notes(SCHEDULE)).not.toContain('SUSPENDED');
  });

  test('every option of the plugin that it names exists', async () => {
    const text = await notes({ ...SCHEDULE, restore: { scaleDown: ['deployment/web'] } });
    const program = newProgram({} as never, '0', () => undefined);
    const lines = [...text.matchAll(/kubectl holdfast (.*)$/gm)].map(([, words]) =>
      (words ?? '').split(' #')[0]!.trim(),
    );
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      const words = line.split(/\s+/);
      const command = program.commands.find((each) => words.includes(each.name()));
      const known = [...program.options, ...(command?.options ?? [])].flatMap(({ short, long }) => [short, long]);
      expect(words.filter((word) => word.startsWith('-') && !known.includes(word))).toEqual([]);
    }
  });
});

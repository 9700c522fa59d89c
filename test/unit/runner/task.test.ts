import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { BackupTask } from '../../../src/api/task.ts';
import { parseTask, readTask } from '../../../src/runner/task.ts';

const task: BackupTask = {
  command: 'backup',
  run: { cluster: 'c', namespace: 'n', name: 'b', uid: 'u' },
  store: { endpoint: 'https://s3', region: 'r', bucket: 'b', prefix: '', forcePathStyle: false, secret: 's' },
  folder: 'prod/v1/c/n/_manual/20261124T020000Z-12345678/',
  database: {
    engine: 'postgresql',
    host: 'pg',
    port: 5432,
    database: '-rf "🦔"',
    maintenanceDatabase: 'postgres',
    credentials: { secret: 's', usernameKey: 'username', passwordKey: 'password' },
  },
  recipients: ['age1…'],
  compressionLevel: 3,
  conditionalWrites: true,
  reportOnly: false,
};

const changed = (change: object) => JSON.stringify({ ...task, ...change });

describe('a task', () => {
  test('comes back as the operator wrote it', () => {
    expect(parseTask(JSON.stringify(task))).toEqual(task);
  });

  test('comes back with what is selected of the database', () => {
    const selection = { include: { schemas: ['A.b'] }, exclude: { tableData: [{ schema: 'A.b', name: '"' }] } };
    expect(parseTask(changed({ selection }))).toEqual({ ...task, selection });
  });

  test('may bear fields of a newer operator', () => {
    expect(parseTask(changed({ novelty: 1 }))).toMatchObject({ command: 'backup' });
  });

  test.each([
    ['no JSON', '{', 'JSON'],
    ['nothing', 'null', 'its command is none of ours'],
    ['an unknown command', changed({ command: 'destroy' }), 'its command is none of ours'],
    ['no folder', changed({ folder: undefined }), 'folder'],
    ['a folder without its slash', changed({ folder: 'prod/v1' }), '/folder'],
    ['a folder that begins with a slash', changed({ folder: '/prod/' }), '/folder'],
    ['a folder that climbs out', changed({ folder: 'prod/../other/' }), '/folder'],
    ['a folder of dots', changed({ folder: '../' }), '/folder'],
    ['a folder with an empty part', changed({ folder: 'prod//v1/' }), '/folder'],
    ['recipients that are no list', changed({ recipients: 'age1…' }), '/recipients'],
    ['a level that zstd does not know', changed({ compressionLevel: 99 }), '/compressionLevel'],
    ['a database without a host', changed({ database: { ...task.database, host: '' } }), '/database/host'],
    ['a selection that is a pattern', changed({ selection: { include: { tables: ['app.*'] } } }), '/selection'],
    ['a store that is no URL', changed({ store: { ...task.store, endpoint: 's3' } }), '/store/endpoint'],
  ])('with %s is refused', (_, json, problem) => {
    expect(() => parseTask(json)).toThrow(problem);
  });

  test.each(['prod/../other/', '/prod/', 'prod/v1', '../', 'prod//v1/', 'prod/%2e%2e/', 'prod/\u0000/', ''])(
    'of a catalog never leaves its folder: %j',
    (folder) => {
      const catalog = { command: 'catalog', store: task.store, folder: 'prod/v1/c/n/_manual/x/' };
      expect(parseTask(JSON.stringify(catalog))).toEqual(catalog);
      expect(() => parseTask(JSON.stringify({ ...catalog, folder }))).toThrow('/folder');
    },
  );

  test('is read from its file, and a missing file is told', async () => {
    const root = await mkdtemp(join(tmpdir(), 'holdfast-task-'));
    await expect(readTask(root)).rejects.toMatchObject({ reason: 'TaskInvalid' });
    await mkdir(join(root, 'task'));
    await writeFile(join(root, 'task/task.json'), JSON.stringify(task));
    expect(await readTask(root)).toEqual(task);
    await rm(root, { recursive: true });
  });
});

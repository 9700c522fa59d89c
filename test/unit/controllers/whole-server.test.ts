/** What the operator tells the runner about a whole server, as the runner reads it. */
import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import { TASK_ANNOTATION, type Task } from '../../../src/api/task.ts';
import type { Action } from '../../../src/controllers/action.ts';
import { decide as decideBackup } from '../../../src/controllers/backup/decide.ts';
import { chooseKey } from '../../../src/controllers/backup/key.ts';
import { decide as decideRestore } from '../../../src/controllers/restore/decide.ts';
import { chooseIdentity } from '../../../src/controllers/restore/identity.ts';
import { parseTask } from '../../../src/runner/task.ts';
import { aBackup, aCompleteBackup, aKey, aRestore, aStore, NOON, SETTINGS } from '../../support/builders.ts';
import { theSource } from '../../support/restore-source.ts';

function ofServer(backup: Backup): Backup {
  const { database: _, ...postgresql } = backup.spec.source.postgresql;
  return { ...backup, spec: { ...backup.spec, source: { postgresql: { ...postgresql, scope: 'Instance' } } } };
}

function taskIn(actions: readonly Action[]): Task {
  const made = actions.find((action) => action.action === 'createJob');
  if (made?.action !== 'createJob') throw new Error('no Job is made');
  const { template } = made.job.spec as { template: { metadata: { annotations: Record<string, string> } } };
  return parseTask(template.metadata.annotations[TASK_ANNOTATION] ?? '');
}

function taskOfRestore(from: { database?: string } = {}, database?: string): Task {
  const restore = aRestore({
    spec: {
      from: { backupRef: { name: 'nightly' }, ...from },
      ...(database === undefined ? {} : { target: { postgresql: { database } } }),
    },
    status: {
      attempts: 0,
      resolved: {
        backupUID: aBackup().metadata.uid,
        path: 'prod/v1/lodz/shop/x/',
        digest: `sha256:${'ab'.repeat(32)}`,
        time: '2026-11-24T12:00:00Z',
      },
    },
  });
  const { actions } = decideRestore(
    {
      restore,
      ...theSource(restore, { backup: ofServer(aCompleteBackup()) }),
      identity: chooseIdentity(restore, aKey({ identity: true })),
      runs: [],
      lock: undefined,
      workloads: [],
      settings: SETTINGS,
    },
    NOON,
  );
  return taskIn(actions);
}

describe('the task', () => {
  test('of a backup names no database', () => {
    const key = chooseKey(undefined, [aKey()]);
    const facts = { store: aStore(), key, runs: [], lock: undefined, earlier: [], nodes: [], settings: SETTINGS };
    const task = taskIn(decideBackup({ ...facts, backup: ofServer(aBackup()) }, NOON).actions);
    expect(task).toMatchObject({ command: 'backup', database: { maintenanceDatabase: 'postgres' } });
    expect(task).not.toHaveProperty('database.database');
  });

  test('of a restore of all of it names none either', () => {
    const task = taskOfRestore();
    expect(task.command).toBe('plan');
    expect(task).not.toHaveProperty('database.database');
    expect(task).not.toHaveProperty('fromDatabase');
  });

  test('of a restore of one database names it, and where it goes: by default to its own name', () => {
    expect(taskOfRestore({ database: 'stock' })).toMatchObject({
      fromDatabase: 'stock',
      database: { database: 'stock' },
    });
    expect(taskOfRestore({ database: 'stock' }, 'copy')).toMatchObject({
      fromDatabase: 'stock',
      database: { database: 'copy' },
    });
  });
});

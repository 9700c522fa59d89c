import { describe, expect, test } from '@jest/globals';
import type { BackupApplication } from '../../../src/api/application.ts';
import type { Pod } from '../../../src/api/kubernetes.ts';
import { type BackupTask, TASK_ANNOTATION } from '../../../src/api/task.ts';
import { decide } from '../../../src/controllers/backup/decide.ts';
import type { BackupFacts } from '../../../src/controllers/backup/facts.ts';
import { chooseKey } from '../../../src/controllers/backup/key.ts';
import type { World } from '../../../src/controllers/controller.ts';
import { observeNodes } from '../../../src/controllers/observe-nodes.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { aBackup, aKey, aStore, BACKUP_RESULT, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';

const APP: BackupApplication = {
  version: '1.24.3',
  workloads: [{ kind: 'Deployment', name: 'web' }],
  requireSameNodes: true,
};

const aBackupOf = (application: BackupApplication) => {
  const backup = aBackup();
  return { ...backup, spec: { ...backup.spec, application } };
};

function facts(application: BackupApplication | undefined, more: Partial<BackupFacts> = {}): BackupFacts {
  return {
    backup: application === undefined ? aBackup() : aBackupOf(application),
    store: aStore(),
    key: chooseKey(undefined, [aKey()]),
    runs: [],
    lock: undefined,
    earlier: [],
    nodes: ['n1', 'n2'],
    settings: SETTINGS,
    ...more,
  };
}

function taskOf(world: BackupFacts): BackupTask {
  const [job] = decide(world, NOON).actions.flatMap((action) => (action.action === 'createJob' ? [action.job] : []));
  const { template } = job!.spec as { template: { metadata: { annotations: Record<string, string> } } };
  return JSON.parse(template.metadata.annotations[TASK_ANNOTATION] ?? '') as BackupTask;
}

describe('what a backup says of its app', () => {
  test('is recorded with the nodes that its pods run on', () => {
    expect(taskOf(facts(APP)).application).toEqual({ ...APP, nodes: ['n1', 'n2'] });
  });

  test('has no nodes where nobody asks for them, and is nothing where nothing is said', () => {
    expect(taskOf(facts({ version: '2' })).application).toEqual({ version: '2' });
    expect(taskOf(facts(undefined))).not.toHaveProperty('application');
  });

  test('is in the status of a backup that is Complete, as the manifest has it', () => {
    const application = { ...APP, nodes: ['n7'] };
    const run: RunFacts = {
      purpose: 'backup',
      attempt: 1,
      name: 'nightly-backup-11111111-1',
      state: 'succeeded',
      ended: noonPlus(20),
      livingPods: 0,
      started: true,
      task: { command: 'backup', application } as BackupTask,
      report: { command: 'backup', ok: true, result: BACKUP_RESULT },
    };
    const backup = aBackupOf(APP);
    const world = facts(APP, { backup: { ...backup, status: { attempts: 1 } }, runs: [run] });
    expect(decide(world, noonPlus(30)).status?.application).toEqual(application);
  });
});

describe('where an app runs', () => {
  const aPod = (nodeName: string | undefined, phase = 'Running') =>
    ({
      metadata: { name: 'p' },
      spec: nodeName === undefined ? {} : { nodeName },
      status: { phase },
    }) as unknown as Pod;
  const asked: string[] = [];
  /** Pods by the selector that a workload has. */
  const world = (pods: Readonly<Record<string, readonly Pod[]>>) =>
    ({
      settings: SETTINGS,
      cluster: {
        getScale: async (kind: { kind: string }, { name }: { name: string }) => {
          asked.push(`${kind.kind} ${name}`);
          return name in pods ? { status: { selector: `app=${name}` } } : undefined;
        },
        list: async (_: unknown, { labelSelector }: { labelSelector: string }) => pods[labelSelector.slice(4)] ?? [],
      },
    }) as unknown as World;

  test('is told by the pods of its workloads that have not come to an end, each node once', async () => {
    const workloads = [...APP.workloads!, { kind: 'StatefulSet' as const, name: 'db' }];
    const pods = {
      web: [aPod('n2'), aPod('n1'), aPod(undefined, 'Pending')],
      db: [aPod('n2'), aPod('n9', 'Succeeded')],
    };
    expect(await observeNodes(world(pods), aBackupOf({ ...APP, workloads }))).toEqual(['n1', 'n2']);
    expect(asked).toEqual(['Deployment web', 'StatefulSet db']);
  });

  test('is on none where a workload is not there, and asked of nobody where it is not wanted', async () => {
    expect(await observeNodes(world({}), aBackupOf(APP))).toEqual([]);
    asked.length = 0;
    expect(await observeNodes(world({ web: [aPod('n1')] }), aBackupOf({ ...APP, requireSameNodes: false }))).toEqual(
      [],
    );
    expect(asked).toEqual([]);
  });
});

/** A safety backup works under the lock of the Restore that waits for it, and nothing else does. */
import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import type { Restore, RestoreStatus } from '../../../src/api/restore.ts';
import { decide } from '../../../src/controllers/backup/decide.ts';
import type { BackupFacts } from '../../../src/controllers/backup/facts.ts';
import { chooseKey } from '../../../src/controllers/backup/key.ts';
import { originOf, serves } from '../../../src/controllers/backup/origin.ts';
import type { LeaseFacts } from '../../../src/controllers/leases.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { aBackup, aKey, aRestore, aStore, condition, NOON, noonPlus, SETTINGS } from '../../support/builders.ts';

const restore = aRestore({ status: { safetyBackup: { name: 'saved', uid: 'safety-uid' } } });

function aSafetyBackup(metadata: object = {}): Backup {
  return aBackup({
    metadata: {
      name: 'saved',
      uid: 'safety-uid',
      labels: { 'holdfast.dev/owner-uid': restore.metadata.uid },
      annotations: { 'holdfast.dev/restore': 'bring-back' },
      ...metadata,
    },
  });
}

function aLock(more: Partial<LeaseFacts> = {}): LeaseFacts {
  return {
    namespace: 'holdfast-system',
    name: 'holdfast-lock-1',
    uid: 'lease',
    resourceVersion: '3',
    holderUid: restore.metadata.uid,
    holder: 'Restore shop/bring-back',
    holderAlive: true,
    ...more,
  };
}

function facts(more: Partial<BackupFacts> = {}): BackupFacts {
  return {
    backup: aSafetyBackup(),
    store: aStore(),
    key: chooseKey(undefined, [aKey()]),
    runs: [],
    lock: aLock(),
    served: restore,
    earlier: [],
    nodes: [],
    settings: SETTINGS,
    ...more,
  };
}

const running: RunFacts = {
  purpose: 'backup',
  attempt: 1,
  name: 'saved-backup-1',
  job: { uid: 'job-uid', created: NOON, leaving: false },
  state: 'active',
  livingPods: 1,
  started: true,
};

describe('a backup serves the Restore', () => {
  const without = (status: RestoreStatus): Restore => ({ ...restore, status });

  test.each<[string, Backup, Restore | undefined, boolean]>([
    ['that names it by its UID in the status', aSafetyBackup(), restore, true],
    ['not where there is none', aSafetyBackup(), undefined, false],
    ['not one that names another Backup', aSafetyBackup({ uid: 'forged' }), restore, false],
    ['not one that names none yet', aSafetyBackup(), without({}), false],
    ['not one of another namespace', aSafetyBackup({ namespace: 'bank' }), restore, false],
    [
      'not one that is being deleted',
      aSafetyBackup(),
      { ...restore, metadata: { ...restore.metadata, deletionTimestamp: '2026-11-24T12:00:00Z' } },
      false,
    ],
    [
      'not one that is over',
      aSafetyBackup(),
      without({ ...restore.status, conditions: [condition('Failed', 'True')] }),
      false,
    ],
    [
      'not one whose outcome stands',
      aSafetyBackup(),
      without({ ...restore.status, outcome: { result: 'Failed', time: '2026-11-24T12:00:00Z' } }),
      false,
    ],
  ])('%s', (_which, backup, found, answer) => {
    expect(serves(backup, found)).toBe(answer);
  });
});

describe('a safety backup', () => {
  test('starts under the lock of its Restore, and takes none', () => {
    expect(decide(facts(), NOON).actions.map(({ action }) => action)).toEqual(['createJob']);
  });

  test('does not wait for backups that wait for that lock', () => {
    const { served: _, ...earlier } = facts({ backup: aBackup(), lock: undefined });
    expect(decide(facts({ earlier: [earlier] }), NOON).actions.map(({ action }) => action)).toEqual(['createJob']);
  });

  test('waits for the lock of anybody else', () => {
    const { actions, status } = decide(facts({ lock: aLock({ holderUid: 'other', holder: 'Backup bank/x' }) }), NOON);
    expect({ actions, reason: status?.failure?.reason }).toEqual({ actions: [], reason: 'DatabaseBusy' });
  });

  test('whose labels say so, and nothing else does, waits as any other', () => {
    const { served: _, ...forged } = facts();
    // What made it may be about to say so.
    expect(decide(forged, noonPlus(2))).toEqual({ actions: [], requeueAfter: 1_000 });
    expect(decide(forged, noonPlus(3)).status).toMatchObject({ phase: 'Pending', failure: { reason: 'DatabaseBusy' } });
  });

  test('frees no lock that is not its own', () => {
    const report = {
      command: 'backup',
      ok: false,
      retry: false,
      failure: { reason: 'DumpFailed', message: 'x' },
    } as const;
    const run: RunFacts = { ...running, state: 'failed', livingPods: 0, ended: noonPlus(9), report };
    const { actions, status } = decide(facts({ runs: [run] }), noonPlus(10));
    expect({ actions, phase: status?.phase }).toEqual({ actions: [], phase: 'Failed' });
  });

  test('at work under the lock of its Restore leaves it alone', () => {
    expect(decide(facts({ runs: [running] }), NOON).actions).toEqual([]);
  });

  test('whose Restore is gone takes the lock itself, and frees it in the end', () => {
    const { served: _, ...alone } = facts({ runs: [running], lock: undefined });
    expect(decide(alone, NOON).actions).toEqual([expect.objectContaining({ action: 'createLease' })]);
    const own = { ...alone, lock: aLock({ holderUid: 'safety-uid' }) };
    expect(decide(own, NOON).actions).toEqual([]);
    const over = { ...own, backup: { ...own.backup, status: { conditions: [condition('Complete', 'True')] } } };
    expect(decide(over, NOON).actions).toEqual([expect.objectContaining({ action: 'deleteLease' })]);
  });

  test('leaves alone a lock that somebody else took meanwhile', () => {
    const { served: _, ...alone } = facts({ runs: [running], lock: aLock({ holderUid: 'other' }) });
    expect(decide(alone, NOON).actions).toEqual([]);
  });
});

test.each([
  ['a person', {}, 'Manual'],
  ['a schedule', { 'holdfast.dev/schedule': 'nightly' }, 'Scheduled'],
  ['a Restore', { 'holdfast.dev/restore': 'bring-back' }, 'Safety'],
])('the status says whether %s made it', (_who, annotations, origin) => {
  const backup = aBackup({ metadata: { annotations } });
  expect(originOf(backup)).toBe(origin);
  const { served: _, ...alone } = facts({ backup, lock: undefined });
  expect(decide(alone, NOON).status).toMatchObject({ origin });
});

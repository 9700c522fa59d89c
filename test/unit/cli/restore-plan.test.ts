import { describe, expect, test } from '@jest/globals';
import { mustBePossible, type PlanFacts, planText } from '../../../src/cli/restore-plan.ts';
import type { HoldfastError } from '../../../src/lib/errors.ts';
import { aBackup, aCompleteBackup, aKey, aRestore, condition, noonPlus } from '../../support/builders.ts';

const WEB = { kind: 'Deployment', name: 'web' } as const;

function aPlan(more: Partial<PlanFacts> = {}): PlanFacts {
  return {
    backup: aCompleteBackup(),
    spec: aRestore().spec,
    workloads: [{ workload: WEB, replicas: 3 }],
    key: aKey({ identity: true }),
    identityFile: undefined,
    namespace: 'shop',
    ...more,
  };
}

function reasonOf(plan: PlanFacts): string | undefined {
  try {
    mustBePossible(plan);
    return undefined;
  } catch (caught) {
    return (caught as HoldfastError).reason;
  }
}

test('a plan says what, from where, into what, what is replaced, who rests and which key', () => {
  const text = planText(aPlan(), noonPlus(7_200));
  expect(text).toContain('nightly, of 2h ago (2026-11-24T12:00:00Z)');
  expect(text).toContain('into:              orders on pg.shop.svc:5432');
  expect(text).toMatch(/connecting: +with the Secret \S+, TLS mode prefer/);
  expect(text).toContain('replaced in one step');
  expect(text).toContain('kept 24h under another name');
  expect(text).toContain('Deployment web, then back to 3');
  expect(text).toContain('Secret private, key identity');
});

test('what is replaced is saved first, unless somebody says no; where nothing is replaced, nothing is said', () => {
  const at = (spec: object) => planText(aPlan({ spec: { ...aRestore().spec, ...spec } }), noonPlus(0));
  expect(at({ safetyBackup: true })).toMatch(/saved first: +what is live now, as a Backup/);
  expect(at({ safetyBackup: false })).toMatch(/saved first: +no \(--no-safety-backup\)/);
  expect(at({ onConflict: 'Fail' })).not.toContain('saved first');
});

test('who else writes the count is a warning; of a person who did so once there is none', () => {
  const at = (manager: string) =>
    planText(aPlan({ workloads: [{ workload: WEB, replicas: 3, writers: [{ manager }] }] }), noonPlus(0));
  expect(at('argocd-controller')).toMatch(/warning: +Deployment web: Argo CD \(argocd-controller\) writes its count/);
  expect(at('kubectl')).not.toContain('warning');
});

test('a CronJob is suspended and resumed, or stays as it is', () => {
  const workload = { apiVersion: 'batch/v1', kind: 'CronJob', name: 'report' };
  const at = (replicas: number) => planText(aPlan({ workloads: [{ workload, replicas }] }), noonPlus(0));
  expect(at(1)).toContain('CronJob report, suspended, then resumed');
  expect(at(0)).toContain('CronJob report, suspended, and stays so');
});

test('another target is shown, and that the default replaces nothing', () => {
  const spec = { from: { backupRef: { name: 'nightly' } }, target: { postgresql: { database: 'copy' } } };
  const text = planText(aPlan({ spec, workloads: [] }), noonPlus(0));
  expect(text).toContain('into:              copy on pg.shop.svc:5432');
  expect(text).toContain('refused, nothing is touched');
  expect(text).toContain('what still writes then loses what it writes');
});

const fromArchive = (database?: string) => ({
  ...aRestore().spec,
  from: { archive: { storeRef: { name: 'cellar' }, path: 'prod/v1/lodz/shop/nightly/x/' } },
  target: {
    postgresql: {
      host: 'pg.new.svc',
      credentials: { secretRef: { name: 'new' } },
      ...(database === undefined ? {} : { database }),
    },
  },
});

test('an archive without a Backup goes where the Restore says, and only it knows how its database is called', () => {
  const text = planText(aPlan({ backup: undefined, spec: fromArchive() }), noonPlus(0));
  expect(text).toContain('archive:           prod/v1/lodz/shop/nightly/x/');
  expect(text).toContain('in:                BackupStore cellar');
  expect(text).toContain('into:              what is in the archive, under its own name, on pg.new.svc:5432');
  expect(text).toMatch(/connecting: +with the Secret new/);
  const named = planText(aPlan({ backup: undefined, spec: fromArchive('copy') }), noonPlus(0));
  expect(named).toContain('into:              copy on pg.new.svc:5432');
});

test('what is dropped at once is said to be dropped', () => {
  const spec = { ...aRestore().spec, keepPrevious: '0s' };
  expect(planText(aPlan({ spec }), noonPlus(0))).toContain('the replaced one is then dropped');
});

function ofServer() {
  const backup = aCompleteBackup();
  const { database: _, ...postgresql } = backup.spec.source.postgresql;
  return { ...backup, spec: { ...backup.spec, source: { postgresql: { ...postgresql, scope: 'Instance' as const } } } };
}

const fromOne = (database: string, target?: string) => ({
  ...aRestore().spec,
  from: { backupRef: { name: 'nightly' }, database },
  ...(target === undefined ? {} : { target: { postgresql: { database: target } } }),
});

test('of a whole server every database is restored, or the one that is named', () => {
  const all = planText(aPlan({ backup: ofServer() }), noonPlus(0));
  expect(all).toContain('into:              every database on pg.shop.svc:5432');
  const one = planText(aPlan({ backup: ofServer(), spec: fromOne('stock', 'copy') }), noonPlus(0));
  expect(one).toContain('of:                stock on pg.shop.svc:5432');
  expect(one).toContain('into:              copy on pg.shop.svc:5432');
});

describe('a restore that cannot end well is not begun', () => {
  test.each<[string, Partial<PlanFacts>, string | undefined]>([
    ['all is there', {}, undefined],
    [
      'the backup failed',
      { backup: aBackup({ status: { conditions: [condition('Failed', 'True')] } }) },
      'BackupFailed',
    ],
    ['the backup is at work', { backup: aBackup({ status: { phase: 'Running' } }) }, 'BackupNotComplete'],
    ['a workload is missing', { workloads: [{ workload: WEB, replicas: undefined }] }, 'WorkloadNotFound'],
    ['a workload may not be looked at', { workloads: [{ workload: WEB, replicas: 'unknown' }] }, undefined],
    ['an archive without a Backup', { backup: undefined, spec: fromArchive() }, undefined],
    ['an archive without a Backup or a key', { backup: undefined, spec: fromArchive(), key: undefined }, 'NoIdentity'],
    ['no private key is known', { key: aKey() }, 'NoIdentity'],
    ['the key is gone', { key: undefined }, 'NoIdentity'],
    ['one database of a whole server', { backup: ofServer(), spec: fromOne('stock', 'copy') }, undefined],
    [
      'a whole server into one database',
      { backup: ofServer(), spec: { ...aRestore().spec, target: { postgresql: { database: 'copy' } } } },
      'InstanceNeedsDatabase',
    ],
    ['its own database by name', { spec: fromOne('orders') }, undefined],
    ['another database by name', { spec: fromOne('stock') }, 'DatabaseNotInArchive'],
    ['the key is brought along', { key: undefined, identityFile: 'team.key' }, undefined],
  ])('%s', (_what, more, reason) => {
    expect(reasonOf(aPlan(more))).toBe(reason);
  });
});

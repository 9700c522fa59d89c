import { describe, expect, test } from '@jest/globals';
import type { RestoreSpec } from '../../../src/api/restore.ts';
import { specHashOf } from '../../../src/controllers/restore/spec-hash.ts';

/** As the API server of 0.2.0 had it, every default of then filled in. */
const FIRST: RestoreSpec = {
  from: { backupRef: { name: 'before-upgrade' } },
  target: {
    postgresql: {
      tls: {
        mode: 'require',
        clientCertSecretRef: { name: 'me', certKey: 'tls.crt', keyKey: 'tls.key' },
      },
    },
  },
  onConflict: 'Replace',
  scaleDown: { workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }], timeout: '10m' },
  keepPrevious: '24h',
  startDeadline: '1h',
  activeDeadlineSeconds: 86_400,
};

describe('the hash of a spec', () => {
  test('is what the marks of 0.2.0 bear', () => {
    expect(specHashOf(FIRST)).toBe('9b9bbf91a6a8d4cc');
  });

  test('stays when later versions fill in their defaults, in whatever order, and when keepPrevious changes', () => {
    const now: RestoreSpec = {
      activeDeadlineSeconds: 86_400,
      ...FIRST,
      ...{ safetyBackup: true, keepScratch: false, dryRun: false, keepPrevious: '0s' },
    };
    expect(specHashOf(now)).toBe(specHashOf(FIRST));
  });

  test.each<[string, Partial<RestoreSpec>]>([
    ['another backup', { from: { backupRef: { name: 'other' } } }],
    ['no safety backup', { safetyBackup: false }],
    ['a dry run', { dryRun: true }],
    ['a field of the first version', { onConflict: 'Fail' }],
    ['another list', { scaleDown: { workloads: [{ kind: 'Deployment', name: 'api' }], timeout: '10m' } }],
  ])('is another one with %s', (_name, change) => {
    expect(specHashOf({ ...FIRST, ...change })).not.toBe(specHashOf(FIRST));
  });
});

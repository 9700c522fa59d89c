import { expect, test } from '@jest/globals';
import type { Restore, RestoreStatus } from '../../../src/api/restore.ts';
import { plannedText } from '../../../src/cli/planned-text.ts';
import { aRestore, condition } from '../../support/builders.ts';

const PLAN: NonNullable<RestoreStatus['plan']> = {
  server: '17.6',
  databaseExists: true,
  objects: 12,
  bytesNeeded: 1_610_612_736,
  compatibility: [
    { of: 'PostgreSQL', archive: '17.5', target: '17.6', verdict: 'Fits' },
    { of: 'application', archive: '1.4.0', verdict: 'NotJudged' },
  ],
};
const over = (status: RestoreStatus, type: 'Complete' | 'Failed'): Restore =>
  aRestore({ status: { ...status, conditions: [condition(type, 'True')] } });

test('a plan that nothing stands in the way of tells server, database, bytes, versions, warnings and notes', () => {
  const plan = { ...PLAN, warnings: ['HPA web writes replicas', 'a superuser'], notes: ['good to know'] };
  expect(plannedText(over({ plan }, 'Complete'))).toBe(
    [
      'server:   17.6',
      'database: is there, with 12 objects in it',
      'needs:    1.5 GiB beside what is there, as the uncompressed dump',
      'versions: PostgreSQL: 17.5 in the archive, 17.6 here: fits',
      '          application: 1.4.0 in the archive, unknown here: not judged',
      'warning:  HPA web writes replicas',
      '          a superuser',
      'note:     good to know',
      '',
      'Nothing stands in the way. Nothing was touched.',
    ].join('\n'),
  );
});

test('each refusal has its next step, and how it could be or was forced', () => {
  const refusals = [
    { reason: 'Version', message: 'too old', hint: 'upgrade', forceable: true, forced: true },
    { reason: 'Nodes', message: 'elsewhere', hint: 'move it', forceable: true, forced: false },
    { reason: 'RightMissing', message: 'no CREATEDB', hint: 'ALTER ROLE r CREATEDB;', forceable: false, forced: false },
  ];
  const text = plannedText(over({ plan: { ...PLAN, refusals } }, 'Failed'));
  expect(text.slice(text.indexOf('\n\n') + 2)).toBe(
    [
      'forced  Version: too old',
      '  force:  taken on by force',
      '',
      'refused  Nodes: elsewhere',
      '  next:   move it',
      '  force:  can be taken on: --force Nodes',
      '',
      'refused  RightMissing: no CREATEDB',
      '  next:   ALTER ROLE r CREATEDB;',
      '',
      '2 refusals stand in the way. Nothing was touched.',
    ].join('\n'),
  );
});

test('of an archive that cannot be opened it does not pretend to know the target', () => {
  const plan = { server: '', databaseExists: false, objects: 0, bytesNeeded: 0 };
  const refusals = [{ reason: 'KeyMismatch', message: 'wrong key', forceable: false, forced: false }];
  const text = plannedText(over({ plan: { ...plan, refusals } }, 'Failed'));
  expect(text).toContain('not looked at');
  expect(text).not.toContain('database:');
  expect(text).toContain('1 refusal stands in the way.');
});

test('a restore that never came to a plan says why', () => {
  const failure = { reason: 'StoreNotFound', message: 'There is no BackupStore "s3".' };
  expect(plannedText(over({ failure }, 'Failed'))).toBe(
    'It did not come to a plan. StoreNotFound: There is no BackupStore "s3".',
  );
});

test('what comes from a server cannot write on the terminal', () => {
  const refusals = [{ reason: 'X', message: 'a\u001b[2Jb', forceable: false, forced: false }];
  expect(plannedText(over({ plan: { ...PLAN, refusals } }, 'Failed'))).not.toContain('\u001b');
});

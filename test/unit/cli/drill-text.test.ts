import { describe, expect, test } from '@jest/globals';
import type { Restore } from '../../../src/api/restore.ts';
import { drillText } from '../../../src/cli/drill-text.ts';
import { plain } from '../../../src/cli/style.ts';
import { aRestore } from '../../support/builders.ts';

const drill = {
  server: '17.6',
  duration: '2m10s',
  databases: 1,
  bytes: 9_000_000,
  tables: 2,
  rows: 530,
  largest: [{ table: 'public.orders', rows: 500 }],
};

function aDrill(status: Restore['status']): Restore {
  return aRestore({
    ...(status === undefined ? {} : { status }),
    spec: { checks: [{ name: 'orders', sql: 'SELECT 1', expect: '1' }] },
  });
}

describe('what a drill came to', () => {
  test('is told with its duration, size, rows, largest tables and checks', () => {
    const checks = [
      { name: 'orders', passed: true },
      { name: 'people', passed: false, found: '0' },
    ];
    expect(drillText(aDrill({ drill, checks }), plain)).toBe(
      [
        'Server:   PostgreSQL 17.6, thrown away',
        'Duration: 2m10s',
        'Restored: 530 rows in 2 tables of 1 database',
        'On disk:  8.6 MiB',
        '',
        'LARGEST TABLES   ROWS',
        'public.orders    500',
        '',
        'CHECK    HELD   FOUND',
        'orders   yes    1',
        'people   no     0',
      ].join('\n'),
    );
  });

  test('has each database of a whole server, and what was not as it had been', () => {
    const perDatabase = [{ name: 'shop', bytes: 1024, tables: 1, rows: 5 }];
    const text = drillText(aDrill({ drill: { ...drill, perDatabase, notes: ['no locale xx'] } }), plain);
    expect(text).toContain('Notes:    no locale xx');
    expect(text).toContain('DATABASE   ROWS   TABLES   SIZE\nshop       5      1        1.0 KiB');
  });

  test('is nothing where nothing was restored', () => {
    expect(drillText(aDrill({}), plain)).toBeUndefined();
  });
});

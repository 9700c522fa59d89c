import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import { cameBefore, compete } from '../../../src/controllers/backup/turn.ts';
import { aBackup } from '../../support/builders.ts';

function of(source: object, metadata: object = {}): Backup {
  const backup = aBackup();
  const postgresql = { ...backup.spec.source.postgresql, ...source };
  return {
    ...backup,
    metadata: { ...backup.metadata, ...metadata },
    spec: { ...backup.spec, source: { postgresql } },
  } as Backup;
}

describe('two backups compete', () => {
  const orders = { host: 'pg.shop.svc', port: 5432, database: 'orders' };

  test.each<[string, object, boolean]>([
    ['for one database', {}, true],
    ['where one leaves the port to the default', { port: undefined }, true],
    ['where one writes the host in capitals', { host: 'PG.shop.svc' }, true],
    ['with a whole server', { database: undefined }, true],
    ['not for another database', { database: 'people' }, false],
    ['not on another host', { host: 'pg.billing.svc' }, false],
    ['not on another port', { port: 5433 }, false],
    ['not on another port of a whole server', { port: 5433, database: undefined }, false],
  ])('%s', (_what, other, answer) => {
    expect(compete(of(orders), of({ ...orders, ...other }))).toBe(answer);
    expect(compete(of({ ...orders, ...other }), of(orders))).toBe(answer);
  });
});

describe('who came before', () => {
  const at = (creationTimestamp: string, name: string, namespace = 'shop') =>
    of({}, { creationTimestamp, name, namespace });
  const NOON = '2026-11-24T12:00:00Z';

  test.each<[string, Backup, Backup]>([
    ['the older one, whatever its name', at('2026-11-24T11:59:59Z', 'z'), at(NOON, 'a')],
    ['of the same second, by the name', at(NOON, 'a'), at(NOON, 'b')],
    ['a name before a longer one that begins with it', at(NOON, 'a'), at(NOON, 'a-1')],
    ['of the same name, by the namespace', at(NOON, 'a', 'billing'), at(NOON, 'a', 'shop')],
  ])('%s', (_what, first, second) => {
    expect([cameBefore(first, second), cameBefore(second, first)]).toEqual([true, false]);
  });

  test('nobody came before itself', () => {
    expect(cameBefore(at(NOON, 'a'), at(NOON, 'a'))).toBe(false);
  });
});

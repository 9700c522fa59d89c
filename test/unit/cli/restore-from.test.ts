import { describe, expect, test } from '@jest/globals';
import type { Backup } from '../../../src/api/backup.ts';
import { type Chosen, choose, type FromOptions } from '../../../src/cli/restore-from.ts';
import type { Session } from '../../../src/cli/session.ts';
import type { HoldfastError } from '../../../src/lib/errors.ts';
import { aCompleteBackup, noonPlus } from '../../support/builders.ts';

function ofNightly(name: string, seconds: number, more: object = {}): Backup {
  const { metadata, status, ...rest } = aCompleteBackup();
  const labels = { 'holdfast.dev/schedule': 'nightly' };
  const creationTimestamp = noonPlus(seconds).toISOString();
  return {
    ...rest,
    metadata: { ...metadata, name, labels, creationTimestamp, ...more },
    status: { ...status, dataTime: creationTimestamp },
  };
}

const BACKUPS = [
  ofNightly('a', 0),
  ofNightly('b', 60),
  ofNightly('c', 120, { deletionTimestamp: '2026-11-24T13:00:00Z' }),
];

const session = {
  namespace: 'shop',
  cluster: { list: async () => BACKUPS },
  find: async (_kind: unknown, name: string) => BACKUPS.find(({ metadata }) => metadata.name === name),
} as unknown as Session;

const chosen = (name: string | undefined, options: FromOptions = {}): Promise<Chosen> => choose(session, name, options);
const backupOf = (found: Chosen) => ('backup' in found ? found.backup.metadata.name : undefined);

async function refusalOf(name: string | undefined, options: FromOptions): Promise<string> {
  const caught = await chosen(name, options).then(
    () => undefined,
    (error: HoldfastError) => error,
  );
  return `${caught?.reason}: ${caught?.message}`;
}

describe('what restore brings back', () => {
  test('is the Backup that is named', async () => {
    expect(backupOf(await chosen('a'))).toBe('a');
  });

  test.each<[string, FromOptions, string]>([
    ['the newest of a schedule', { latest: 'nightly' }, 'b'],
    ['the newest before an instant', { latest: 'nightly', before: '2026-11-24T12:00:59Z' }, 'a'],
    ['an instant in another time zone', { latest: 'nightly', before: '2026-11-24T13:01:00+01:00' }, 'b'],
  ])('is %s', async (_what, options, name) => {
    expect(backupOf(await chosen(undefined, options))).toBe(name);
  });

  test.each([
    ['cellar/prod/v1/lodz/shop/nightly/x/', 'prod/v1/lodz/shop/nightly/x/'],
    ['cellar/s3://acme/prod/v1/x/manifest.json', 's3://acme/prod/v1/x/manifest.json'],
  ])('is the archive %s', async (fromArchive, path) => {
    expect(await chosen(undefined, { fromArchive })).toEqual({ archive: { storeRef: { name: 'cellar' }, path } });
  });

  test.each<[string, string | undefined, FromOptions, RegExp]>([
    ['nothing', undefined, {}, /Usage: Say what to restore/],
    ['two things', 'a', { latest: 'nightly' }, /Usage: Say what to restore/],
    ['a time without a schedule', 'a', { before: '2026-11-24T12:00:00Z' }, /Usage: --before belongs to --latest/],
    ['a time without its zone', undefined, { latest: 'nightly', before: '2026-11-24T12:00:00' }, /is no instant/],
    ['a date', undefined, { latest: 'nightly', before: '2026-11-24' }, /is no instant/],
    ['a day that is none', undefined, { latest: 'nightly', before: '2026-13-24T12:00:00Z' }, /is no instant/],
    ['a store alone', undefined, { fromArchive: 'cellar' }, /Usage: --from-archive cellar is not understood/],
    ['a URI alone', undefined, { fromArchive: 's3://acme/prod/x' }, /is not understood/],
    [
      'a schedule that has nothing so old',
      undefined,
      { latest: 'nightly', before: '2026-11-24T11:59:59Z' },
      /NothingToRestore: .* of 2026-11-24T11:59:59Z or before .*It has c .*, b .*, a \(of/,
    ],
    [
      'a schedule that is none',
      undefined,
      { latest: 'hourly' },
      /NothingToRestore: Schedule "hourly" has no Complete backup in/,
    ],
  ])('is not %s', async (_what, name, options, message) => {
    expect(await refusalOf(name, options)).toMatch(message);
  });
});

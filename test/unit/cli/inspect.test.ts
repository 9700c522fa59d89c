import { expect, test } from '@jest/globals';
import type { Backup, BackupStatus } from '../../../src/api/backup.ts';
import { inspectText } from '../../../src/cli/inspect.ts';
import { fingerprint } from '../../../src/keys/recipients.ts';
import { aBackup, aCompleteBackup, aKey, aStore, noonPlus } from '../../support/builders.ts';

const READER = fingerprint(aKey().spec.recipients[0] ?? '');

function encrypted(readers: string[], more: BackupStatus = {}): Backup {
  const backup = aCompleteBackup();
  return { ...backup, status: { ...backup.status, keyFingerprints: readers, ...more } };
}

test('every reader is set beside the key that has it', () => {
  const text = inspectText(
    { backup: encrypted([READER, 'sha256:gone']), keys: [aKey()], store: aStore() },
    noonPlus(60),
  );
  expect(text).toContain(`${READER}  BackupKey team, private key elsewhere`);
  expect(text).toContain('sha256:gone  no BackupKey of this namespace has this reader (any more)');
});

test('who was added to the key later is said not to be able to open it', () => {
  const text = inspectText({ backup: encrypted(['sha256:old']), keys: [aKey()], store: aStore() }, noonPlus(60));
  expect(text).toContain(`${READER}  cannot open it: was added to BackupKey team after this backup`);
});

test('the commands to open it by hand name the place, the digest and a new database', () => {
  const text = inspectText({ backup: encrypted([READER]), keys: [], store: aStore() }, noonPlus(60));
  expect(text).toContain(
    'aws --endpoint-url https://s3.example.com s3 sync s3://acme/prod/v1/lodz/shop/_manual/20261124T120000Z-11111111 archive',
  );
  expect(text).toContain('ab'.repeat(32));
  expect(text).toContain('--dbname=orders_by_hand');
});

test('a database name that a shell would take apart is quoted', () => {
  const spec = {
    source: { postgresql: { host: 'pg', database: "o'rders; rm", credentials: { secretRef: { name: 'pg' } } } },
  };
  const backup = { ...encrypted([READER]), spec: { ...aBackup().spec, ...spec } };
  const text = inspectText({ backup, keys: [], store: undefined }, noonPlus(60));
  expect(text).toContain("--dbname='o'\\''rders; rm_by_hand'");
});

test('what is not Complete has no commands, and says why it is not', () => {
  const failure = { reason: 'HostUnreachable', message: 'no answer', hint: 'start it' };
  const text = inspectText(
    { backup: aBackup({ status: { phase: 'Failed', failure } }), keys: [], store: undefined },
    noonPlus(60),
  );
  expect(text).not.toContain('BY HAND');
  expect(text).toMatch(/failure: +HostUnreachable: no answer\n +next: start it/);
  expect(text).toContain('cellar, which is no longer there');
});

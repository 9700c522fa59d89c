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

test('a backup of a part says which, with names as SQL writes them', () => {
  const postgresql = {
    ...aBackup().spec.source.postgresql,
    include: { schemas: ['app', 'App'], tables: [{ schema: 'audit', name: 'a.b' }] },
    exclude: { tableData: [{ schema: 'app', name: 'say "hi"' }] },
  };
  const whole = encrypted([READER]);
  const text = (backup: Backup) => inspectText({ backup, keys: [], store: undefined }, noonPlus(60));
  expect(text({ ...whole, spec: { ...aBackup().spec, source: { postgresql } } })).toMatch(
    /part of it: +only schemas app, "App"\n +only tables audit\."a\.b"\n +without rows of app\."say ""hi"""\n +restores to a database that is empty/,
  );
  expect(text(whole)).not.toContain('part of');
});

test('a backup that tells of its app says its version, and the nodes that it restores to', () => {
  const application = { version: '1.24.3', requireSameNodes: true, nodes: ['n1', 'n2'] };
  const text = (backup: Backup) => inspectText({ backup, keys: [], store: undefined }, noonPlus(60));
  expect(text(encrypted([], { application }))).toMatch(
    /app: +version 1\.24\.3\n +restores to the same nodes only: n1, n2\n/,
  );
  const running = aBackup();
  const asked = { ...running, spec: { ...running.spec, application: { requireSameNodes: true } } };
  expect(text(asked)).toMatch(/app: +restores to the same nodes only: not known\n/);
  expect(text(encrypted([]))).not.toContain('app:');
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

test('a backup of a whole server says so, and leaves the commands for its parts to its contents', () => {
  const whole = encrypted([READER]);
  const { database: _, ...postgresql } = whole.spec.source.postgresql;
  const backup: Backup = {
    ...whole,
    spec: { ...whole.spec, source: { postgresql: { ...postgresql, scope: 'Instance' } } },
  };
  const text = inspectText({ backup, keys: [], store: undefined }, noonPlus(60));
  expect(text).toMatch(/database: +every database on pg\.shop\.svc:5432/);
  expect(text).toContain("$(jq -r .contents.key manifest.json)\" | zstd -d | jq -r '.recipe[]'");
  expect(text).not.toContain('pg_restore');
});

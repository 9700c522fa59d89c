import { describe, expect, test } from '@jest/globals';
import type { Backup, BackupStatus } from '../../../src/api/backup.ts';
import type { Restore, RestoreSpec, RestoreStatus } from '../../../src/api/restore.ts';
import type { PlanResult } from '../../../src/api/task.ts';
import { notedSafetyBackup, type SafetyFacts, safetyNotes, safetyOf } from '../../../src/controllers/restore/safety.ts';
import { type Source, targetOf } from '../../../src/controllers/restore/source.ts';
import { aBackup, aCompleteBackup, aRestore, condition, NOON, noonPlus } from '../../support/builders.ts';

const PLAN: PlanResult = {
  refusals: [],
  alreadyRestored: false,
  server: '17.6',
  databaseExists: true,
  objects: 4,
  bytesNeeded: 100,
};
const NAME = 'bring-back-safety-22222222';
const UID = '55555555-aaaa-4bbb-8ccc-000000000005';
const NOTED = { name: NAME, uid: UID };

const restoreOf = (spec: object = {}, status?: RestoreStatus): Restore =>
  aRestore({
    spec: { safetyBackup: true, ...spec } as Partial<RestoreSpec>,
    ...(status === undefined ? {} : { status }),
  });

function facts(more: Partial<SafetyFacts> = {}): SafetyFacts {
  const restore = more.restore ?? restoreOf();
  const backup = 'backup' in more ? more.backup : aCompleteBackup();
  const postgresql = backup?.spec.source.postgresql;
  const source: Source = {
    ...{ store: 'cellar', path: 'p/', digest: 'sha256:1', cluster: 'lodz', namespace: 'shop' },
    ...(postgresql === undefined ? {} : { postgresql }),
  };
  return { restore, backup, source: { choice: 'pinned', source }, target: targetOf(restore, source), ...more };
}

/** The Backup as the API server keeps what the restore asked for. */
function made(status?: BackupStatus, change: (backup: Backup) => Backup = (backup) => backup): Backup {
  const wanted = safetyOf(facts(), PLAN, NOON, NOON);
  if (wanted.safety !== 'savable') throw new Error(`not savable but ${wanted.safety}`);
  const { metadata, spec } = wanted.backup;
  const backup = aBackup({ spec, metadata: { ...metadata, uid: UID }, ...(status === undefined ? {} : { status }) });
  return change(backup);
}

const complete: BackupStatus = { completionTime: '2026-11-24T12:03:00Z', conditions: [condition('Complete', 'True')] };
const failed: BackupStatus = {
  failure: { reason: 'DumpFailed', message: 'pg_dump: no.', hint: 'Look.' },
  conditions: [condition('Failed', 'True')],
};

describe('nothing is saved', () => {
  test.each<[string, object, Partial<PlanResult>]>([
    ['where that is not wanted', { safetyBackup: false }, {}],
    ['where nothing that is live is replaced', { onConflict: 'Fail' }, {}],
    ['where there is no live database', {}, { databaseExists: false, objects: 0 }],
    ['where the live database is empty', {}, { objects: 0 }],
  ])('%s', (_where, spec, plan) => {
    const { safety } = safetyOf(facts({ restore: restoreOf(spec) }), { ...PLAN, ...plan }, NOON, NOON);
    expect(safety).toBe('needless');
  });

  test.each<[string, object, Partial<PlanResult>, RegExp | undefined]>([
    ['is told where there is no live database', {}, { databaseExists: false, objects: 0 }, /there is no live database/],
    ['is told where the live database is empty', {}, { objects: 0 }, /the live database is empty/],
    ['is not told to whoever said so', { safetyBackup: false }, {}, undefined],
  ])('and that %s', (_what, spec, plan, note) => {
    const notes = safetyNotes(facts({ restore: restoreOf(spec) }), { ...PLAN, ...plan }, undefined);
    expect(notes).toEqual(note === undefined ? [] : [expect.stringMatching(note)]);
  });
});

test('that it is saved is told beforehand, and that it is not where force goes on without', () => {
  expect(safetyNotes(facts(), PLAN, undefined)).toEqual([`what is live now is saved first, as Backup ${NAME}`]);
  const restore = restoreOf({ force: ['SafetyBackup'] });
  const refusal = { reason: 'SafetyBackup', message: 'DumpFailed: no.' };
  expect(safetyNotes(facts({ restore }), PLAN, refusal)).toEqual([
    'there is no safety backup, and force: [SafetyBackup] goes on without: DumpFailed: no.',
  ]);
});

test('a dry run names no Backup: it is another Restore that will make one', () => {
  const notes = safetyNotes(facts({ restore: restoreOf({ dryRun: true }) }), PLAN, undefined);
  expect(notes).toEqual(['what is live now is saved first, as a Backup of its own']);
});

test('an undo saves nothing: what it replaces is kept, and can be brought back', () => {
  const undone = { namespace: 'shop', name: 'first', uid: 'u', specHash: 'h', databases: [] };
  const undo = facts({ source: { choice: 'kept', undone } });
  expect(safetyOf(undo, PLAN, NOON, NOON).safety).toBe('needless');
  expect(safetyNotes(undo, PLAN, undefined)).toEqual([]);
});

describe('the Backup that is made', () => {
  test('has a name of its Restore, no owner, and no label of a schedule', () => {
    const { metadata } = made();
    expect(metadata).toMatchObject({
      name: NAME,
      namespace: 'shop',
      annotations: { 'holdfast.dev/restore': 'bring-back' },
    });
    expect(metadata.ownerReferences).toBeUndefined();
    expect(Object.keys(metadata.labels ?? {})).toEqual(['app.kubernetes.io/managed-by', 'holdfast.dev/owner-uid']);
  });

  test('is of the target, all of it, as the role of the restore', () => {
    const source = aBackup().spec.source.postgresql;
    const backup = { ...aCompleteBackup(), spec: { ...aBackup().spec, keyRef: { name: 'team' } } };
    const part = { ...source, include: { schemas: ['app'] }, tls: { mode: 'require' as const } };
    const target = { host: 'other.svc', port: 5433, database: 'copy', credentials: { secretRef: { name: 'theirs' } } };
    const restored = { ...backup, spec: { ...backup.spec, source: { postgresql: part } } };
    const found = safetyOf(
      facts({ backup: restored, restore: restoreOf({ target: { postgresql: target } }) }),
      PLAN,
      NOON,
      NOON,
    );
    expect(found).toMatchObject({
      safety: 'savable',
      backup: { spec: { storeRef: { name: 'cellar' }, keyRef: { name: 'team' } } },
    });
    expect(found.safety === 'savable' && found.backup.spec.source.postgresql).toEqual({
      ...target,
      credentials: { secretRef: { name: 'theirs', usernameKey: 'username', passwordKey: 'password' } },
      maintenanceDatabase: 'postgres',
      tls: { mode: 'require' },
    });
  });

  test('says how to get in as the restore does', () => {
    const entry = {
      credentials: { secretRef: { name: 'theirs', uriKey: 'uri' } },
      tls: {
        mode: 'verify-full' as const,
        caSecretRef: { name: 'ca', key: 'ca.crt' },
        clientCertSecretRef: { name: 'client', certKey: 'tls.crt', keyKey: 'tls.key' },
      },
      authentication: ['cert' as const],
    };
    const found = safetyOf(facts({ restore: restoreOf({ target: { postgresql: entry } }) }), PLAN, NOON, NOON);
    expect(found.safety === 'savable' && found.backup.spec.source.postgresql).toMatchObject(entry);
  });

  test('records the same app, but no version: nobody says which one wrote what is live', () => {
    const application = { version: '1.2.3', workloads: [{ kind: 'Deployment', name: 'web' }], requireSameNodes: true };
    const backup = { ...aCompleteBackup(), spec: { ...aBackup().spec, application } };
    const found = safetyOf(
      facts({ restore: restoreOf({ application: { version: '1.5.0' } }), backup }),
      PLAN,
      NOON,
      NOON,
    );
    const { version: _, ...same } = application;
    expect(found.safety === 'savable' && found.backup.spec.application).toEqual(same);
  });

  test('goes to the store of the archive where there is no Backup of it, under the default key', () => {
    const target = { host: 'pg.shop.svc', database: 'orders', credentials: { secretRef: { name: 'pg' } } };
    const restore = restoreOf({
      from: { archive: { storeRef: { name: 'cellar' }, path: 'p/' } },
      target: { postgresql: target },
    });
    const found = safetyOf(facts({ restore, backup: undefined }), PLAN, NOON, NOON);
    expect(found.safety === 'savable' && found.backup.spec).toMatchObject({ storeRef: { name: 'cellar' } });
    expect(found.safety === 'savable' && found.backup.spec).not.toHaveProperty('keyRef');
  });

  test('is of the whole server where that is what is replaced', () => {
    const { database: _, ...server } = aBackup().spec.source.postgresql;
    const source = { postgresql: { ...server, scope: 'Instance' as const } };
    const found = safetyOf(
      facts({ backup: { ...aCompleteBackup(), spec: { ...aBackup().spec, source } } }),
      PLAN,
      NOON,
      NOON,
    );
    expect(found.safety === 'savable' && found.backup.spec.source.postgresql).toMatchObject({ scope: 'Instance' });
    expect(found.safety === 'savable' && found.backup.spec.source.postgresql).not.toHaveProperty('database');
  });

  test('has another name where the Restore is made anew', () => {
    const anew = { ...restoreOf(), metadata: { ...restoreOf().metadata, uid: '66666666-aaaa-4bbb-8ccc-000000000006' } };
    const found = safetyOf(facts({ restore: anew }), PLAN, NOON, NOON);
    expect(found.safety === 'savable' && found.backup.metadata.name).toBe('bring-back-safety-66666666');
  });
});

describe('the restore', () => {
  test.each<[string, Partial<SafetyFacts>, string]>([
    ['makes it', {}, 'savable'],
    ['waits while it is at work', { safetyBackup: made() }, 'saving'],
    ['goes on once it is Complete', { safetyBackup: made(complete) }, 'saved'],
    [
      'goes on though a person has deleted it since',
      { restore: restoreOf({}, { safetyBackup: { ...NOTED, time: '2026-11-24T12:03:00Z' } }) },
      'saved',
    ],
    ['is refused where it failed', { safetyBackup: made(failed) }, 'refused'],
    ['is refused where a person deleted it at work', { restore: restoreOf({}, { safetyBackup: NOTED }) }, 'refused'],
    [
      'is refused where another took its place',
      { restore: restoreOf({}, { safetyBackup: { ...NOTED, uid: 'before' } }), safetyBackup: made(complete) },
      'refused',
    ],
    [
      'is refused where somebody else has the name',
      { safetyBackup: made(complete, (backup) => ({ ...backup, metadata: { ...backup.metadata, labels: {} } })) },
      'refused',
    ],
    [
      'is refused where somebody made one of its name and label of another database',
      {
        safetyBackup: made(complete, (backup) => ({
          ...backup,
          spec: { ...backup.spec, source: { postgresql: { ...backup.spec.source.postgresql, database: 'tiny' } } },
        })),
      },
      'refused',
    ],
    [
      'is refused where somebody made one of its name and label that leaves tables out',
      {
        safetyBackup: made(complete, (backup) => ({
          ...backup,
          spec: {
            ...backup.spec,
            source: { postgresql: { ...backup.spec.source.postgresql, exclude: { schemas: ['app'] } } },
          },
        })),
      },
      'refused',
    ],
  ])('%s', (_what, more, expected) => {
    expect(safetyOf(facts(more), PLAN, NOON, noonPlus(60)).safety).toBe(expected);
  });

  test('says why it is refused, and what to do', () => {
    const found = safetyOf(facts({ safetyBackup: made(failed) }), PLAN, NOON, NOON);
    expect(found.safety === 'refused' && found.failure).toMatchObject({ reason: 'SafetyBackup' });
    expect(found.safety === 'refused' && found.failure.message).toContain('DumpFailed: pg_dump: no.');
    expect(found.safety === 'refused' && found.failure.hint).toMatch(/^Look\. .*force: \[SafetyBackup\]/);
  });

  const FORCED = { force: ['SafetyBackup'] };

  test.each<[string, Partial<SafetyFacts>, number, string]>([
    ['failed', { safetyBackup: made(failed) }, 60, 'DumpFailed: pg_dump: no.'],
    ['was deleted at work', { restore: restoreOf(FORCED, { safetyBackup: NOTED }) }, 60, 'BackupDeleted'],
    [
      'made way for another one',
      { restore: restoreOf(FORCED, { safetyBackup: { ...NOTED, uid: 'before' } }), safetyBackup: made(complete) },
      ...([60, 'BackupDeleted'] as const),
    ],
    [
      'has a name that somebody else took',
      { safetyBackup: made(complete, (backup) => ({ ...backup, metadata: { ...backup.metadata, labels: {} } })) },
      ...([60, 'AdoptionRefused'] as const),
    ],
    [
      'cannot be made',
      { restore: restoreOf(FORCED, { phase: 'SafetyBackup', failure: { reason: 'Forbidden', message: 'quota' } }) },
      ...([600, 'Forbidden: quota'] as const),
    ],
    ['does not come to its end', { safetyBackup: made() }, 4_800, 'DeadlineExceeded'],
  ])('goes on by force where it %s, and says so', (_what, more, after, why) => {
    const found = safetyOf(facts({ restore: restoreOf(FORCED), ...more }), PLAN, NOON, noonPlus(after));
    expect(found).toMatchObject({ safety: 'forced', refusal: { reason: 'SafetyBackup' } });
    expect(found.safety === 'forced' && found.refusal.message).toContain(why);
  });

  const refusal = { reason: 'SafetyBackup', message: 'Forbidden: quota' };
  const told = { server: '17.6', databaseExists: true, objects: 4, bytesNeeded: 100 };
  const taken = (forced: boolean) =>
    restoreOf(FORCED, { plan: { ...told, refusals: [{ ...refusal, forceable: true, forced }] } });

  test.each<[string, Partial<SafetyFacts>]>([
    ['a Backup could be made after all', {}],
    ['its Backup comes to its end', { safetyBackup: made(complete) }],
  ])('stays with what force took on, though %s', (_what, more) => {
    const found = facts({ restore: taken(true), ...more });
    expect(safetyOf(found, PLAN, NOON, NOON)).toEqual({ safety: 'forced', refusal });
    expect(notedSafetyBackup(found)).toEqual({});
    expect(safetyOf({ ...found, restore: taken(false) }, PLAN, NOON, NOON).safety).not.toBe('forced');
  });

  test('waits by force as well, while it is at work', () => {
    const restore = restoreOf({ force: ['SafetyBackup'] });
    expect(safetyOf(facts({ restore, safetyBackup: made() }), PLAN, NOON, NOON).safety).toBe('saving');
  });

  test('gives up after a while where the API server takes no Backup, and says what it said', () => {
    const restore = restoreOf({}, { phase: 'SafetyBackup', failure: { reason: 'Forbidden', message: 'quota' } });
    expect(safetyOf(facts({ restore }), PLAN, NOON, noonPlus(599)).safety).toBe('savable');
    const found = safetyOf(facts({ restore }), PLAN, NOON, noonPlus(600));
    expect(found.safety === 'refused' && found.failure.message).toContain('Forbidden: quota');
  });

  test('makes it though an operator that was away comes back late', () => {
    const restore = restoreOf({}, { phase: 'Resolving' });
    expect(safetyOf(facts({ restore }), PLAN, NOON, noonPlus(3_600)).safety).toBe('savable');
  });

  test('gives up where it does not come to its end', () => {
    const safetyBackup = made();
    const deadline = 600 + 3600 + 600;
    expect(safetyOf(facts({ safetyBackup }), PLAN, NOON, noonPlus(deadline - 1)).safety).toBe('saving');
    expect(safetyOf(facts({ safetyBackup }), PLAN, NOON, noonPlus(deadline)).safety).toBe('refused');
  });
});

describe('the status notes', () => {
  test('name and UID of the Backup, and when it was Complete', () => {
    expect(notedSafetyBackup(facts({ safetyBackup: made() }))).toEqual({ safetyBackup: NOTED });
    const { safetyBackup } = notedSafetyBackup(facts({ safetyBackup: made(complete) }));
    expect(safetyBackup).toEqual({ ...NOTED, time: '2026-11-24T12:03:00Z' });
  });

  test.each<[string, Partial<SafetyFacts>]>([
    ['where there is none', {}],
    [
      'that is somebody else’s',
      { safetyBackup: made(complete, (b) => ({ ...b, metadata: { ...b.metadata, labels: {} } })) },
    ],
    [
      'that took the place of the one that was noted',
      { restore: restoreOf({}, { safetyBackup: { ...NOTED, uid: 'before' } }), safetyBackup: made() },
    ],
  ])('nothing of one %s', (_which, more) => {
    expect(notedSafetyBackup(facts(more))).toEqual({});
  });
});

import Type, { type Static } from 'typebox';
import { DURATION_PATTERN } from '../lib/duration.ts';
import { ApplicationFactsSchema, BackupApplicationSchema } from './application.ts';
import { commonStatus } from './conditions.ts';
import { FailureSchema } from './failure.ts';
import type { NewObject } from './kubernetes.ts';
import { NameReference, type Resource } from './meta.ts';
import { PostgresqlSourceSchema } from './postgresql.ts';

export const BackupSpecSchema = Type.Object(
  {
    source: Type.Object({ postgresql: PostgresqlSourceSchema }, { description: 'What to back up.' }),
    storeRef: NameReference('The BackupStore that the archive goes to.'),
    keyRef: Type.Optional(
      NameReference('The BackupKey whose recipients can open the archive; absent: the default key of the namespace.'),
    ),
    compression: Type.Optional(
      Type.Object({
        level: Type.Optional(Type.Integer({ minimum: 1, maximum: 19, default: 3, description: 'zstd level.' })),
      }),
    ),
    application: Type.Optional(BackupApplicationSchema),
    startDeadline: Type.Optional(
      Type.String({
        maxLength: 32,
        pattern: DURATION_PATTERN,
        default: '1h',
        description:
          'How long the backup may wait for what it needs (store, key, Secret, an answer from the host) before it fails.',
      }),
    ),
    activeDeadlineSeconds: Type.Optional(
      Type.Integer({ minimum: 60, maximum: 604_800, default: 86_400, description: 'How long one attempt may run.' }),
    ),
  },
  {
    'x-kubernetes-validations': [
      { rule: 'self == oldSelf', message: 'the spec of a Backup never changes: make a new Backup' },
    ],
  },
);

const BACKUP_PHASES = ['Pending', 'Running', 'Complete', 'Failed'] as const;

export const BackupStatusSchema = Type.Object({
  ...commonStatus,
  phase: Type.Optional(Type.Enum([...BACKUP_PHASES], { description: 'For people; programs read the conditions.' })),
  origin: Type.Optional(
    Type.Enum(['Scheduled', 'Manual', 'Safety'], {
      description:
        'Who made it: a schedule, a person, or a Restore of the database that it was about to replace. One of a Restore no retention removes.',
    }),
  ),
  startTime: Type.Optional(Type.String({ format: 'date-time', description: 'When the first attempt was started.' })),
  dataTime: Type.Optional(
    Type.String({
      format: 'date-time',
      description:
        'The instant that the data is of: when the dump began; of a whole server, whose databases are dumped one after the other, when all of it was stored.',
    }),
  ),
  completionTime: Type.Optional(Type.String({ format: 'date-time' })),
  attempts: Type.Optional(Type.Integer({ minimum: 0, description: 'Jobs made so far for this backup.' })),
  jobName: Type.Optional(Type.String({ description: 'The Job of the newest attempt.' })),
  location: Type.Optional(
    Type.String({
      description:
        "URI of the archive's folder, such as s3://bucket/prefix/v1/cluster/namespace/_manual/20261123T020000Z-1a2b3c4d/.",
    }),
  ),
  manifestDigest: Type.Optional(
    Type.String({ description: 'sha256:… of manifest.json. A restore trusts no other manifest.' }),
  ),
  sizes: Type.Optional(
    Type.Object({
      source: Type.Integer({
        minimum: 0,
        description: 'Bytes that the dump wrote; 0 where only an earlier attempt knew, which did not live to tell.',
      }),
      stored: Type.Integer({ minimum: 0, description: 'Bytes in the store.' }),
      human: Type.Optional(Type.String({ description: 'Bytes in the store, for people.' })),
    }),
  ),
  keyFingerprints: Type.Optional(
    Type.Array(Type.String(), { description: 'Fingerprints of the recipients that the archive was encrypted to.' }),
  ),
  server: Type.Optional(Type.Object({ engine: Type.String(), version: Type.String() })),
  skippedDatabases: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), reason: Type.String() }), {
      description:
        'With scope Instance: databases of the server that are not in the archive, and why; the first of many. template0 and template1 are not named.',
    }),
  ),
  tool: Type.Optional(Type.String({ description: 'Name and version of the program that dumped.' })),
  application: Type.Optional(ApplicationFactsSchema),
  verification: Type.Optional(
    Type.Object({
      level: Type.Enum(['ReadBack', 'Restored'], {
        description:
          'ReadBack: every byte was read back from the store, decrypted, decompressed, compared and parsed to the end. Restored: and a drill has restored all of it since, and every check held.',
      }),
      time: Type.String({ format: 'date-time' }),
    }),
  ),
  failure: Type.Optional(FailureSchema),
});

export type BackupSpec = Static<typeof BackupSpecSchema>;
export type BackupStatus = Static<typeof BackupStatusSchema>;
export type Backup = Resource<BackupSpec, BackupStatus>;

/** A Backup that a schedule is about to make. */
export interface NewBackup extends NewObject {
  readonly spec: BackupSpec;
}

import Type, { type Static, type TSchema } from 'typebox';
import { DURATION_PATTERN } from '../lib/duration.ts';
import { commonStatus } from './conditions.ts';
import { FailureSchema } from './failure.ts';
import { NameReference, ObjectName, type Resource, SecretKeyReference } from './meta.ts';
import { DatabaseName, PostgresqlTargetSchema } from './postgresql.ts';

/** A workload that a restore takes to zero; only what has a scale subresource that our account may use. */
const WorkloadSchema = Type.Object({
  apiVersion: Type.Optional(Type.Enum(['apps/v1'], { default: 'apps/v1' })),
  kind: Type.Enum(['Deployment', 'StatefulSet']),
  name: ObjectName(),
});

const SPEC = {
  from: Type.Object(
    {
      backupRef: NameReference('The Backup to bring back. It must be Complete.'),
      database: Type.Optional(
        DatabaseName('The one database to take out of the archive of a whole server; absent: all that is in it.'),
      ),
    },
    { description: 'What to restore.' },
  ),
  target: Type.Optional(
    Type.Object(
      { postgresql: Type.Optional(PostgresqlTargetSchema) },
      { description: 'Where it goes; each field absent means: as in the Backup.' },
    ),
  ),
  onConflict: Type.Optional(
    Type.Enum(['Fail', 'Replace'], {
      default: 'Fail',
      description:
        'What to do when the target database has objects in it. Fail refuses; Replace puts the restored database in its place, in one step, once it is whole.',
    }),
  ),
  scaleDown: Type.Optional(
    Type.Object({
      workloads: Type.Array(WorkloadSchema, {
        minItems: 1,
        maxItems: 32,
        description: 'Taken to zero for the restore and brought back to their count afterwards, whatever happens.',
      }),
      timeout: Type.Optional(
        Type.String({
          maxLength: 32,
          pattern: DURATION_PATTERN,
          default: '10m',
          description: 'How long their pods may take to be gone.',
        }),
      ),
    }),
  ),
  identity: Type.Optional(
    Type.Object(
      { secretRef: SecretKeyReference('Secret and key with the AGE-SECRET-KEY-… that opens the archive.') },
      { description: 'The private key; absent: the one of the BackupKey that the Backup was made with.' },
    ),
  ),
  keepPrevious: Type.Optional(
    Type.String({
      maxLength: 32,
      pattern: DURATION_PATTERN,
      default: '24h',
      description: 'How long the replaced database is kept, under the name in status.previousDatabase.',
    }),
  ),
  startDeadline: Type.Optional(
    Type.String({
      maxLength: 32,
      pattern: DURATION_PATTERN,
      default: '1h',
      description: 'How long the restore may wait for what it needs before it fails. Nothing is touched meanwhile.',
    }),
  ),
  activeDeadlineSeconds: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 604_800,
      default: 86_400,
      description: 'How long loading may take. After it, the live database is not touched any more.',
    }),
  ),
};

/** Of the spec only this may change: how long the replaced database stays is nothing that a restore goes by. */
const MUTABLE = 'keepPrevious';

export const RestoreSpecSchema = Type.Object(SPEC, {
  'x-kubernetes-validations': [
    {
      rule: Object.entries(SPEC)
        .flatMap(([name, field]) => (name === MUTABLE ? [] : [sameAsBefore(name, field)]))
        .join(' && '),
      message: `of the spec of a Restore only ${MUTABLE} may change: make a new Restore`,
    },
  ],
});

/** CEL. What is optional may be absent in both; a field with a default never is. */
function sameAsBefore(name: string, field: TSchema): string {
  const same = `self.${name} == oldSelf.${name}`;
  if (!Type.IsOptional(field) || 'default' in field) return same;
  return `has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || ${same})`;
}

const RESTORE_PHASES = ['Pending', 'Resolving', 'Quiescing', 'Loading', 'Resuming', 'Complete', 'Failed'] as const;

export const RestoreStatusSchema = Type.Object({
  ...commonStatus,
  phase: Type.Optional(Type.Enum([...RESTORE_PHASES], { description: 'For people; programs read the conditions.' })),
  startTime: Type.Optional(Type.String({ format: 'date-time' })),
  completionTime: Type.Optional(Type.String({ format: 'date-time' })),
  attempts: Type.Optional(Type.Integer({ minimum: 0, description: 'Jobs made so far to look at archive and target.' })),
  resolved: Type.Optional(
    Type.Object(
      {
        backupUID: Type.String(),
        path: Type.String({ description: "The archive's folder within the bucket." }),
        digest: Type.String({ description: 'sha256:… of the manifest that is trusted.' }),
        time: Type.String({ format: 'date-time' }),
      },
      { description: 'The archive that was chosen, pinned before anything else happens.' },
    ),
  ),
  plan: Type.Optional(
    Type.Object({
      server: Type.String({ description: 'Version of the target server.' }),
      databaseExists: Type.Boolean(),
      objects: Type.Integer({
        minimum: 0,
        description:
          'What people made in the live database and a restore would replace: tables, views, sequences, functions, types, schemas, large objects and the like. Objects of extensions do not count.',
      }),
      notes: Type.Optional(
        Type.Array(Type.String(), {
          description:
            'Of the restore of a whole server: which databases and roles it makes, and which it leaves as they are.',
        }),
      ),
      bytesNeeded: Type.Integer({
        minimum: 0,
        description:
          'Bytes of the uncompressed dump; the restored database needs about as much disk beside the live one.',
      }),
    }),
  ),
  scaledWorkloads: Type.Optional(
    Type.Array(
      Type.Object({
        kind: Type.String(),
        name: Type.String(),
        uid: Type.String(),
        replicas: Type.Integer({ minimum: 0, description: 'The count to return to.' }),
        restored: Type.Boolean({ description: 'Whether the count is back.' }),
      }),
    ),
  ),
  outcome: Type.Optional(
    Type.Object(
      {
        result: Type.Enum(['Restored', 'AlreadyRestored', 'Failed', 'Unknown'], {
          description: 'Unknown: the runner ended without a word; whether it went live is being looked up.',
        }),
        time: Type.String({ format: 'date-time' }),
        failure: Type.Optional(FailureSchema),
      },
      { description: 'What the restore came to, written down before the workloads are brought back.' },
    ),
  ),
  previousDatabase: Type.Optional(
    Type.String({ description: 'Name under which the replaced database is kept; absent once it is gone.' }),
  ),
  previousDatabases: Type.Optional(
    Type.Array(Type.String(), {
      description:
        'The same of a whole server: names under which the replaced databases are kept, the first 24 of them; absent once they are gone.',
    }),
  ),
  jobName: Type.Optional(Type.String({ description: 'The newest Job of this restore.' })),
  failure: Type.Optional(FailureSchema),
});

export type Workload = Static<typeof WorkloadSchema>;
export type RestoreSpec = Static<typeof RestoreSpecSchema>;
export type RestoreStatus = Static<typeof RestoreStatusSchema>;
export type Restore = Resource<RestoreSpec, RestoreStatus>;

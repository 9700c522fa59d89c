import Type, { type Static } from 'typebox';
import { DURATION_PATTERN } from '../lib/duration.ts';
import { BackupSpecSchema } from './backup.ts';
import { commonStatus } from './conditions.ts';
import { EphemeralSchema } from './drill.ts';
import { FailureSchema } from './failure.ts';
import { type Resource, SecretKeyReference } from './meta.ts';
import { CheckSchema } from './restore.ts';

/** A Backup's spec without its rule that it never changes: the template may, and counts from the next run on. */
const { 'x-kubernetes-validations': _, ...templateSpec } = BackupSpecSchema as typeof BackupSpecSchema &
  Record<string, unknown>;

const cron = (description: string) =>
  Type.String({
    minLength: 5,
    maxLength: 256,
    pattern: '^(@[a-zA-Z]+|[-0-9A-Za-z*?/,()]+( +[-0-9A-Za-z*?/,()]+){4})$',
    description,
  });

const TIME_ZONE = { minLength: 1, maxLength: 64, pattern: '^[A-Za-z][-A-Za-z0-9_+/]*$' };

const DrillSchema = Type.Object(
  {
    schedule: cron('When to drill, as spec.schedule is written: "H 6 * * 0" is every Sunday after six.'),
    timeZone: Type.Optional(
      Type.String({
        ...TIME_ZONE,
        description: 'IANA name of the time zone that it is meant in; absent: spec.timeZone.',
      }),
    ),
    checks: Type.Optional(
      Type.Array(CheckSchema, { minItems: 1, maxItems: 32, description: 'Must hold on what was restored.' }),
    ),
    identity: Type.Optional(
      Type.Object(
        { secretRef: SecretKeyReference('Secret and key with the AGE-SECRET-KEY-… that opens the archives.') },
        { description: 'The private key; absent: the one of the BackupKey. In the cluster it can read every archive.' },
      ),
    ),
    ephemeral: Type.Optional(EphemeralSchema),
  },
  {
    description:
      'Restores the newest Complete Backup, on a cron of its own, into a server that goes with the pod of its Job, as a Restore with target.ephemeral. One that succeeds makes the verification of the Backup Restored. The last three stay to be looked at.',
  },
);

export const BackupScheduleSpecSchema = Type.Object({
  schedule: cron(
    'When to back up: five fields (minute, hour, day of month, month, day of week) or @hourly, @daily, @weekly, @monthly, @yearly. H is a fixed value of its own for every schedule, so that many do not start at once: "H 0 * * *" is some minute after midnight.',
  ),
  timeZone: Type.Optional(
    Type.String({
      ...TIME_ZONE,
      default: 'Etc/UTC',
      description:
        'IANA name of the time zone that the schedule is meant in, such as Europe/Paris. A local time that does not exist runs at the first instant that does; one that occurs twice runs once.',
    }),
  ),
  suspend: Type.Optional(
    Type.Boolean({ default: false, description: 'True: no new runs. The one under way goes on.' }),
  ),
  concurrencyPolicy: Type.Optional(
    Type.Enum(['Forbid', 'Replace'], {
      default: 'Forbid',
      description:
        'What to do when a run is due while the last one is at work. Forbid skips it; Replace deletes the one at work first.',
    }),
  ),
  startingDeadlineSeconds: Type.Optional(
    Type.Integer({
      minimum: 10,
      maximum: 31_536_000,
      description:
        'How late a run may still start, when the operator was down or the schedule suspended; later, it is counted as missed. Absent: however late. Of several that were missed only the last one runs.',
    }),
  ),
  runOnCreate: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Whether to back up once as soon as the schedule is made; not where Backups of a schedule of this name are there already.',
    }),
  ),
  trigger: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      description:
        'Any new value makes one run now, from Git as well, such as 2026-11-23-before-upgrade. status.lastTrigger answers.',
    }),
  ),
  retention: Type.Optional(
    Type.Object(
      {
        keepLast: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Keep the newest so many.' })),
        keepWithin: Type.Optional(
          Type.String({
            maxLength: 32,
            pattern: DURATION_PATTERN,
            description: 'Keep what is at most so much older than the newest verified one, such as 14d.',
          }),
        ),
      },
      {
        minProperties: 1,
        description:
          'Which backups of this schedule are kept; what either rule keeps stays. The newest verified one always stays, and only verified ones are counted. Absent: all.',
      },
    ),
  ),
  drill: Type.Optional(DrillSchema),
  failedBackupsHistoryLimit: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100,
      default: 3,
      description: 'How many failed Backups stay to be looked at. They have no archive.',
    }),
  ),
  template: Type.Object(
    {
      metadata: Type.Optional(
        Type.Object({
          labels: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 63 }))),
          annotations: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 4096 }))),
        }),
      ),
      spec: templateSpec as unknown as typeof BackupSpecSchema,
    },
    {
      description:
        'The Backup that each run makes. Backups take neither labels nor annotations from the schedule, only from here.',
    },
  ),
});

export const BackupScheduleStatusSchema = Type.Object({
  ...commonStatus,
  lastScheduleTime: Type.Optional(
    Type.String({ format: 'date-time', description: 'The slot that was dealt with last: run, skipped or missed.' }),
  ),
  lastSuccessfulTime: Type.Optional(
    Type.String({ format: 'date-time', description: 'When the newest Complete backup was completed.' }),
  ),
  nextScheduleTime: Type.Optional(Type.String({ description: 'The next slot, in the time zone of the schedule.' })),
  active: Type.Optional(Type.String({ description: 'The Backup at work.' })),
  lastBackup: Type.Optional(Type.String({ description: 'The newest Backup.' })),
  lastTrigger: Type.Optional(Type.String({ description: 'The trigger that was answered last.' })),
  consecutiveFailures: Type.Optional(
    Type.Integer({ minimum: 0, description: 'Backups that failed since the last Complete one.' }),
  ),
  keptBackups: Type.Optional(Type.Integer({ minimum: 0, description: 'Complete backups of this schedule.' })),
  lastDrill: Type.Optional(
    Type.Object(
      {
        time: Type.String({ format: 'date-time', description: 'When it ended.' }),
        restore: Type.String({ description: 'Name of its Restore.' }),
        backup: Type.String({ description: 'Name of the Backup that was restored.' }),
        result: Type.Enum(['Restored', 'Failed']),
        duration: Type.Optional(Type.String()),
      },
      { description: 'What the last drill came to.' },
    ),
  ),
  lastDrillScheduleTime: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'The slot of drills that was dealt with last; at first when drills were asked for.',
    }),
  ),
  nextDrillTime: Type.Optional(
    Type.String({ description: 'The next slot of drills, in the time zone that they are meant in.' }),
  ),
  failure: Type.Optional(FailureSchema),
});

export type BackupScheduleSpec = Static<typeof BackupScheduleSpecSchema>;
export type BackupScheduleStatus = Static<typeof BackupScheduleStatusSchema>;
export type BackupSchedule = Resource<BackupScheduleSpec, BackupScheduleStatus>;

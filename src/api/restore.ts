import Type, { type Static, type TSchema } from 'typebox';
import { DURATION_PATTERN } from '../lib/duration.ts';
import { ApplicationVersion } from './application-version.ts';
import { ARCHIVE_PATH_PATTERN } from './archive-path.ts';
import { ComparisonSchema } from './comparison.ts';
import { commonStatus } from './conditions.ts';
import { DrillStatusSchema, EphemeralSchema } from './drill.ts';
import { FailureSchema } from './failure.ts';
import { FORCEABLE } from './force.ts';
import type { NewObject } from './kubernetes.ts';
import { NameReference, ObjectName, type Resource, SecretKeyReference } from './meta.ts';
import { NotedTargetSchema } from './noted-target.ts';
import { DatabaseName, PostgresqlTargetSchema } from './postgresql.ts';
import { RestoreExcludeSchema, RestoreIncludeSchema } from './postgresql-selection.ts';

/** A workload that a restore takes to zero. Which kinds it may be is the admin's to say, and the operator refuses the others. */
export const WorkloadSchema = Type.Object({
  apiVersion: Type.Optional(
    Type.String({
      maxLength: 253,
      pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/v[a-z0-9]+$',
      default: 'apps/v1',
      description: 'Group and version; of a CronJob batch/v1.',
    }),
  ),
  kind: Type.String({
    maxLength: 63,
    pattern: '^[A-Z][A-Za-z0-9]*$',
    description:
      'Deployment or StatefulSet; CronJob and others with a scale subresource where the chart allows them (restore.suspendCronJobs, restore.scalableKinds).',
  }),
  name: ObjectName(),
});

export const CheckSchema = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' }),
  sql: Type.String({
    minLength: 1,
    maxLength: 8192,
    description:
      'A query with one column and one row, such as SELECT count(*) > 0 FROM orders. It cannot change anything.',
  }),
  expect: Type.String({
    maxLength: 1024,
    default: 'true',
    description:
      'The answer as text, as psql would show it but for booleans, which are true and false; no row and NULL are NULL.',
  }),
  database: Type.Optional(DatabaseName('Of the restore of a whole server: the database that is asked.')),
});

const LatestSchema = Type.Object(
  {
    scheduleRef: NameReference('The schedule that made it. It need not be there any more; its Backups must.'),
    before: Type.Optional(
      Type.String({
        format: 'date-time',
        pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})$',
        description: "No data of after this instant; a Backup's is in status.dataTime.",
      }),
    ),
  },
  {
    description:
      'The newest Complete Backup of a schedule, chosen when the restore begins and never anew. Where there is none the restore fails at once, or waits for one that is at work already.',
  },
);

const ArchiveSchema = Type.Object(
  {
    storeRef: NameReference('The BackupStore that it is in.'),
    path: Type.String({
      minLength: 1,
      maxLength: 1024,
      pattern: ARCHIVE_PATH_PATTERN,
      description:
        "The archive's folder within the bucket or its manifest.json, with or without s3://BUCKET/ in front, such as status.location of a Backup.",
      'x-kubernetes-validations': [
        {
          rule: "!self.split('/').exists(part, part == '.' || part == '..')",
          message: 'a path may not contain the parts "." or ".."',
        },
      ],
    }),
  },
  {
    description:
      'An archive by its place, for which no Backup is needed: an empty cluster can start here. It must be of a namespace and a cluster of the same names.',
  },
);

const PreviousOfSchema = Type.Object(
  {
    restoreRef: NameReference('The Restore that is undone. One that is not over yet is waited for.'),
  },
  {
    description:
      'What a Restore replaced and keeps for its keepPrevious goes live again, where it was: an undo. What is live now is kept in turn.',
  },
);

/** What a restore may bring back: exactly one of these. */
const FROM_WAYS = ['backupRef', 'latest', 'archive', 'previousOf'] as const;

const SPEC = {
  from: Type.Object(
    {
      backupRef: Type.Optional(NameReference('The Backup to bring back. It must be Complete.')),
      latest: Type.Optional(LatestSchema),
      archive: Type.Optional(ArchiveSchema),
      previousOf: Type.Optional(PreviousOfSchema),
      database: Type.Optional(
        DatabaseName('The one database to take out of the archive of a whole server; absent: all that is in it.'),
      ),
    },
    {
      description: 'What to restore.',
      'x-kubernetes-validations': [
        {
          rule: `[${FROM_WAYS.map((name) => `has(self.${name})`).join(', ')}].filter(given, given).size() == 1`,
          message: `name exactly one of ${FROM_WAYS.slice(0, -1).join(', ')} and ${FROM_WAYS.at(-1)}`,
        },
      ],
    },
  ),
  target: Type.Optional(
    Type.Object(
      { postgresql: Type.Optional(PostgresqlTargetSchema), ephemeral: Type.Optional(EphemeralSchema) },
      {
        description: 'Where it goes; each field absent means: as in the Backup.',
        'x-kubernetes-validations': [
          {
            rule: '!has(self.postgresql) || !has(self.ephemeral)',
            message: 'name either postgresql or ephemeral: a drill has a server of its own',
          },
        ],
      },
    ),
  ),
  onConflict: Type.Optional(
    Type.Enum(['Fail', 'Skip', 'Replace'], {
      default: 'Fail',
      description:
        'What to do when the target database has objects in it. Fail refuses. Skip leaves what is there as it is and adds what is missing, in one transaction. Replace puts the restored database in its place, in one step, once it is whole; with include or exclude, and for an archive that is itself a part, it replaces those tables only, in one transaction.',
    }),
  ),
  include: Type.Optional(RestoreIncludeSchema),
  exclude: Type.Optional(RestoreExcludeSchema),
  roles: Type.Optional(
    Type.Object(
      {
        onConflict: Type.Enum(['Fail', 'Skip', 'Replace'], {
          description:
            "What becomes of roles that are there already: Skip leaves them as they are, Fail refuses and names them, Replace makes them what they are in the archive: attributes, password where the archive has it, settings, what they are members of. The role that restores and the server's first one are never touched.",
        }),
      },
      { description: 'Of the restore of a whole server: its roles. Absent: those that are there stay as they are.' },
    ),
  ),
  streams: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 16,
      default: 1,
      description:
        'How many connections work at once: of a whole server as many databases are loaded at a time; of one database as many connections bring rows, and then make indexes and constraints. In one transaction there is one.',
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
      {
        description:
          'The private key; absent: the one of the BackupKey that the Backup was made with, for an archive without a Backup that of the default BackupKey.',
      },
    ),
  ),
  safetyBackup: Type.Optional(
    Type.Boolean({
      default: true,
      description:
        'Whether, with onConflict: Replace, a Backup of what is live now is made and Complete before anything is touched. It is named in status.safetyBackup and stays until a person deletes it.',
    }),
  ),
  keepPrevious: Type.Optional(
    Type.String({
      maxLength: 32,
      pattern: DURATION_PATTERN,
      default: '24h',
      description: 'How long the replaced database is kept, under the name in status.previousDatabase.',
    }),
  ),
  checks: Type.Optional(
    Type.Array(CheckSchema, {
      minItems: 1,
      maxItems: 32,
      description:
        'Must hold on the restored database before it goes live; one that does not leaves the live one as it is.',
    }),
  ),
  keepScratch: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Whether a restored database that failed a check stays, under the name in status.scratchDatabase, for a look.',
    }),
  ),
  application: Type.Optional(
    Type.Object(
      {
        version: Type.Optional(
          ApplicationVersion(
            "The app's version that runs on the restored database. It may be that of the backup, or up to three minor releases newer; absent: not judged.",
          ),
        ),
        longTermReleases: Type.Optional(
          Type.Array(ApplicationVersion('Such as 1.24.'), {
            minItems: 1,
            maxItems: 64,
            description: "The app's long-term releases: a version within two of these is allowed, too.",
          }),
        ),
      },
      {
        description: 'The app as it is now, to be compared with what its Backup says in spec.application.',
        'x-kubernetes-validations': [
          {
            rule: '!has(self.longTermReleases) || has(self.version)',
            message: 'longTermReleases needs version: it is what they are compared with',
          },
        ],
      },
    ),
  ),
  force: Type.Optional(
    Type.Array(Type.Enum([...FORCEABLE]), {
      minItems: 1,
      maxItems: FORCEABLE.length,
      description:
        'Refusals that you take on yourself, by the reason that the plan gives. No other one can be forced, and no right that is missing.',
    }),
  ),
  dryRun: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Stops after the plan: nothing is touched, and status.plan says what would happen and what stands in the way.',
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

/** What is of an archive, or says where one goes. What has a default is not told from what was left out. */
const NOT_OF_AN_UNDO = [
  'roles',
  'include',
  'exclude',
  'target',
  'identity',
  'checks',
  'application',
  'force',
] as const satisfies (keyof typeof SPEC)[];

/** CEL. */
const IS_DRILL = '(has(self.target) && has(self.target.ephemeral))';

/** What tells of an app or of a database that is live, neither of which a drill has to do with. */
const NOT_OF_A_DRILL = [
  'scaleDown',
  'application',
  'include',
  'exclude',
  'roles',
] as const satisfies (keyof typeof SPEC)[];

/** Of the spec only this may change: how long the replaced database stays is nothing that a restore goes by. */
const MUTABLE = 'keepPrevious';

export const RestoreSpecSchema = Type.Object(SPEC, {
  'x-kubernetes-validations': [
    {
      rule: `!has(self.from.previousOf) || (!has(self.from.database) && ${NOT_OF_AN_UNDO.map((name) => `!has(self.${name})`).join(' && ')})`,
      message: `an undo loads nothing and goes where its Restore went: with from.previousOf leave out from.database, ${NOT_OF_AN_UNDO.join(', ')}`,
    },
    {
      rule: `!has(self.from.archive) || ${IS_DRILL} || (has(self.target) && has(self.target.postgresql) && has(self.target.postgresql.host) && has(self.target.postgresql.credentials))`,
      message:
        'from.archive needs target.postgresql.host and target.postgresql.credentials: an archive holds neither the address of a server nor the name of a Secret',
    },
    {
      rule: `!${IS_DRILL} || (self.onConflict == 'Fail' && !self.keepScratch && self.streams == 1 && ${NOT_OF_A_DRILL.map((name) => `!has(self.${name})`).join(' && ')})`,
      message: `a drill restores all of it, touches nothing and leaves nothing: with target.ephemeral leave out onConflict, keepScratch, streams, ${NOT_OF_A_DRILL.join(', ')}`,
    },
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

const RESTORE_PHASES = [
  ...(['Pending', 'Resolving', 'SafetyBackup', 'Quiescing', 'Loading', 'Checking', 'Swapping', 'Resuming'] as const),
  ...(['Complete', 'Failed'] as const),
] as const;

export const RestoreStatusSchema = Type.Object({
  ...commonStatus,
  phase: Type.Optional(Type.Enum([...RESTORE_PHASES], { description: 'For people; programs read the conditions.' })),
  startTime: Type.Optional(Type.String({ format: 'date-time' })),
  completionTime: Type.Optional(Type.String({ format: 'date-time' })),
  attempts: Type.Optional(Type.Integer({ minimum: 0, description: 'Jobs made so far to look at archive and target.' })),
  resolved: Type.Optional(
    Type.Object(
      {
        backup: Type.Optional(Type.String({ description: 'Name of its Backup; absent where there is none.' })),
        backupUID: Type.Optional(Type.String()),
        store: Type.Optional(Type.String({ description: 'Name of the BackupStore that it is in.' })),
        path: Type.String({ description: "The archive's folder within the bucket." }),
        digest: Type.String({ description: 'sha256:… of the manifest that is trusted.' }),
        time: Type.String({ format: 'date-time', description: 'The instant that its data is of.' }),
        cluster: Type.Optional(Type.String({ description: 'Name of the cluster that it was made in.' })),
        namespace: Type.Optional(Type.String({ description: 'The namespace that it was made in.' })),
        database: Type.Optional(
          Type.String({ description: 'Of an archive that was named by its path: the one database that is in it.' }),
        ),
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
      inPlace: Type.Optional(
        Type.Boolean({
          description:
            'True: what is restored joins what the live database has, in one transaction; nothing is put in its place, and no previous database is kept.',
        }),
      ),
      compatibility: Type.Optional(Type.Array(ComparisonSchema, { description: 'Which versions were compared.' })),
      refusals: Type.Optional(
        Type.Array(
          Type.Object({
            reason: Type.String(),
            message: Type.String(),
            hint: Type.Optional(Type.String()),
            forceable: Type.Boolean({ description: 'Whether spec.force may name it.' }),
            forced: Type.Boolean({ description: "Whether spec.force names it: then it stands in nobody's way." }),
          }),
          { description: 'Everything that stands in the way, at once; of very many the first.' },
        ),
      ),
      warnings: Type.Optional(
        Type.Array(Type.String(), { description: "What stands in nobody's way, and may not be what is wanted." }),
      ),
      notes: Type.Optional(
        Type.Array(Type.String(), {
          description:
            'What else is good to know, such as which databases and roles the restore of a whole server makes, and which it leaves as they are.',
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
        apiVersion: Type.Optional(
          Type.String({ description: 'As in spec.scaleDown; an earlier operator left it out.' }),
        ),
        kind: Type.String(),
        name: Type.String(),
        uid: Type.String(),
        replicas: Type.Integer({
          minimum: 0,
          description: 'The count to return to; of a CronJob 1, or 0 where it was suspended.',
        }),
        restored: Type.Boolean({ description: 'Whether the count is back.' }),
      }),
    ),
  ),
  undoes: Type.Optional(
    Type.Object(
      {
        restore: Type.String({ description: 'Name of the Restore.' }),
        restoreUID: Type.String(),
        specHash: Type.String({ description: 'Of its spec, as its mark on the server has it.' }),
        databases: Type.Array(Type.String(), { description: 'What it said that is kept, the first 24.' }),
        time: Type.Optional(Type.String({ format: 'date-time', description: 'When it was Complete.' })),
      },
      { description: 'Of an undo: the Restore that is undone, pinned before anything happens.' },
    ),
  ),
  target: Type.Optional(NotedTargetSchema),
  outcome: Type.Optional(
    Type.Object(
      {
        result: Type.Enum(
          ['Restored', 'NothingRestored', 'AlreadyRestored', 'Drilled', 'DryRun', 'Failed', 'Unknown'],
          {
            description:
              'NothingRestored: all that was wanted was there already. Drilled: restored into a server of its own. DryRun: the plan has no refusal. Unknown: the runner ended without a word; whether it went live is being looked up.',
          },
        ),
        time: Type.String({ format: 'date-time' }),
        failure: Type.Optional(FailureSchema),
      },
      { description: 'What the restore came to, written down before the workloads are brought back.' },
    ),
  ),
  safetyBackup: Type.Optional(
    Type.Object(
      {
        name: Type.String(),
        uid: Type.String(),
        time: Type.Optional(
          Type.String({ format: 'date-time', description: 'When it was Complete; nothing was touched before.' }),
        ),
      },
      { description: 'The Backup of the database as it was before this restore.' },
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
  objects: Type.Optional(
    Type.Object(
      {
        added: Type.Array(Type.String()),
        addedCount: Type.Integer({ minimum: 0 }),
        kept: Type.Array(Type.String(), { description: 'Were there, and stayed as they were.' }),
        keptCount: Type.Integer({ minimum: 0 }),
        replaced: Type.Array(Type.String()),
        replacedCount: Type.Integer({ minimum: 0 }),
      },
      {
        description:
          "Of a restore into a database that had objects: what became of them; of very many the first. The log of the load Job's pod has all.",
      },
    ),
  ),
  checks: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        passed: Type.Boolean(),
        found: Type.Optional(Type.String({ description: 'What was answered instead, shortened.' })),
      }),
      { description: 'What the checks came to.' },
    ),
  ),
  drill: Type.Optional(DrillStatusSchema),
  scratchDatabase: Type.Optional(
    Type.String({
      description: 'With keepScratch: the restored database that failed a check. Drop it when you have seen it.',
    }),
  ),
  jobName: Type.Optional(Type.String({ description: 'The newest Job of this restore.' })),
  failure: Type.Optional(FailureSchema),
});

export type Workload = Static<typeof WorkloadSchema>;
export type RestoreSpec = Static<typeof RestoreSpecSchema>;
export type RestoreStatus = Static<typeof RestoreStatusSchema>;
export type Restore = Resource<RestoreSpec, RestoreStatus>;

/** A Restore that is about to be made. */
export interface NewRestore extends NewObject {
  readonly spec: RestoreSpec;
}

/** Whether it goes into a server of its own, and so touches nothing. */
export function isDrill({ spec }: Pick<Restore, 'spec'>): boolean {
  return spec.target?.ephemeral !== undefined;
}

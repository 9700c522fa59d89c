import type { TSchema } from 'typebox';
import { BackupSpecSchema, BackupStatusSchema } from './backup.ts';
import { BackupKeySpecSchema, BackupKeyStatusSchema } from './backup-key.ts';
import { BackupScheduleSpecSchema, BackupScheduleStatusSchema } from './backup-schedule.ts';
import { BackupStoreSpecSchema, BackupStoreStatusSchema } from './backup-store.ts';
import { GROUP, VERSION } from './meta.ts';
import { ANNOTATIONS } from './names.ts';
import { RestoreSpecSchema, RestoreStatusSchema } from './restore.ts';

interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'date' | 'integer' | 'boolean';
  readonly jsonPath: string;
  readonly description?: string;
  /** Above 0: shown with `-o wide` only. */
  readonly priority?: number;
}

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortName: string;
  readonly description: string;
  readonly spec: TSchema;
  readonly status: TSchema;
  readonly columns: readonly PrinterColumn[];
}

const condition = (type: string, field: string) => `.status.conditions[?(@.type=="${type}")].${field}`;
const SINCE: PrinterColumn = {
  name: 'Since',
  type: 'date',
  jsonPath: condition('Ready', 'lastTransitionTime'),
  description: 'How long Ready has been what it is.',
};
const AGE: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export const KINDS: readonly Kind[] = [
  {
    kind: 'BackupStore',
    plural: 'backupstores',
    shortName: 'hfstore',
    description: 'A place where archives go.',
    spec: BackupStoreSpecSchema,
    status: BackupStoreStatusSchema,
    columns: [
      { name: 'Bucket', type: 'string', jsonPath: '.spec.s3.bucket' },
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
      { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason') },
      SINCE,
      { name: 'Checked', type: 'date', jsonPath: '.status.lastCheckTime' },
      AGE,
      { name: 'Endpoint', type: 'string', jsonPath: '.status.resolvedEndpoint', priority: 1 },
      { name: 'Prefix', type: 'string', jsonPath: '.spec.s3.prefix', priority: 1 },
      { name: 'Message', type: 'string', jsonPath: condition('Ready', 'message'), priority: 1 },
    ],
  },
  {
    kind: 'BackupKey',
    plural: 'backupkeys',
    shortName: 'hfkey',
    description: 'Who can read archives.',
    spec: BackupKeySpecSchema,
    status: BackupKeyStatusSchema,
    columns: [
      { name: 'Default', type: 'boolean', jsonPath: '.spec.default' },
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
      { name: 'Reason', type: 'string', jsonPath: condition('Ready', 'reason') },
      SINCE,
      { name: 'Fingerprint', type: 'string', jsonPath: '.status.fingerprints[0]' },
      AGE,
      { name: 'Message', type: 'string', jsonPath: condition('Ready', 'message'), priority: 1 },
    ],
  },
  {
    kind: 'BackupSchedule',
    plural: 'backupschedules',
    shortName: 'hfsched',
    description: 'When to back up, and how long to keep.',
    spec: BackupScheduleSpecSchema,
    status: BackupScheduleStatusSchema,
    columns: [
      { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
      { name: 'Suspend', type: 'boolean', jsonPath: '.spec.suspend' },
      { name: 'Active', type: 'string', jsonPath: '.status.active' },
      { name: 'Last Success', type: 'date', jsonPath: '.status.lastSuccessfulTime' },
      {
        name: 'Failures',
        type: 'integer',
        jsonPath: '.status.consecutiveFailures',
        description: 'Backups that failed since the last Complete one.',
      },
      { name: 'Next', type: 'string', jsonPath: '.status.nextScheduleTime' },
      { name: 'Kept', type: 'integer', jsonPath: '.status.keptBackups' },
      { name: 'Ready', type: 'string', jsonPath: condition('Ready', 'status') },
      {
        name: 'Reason',
        type: 'string',
        jsonPath: '.status.failure.reason',
        description: 'What is wrong: with the schedule, with its last Backup, or with retention.',
      },
      AGE,
      { name: 'Time Zone', type: 'string', jsonPath: '.spec.timeZone', priority: 1 },
      { name: 'Last Backup', type: 'string', jsonPath: '.status.lastBackup', priority: 1 },
      { name: 'Message', type: 'string', jsonPath: '.status.failure.message', priority: 1 },
    ],
  },
  {
    kind: 'Backup',
    plural: 'backups',
    shortName: 'hfb',
    description: 'One run: a database as an encrypted archive in a store.',
    spec: BackupSpecSchema,
    status: BackupStatusSchema,
    columns: [
      { name: 'Database', type: 'string', jsonPath: '.spec.source.postgresql.database' },
      { name: 'Store', type: 'string', jsonPath: '.spec.storeRef.name' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Reason', type: 'string', jsonPath: '.status.failure.reason' },
      { name: 'Verified', type: 'string', jsonPath: '.status.verification.level' },
      { name: 'Size', type: 'string', jsonPath: '.status.sizes.human' },
      { name: 'Completed', type: 'date', jsonPath: '.status.completionTime' },
      AGE,
      { name: 'Origin', type: 'string', jsonPath: '.status.origin', priority: 1 },
      { name: 'Location', type: 'string', jsonPath: '.status.location', priority: 1 },
      { name: 'Message', type: 'string', jsonPath: '.status.failure.message', priority: 1 },
    ],
  },
  {
    kind: 'Restore',
    plural: 'restores',
    shortName: 'hfr',
    description: 'One run back: a database from an archive, with the app at zero meanwhile.',
    spec: RestoreSpecSchema,
    status: RestoreStatusSchema,
    columns: [
      { name: 'Backup', type: 'string', jsonPath: '.status.resolved.backup' },
      { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
      { name: 'Reason', type: 'string', jsonPath: '.status.failure.reason' },
      {
        name: 'Quiesced',
        type: 'string',
        jsonPath: condition('Quiesced', 'status'),
        description: 'True while the app is at zero for this restore.',
      },
      {
        name: 'Result',
        type: 'string',
        jsonPath: '.status.outcome.result',
        description:
          'Restored; AlreadyRestored where this very restore was live before; Drilled in a server that was thrown away; DryRun where nothing was to be touched.',
      },
      { name: 'Previous', type: 'string', jsonPath: '.status.previousDatabase' },
      { name: 'Completed', type: 'date', jsonPath: '.status.completionTime' },
      AGE,
      {
        name: 'Data',
        type: 'date',
        jsonPath: '.status.resolved.time',
        description: 'How old the data is that was chosen.',
        priority: 1,
      },
      { name: 'Archive', type: 'string', jsonPath: '.status.resolved.path', priority: 1 },
      {
        name: 'Undoes',
        type: 'string',
        jsonPath: '.spec.from.previousOf.restoreRef.name',
        description: 'The Restore whose replaced database goes live again.',
        priority: 1,
      },
      { name: 'Message', type: 'string', jsonPath: '.status.failure.message', priority: 1 },
    ],
  },
];

/**
 * Of an object that the operator has not looked at. Without it kstatus, and so Flux and `kubectl wait`s built on it, would take
 * an object without a status for one that is fine.
 */
const NOT_LOOKED_AT = { observedGeneration: -1 } as const;

/**
 * The CustomResourceDefinition of a kind, with a structural schema as Kubernetes wants it. It tells the version of
 * Holdfast that it belongs to, so that the upgrade hook of an older one leaves it alone.
 */
export function customResourceDefinition(kind: Kind, version: string): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${GROUP}`, annotations: { [ANNOTATIONS.version]: version } },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.kind.toLowerCase(),
        shortNames: [kind.shortName],
        categories: ['holdfast'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: kind.columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: kind.description,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec: structural(kind.spec),
                status: { ...(structural(kind.status) as object), default: NOT_LOOKED_AT },
              },
            },
          },
        },
      ],
    },
  };
}

/** Plain JSON of a schema, with what Kubernetes asks of a structural one: an enum has a type, a map says so by additionalProperties. */
function structural(schema: TSchema): unknown {
  return JSON.parse(JSON.stringify(schema), (_key, value: unknown) => {
    if (isMap(value)) {
      const { patternProperties, ...rest } = value;
      return { ...rest, additionalProperties: Object.values(patternProperties)[0] };
    }
    const isStringEnum =
      value !== null && typeof value === 'object' && 'enum' in value && Array.isArray(value.enum) && !('type' in value);
    return isStringEnum ? { type: 'string', ...value } : value;
  });
}

/** TypeBox writes a record as a pattern that fits every key. */
function isMap(value: unknown): value is { patternProperties: Record<string, unknown> } {
  return typeof value === 'object' && value !== null && 'patternProperties' in value;
}

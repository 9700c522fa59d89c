import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type, { type Static } from 'typebox';
import { Errors } from 'typebox/value';
import { ApplicationFactsSchema } from '../api/application.ts';
import { Digest } from '../api/digest.ts';
import { FORCEABLE } from '../api/force.ts';
import { AUTHENTICATION_METHODS, TLS_MODES } from '../api/postgresql.ts';
import { ExcludeSchema, IncludeSchema, RestoreExcludeSchema } from '../api/postgresql-selection.ts';
import { DATABASES_NAMED, MOUNTS, type Task } from '../api/task.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';

const text = () => Type.String({ minLength: 1 });
/** A folder within the bucket: relative, and never out of itself. */
const folder = () =>
  Type.String({
    pattern: '^([-A-Za-z0-9_]|\\.(?!\\.?/))[-A-Za-z0-9_.]*(/([-A-Za-z0-9_]|\\.(?!\\.?/))[-A-Za-z0-9_.]*)*/$',
  });

const run = Type.Object({ cluster: text(), namespace: text(), name: text(), uid: text() });
const restoreRun = Type.Object({ ...run.properties, specHash: text() });
const store = Type.Object({
  endpoint: Type.String({ pattern: '^https?://' }),
  region: text(),
  bucket: text(),
  prefix: Type.String(),
  forcePathStyle: Type.Boolean(),
  secret: Type.Optional(text()),
  secretKeys: Type.Optional(
    Type.Object({ accessKeyIdKey: text(), secretAccessKeyKey: text(), sessionTokenKey: text() }),
  ),
  serviceAccount: Type.Optional(text()),
  authorities: Type.Optional(Type.Object({ kind: Type.Enum(['Secret', 'ConfigMap']), name: text(), key: text() })),
});
const database = Type.Object({
  engine: Type.Literal('postgresql'),
  host: text(),
  port: Type.Integer({ minimum: 1, maximum: 65535 }),
  database: Type.Optional(text()),
  maintenanceDatabase: text(),
  credentials: Type.Union([
    Type.Object({ secret: text(), usernameKey: text(), passwordKey: text() }),
    Type.Object({ secret: text(), uriKey: text(), databases: Type.Optional(Type.Array(text())) }),
  ]),
  tls: Type.Optional(
    Type.Object({
      mode: Type.Enum([...TLS_MODES]),
      authorities: Type.Optional(Type.Object({ secret: text(), key: text() })),
      clientCertificate: Type.Optional(Type.Object({ secret: text(), certificateKey: text(), privateKeyKey: text() })),
    }),
  ),
  authentication: Type.Optional(Type.Array(Type.Enum([...AUTHENTICATION_METHODS]), { minItems: 1 })),
});
const restoreBase = {
  run: restoreRun,
  store,
  archive: Type.Object({ folder: folder(), manifestDigest: Digest(), cluster: text(), namespace: text() }),
  database,
  fromDatabase: Type.Optional(text()),
  identity: Type.Object({ secret: text(), key: text() }),
  onConflict: Type.Enum(['Fail', 'Skip', 'Replace']),
  streams: Type.Optional(Type.Integer({ minimum: 1, maximum: 16 })),
  rolesOnConflict: Type.Optional(Type.Enum(['Fail', 'Skip', 'Replace'])),
  selection: Type.Optional(
    Type.Object({ include: Type.Optional(IncludeSchema), exclude: Type.Optional(RestoreExcludeSchema) }),
  ),
  owner: Type.Optional(text()),
  privileges: Type.Optional(Type.Enum(['Preserve', 'Skip'])),
  force: Type.Optional(Type.Array(Type.Enum([...FORCEABLE]))),
  scratchDatabase: text(),
  previousDatabase: text(),
};

const loadedBase = { ...restoreBase, notAfter: text(), noted: Type.Optional(Digest()) };

const undoBase = {
  run: restoreRun,
  database,
  undone: Type.Object({
    namespace: text(),
    name: text(),
    uid: text(),
    specHash: text(),
    databases: Type.Array(text(), { maxItems: DATABASES_NAMED }),
  }),
  scratchDatabase: text(),
  previousDatabase: text(),
};

const check = Type.Object({ name: text(), sql: text(), expect: Type.String(), database: Type.Optional(text()) });

const drillBase = {
  run,
  store,
  archive: restoreBase.archive,
  fromDatabase: restoreBase.fromDatabase,
  identity: restoreBase.identity,
};

const TaskSchema = Type.Union([
  Type.Object({ command: Type.Literal('probe'), store }),
  Type.Object({
    command: Type.Literal('backup'),
    run,
    store,
    folder: folder(),
    database,
    selection: Type.Optional(
      Type.Object({ include: Type.Optional(IncludeSchema), exclude: Type.Optional(ExcludeSchema) }),
    ),
    recipients: Type.Array(text()),
    compressionLevel: Type.Integer({ minimum: 1, maximum: 19 }),
    application: Type.Optional(ApplicationFactsSchema),
    conditionalWrites: Type.Boolean(),
    reportOnly: Type.Boolean(),
  }),
  Type.Object({
    command: Type.Literal('plan'),
    ...restoreBase,
    maxBytes: Type.Optional(Type.Integer({ minimum: 0 })),
    application: Type.Optional(
      Type.Object({ version: Type.Optional(text()), longTermReleases: Type.Optional(Type.Array(text())) }),
    ),
    nodes: Type.Optional(Type.Array(text())),
  }),
  Type.Object({ command: Type.Literal('plan'), ...undoBase }),
  Type.Object({ command: Type.Literal('swap'), ...undoBase, notAfter: text(), dropPrevious: Type.Boolean() }),
  Type.Object({
    command: Type.Literal('load'),
    ...restoreBase,
    notAfter: text(),
    inPlace: Type.Optional(Type.Boolean()),
  }),
  Type.Object({ command: Type.Literal('check'), ...loadedBase, checks: Type.Array(check) }),
  Type.Object({ command: Type.Literal('swap'), ...loadedBase, dropPrevious: Type.Boolean() }),
  Type.Object({
    command: Type.Literal('cleanup'),
    run: restoreRun,
    database,
    scratchDatabase: text(),
    previousDatabase: text(),
    dropPrevious: Type.Boolean(),
    keepScratch: Type.Boolean(),
  }),
  Type.Object({
    command: Type.Literal('catalog'),
    store,
    folder: folder(),
    identity: Type.Optional(Type.Object({ secret: text(), key: text() })),
  }),
  Type.Object({
    command: Type.Literal('prune'),
    store,
    cluster: text(),
    namespace: text(),
    archives: Type.Array(Type.Object({ folder: folder(), manifestDigest: text(), backupUid: text() }), {
      maxItems: 100,
    }),
  }),
  Type.Object({ command: Type.Literal('examine'), ...drillBase }),
  Type.Object({
    command: Type.Literal('drill'),
    ...drillBase,
    port: Type.Integer({ minimum: 1, maximum: 65535 }),
    checks: Type.Array(check),
    notAfter: text(),
  }),
]);

/** The task as the operator wrote it, or `TaskInvalid`. */
export async function readTask(root: string): Promise<Task> {
  const path = join(root, MOUNTS.task);
  const json = await readFile(path, 'utf8').catch((caught: unknown) => {
    throw invalid(`it cannot be read: ${messageOf(caught)}`);
  });
  return parseTask(json);
}

/** The command of a task that may be wrong in all else, so that even the report of that reaches who waits for it. */
export async function commandOf(root: string): Promise<Task['command'] | undefined> {
  try {
    const { command } = JSON.parse(await readFile(join(root, MOUNTS.task), 'utf8')) as { command?: unknown };
    return TaskSchema.anyOf.find(({ properties }) => properties.command.const === command)?.properties.command.const;
  } catch {
    return undefined;
  }
}

export function parseTask(json: string): Task {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (caught) {
    throw invalid(messageOf(caught));
  }
  const { command, undone } = (value ?? {}) as { command?: unknown; undone?: unknown };
  const schema = TaskSchema.anyOf.find(
    ({ properties }) => properties.command.const === command && 'undone' in properties === (undone !== undefined),
  );
  if (schema === undefined) throw invalid('its command is none of ours');
  const [error] = Errors(schema, value);
  if (error !== undefined) throw invalid(`${error.instancePath || '/'} ${error.message}`);
  // No cast to Task: the compiler holds the schema to the contract of api/task.ts.
  return value as Static<typeof TaskSchema>;
}

function invalid(problem: string): HoldfastError {
  return new HoldfastError('TaskInvalid', `the task of this Job is not one of ours: ${problem}`, {
    hint: 'Let the operator make the Job; operator and runner should be of one version.',
  });
}

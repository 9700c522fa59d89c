/**
 * A drill: an archive is restored into a server that was started for it alone, asked what the checks ask, and counted. The
 * server, and with it all that was restored, goes with the pod.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  COUNTS_TOLD,
  type DrillResult,
  type DrillTask,
  type ExamineResult,
  type ExamineTask,
  MOUNTS,
  type ServerAccess,
} from '../api/task.ts';
import { type DatabaseContents, databasesIn, isInstance } from '../archive/contents.ts';
import type { Census, Login, Requirements, ThrowawayServer } from '../engines/engine.ts';
import { type Failure, HoldfastError, messageOf, notReady } from '../lib/errors.ts';
import { delay } from '../platform/delay.ts';
import { runChecks } from './checks.ts';
import { chosenDatabase } from './chosen.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type Archive, examine, orRefusal } from './examine.ts';
import { readHead } from './head.ts';
import { loadParts, type PartsJob, plainBytes } from './load.ts';
import { openStore, openStoreBriskly } from './open-store.ts';
import { refusal } from './restore-ending.ts';
import { readIdentities } from './secrets.ts';
import { readPart } from './segments.ts';

/** What can be told without a server. */
export async function examineAlone(task: ExamineTask, context: RunnerContext): Promise<ExamineResult> {
  using storage = await openStoreBriskly(task.store, context);
  const { archive, refusals } = await examine(task, storage, () => readIdentities(context.root, task.identity));
  if (archive === undefined) return { refusals, major: 0, bytesNeeded: 0 };
  const more: Failure[] = [];
  const wanted = (await orRefusal(more, async () => databasesOf(task, archive))) ?? [];
  return {
    refusals: more,
    major: archive.manifest.server.major,
    bytesNeeded: wanted.reduce((sum, database) => sum + plainBytes(database), 0),
  };
}

export async function drill(task: DrillTask, context: RunnerContext): Promise<DrillResult> {
  const started = performance.now();
  const identities = await readIdentities(context.root, task.identity);
  using storage = await openStore(task.store, context);
  const { archive, refusals } = await examine(task, storage, async () => identities);
  if (archive === undefined) throw refusal(refusals);
  const server = await openServer(task, context);
  try {
    refuseOlder(server, archive);
    const job = { task, context, storage, identities };
    const wanted = databasesOf(task, archive);
    const notes = await restoreAll(job, archive, wanted, server);
    for (const note of notes) context.log.info(note);
    const checks = await runChecks(task.checks, (sql, database) =>
      server.ask(databaseAsked(wanted, database), sql, new Date(task.notAfter)),
    );
    // As in a restore: after the checks, just before it would go live.
    for (const { database, properties } of wanted) await server.dress(database, properties);
    const counted = await countAll(wanted, server);
    context.log.info({ counted }, 'what was restored');
    return {
      server: server.server.version,
      seconds: Math.round((performance.now() - started) / 1000),
      ...toldOf(counted, isInstance(archive.contents)),
      checks,
      ...(notes.length === 0 ? {} : { notes }),
    };
  } finally {
    await close(server, context);
  }
}

/** An image that somebody named. Its programs could not even read the archive, and would call it broken. */
function refuseOlder({ server }: ThrowawayServer, { manifest }: Archive): void {
  const { major } = manifest.server;
  if (server.major >= major) return;
  throw new HoldfastError(
    'VersionUnsupported',
    `the server of the drill is PostgreSQL ${server.version}, and the archive is of PostgreSQL ${major}`,
    { hint: `name an image of PostgreSQL ${major} or newer in target.ephemeral.image` },
  );
}

function databasesOf(task: DrillTask | ExamineTask, { contents }: Archive): readonly DatabaseContents[] {
  return task.fromDatabase === undefined ? databasesIn(contents) : [chosenDatabase(task, contents)];
}

/** A server that has just been started may need a moment more. */
const PATIENCE = 30;
const PAUSE_MS = 1_000;

async function openServer(task: DrillTask, context: RunnerContext): Promise<ThrowawayServer> {
  const login = await readLogin(context.root);
  for (let left = PATIENCE; ; left -= 1) {
    try {
      return await context.engine.openThrowaway(accessTo(task.port), login, engineContext(context, task.run));
    } catch (caught) {
      if (left === 0 || !(caught instanceof HoldfastError) || caught.outlook !== 'retry') throw caught;
    }
    await delay(PAUSE_MS, context.signal);
    context.signal.throwIfAborted();
  }
}

/** Nobody else can reach it, and nothing of it leaves the pod, so there is nothing to encrypt. */
function accessTo(port: number): ServerAccess {
  return {
    engine: 'postgresql',
    host: '127.0.0.1',
    port,
    // Not postgres: that may be one of the databases that are restored.
    maintenanceDatabase: 'template1',
    credentials: { secret: '', usernameKey: '', passwordKey: '' },
    tls: { mode: 'disable' },
  };
}

async function readLogin(root: string): Promise<Login> {
  const password = await readFile(join(root, MOUNTS.drill), 'utf8').catch((caught: unknown) => {
    throw notReady('ServerNotReady', `the password of the drill's server cannot be read: ${messageOf(caught)}`);
  });
  return { username: 'postgres', password: password.trim() };
}

async function restoreAll(
  job: PartsJob,
  archive: Archive,
  wanted: readonly DatabaseContents[],
  server: ThrowawayServer,
): Promise<readonly string[]> {
  const { manifest, contents } = archive;
  const needs = await needsOf(job, archive, wanted, server);
  await server.furnish(needs, isInstance(contents) ? contents : undefined);
  const total = wanted.reduce((sum, database) => sum + plainBytes(database), 0);
  let before = 0;
  const notes: string[] = [];
  for (const each of wanted) {
    notes.push(...(await server.create(each.database, each.properties)));
    await loadParts({ ...job, progress: { total, others: () => before } }, manifest, each, () =>
      server.load(each.database),
    );
    before += plainBytes(each);
  }
  return notes;
}

/** An archive names roles and tablespaces, and of one database it does not say what they are: here they need only be there. */
async function needsOf(
  job: PartsJob,
  { manifest }: Archive,
  wanted: readonly DatabaseContents[],
  server: ThrowawayServer,
): Promise<Requirements> {
  const roles = new Set<string>();
  const tablespaces = new Set<string>();
  for (const { parts } of wanted) {
    for (const { part } of parts) {
      const segments = manifest.segments.filter((segment) => segment.part === part);
      const reader = server.readRequirements();
      await readHead({
        read: (signal) => readPart(job.storage, job.task.archive.folder, segments, signal),
        identities: job.identities,
        start: () => reader,
        signal: job.context.signal,
      });
      for (const role of reader.found().roles) roles.add(role);
      for (const tablespace of reader.found().tablespaces) tablespaces.add(tablespace);
    }
  }
  return { roles: [...roles], tablespaces: [...tablespaces] };
}

function databaseAsked(wanted: readonly DatabaseContents[], named: string | undefined): string {
  const [only, ...others] = wanted;
  if (named === undefined && only !== undefined && others.length === 0) return only.database;
  if (named !== undefined && wanted.some(({ database }) => database === named)) return named;
  throw new HoldfastError(
    'CheckInvalid',
    named === undefined
      ? 'several databases are restored, and the check names none'
      : `the check asks database "${named}", which is not restored`,
    { hint: `give the check one of ${wanted.map(({ database }) => `"${database}"`).join(', ')}` },
  );
}

interface Counted extends Census {
  readonly database: string;
}

async function countAll(wanted: readonly DatabaseContents[], server: ThrowawayServer): Promise<readonly Counted[]> {
  const counted: Counted[] = [];
  for (const { database } of wanted) counted.push({ database, ...(await server.census(database)) });
  return counted;
}

/** The part of the counts that a report has room for. */
function toldOf(counted: readonly Counted[], several: boolean): Pick<DrillResult, 'totals' | 'databases' | 'largest'> {
  const each = counted.map(({ database, bytes, tables }) => ({
    name: database,
    bytes,
    tables: tables.length,
    rows: sum(tables.map(({ rows }) => rows)),
  }));
  const tables = counted.flatMap(({ database, tables: found }) =>
    found.map(({ schema, name, rows }) => ({
      table: several ? `${database}.${schema}.${name}` : `${schema}.${name}`,
      rows,
    })),
  );
  return {
    totals: {
      databases: each.length,
      bytes: sum(each.map(({ bytes }) => bytes)),
      tables: sum(each.map(({ tables: count }) => count)),
      rows: sum(each.map(({ rows }) => rows)),
    },
    ...(several ? { databases: each.toSorted((a, b) => b.bytes - a.bytes).slice(0, COUNTS_TOLD) } : {}),
    largest: tables.toSorted((a, b) => b.rows - a.rows).slice(0, COUNTS_TOLD),
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

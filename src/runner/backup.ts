/**
 * One attempt at a backup: dump → compress → encrypt → upload as one stream, read back, and the manifest last. Before the
 * dump begins a failure may heal; afterwards it is final. Whatever fails leaves no manifest and no unfinished upload.
 */
import { instant } from '../api/conditions.ts';
import type { BackupResult, BackupTask } from '../api/task.ts';
import { newHeader } from '../archive/age/header.ts';
import type { Contents } from '../archive/contents.ts';
import { contentsName, FORMAT_VERSION, manifestKey } from '../archive/layout.ts';
import type { Manifest, ManifestSegment } from '../archive/manifest.ts';
import type { Source } from '../engines/engine.ts';
import { newIdentity } from '../keys/identities.ts';
import { fingerprint, recipientClass, recipientsProblem } from '../keys/recipients.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { close } from './close.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { dumpInto } from './dump.ts';
import { resultOf, resultOfEarlier } from './earlier-attempt.ts';
import { openStore, openStoreBriskly } from './open-store.ts';
import { recipe } from './recipe.ts';
import { openContents, sealContents } from './sealed-contents.ts';
import { readLogin } from './secrets.ts';
import { SegmentWriter } from './segments.ts';
import type { SizedDigest } from './stages/meter.ts';
import { sizedDigestOf } from './stages/meter.ts';
import { encodeManifest, findManifest, type StoredManifest } from './stored-manifest.ts';
import { readBack } from './verify.ts';
import { toolVersions } from './versions.ts';

export async function backup(task: BackupTask, context: RunnerContext): Promise<BackupResult> {
  if (!task.reportOnly) refuseWrongRecipients(task.recipients);
  const earlier = await lookForEarlier(task, context);
  if (earlier !== undefined) {
    context.log.info({ manifestDigest: earlier.digest }, 'an earlier attempt of this backup is complete');
    return resultOfEarlier(earlier, task);
  }
  if (task.reportOnly) throw interruptedEarlier();

  const login = await readLogin(context.root, task.database);
  const tools = await toolVersions();
  using storage = await openStore(task.store, context);
  const source = await context.engine.openSource(task.database, login, engineContext(context, task.run));
  try {
    return await new Attempt(task, context, storage, source, tools).run();
  } catch (caught) {
    throw begun(caught);
  } finally {
    await close(source, context);
  }
}

/** Also shows, before anything else, that the bucket is there and lets us in. */
async function lookForEarlier(task: BackupTask, context: RunnerContext): Promise<StoredManifest | undefined> {
  using storage = await openStoreBriskly(task.store, context);
  return await findManifest(storage, task.folder);
}

interface Written {
  readonly segments: readonly ManifestSegment[];
  readonly plain: SizedDigest;
}

class Attempt {
  readonly #task: BackupTask;
  readonly #context: RunnerContext;
  readonly #storage: Storage;
  readonly #source: Source;
  readonly #tools: Readonly<Record<string, string>>;
  readonly #startTime: Date;

  constructor(
    task: BackupTask,
    context: RunnerContext,
    storage: Storage,
    source: Source,
    tools: Readonly<Record<string, string>>,
  ) {
    this.#task = task;
    this.#context = context;
    this.#storage = storage;
    this.#source = source;
    this.#tools = tools;
    this.#startTime = context.now();
  }

  async run(): Promise<BackupResult> {
    // Its identity never leaves this process, so when the process ends nobody in the cluster can read the archive.
    const ephemeral = await newIdentity(recipientClass(this.#task.recipients[0] ?? ''));
    const recipients = [...this.#task.recipients, ephemeral.recipient];

    const written = await this.#write(recipients);
    await readBack({
      ...written,
      source: this.#source,
      storage: this.#storage,
      folder: this.#task.folder,
      identity: ephemeral.identity,
      context: this.#context,
    });
    const verified = this.#context.now();
    const contents = await this.#writeContents(written, recipients, ephemeral.identity);
    return this.#commit(this.#manifest(written, contents, verified), written.plain.size);
  }

  async #write(recipients: readonly string[]): Promise<Written> {
    const { attempt, segmentBytes } = this.#context;
    const place = { storage: this.#storage, folder: this.#task.folder, attempt, part: 0, segmentBytes };
    const writer = new SegmentWriter(place);
    try {
      const level = this.#task.compressionLevel;
      const plain = await dumpInto(writer, await newHeader(recipients), {
        source: this.#source,
        level,
        context: this.#context,
      });
      return { plain, segments: await writer.finish() };
    } catch (caught) {
      await writer
        .abort()
        .catch((error: unknown) => this.#context.log.error({ error }, 'the upload could not be aborted'));
      throw caught;
    }
  }

  async #writeContents(
    { plain, segments }: Written,
    recipients: readonly string[],
    identity: string,
  ): Promise<Manifest['contents']> {
    const contents: Contents = {
      formatVersion: FORMAT_VERSION,
      database: this.#task.database.database,
      properties: this.#source.properties,
      tables: [...this.#source.tables],
      parts: [{ part: 0, tool: this.#source.tool, format: 'custom', plain }],
      recipe: recipe(segments),
    };
    const sealed = await sealContents(contents, recipients);
    const key = contentsName(this.#context.attempt);
    const { versionId } = await this.#storage.put(`${this.#task.folder}${key}`, sealed);
    await openContents(await this.#storage.getSmall(`${this.#task.folder}${key}`, sealed.length, versionId), [
      identity,
    ]);
    return { key, ...(versionId === undefined ? {} : { versionId }), ...sizedDigestOf(sealed) };
  }

  #manifest({ segments }: Written, contents: Manifest['contents'], verified: Date): Manifest {
    const { run, recipients } = this.#task;
    return {
      formatVersion: FORMAT_VERSION,
      cluster: run.cluster,
      namespace: run.namespace,
      backup: { name: run.name, uid: run.uid },
      attempt: this.#context.attempt,
      startTime: instant(this.#startTime),
      completionTime: instant(this.#context.now()),
      engine: this.#context.engine.name,
      server: { ...this.#source.server },
      tools: { ...this.#tools, ...named(this.#source.tool) },
      scope: 'Database',
      segments: [...segments],
      recipients: recipients.map(fingerprint),
      contents,
      verification: { level: 'ReadBack', time: instant(verified) },
    };
  }

  /** From here on the backup exists. A crash right after it is found by the next attempt, see {@link lookForEarlier}. */
  async #commit(manifest: Manifest, sourceBytes: number): Promise<BackupResult> {
    const { bytes, digest } = encodeManifest(manifest);
    const ifAbsent = this.#task.conditionalWrites;
    try {
      await this.#storage.put(manifestKey(this.#task.folder), bytes, { ifAbsent });
    } catch (caught) {
      if (!(caught instanceof HoldfastError) || caught.reason !== 'ObjectExists') throw caught;
      // Either our own write whose answer was lost, or another attempt that was faster: the manifest that is there counts.
      const found = await findManifest(this.#storage, this.#task.folder);
      if (found === undefined) throw caught;
      if (found.digest !== digest) return resultOfEarlier(found, this.#task);
    }
    return resultOf({ manifest, digest, size: bytes.length }, sourceBytes);
  }
}

function refuseWrongRecipients(recipients: readonly string[]): void {
  const problem = recipientsProblem(recipients);
  if (problem === undefined) return;
  throw new HoldfastError('RecipientInvalid', problem, {
    hint: 'Correct spec.recipients of the BackupKey, then make a new Backup.',
  });
}

/** The dump has begun: whatever the failure is, another attempt is a new Backup. A run that was merely ended may be repeated. */
function begun(caught: unknown): HoldfastError {
  const { reason, message, hint, outlook } = toHoldfastError(caught);
  const after = reason === 'Interrupted' ? outlook : 'final';
  return new HoldfastError(reason, message, { outlook: after, cause: caught, ...(hint === undefined ? {} : { hint }) });
}

function interruptedEarlier(): HoldfastError {
  return new HoldfastError('Interrupted', 'the attempt ended without a word and left no manifest', {
    hint: 'See whether its node was lost or its Job deleted, then make a new Backup.',
  });
}

/** `pg_dump 17.6` as an entry of the manifest's tools. */
function named(tool: string): Record<string, string> {
  const [name = tool, version = ''] = tool.split(' ');
  return { [name]: version };
}

/**
 * One attempt at a backup: dump → compress → encrypt → upload as one stream, read back, and the manifest last. Before the
 * dump begins a failure may heal; afterwards it is final. Whatever fails leaves no manifest and no unfinished upload.
 */
import { instant } from '../api/conditions.ts';
import { type BackupResult, type BackupTask, DATABASES_NAMED } from '../api/task.ts';
import { newHeader } from '../archive/age/header.ts';
import { contentsName, FORMAT_VERSION, manifestKey } from '../archive/layout.ts';
import type { Manifest } from '../archive/manifest.ts';
import { newIdentity } from '../keys/identities.ts';
import { fingerprint, recipientClass, recipientsProblem } from '../keys/recipients.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { close } from './close.ts';
import type { RunnerContext } from './context.ts';
import { dumpInto } from './dump.ts';
import { resultOf, resultOfEarlier } from './earlier-attempt.ts';
import { readLogin } from './login.ts';
import { openStore, openStoreBriskly } from './open-store.ts';
import { openContents, sealContents } from './sealed-contents.ts';
import { SegmentWriter } from './segments.ts';
import type { SizedDigest } from './stages/meter.ts';
import { sizedDigestOf } from './stages/meter.ts';
import { encodeManifest, findManifest, type StoredManifest } from './stored-manifest.ts';
import { openSubject, type Part, type Subject, type WrittenPart } from './subject.ts';
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
  const subject = await openSubject(task, context, login);
  try {
    return await new Attempt(task, context, storage, subject, tools).run();
  } catch (caught) {
    throw begun(caught);
  } finally {
    await close(subject, context);
  }
}

/** Also shows, before anything else, that the bucket is there and lets us in. */
async function lookForEarlier(task: BackupTask, context: RunnerContext): Promise<StoredManifest | undefined> {
  using storage = await openStoreBriskly(task.store, context);
  return await findManifest(storage, task.folder);
}

class Attempt {
  readonly #task: BackupTask;
  readonly #context: RunnerContext;
  readonly #storage: Storage;
  readonly #subject: Subject;
  readonly #tools: Readonly<Record<string, string>>;
  readonly #startTime: Date;

  constructor(
    task: BackupTask,
    context: RunnerContext,
    storage: Storage,
    subject: Subject,
    tools: Readonly<Record<string, string>>,
  ) {
    this.#task = task;
    this.#context = context;
    this.#storage = storage;
    this.#subject = subject;
    this.#tools = tools;
    this.#startTime = context.now();
  }

  async run(): Promise<BackupResult> {
    // Its identity never leaves this process, so when the process ends nobody in the cluster can read the archive.
    const ephemeral = await newIdentity(recipientClass(this.#task.recipients[0] ?? ''));
    const recipients = [...this.#task.recipients, ephemeral.recipient];

    const written = await this.#write(recipients);
    await this.#readBack(written, ephemeral.identity);
    const verified = this.#context.now();
    const contents = await this.#writeContents(written, recipients, ephemeral.identity);
    const result = await this.#commit(this.#manifest(written, contents, verified), plainBytes(written));
    return { ...result, ...skippedBy(this.#subject) };
  }

  /** Nothing is completed before the last program of the last part has ended well. */
  async #write(recipients: readonly string[]): Promise<readonly WrittenPart[]> {
    const unfinished: { readonly part: Part; readonly writer: SegmentWriter; readonly plain: SizedDigest }[] = [];
    const writers: SegmentWriter[] = [];
    try {
      for await (const part of this.#subject.parts()) {
        const writer = this.#writer(part);
        writers.push(writer);
        unfinished.push({ part, writer, plain: await this.#writePart(part, writer, recipients, unfinished) });
      }
      const written: WrittenPart[] = [];
      for (const { part, plain, writer } of unfinished) {
        written.push({ ...part, plain, segments: await writer.finish() });
      }
      return written;
    } catch (caught) {
      await this.#abort(writers);
      throw caught;
    }
  }

  #writer({ part, file }: Part): SegmentWriter {
    const { attempt, segmentBytes } = this.#context;
    return new SegmentWriter({ storage: this.#storage, folder: this.#task.folder, attempt, part, file, segmentBytes });
  }

  async #writePart(
    { source }: Part,
    writer: SegmentWriter,
    recipients: readonly string[],
    before: readonly { readonly plain: SizedDigest; readonly writer: SegmentWriter }[],
  ): Promise<SizedDigest> {
    const plain = await dumpInto(writer, await newHeader(recipients), {
      source,
      level: this.#task.compressionLevel,
      context: this.#context,
      before: { bytes: plainBytes(before), storedBytes: before.reduce((sum, each) => sum + each.writer.size, 0) },
    });
    await writer.rest();
    return plain;
  }

  async #abort(writers: readonly SegmentWriter[]): Promise<void> {
    for (const writer of writers) {
      await writer
        .abort()
        .catch((error: unknown) => this.#context.log.error({ error }, 'the upload could not be aborted'));
    }
  }

  async #readBack(written: readonly WrittenPart[], identity: string): Promise<void> {
    let before = 0;
    for (const part of written) {
      await readBack({
        part,
        progress: { before, total: plainBytes(written) },
        storage: this.#storage,
        folder: this.#task.folder,
        identity,
        context: this.#context,
      });
      before += part.plain.size;
    }
  }

  async #writeContents(
    written: readonly WrittenPart[],
    recipients: readonly string[],
    identity: string,
  ): Promise<Manifest['contents']> {
    const sealed = await sealContents(this.#subject.contents(written), recipients);
    const key = contentsName(this.#context.attempt);
    const { versionId } = await this.#storage.put(`${this.#task.folder}${key}`, sealed);
    await openContents(await this.#storage.getSmall(`${this.#task.folder}${key}`, sealed.length, versionId), [
      identity,
    ]);
    return { key, ...(versionId === undefined ? {} : { versionId }), ...sizedDigestOf(sealed) };
  }

  #manifest(written: readonly WrittenPart[], contents: Manifest['contents'], verified: Date): Manifest {
    const { run, recipients, application } = this.#task;
    return {
      formatVersion: FORMAT_VERSION,
      cluster: run.cluster,
      namespace: run.namespace,
      backup: { name: run.name, uid: run.uid },
      attempt: this.#context.attempt,
      startTime: instant(this.#startTime),
      completionTime: instant(this.#context.now()),
      engine: this.#context.engine.name,
      server: { ...this.#subject.server },
      tools: { ...this.#tools, ...Object.assign({}, ...this.#subject.tools.map(named)) },
      scope: this.#subject.scope,
      segments: written.flatMap(({ segments }) => segments),
      recipients: recipients.map(fingerprint),
      contents,
      verification: { level: 'ReadBack', time: instant(verified) },
      ...(application === undefined ? {} : { application }),
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

/** template1 is on every server, and changed on hardly any. */
function skippedBy({ skipped }: Subject): Pick<BackupResult, 'skippedDatabases'> {
  const told = skipped.filter(({ database }) => database !== 'template1').slice(0, DATABASES_NAMED);
  if (told.length === 0) return {};
  return { skippedDatabases: told.map(({ database, reason }) => ({ name: database, reason })) };
}

function plainBytes(parts: readonly { readonly plain: SizedDigest }[]): number {
  return parts.reduce((sum, { plain }) => sum + plain.size, 0);
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

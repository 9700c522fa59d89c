/** One database by several connections. See docs/decisions/086. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { HoldfastError } from '../../lib/errors.ts';
import type { WritingProgram } from '../engine.ts';
import { dealBlocks } from './dump/data.ts';
import { builds, definitions, isDealt, rows, rowsAlone, whatIsBuiltUpon } from './dump/passes.ts';
import { corrupt, type DumpHead, FORMAT_BYTES, headReader, writeHead } from './dump/toc.ts';
import { type LoadJob, load, loadFile } from './load.ts';

/** What one connection gets of the rows before the next one has its turn; as much may wait for each. */
const RUN_BYTES = 1024 * 1024;

/**
 * As {@link load}, in four passes: what rows need; the rows, dealt from the one stream that a dump is to as many programs as
 * there are streams; indexes and what is built as one, by as many connections; and what remains, by one. The passes without
 * rows need only the head of the dump, which is kept in the memory-backed folder meanwhile. A dump of a format that is newer
 * than we know comes by one connection.
 */
export function loadInStreams(job: LoadJob, streams: number, run = RUN_BYTES): WritingProgram {
  const input = new PassThrough();
  // How it ended is told by `done`.
  input.on('error', () => {});
  const crew = new Crew(() => input.destroy());

  const pass = async (part: DumpHead, section: 'pre-data' | 'post-data', connections: number) => {
    const file = join(job.libpq.folder, 'head.dump');
    await writeFile(file, [...writeHead(part)], { mode: 0o600, flag: 'wx' });
    try {
      await crew.join(() => loadFile({ ...job, sections: [section] }, file, connections)).done;
    } finally {
      await rm(file, { force: true });
    }
  };
  const done = crew.finish(async () => {
    const { head, rest } = await readHead(input);
    if (head === undefined) {
      await passOn(
        input,
        rest,
        crew.join(() => load(job)),
      );
      return;
    }
    await pass(definitions(head), 'pre-data', 1);
    const readers = Array.from({ length: streams }, () => crew.join(() => load({ ...job, sections: ['data'] })));
    await deal(input, rest, rows(head), readers, run);
    await pass(builds(head), 'post-data', streams);
    await pass(whatIsBuiltUpon(head), 'post-data', 1);
  });
  return { input, done, kill: () => crew.stop(new Error('the load was ended')) };
}

/** No head: the format is not known. `rest`: what came and was not head. */
async function readHead(input: PassThrough): Promise<{ readonly head?: DumpHead; readonly rest: Buffer }> {
  const reader = headReader();
  let early = Buffer.alloc(0);
  for await (const chunk of input.iterator({ destroyOnReturn: false })) {
    if (early.length < FORMAT_BYTES) early = Buffer.concat([early, chunk]);
    try {
      const read = reader.push(chunk);
      if (read !== undefined) return read;
    } catch (caught) {
      if (caught instanceof HoldfastError && caught.reason === 'DumpFormatUnknown') return { rest: early };
      throw caught;
    }
  }
  throw corrupt('it ends within its table of contents');
}

async function passOn(input: PassThrough, rest: Buffer, reader: WritingProgram): Promise<void> {
  await give(reader, rest, 0);
  for await (const chunk of input) await give(reader, chunk, RUN_BYTES);
  reader.input.end();
  await reader.done;
}

/** The first reader also takes what is not rows. */
async function deal(
  input: PassThrough,
  rest: Buffer,
  head: DumpHead,
  readers: readonly WritingProgram[],
  run: number,
): Promise<void> {
  const [first, ...others] = readers;
  if (first !== undefined) for (const piece of writeHead(head)) await give(first, piece, run);
  const alone = rowsAlone(head);
  for (const other of others) for (const piece of writeHead(alone)) await give(other, piece, run);

  const dealt = new Set(head.entries.filter(isDealt).map(({ dumpId }) => dumpId));
  let turn = 0;
  const blocks = dealBlocks({
    readers: readers.length,
    of: (dumpId) => (dealt.has(dumpId) ? 'dealt' : 'first'),
    run,
    /** Who has least to do; of several the one whose turn it is. */
    next() {
      const waiting = (reader: number) => readers[reader]?.input.writableLength ?? 0;
      const order = readers.map((_, index) => (turn + index) % readers.length);
      turn += 1;
      return order.reduce((best, one) => (waiting(one) < waiting(best) ? one : best));
    },
  });
  const take = async (chunk: Buffer) => {
    for (const { reader, bytes } of blocks.push(chunk)) {
      const program = readers[reader];
      if (program !== undefined) await give(program, bytes, run);
    }
  };
  await take(rest);
  for await (const chunk of input) await take(chunk);
  blocks.end();
  for (const { input: end } of readers) end.end();
  await Promise.all(readers.map((reader) => reader.done));
}

/** Waits only where as much as `limit` waits there already. */
async function give({ input, done }: WritingProgram, bytes: Buffer, limit: number): Promise<void> {
  if (!input.destroyed) input.write(bytes);
  if (!input.destroyed && input.writableNeedDrain && input.writableLength >= limit) {
    await new Promise<void>((resolve) => {
      const go = () => {
        input.off('drain', go);
        input.off('close', go);
        resolve();
      };
      input.on('drain', go);
      input.on('close', go);
    });
  }
  if (!input.destroyed) return;
  await done;
  throw new Error('a program that takes rows ended before they did');
}

/** Programs that stand and fall together: the first failure ends all of them, and is what is told. */
class Crew {
  readonly #stop = new AbortController();
  readonly #members: Promise<void>[] = [];

  constructor(whenStopped: () => void) {
    this.#stop.signal.addEventListener('abort', whenStopped, { once: true });
  }

  join<T extends Pick<WritingProgram, 'done' | 'kill'>>(start: () => T): T {
    this.#stop.signal.throwIfAborted();
    const program = start();
    const kill = () => program.kill();
    this.#stop.signal.addEventListener('abort', kill);
    const member = program.done
      .catch((caught: unknown) => this.stop(caught))
      .finally(() => this.#stop.signal.removeEventListener('abort', kill));
    this.#members.push(member);
    return program;
  }

  stop(why: unknown): void {
    this.#stop.abort(why);
  }

  /** Settles when every program is gone. */
  finish(work: () => Promise<void>): Promise<void> {
    const done = work().catch(async (caught: unknown) => {
      this.stop(caught);
      await Promise.all(this.#members);
      throw this.#stop.signal.reason;
    });
    done.catch(() => {});
    return done;
  }
}

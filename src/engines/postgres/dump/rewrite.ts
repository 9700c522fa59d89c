import { Writable } from 'node:stream';
import { isSymptom, write } from '../../../platform/writing.ts';
import type { WritingProgram } from '../../engine.ts';
import { attachmentsApart } from './attachments.ts';
import { filterBlocks } from './data.ts';
import { corrupt, type DumpHead, headReader, writeHead } from './toc.ts';

/**
 * A program that is given another dump than the one that comes: with the head that `decide` makes of its head, and the data
 * of those entries only. Where `decide` fails the program is killed, and `done` rejects with that.
 */
export function rewritten(program: WritingProgram, decide: (head: DumpHead) => Promise<DumpHead>): WritingProgram {
  const reader = headReader();
  let blocks: ReturnType<typeof filterBlocks> | undefined;
  let failure: { readonly caught: unknown } | undefined;

  const begin = async (chunk: Buffer): Promise<Buffer | undefined> => {
    const read = reader.push(chunk);
    if (read === undefined) return undefined;
    const head = await decide(attachmentsApart(read.head));
    const wanted = new Set(head.entries.flatMap(({ dumpId, hasData }) => (hasData ? [dumpId] : [])));
    blocks = filterBlocks((dumpId) => wanted.has(dumpId));
    for (const piece of writeHead(head)) await write(program.input, piece);
    return read.rest;
  };
  const take = async (chunk: Buffer): Promise<void> => {
    const data = blocks === undefined ? await begin(chunk) : chunk;
    if (data === undefined) return;
    for (const piece of blocks?.push(data) ?? []) await write(program.input, piece);
  };
  const finish = async (): Promise<void> => {
    if (blocks === undefined) throw corrupt('it ends within its table of contents');
    blocks.end();
    // Destroyed before it has passed on what it holds back, it would kill the program.
    await new Promise<void>((resolve, reject) => {
      program.input.once('error', reject);
      program.input.end(() => resolve());
    });
  };
  const told = (work: Promise<void>, done: (error?: Error | null) => void) =>
    work.then(
      () => done(),
      (caught: unknown) => {
        failure ??= { caught };
        done(caught as Error);
      },
    );

  const input = new Writable({
    write: (chunk: Buffer, _encoding, done) => void told(take(chunk), done),
    final: (done) => void told(finish(), done),
    destroy(error, done) {
      // A program whose input was ended well is not touched by this.
      program.input.destroy();
      done(error);
    },
  });
  // How it ended is told by `done`.
  input.on('error', () => {});
  const done = program.done.catch((caught: unknown) => {
    throw failure === undefined || isSymptom(failure.caught) ? caught : failure.caught;
  });
  done.catch(() => {});
  return { input, done, kill: () => program.kill() };
}

/** Takes a dump as far as its head goes, and is done then; connects to nothing. */
export function headOf(): WritingProgram & { head(): DumpHead } {
  const reader = headReader();
  let head: DumpHead | undefined;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const fail = (caught: unknown) => {
    reject(caught);
    return caught as Error;
  };
  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        head ??= reader.push(chunk)?.head;
        if (head !== undefined) resolve();
        done();
      } catch (caught) {
        done(fail(caught));
      }
    },
    final(done) {
      if (head === undefined) done(fail(corrupt('it ends within its table of contents')));
      else done();
    },
  });
  input.on('error', () => {});
  // Who ends it early must not wait for an end that never comes.
  input.once('close', () => reject(new Error('the head was not read to its end')));
  promise.catch(() => {});
  return {
    input,
    done: promise,
    kill: () => input.destroy(),
    head() {
      if (head === undefined) throw new Error('the head was asked for before it was read');
      return attachmentsApart(head);
    },
  };
}

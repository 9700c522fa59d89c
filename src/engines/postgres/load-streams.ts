/** One database by several connections. See docs/decisions/086. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { WritingProgram } from '../engine.ts';
import { type DumpHead, headReader, writeHead } from './dump/toc.ts';
import { type LoadJob, load, loadFile } from './load.ts';

/**
 * As {@link load}: first tables and rows, from the one stream that a dump is, then what is made of them, indexes and
 * constraints for the most part, by several connections. The second needs no data, only the head of the dump, which is kept
 * in the memory-backed folder meanwhile.
 */
export function loadInStreams(job: LoadJob, streams: number): WritingProgram {
  const first = load({ ...job, sections: ['pre-data', 'data'] });
  let second: { kill(): void } | undefined;
  let killed = false;
  const reader = headReader();
  let head: DumpHead | undefined;

  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        head ??= reader.push(chunk)?.head;
      } catch (caught) {
        done(caught as Error);
        return;
      }
      first.input.write(chunk, done);
    },
    final(done) {
      first.input.once('error', done);
      first.input.end(() => done());
    },
    destroy(error, done) {
      first.input.destroy();
      done(error);
    },
  });
  input.on('error', () => {});

  const done = first.done.then(async () => {
    if (head === undefined) throw new Error('a dump was loaded, and its head was not seen');
    const file = join(job.libpq.folder, 'post-data.dump');
    await writeFile(file, [...writeHead(head)], { mode: 0o600, flag: 'wx' });
    try {
      const program = loadFile({ ...job, sections: ['post-data'] }, file, streams);
      second = program;
      if (killed) program.kill();
      await program.done;
    } finally {
      await rm(file, { force: true });
    }
  });
  done.catch(() => {});
  return {
    input,
    done,
    kill() {
      killed = true;
      first.kill();
      second?.kill();
    },
  };
}

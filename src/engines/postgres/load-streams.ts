/** One database by several connections. See docs/decisions/086. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { WritingProgram } from '../engine.ts';
import { builds, whatIsBuiltUpon } from './dump/passes.ts';
import { type DumpHead, headReader, writeHead } from './dump/toc.ts';
import { type LoadJob, load, loadFile } from './load.ts';

/**
 * As {@link load}, in three passes: tables and rows, from the one stream that a dump is; indexes and what is built as one, by
 * several connections; and what remains, by one. The last two need no data, only the head of the dump, which is kept in the
 * memory-backed folder meanwhile.
 */
export function loadInStreams(job: LoadJob, streams: number): WritingProgram {
  const first = load({ ...job, sections: ['pre-data', 'data'] });
  let current: { kill(): void } = first;
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

  const pass = async (part: DumpHead, connections: number) => {
    const file = join(job.libpq.folder, 'post-data.dump');
    await writeFile(file, [...writeHead(part)], { mode: 0o600, flag: 'wx' });
    try {
      const program = loadFile({ ...job, sections: ['post-data'] }, file, connections);
      current = program;
      if (killed) program.kill();
      await program.done;
    } finally {
      await rm(file, { force: true });
    }
  };
  const done = first.done.then(async () => {
    if (head === undefined) throw new Error('a dump was loaded, and its head was not seen');
    await pass(builds(head), streams);
    await pass(whatIsBuiltUpon(head), 1);
  });
  done.catch(() => {});
  return {
    input,
    done,
    kill() {
      killed = true;
      current.kill();
    },
  };
}

import { PassThrough, Writable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { startFilter } from '../../../src/platform/subprocess.ts';
import { write } from '../../../src/platform/writing.ts';
import { explained, succeeded, together } from '../../../src/runner/pipeline.ts';

const fails = async (message: string) => {
  throw new Error(message);
};
const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(new Error('a consequence'))));

describe('tasks that run together', () => {
  test('end when all have ended', async () => {
    await together(new AbortController(), [Promise.resolve(), Promise.resolve()]);
  });

  test('end with the first failure, not with those that follow from it', async () => {
    const stop = new AbortController();
    const running = together(stop, [untilAborted(stop.signal), fails('the cause'), untilAborted(stop.signal)]);
    await expect(running).rejects.toThrow('the cause');
    expect(stop.signal.aborted).toBe(true);
  });

  test('have all ended when the failure is thrown', async () => {
    let ended = false;
    const stop = new AbortController();
    const slow = untilAborted(stop.signal).catch(async () => {
      await new Promise((resolve) => setTimeout(resolve, 30));
      ended = true;
    });
    await expect(together(stop, [slow, fails('the cause')])).rejects.toThrow('the cause');
    expect(ended).toBe(true);
  });
});

describe('a write', () => {
  test('waits until the bytes are taken', async () => {
    let take: () => void = () => {};
    const slow = new Writable({
      write(_chunk, _encoding, done) {
        take = done;
      },
    });
    let taken = false;
    const writing = write(slow, Buffer.from('x')).then(() => (taken = true));
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(taken).toBe(false);
    take();
    await writing;
  });

  test('to a stream that is destroyed meanwhile is an error, not a wait for ever', async () => {
    const stuck = new Writable({ write: () => {} });
    stuck.on('error', () => {});
    const writing = write(stuck, Buffer.from('x'));
    stuck.destroy();
    await expect(writing).rejects.toThrow();
  });

  test('to a stream that has ended is an error', async () => {
    const ended = new PassThrough();
    ended.on('error', () => {});
    ended.end();
    await expect(write(ended, Buffer.from('x'))).rejects.toThrow();
  });
});

describe('a program that breaks its pipe', () => {
  test('is the failure, not the broken pipe', async () => {
    const program = startFilter({ command: 'sh', args: ['-c', 'echo out of ideas >&2; exit 9'] });
    const work = explained(program, async () => {
      for (;;) await write(program.stdin, Buffer.alloc(100_000));
    });
    await expect(work).rejects.toMatchObject({
      reason: 'StageFailed',
      message: 'sh ended with exit code 9: out of ideas',
    });
  });

  test('with exit code 0, before it took everything, is still a failure', async () => {
    const program = startFilter({ command: 'true', args: [] });
    const work = explained(program, async () => {
      for (;;) await write(program.stdin, Buffer.alloc(100_000));
    });
    await expect(work).rejects.toThrow();
    await succeeded(program);
  });
});

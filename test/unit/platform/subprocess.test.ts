import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import {
  exitProblem,
  run,
  startFilter,
  startJoined,
  startReading,
  startWriting,
} from '../../../src/platform/subprocess.ts';
import { tempDir } from '../../cluster/temp-dir.ts';
import { waitFor } from '../../cluster/wait.ts';

const node = process.execPath;
const script = (code: string) => ({ command: node, args: ['-e', code] });

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function alive(pid: number | undefined): boolean {
  try {
    // A zombie still has an entry: the state tells.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a program', () => {
  test('that ends well has exit code 0 and no problem', async () => {
    const result = await run({ command: 'printf', args: ['%s', 'a b'] });
    expect(result).toMatchObject({ command: 'printf', code: 0, signal: null, stdout: 'a b' });
    expect(exitProblem(result)).toBeUndefined();
  });

  test('that fails is told with its name, its exit code and its last words', async () => {
    const exit = await startReading(script('console.error("line one\\nthe end"); process.exit(7)')).done;
    expect(exit.code).toBe(7);
    expect(exitProblem(exit)).toBe('node ended with exit code 7: line one the end');
  });

  test('that a signal ends is told with the signal', async () => {
    const program = startReading({ command: 'sleep', args: ['60'] });
    program.kill({ now: true });
    expect(exitProblem(await program.done)).toBe('sleep was ended by SIGKILL');
  });

  test('that does not exist is a fact of its end, not an exception', async () => {
    const exit = await startWriting({ command: '/no/such/program', args: [] }).done;
    expect(exit.error).toBeDefined();
    expect(exitProblem(exit)).toMatch(/^program could not be started: .*ENOENT/);
  });

  test('keeps only the end of a long complaint', async () => {
    const exit = await startReading(script('process.stderr.write("x".repeat(300000) + "last words")')).done;
    expect(exit.stderr).toHaveLength(4096);
    expect(exit.stderr.endsWith('last words')).toBe(true);
  });

  test('sees nothing of our environment but PATH and a locale', async () => {
    process.env['HOLDFAST_TEST_CANARY'] = 'secret';
    try {
      const { stdout } = await run({ command: 'env', args: [], env: { PGAPPNAME: 'x' } });
      const names = stdout
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0]);
      expect(names.sort()).toEqual(['LC_ALL', 'PATH', 'PGAPPNAME']);
    } finally {
      delete process.env['HOLDFAST_TEST_CANARY'];
    }
  });

  test('is killed when it says more than it may', async () => {
    const result = await run({ command: 'yes', args: [] }, 1000);
    expect(result.signal).not.toBeNull();
  });
});

describe('an aborted signal', () => {
  test('ends the program by SIGTERM', async () => {
    const controller = new AbortController();
    const program = startReading({ command: 'sleep', args: ['60'], signal: controller.signal });
    controller.abort();
    expect((await program.done).signal).toBe('SIGTERM');
  });

  test('ends a program that ignores SIGTERM by SIGKILL', async () => {
    const controller = new AbortController();
    const code = 'process.on("SIGTERM", () => {}); console.log("ready"); setInterval(() => {}, 1000)';
    const program = startReading({ ...script(code), signal: controller.signal, killGraceMs: 100 });
    for await (const _ of program.stdout) {
      controller.abort();
      break;
    }
    expect((await program.done).signal).toBe('SIGKILL');
    expect(alive(program.pid)).toBe(false);
  });

  test('that was aborted before the start ends the program too', async () => {
    const program = startReading({ command: 'sleep', args: ['60'], signal: AbortSignal.abort() });
    expect((await program.done).signal).toBe('SIGTERM');
  });
});

describe('pipes', () => {
  test('a filter turns what is written into what is read', async () => {
    const filter = startFilter({ command: 'tr', args: ['a-z', 'A-Z'] });
    filter.stdin.end('holdfast');
    expect(await text(filter.stdout)).toBe('HOLDFAST');
    expect((await filter.done).code).toBe(0);
  });

  test('two programs are joined without a byte passing through us', async () => {
    const source = startReading({ command: 'head', args: ['-c', '5000000', '/dev/zero'] });
    const counter = startJoined({ command: 'wc', args: ['-c'] }, source);
    expect((await text(counter.stdout)).trim()).toBe('5000000');
    expect([(await source.done).code, (await counter.done).code]).toEqual([0, 0]);
  });

  test('the first of two joined programs learns that the second is gone', async () => {
    const source = startReading({ command: 'yes', args: [] });
    const reader = startJoined({ command: 'head', args: ['-c', '10'] }, source);
    expect(await text(reader.stdout)).toHaveLength(10);
    // `yes` either gets SIGPIPE or, where that is ignored, says "broken pipe".
    expect(exitProblem(await source.done)).toBeDefined();
  });

  test('killing a reader does not close its input first', async () => {
    const code =
      'process.stdin.on("end", () => process.exit(0)).resume(); process.on("SIGTERM", () => process.exit(9))';
    const folder = await tempDir('subprocess');
    const program = startWriting(
      script(`${code}; require("node:fs").mkdirSync(${JSON.stringify(join(folder, 'ready'))})`),
    );
    await waitFor(async () => existsSync(join(folder, 'ready')), {
      timeoutMs: 10_000,
      otherwise: () => 'the program did not start',
    });
    program.kill();
    expect((await program.done).code).toBe(9);
  });

  test('writing to a program that is gone does not end this process', async () => {
    const program = startWriting({ command: 'true', args: [] });
    await program.done;
    program.stdin.write('x'.repeat(100_000));
    await sleep(50);
    expect((await program.done).code).toBe(0);
  });
});

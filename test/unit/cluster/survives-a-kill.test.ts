/** What another process holds or runs must not outlive it, however it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { withLock } from '../../cluster/lock.ts';
import { waitFor } from '../../cluster/wait.ts';

const harness = join(import.meta.dirname, '../../cluster');
const before = process.env['XDG_CACHE_HOME'];
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'kill-test-'));
  process.env['XDG_CACHE_HOME'] = home;
});

afterAll(async () => {
  if (before === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = before;
  await rm(home, { recursive: true });
});

/** Another process that runs `script` and says a line when it has got there; then it stays. */
async function aProcessThat(script: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', `${script}; setInterval(() => {}, 1000)`], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: line.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

test('a lock is free again when its holder was killed', async () => {
  const { child } = await aProcessThat(
    `import { withLock } from '${harness}/lock.ts'; await new Promise((held) => withLock('shared', () => { console.log('held'); held(); return new Promise(() => {}); }))`,
  );
  await kill(child);
  expect(await withLock('shared', async () => 'mine')).toBe('mine');
});

test('a lock lets in one at a time', async () => {
  let inside = 0;
  let most = 0;
  const visit = () =>
    withLock('one-at-a-time', async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside -= 1;
    });
  await Promise.all([visit(), visit(), visit()]);
  expect(most).toBe(1);
});

test('a server ends when the process that started it was killed', async () => {
  const { child, said } = await aProcessThat(
    `import { startTied } from '${harness}/tied-process.ts'; console.log(startTied('sleep', ['600'], { log: '/dev/null' }).pid)`,
  );
  const server = `/proc/${said}`;
  expect(existsSync(server)).toBe(true);
  // Before that it is the program that ties it, and may not have come as far.
  await waitFor(async () => (await readFile(`${server}/comm`, 'utf8')).trim() === 'sleep', {
    timeoutMs: 5_000,
    otherwise: () => `${server} is no sleep`,
  });
  await kill(child);
  await waitFor(async () => !existsSync(server), {
    timeoutMs: 5_000,
    otherwise: () => `${server} is still there`,
  });
});

test('the temporary folder of a killed process is removed by the next one', async () => {
  const { child, said: folder } = await aProcessThat(
    `import { tempDir } from '${harness}/temp-dir.ts'; console.log(await tempDir('left-behind'))`,
  );
  await kill(child);
  expect(existsSync(folder)).toBe(true);
  const next = await aProcessThat(
    `import { tempDir } from '${harness}/temp-dir.ts'; console.log(await tempDir('next'))`,
  );
  expect({ left: existsSync(folder), own: existsSync(next.said) }).toEqual({ left: false, own: true });
  await kill(next.child);
  await rm(next.said, { recursive: true });
});

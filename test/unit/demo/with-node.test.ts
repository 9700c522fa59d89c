/** scripts/with-node.mjs in a project of its own, with an npm that only pretends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const SCRIPT = join(import.meta.dirname, '..', '..', '..', 'scripts', 'with-node.mjs');

/** What `npm ci` leaves behind: its own lock file and the program `node`. */
const NPM = (lock: string) => `#!/bin/sh
echo "$@" >> "$LOG"
mkdir -p node_modules/.bin
ln -sf "${process.execPath}" node_modules/.bin/node
cp ${lock} node_modules/.package-lock.json
exit "\${NPM_EXIT:-0}"
`;

let root: string;
let log: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'with-node-'));
  log = join(root, 'npm.log');
  for (const folder of ['scripts', 'bin']) mkdirSync(join(root, folder));
  copyFileSync(SCRIPT, join(root, 'scripts', 'with-node.mjs'));
  writeLock({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/mac-only': { version: '1.0.0', optional: true } });
  writeFileSync(join(root, 'installed.json'), lock({ 'node_modules/a': { version: '1.0.0' } }));
  writeFileSync(join(root, 'bin', 'npm'), NPM(join(root, 'installed.json')));
  chmodSync(join(root, 'bin', 'npm'), 0o755);
  writeFileSync(log, '');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const lock = (packages: object) => JSON.stringify({ packages: { '': { name: 'x' }, ...packages } });
const writeLock = (packages: object) => writeFileSync(join(root, 'package-lock.json'), lock(packages));

function start(program: string, args: readonly string[] = [], env: Record<string, string> = {}): ChildProcess {
  const file = join(root, 'program.ts');
  writeFileSync(file, program);
  return spawn(process.execPath, [join(root, 'scripts', 'with-node.mjs'), file, ...args], {
    cwd: root,
    env: { PATH: `${join(root, 'bin')}${delimiter}${process.env['PATH']}`, LOG: log, ...env },
  });
}

async function finish(child: ChildProcess): Promise<{ code: number | null; out: string; err: string }> {
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    err += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, out, err };
}

const installs = () => readFileSync(log, 'utf8').trim().split('\n').filter(Boolean);

describe('packages', () => {
  test('a fresh clone installs them once; the next run does not', async () => {
    expect((await finish(start(''))).code).toBe(0);
    expect((await finish(start(''))).code).toBe(0);
    expect(installs()).toEqual([expect.stringMatching(/^ci --include=dev /)]);
  });

  test.each([
    ['another version', { 'node_modules/a': { version: '2.0.0' } }],
    ['one package more', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } }],
  ])('a lock file with %s installs anew', async (_what, packages) => {
    await finish(start(''));
    writeLock(packages);
    await finish(start(''));
    expect(installs()).toHaveLength(2);
  });

  test('a failed install ends in a sentence and runs nothing', async () => {
    const { code, out, err } = await finish(start('console.log("ran")', [], { NPM_EXIT: '1' }));
    expect(code).toBe(1);
    expect(out).toBe('');
    expect(err).toContain('npm ci ended with 1');
  });
});

describe('the program', () => {
  test('is TypeScript, gets the arguments, and finds the tools of node_modules first', async () => {
    const program = `const words: string[] = process.argv.slice(2);
      console.log(JSON.stringify({ words, first: process.env['PATH']?.split(':')[0] }));`;
    const { out } = await finish(start(program, ['--down', 'a b']));
    expect(JSON.parse(out)).toEqual({ words: ['--down', 'a b'], first: join(root, 'node_modules', '.bin') });
  });

  test('passes its exit code on', async () => {
    expect((await finish(start('process.exit(7)'))).code).toBe(7);
  });

  test('is told of a SIGTERM, and may end in its own way', async () => {
    const child = start(
      `process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1000); console.log('up');`,
    );
    child.stdout?.once('data', () => child.kill('SIGTERM'));
    expect((await finish(child)).code).toBe(9);
  });

  test('that a signal ends is told by 128 and its number', async () => {
    expect((await finish(start(`process.kill(process.pid, 'SIGKILL')`))).code).toBe(137);
  });
});

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..', '..');

test('the package holds the plugin as one file, and nothing that is only of use in the repository', () => {
  const argv = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = spawnSync('npm', argv, { cwd: root, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const packed = files.map(({ path }) => path).sort();
  const wanted = [
    ...globSync('bin/*.mjs', { cwd: root }),
    'README.md',
    'dist/licenses.txt',
    'dist/main/kubectl.mjs',
    'package.json',
  ].sort();
  expect(packed).toEqual(wanted);
}, 30_000);

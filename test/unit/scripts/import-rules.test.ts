import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

/** For each rule an import that breaks it, and for some a near one that does not. */
const ALLOWED: readonly (readonly [from: string, to: string])[] = [
  ['src/api/backup.ts', '../lib/bytes.ts'],
  ['src/archive/age/header.ts', 'node:crypto'],
  ['src/controllers/backup/decide.ts', '../../manifests/job.ts'],
  ['src/controllers/backup/observe.ts', '../../kube/client.ts'],
  ['src/manifests/job.ts', '../engines/pods.ts'],
  ['src/engines/mysql/dump.ts', '../shared.ts'],
  ['src/engines/mysql/load.ts', 'pg'],
  ['src/main/controller.ts', '../controllers/reconcile.ts'],
  ['src/cli/list.ts', '../kube/client.ts'],
  ['src/main/kubectl.ts', '../cli/program.ts'],
];

const FORBIDDEN: Readonly<Record<string, readonly [from: string, to: string]>> = {
  'no-circular': ['src/lib/one.ts', './two.ts'],
  'lib-knows-nothing': ['src/lib/duration.ts', '../api/meta.ts'],
  'api-imports-lib-only': ['src/api/restore.ts', '../archive/layout.ts'],
  'pure-is-pure': ['src/policy/schedule.ts', '../platform/clock.ts'],
  'pure-does-no-io': ['src/archive/manifest.ts', 'node:fs'],
  'pure-talks-to-nobody': ['src/controllers/backup/status.ts', 'pg'],
  'decide-sees-no-acting-controller': ['src/controllers/restore/states.ts', './observe.ts'],
  'operator-sees-engines-through-pods': ['src/controllers/apply.ts', '../engines/postgres/dump.ts'],
  'plugins-are-strangers': ['src/engines/postgres/load.ts', '../mysql/load.ts'],
  'runner-never-sees-the-cluster': ['src/runner/backup.ts', '../kube/client.ts'],
  'cli-knows-the-cluster-only': ['src/cli/backup.ts', '../controllers/backup/status.ts'],
  'only-people-use-the-cli': ['src/controllers/report.ts', '../cli/words.ts'],
  'only-main-wires': ['src/controllers/reconcile.ts', '../main/runner.ts'],
};

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-rules-'));
  write(
    'tsconfig.json',
    '{ "compilerOptions": { "module": "nodenext", "allowImportingTsExtensions": true, "noEmit": true } }',
  );
  write('package.json', '{ "type": "module", "dependencies": { "pg": "*" } }');
  write(
    'node_modules/pg/package.json',
    '{ "name": "pg", "version": "1.0.0", "type": "module", "exports": "./index.js" }',
  );
  write('node_modules/pg/index.js', 'export const value = 1;');
});

afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

function writeImports(imports: readonly (readonly [from: string, to: string])[]): void {
  for (const [from, to] of imports) {
    const target = join(dirname(from), to);
    if (to.startsWith('.') && !imports.some(([other]) => other === target)) write(target, 'export const value = 1;');
    write(from, `import { value } from '${to}';\nexport const another = value;\n`);
  }
}

function check(): { status: number | null; rules: string[]; said: string } {
  const script = join(import.meta.dirname, '../../../scripts/check-imports.ts');
  const node = join(import.meta.dirname, '../../../node_modules/.bin/node');
  const { status, stderr, stdout } = spawnSync(node, [script, root], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  const rules = [...stderr.matchAll(/^([a-z-]+): src/gm)].map(([, rule]) => rule ?? '');
  return { status, rules: rules.toSorted(), said: stdout + stderr };
}

test('imports in the right direction pass', () => {
  writeImports(ALLOWED);
  expect(check()).toMatchObject({ status: 0, rules: [] });
}, 20_000);

test('each rule refuses the import that it is about, with its reason', () => {
  writeImports([...Object.values(FORBIDDEN), ['src/lib/two.ts', './one.ts']]);
  const { status, rules, said } = check();
  expect(status).toBe(1);
  expect(new Set(rules)).toEqual(new Set(Object.keys(FORBIDDEN)));
  expect(said).toContain('pure function of facts and now');
}, 20_000);

/** `npm run check`: every static check, one door. All of them run, so that one look shows all there is to mend. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** Biome takes a pipe for a terminal. */
const BIOME_COLORS = process.stdout.isTTY ? [] : ['--colors=off'];

const CHECKS: readonly { name: string; argv: readonly [string, ...string[]] }[] = [
  { name: 'types', argv: ['tsc'] },
  { name: 'lint and format', argv: ['biome', 'ci', '--error-on-warnings', ...BIOME_COLORS, '.'] },
  { name: 'import directions', argv: ['node', 'scripts/check-imports.ts'] },
  { name: 'unused files, exports and packages', argv: ['knip'] },
  { name: 'generated files', argv: ['node', 'scripts/generate.ts', '--check'] },
];

/** Programs come from node_modules/.bin, whoever called. */
const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}` };

function passes([program, ...args]: readonly [string, ...string[]]): boolean {
  const { status, error } = spawnSync(program, args, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error !== undefined) console.error(`${program}: ${error.message}`);
  return status === 0;
}

const failed = CHECKS.filter(({ name, argv }) => {
  const start = performance.now();
  const ok = passes(argv);
  console.log(`${ok ? 'ok' : 'FAILED'}: ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return !ok;
});
if (failed.length > 0) {
  console.error(`check failed: ${failed.map(({ name }) => name).join(', ')}`);
  process.exitCode = 1;
}

/**
 * Holds src/ to the rules of scripts/lint/import-rules.ts. The tool alone would be green where its parser sees no file at all
 * (as it does with a TypeScript that it does not know), so the files that it looked at are counted against those that exist.
 */
import { globSync } from 'node:fs';
import { join } from 'node:path';
import './lint/swc-using.ts';
import { cruise, type IViolation } from 'dependency-cruiser';
import { options, rules } from './lint/import-rules.ts';

/** Another tree only for the test of the rules. */
const root = process.argv[2] ?? join(import.meta.dirname, '..');

function describe(violation: IViolation, comments: ReadonlyMap<string, string>): string {
  const path = violation.cycle?.map(({ name }) => name).join(' → ') ?? violation.to;
  return `${violation.rule.name}: ${violation.from} → ${path}\n  ${comments.get(violation.rule.name) ?? ''}`;
}

const { output } = await cruise(['src'], { ...options, baseDir: root, validate: true, ruleSet: { forbidden: rules } });
if (typeof output === 'string') throw new Error(`dependency-cruiser answered text: ${output}`);

const comments = new Map(rules.map(({ name, comment }) => [name, comment]));
const problems = output.summary.violations.map((violation) => describe(violation, comments));

const seen = new Set(output.modules.map(({ source }) => source));
const unseen = globSync('src/**/*.ts', { cwd: root }).filter((file) => !seen.has(file));
if (unseen.length > 0) problems.push(`not looked at, so the rules were not checked there: ${unseen.join(', ')}`);

for (const problem of problems) console.error(problem);
console.log(`${seen.size} modules, ${problems.length} problems`);
if (problems.length > 0) process.exitCode = 1;

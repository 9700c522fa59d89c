/** The kubectl plugin: reads the command line, runs one command, says what went wrong, and ends with its exit code. */
import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { explain } from '../cli/explain.ts';
import { EXIT, Output } from '../cli/output.ts';
import { newProgram } from '../cli/program.ts';
import type { Cli } from '../cli/session.ts';
import { HoldfastError } from '../lib/errors.ts';
import { now } from '../platform/clock.ts';

/** As shells report a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** After Ctrl-C, for what is under way to come to its end. */
const GRACE_MS = 2_000;

const output = new Output(process.stdout, process.stderr, process.env);
const ending = new AbortController();

process.on('SIGINT', () => {
  if (ending.signal.aborted) process.exit(INTERRUPTED);
  ending.abort();
  setTimeout(() => process.exit(INTERRUPTED), GRACE_MS).unref();
});
// `list | head -1` has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) =>
  process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed),
);

const cli: Cli = { output, env: process.env, stdin: process.stdin, now, signal: ending.signal };

await main();

async function main(): Promise<void> {
  const program = newProgram(cli, version(), (code) => {
    process.exitCode = code;
  });
  try {
    await program.parseAsync(process.argv);
  } catch (caught) {
    process.exitCode = failed(caught, program.opts());
  }
}

function failed(caught: unknown, options: { readonly namespace?: string }): number {
  // It has said what is wrong with the line already; help and version are no failures.
  if (caught instanceof CommanderError) return caught.exitCode === 0 ? EXIT.ok : EXIT.usage;
  output.failure(explain(caught, options));
  if (process.env['HOLDFAST_DEBUG']) output.say(caught instanceof Error ? (caught.stack ?? '') : String(caught));
  if (!(caught instanceof HoldfastError)) return EXIT.failed;
  if (caught.reason === 'Interrupted') return INTERRUPTED;
  return caught.reason === 'Usage' ? EXIT.usage : EXIT.failed;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

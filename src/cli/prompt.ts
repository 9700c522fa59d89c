/** Questions to a person. The questions are talk, so they go to standard error; the answers are never printed. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { HoldfastError } from '../lib/errors.ts';
import type { Cli } from './session.ts';

/** Whether there is somebody to ask. */
export function canAsk({ stdin }: Pick<Cli, 'stdin'>): boolean {
  return stdin.isTTY === true;
}

export async function ask(cli: Cli, question: string): Promise<string> {
  return (await read(cli, question, process.stderr)).trim();
}

/** Nothing of what is typed appears on the screen. */
export async function askHidden(cli: Cli, question: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    return await read(cli, question, nowhere);
  } finally {
    process.stderr.write('\n');
  }
}

async function read(cli: Cli, question: string, screen: Writable): Promise<string> {
  // From here on the terminal itself echoes nothing: what is pasted at once does not show either.
  const lines = createInterface({ input: cli.stdin, output: screen, terminal: true, historySize: 0 });
  const left = new AbortController();
  // Ctrl-C and the end of the input (Ctrl-D) are no answer.
  lines.once('SIGINT', () => left.abort());
  lines.once('close', () => left.abort());
  if (screen !== process.stderr) process.stderr.write(question);
  try {
    return await lines.question(question, { signal: AbortSignal.any([left.signal, cli.signal]) });
  } catch {
    throw new HoldfastError('NotConfirmed', 'Nothing was done.');
  } finally {
    lines.close();
  }
}

/**
 * The rules of what is printed where.
 *
 * - Standard output has the answer and nothing else, so that it can be piped: a table, JSON, YAML, a key, a name.
 * - Standard error has the talk: progress, questions, warnings, errors with cause and next step.
 * - Colours and moving lines only on a terminal; NO_COLOR and TERM=dumb turn colours off.
 * - With `-o json` or `-o yaml` standard output is what the API server knows, unabridged; a program never parses a table.
 * - Exit codes: see EXIT.
 */
import type { Writable } from 'node:stream';
import { stringify } from 'yaml';
import type { Failure } from '../lib/errors.ts';
import { cut } from '../lib/text.ts';
import { coloured, harmless, type Paint, plain } from './style.ts';

/** What a program that calls us may rely on. */
export const EXIT = {
  ok: 0,
  /** Asked rightly, and it failed; or `doctor` and `validate` found something wrong. */
  failed: 1,
  /** Asked wrongly: an unknown command or option, a missing argument. */
  usage: 2,
} as const;

export const FORMATS = ['json', 'yaml', 'wide'] as const;
export type Format = (typeof FORMATS)[number];

/** A stream that may be a terminal. */
export interface Screen extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export class Output {
  private readonly stdout: Screen;
  private readonly stderr: Screen;
  /** For standard output. */
  readonly paint: Paint;
  /** For standard error. */
  readonly paintTalk: Paint;
  /** Whether a line on standard error may be rewritten. */
  readonly moving: boolean;
  private lineIsOpen = false;
  private onScreen = false;

  constructor(stdout: Screen, stderr: Screen, env: NodeJS.ProcessEnv) {
    this.stdout = stdout;
    this.stderr = stderr;
    const colours = !env['NO_COLOR'] && env['TERM'] !== 'dumb';
    this.paint = colours && stdout.isTTY === true ? coloured : plain;
    this.paintTalk = colours && stderr.isTTY === true ? coloured : plain;
    this.moving = stderr.isTTY === true && env['TERM'] !== 'dumb';
  }

  /** Whether a person looks at standard output. */
  get isScreen(): boolean {
    return this.stdout.isTTY === true;
  }

  get width(): number {
    // A terminal that does not know its size says 0.
    return this.stderr.columns || this.stdout.columns || 100;
  }

  /** The answer; a line end is added. */
  data(text: string): void {
    this.endLine();
    this.stdout.write(`${text}\n`);
  }

  /** Whole objects, for programs. */
  objects(value: unknown, format: 'json' | 'yaml'): void {
    this.data(format === 'json' ? JSON.stringify(value, null, 2) : stringify(value, { lineWidth: 0 }).trimEnd());
  }

  /** A screen of its own, which the next one takes the place of; what stood there before comes back with {@link leaveScreen}. */
  screen(text: string): void {
    const lines = text.split('\n').slice(0, Math.max(1, (this.stdout.rows || 50) - 1));
    const enter = this.onScreen ? '' : '\u001b[?1049h';
    this.onScreen = true;
    // Line by line over what is there: wiping first would flicker.
    this.stdout.write(`${enter}\u001b[H${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`);
  }

  leaveScreen(): void {
    if (this.onScreen) this.stdout.write('\u001b[?1049l');
    this.onScreen = false;
  }

  /** Something on the way; a line end is added. */
  say(text: string): void {
    this.endLine();
    this.stderr.write(`${text}\n`);
  }

  warn(text: string): void {
    this.say(`${this.paintTalk('yellow', 'warning:')} ${harmless(text)}`);
  }

  /** The one line that shows how far something is; the next one takes its place. */
  progress(text: string): void {
    this.stderr.write(`\r\u001b[2K${cut(text, this.width - 1)}`);
    this.lineIsOpen = true;
  }

  /** What went wrong, why, and what to do next. */
  failure({ message, hint }: Pick<Failure, 'message' | 'hint'>): void {
    this.say(`${this.paintTalk('red', 'error:')} ${harmless(message)}`);
    if (hint !== undefined) this.say(`${this.paintTalk('cyan', 'next:')}  ${harmless(hint)}`);
  }

  private endLine(): void {
    if (this.lineIsOpen) this.stderr.write('\r\u001b[2K');
    this.lineIsOpen = false;
  }
}

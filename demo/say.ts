/** What the demo tells the person in front of it, and how. The only place that writes to the terminal. */
import { formatDuration } from '../src/lib/duration.ts';

const out = process.stdout;
const isTerminal = out.isTTY === true && process.env['TERM'] !== 'dumb';
const colours = isTerminal && process.env['NO_COLOR'] === undefined;

const paint = (code: string, text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = (text: string) => paint('1', text);
const dim = (text: string) => paint('2', text);
const green = (text: string) => paint('32', text);
const red = (text: string) => paint('31', text);

const INDENT = '   ';

/** Without a terminal nobody sees a spinner, but somebody reads the log and wonders whether it hangs. */
const HEARTBEAT_MS = 15_000;

/** What is over sooner needs no line that it began. */
const FIRST_BEAT_MS = 3_000;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const SPIN_MS = 120;

export function line(text = ''): void {
  out.write(`${text}\n`);
}

export function title(text: string): void {
  line(`\n${bold(text)}`);
}

/** What a step is about to show, in a sentence or two. */
export function tell(text: string): void {
  for (const part of wrapped(text)) line(`${INDENT}${part}`);
}

/** The command that somebody would type for what happens next. */
export function command(text: string): void {
  line(`${INDENT}${dim('$')} ${dim(text)}`);
}

/** What a step has proven. */
export function proof(text: string): void {
  const [first = '', ...rest] = wrapped(text);
  line(`${INDENT}${green('✓')} ${first}`);
  for (const part of rest) line(`${INDENT}  ${part}`);
}

export function block(text: string): void {
  if (text.trim() === '') return;
  for (const part of text.trimEnd().split('\n')) line(`${INDENT}  ${part}`);
}

export function problem(text: string): void {
  line(`\n${red('✗')} ${text}`);
}

/** What a long wait may say about itself. */
export interface Progress {
  update(text: string): void;
}

/** Runs `work` and shows that it is under way, in a terminal and in a log alike. */
export async function during<T>(label: string, work: (progress: Progress) => Promise<T>): Promise<T> {
  const started = performance.now();
  const wait = { label, detail: '', elapsed: () => formatDuration(performance.now() - started) };
  const stop = isTerminal ? spin(wait) : beat(wait);
  try {
    const result = await work({
      update: (text) => {
        wait.detail = text;
      },
    });
    stop();
    line(`${INDENT}${green('✓')} ${label} ${dim(wait.elapsed())}`);
    return result;
  } finally {
    stop();
  }
}

interface Wait {
  readonly label: string;
  detail: string;
  elapsed(): string;
}

function spin(wait: Wait): () => void {
  let frame = 0;
  const draw = () => {
    frame += 1;
    const detail = wait.detail === '' ? '' : ` · ${wait.detail}`;
    const text = `${SPINNER[frame % SPINNER.length]} ${wait.label} ${wait.elapsed()}${detail}`;
    out.write(`\r\u001b[2K${INDENT}${dim(cut(text))}`);
  };
  draw();
  const timer = setInterval(draw, SPIN_MS);
  return () => {
    clearInterval(timer);
    out.write('\r\u001b[2K');
  };
}

function beat(wait: Wait): () => void {
  const tell = () => line(`${INDENT}… ${wait.label} ${wait.elapsed()}${wait.detail === '' ? '' : ` · ${wait.detail}`}`);
  const first = setTimeout(tell, FIRST_BEAT_MS);
  const timer = setInterval(tell, HEARTBEAT_MS);
  return () => {
    clearTimeout(first);
    clearInterval(timer);
  };
}

/** A spinner's line must not wrap: the next frame could not wipe it. */
function cut(text: string): string {
  const width = (out.columns || 100) - INDENT.length - 1;
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

function wrapped(text: string): string[] {
  const width = Math.min(out.columns || 100, 100) - INDENT.length - 2;
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(/\s+/)) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current);
      current = word;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  return current === '' ? lines : [...lines, current];
}

import { Writable } from 'node:stream';
import type { HoldfastError } from '../../lib/errors.ts';
import { type Exit, type Program, type ProgramSpec, startReading, startWriting } from '../../platform/subprocess.ts';
import type { ReadingProgram, WritingProgram } from '../engine.ts';
import { interruption } from './faults.ts';
import { problemOf } from './last-words.ts';

export interface ProgramJob extends Pick<ProgramSpec, 'command' | 'args' | 'env'> {
  /** When it aborts, the program dies and `done` rejects with the reason. */
  readonly signal: AbortSignal;
  /** What to say when the program fails. */
  explain(problem: string, exit: Exit): HoldfastError | Promise<HoldfastError>;
}

/** `output` is the program's own pipe, so that another program can be joined to it. */
export function readingProgram(job: ProgramJob): ReadingProgram {
  const program = startReading(job);
  return { output: program.stdout, done: judged(program, job), kill: () => program.kill() };
}

/**
 * The last piece is handed to the program only when the input is ended, so it can never finish its work on data that its
 * sender did not call whole; closing the input in any other way kills the program.
 */
export function writingProgram(job: ProgramJob): WritingProgram {
  const program = startWriting(job);
  let held: Buffer | undefined;
  let whole = false;
  const pass = (piece: Buffer | undefined, done: (error?: Error | null) => void) =>
    piece === undefined ? done() : program.stdin.write(piece, done);

  const input = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const previous = held;
      held = chunk;
      pass(previous, done);
    },
    final(done) {
      pass(held, (error) => {
        whole = error === undefined || error === null;
        program.stdin.end();
        done(error);
      });
    },
    destroy(error, done) {
      if (!whole) program.kill({ now: true });
      done(error);
    },
  });
  // How the program ended is told by `done`; a broken pipe is only its echo.
  input.on('error', () => {});
  const incomplete = () => (whole ? undefined : 'it ended before its data did');
  return { input, done: judged(program, job, incomplete), kill: () => program.kill({ now: true }) };
}

function judged(
  program: Program,
  job: ProgramJob,
  objection: () => string | undefined = () => undefined,
): Promise<void> {
  const done = judge(program, job, objection);
  // Whoever waits for the bytes first must not make an early failure an unhandled one.
  done.catch(() => {});
  return done;
}

async function judge(program: Program, job: ProgramJob, objection: () => string | undefined): Promise<void> {
  const exit = await program.done;
  const problem = problemOf(exit) ?? objection();
  if (problem === undefined) return;
  if (job.signal.aborted) throw interruption(job.signal.reason);
  throw await job.explain(problem, exit);
}

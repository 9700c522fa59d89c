/** How stages are joined: bytes move at the pace of the slowest, and the first failure ends all of them. */
import { HoldfastError } from '../lib/errors.ts';
import { exitProblem, type Program } from '../platform/subprocess.ts';
import { isSymptom } from '../platform/writing.ts';

/** Runs tasks that lean on each other to their ends. The first failure aborts `stop`, which must end the others, and is the one thrown. */
export async function together(stop: AbortController, tasks: readonly Promise<void>[]): Promise<void> {
  let first: { readonly caught: unknown } | undefined;
  const watched = tasks.map((task) =>
    task.catch((caught: unknown) => {
      first ??= { caught };
      stop.abort(caught);
    }),
  );
  await Promise.all(watched);
  if (first !== undefined) throw first.caught;
}

/** Work on the pipes of a program; where they break, the failure is how the program ended. */
export async function explained(program: Program, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (caught) {
    if (!isSymptom(caught)) throw caught;
    await succeeded(program);
    throw caught;
  }
}

/** Waits for the end of a program; anything but exit code 0 is a failure, whatever it wrote before. */
export async function succeeded(program: Program): Promise<void> {
  const problem = exitProblem(await program.done);
  if (problem !== undefined) throw new HoldfastError('StageFailed', problem);
}

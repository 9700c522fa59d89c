import { waitFor } from '../cluster/wait.ts';

/** Until an operator has done what takes it a moment, on a machine that is busy with other things too. */
export const until = (there: () => Promise<boolean>, what: string): Promise<void> =>
  waitFor(there, { timeoutMs: 20_000, everyMs: 30, otherwise: () => what });

import type { Forceable } from './force.ts';
import type { Selection } from './postgresql-selection.ts';

/** What a person decided about a restore beyond from where to where. */
export interface RestoreChoices {
  /**
   * The unprivileged role that loads and owns all that is restored, for an archive that is not trusted. Absent: whoever owned
   * it in the archive.
   */
  readonly owner?: string;
  /** Skip: nothing is granted that the archive grants. Absent: Preserve. */
  readonly privileges?: 'Preserve' | 'Skip';
  /** Only this part of the archive. Absent: all of it. */
  readonly selection?: Selection;
  /** How many connections load at once. Absent: one. */
  readonly streams?: number;
  /** Of a whole server: what becomes of roles that are there already. Absent: Skip, they stay as they are. */
  readonly rolesOnConflict?: 'Fail' | 'Skip' | 'Replace';
  /** Refusals that the person takes on. */
  readonly force?: readonly Forceable[];
}

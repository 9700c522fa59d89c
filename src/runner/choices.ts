import type { RestoreChoices } from '../api/choices.ts';

/** The choices among what else a task says. */
export function choicesOf({
  owner,
  privileges,
  selection,
  streams,
  rolesOnConflict,
  force,
}: RestoreChoices): RestoreChoices {
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(privileges === undefined ? {} : { privileges }),
    ...(selection === undefined ? {} : { selection }),
    ...(streams === undefined ? {} : { streams }),
    ...(rolesOnConflict === undefined ? {} : { rolesOnConflict }),
    ...(force === undefined ? {} : { force }),
  };
}

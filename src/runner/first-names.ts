import { DATABASES_NAMED, TERMINATION_MESSAGE_LIMIT } from '../api/task.ts';

/** The rest of a report has room beside them. */
const NAMES_BYTES = TERMINATION_MESSAGE_LIMIT - 1024;

/** As many of the names as a report can tell: the first ones. */
export function firstNames(names: readonly string[]): readonly string[] {
  const told: string[] = [];
  for (const name of names.slice(0, DATABASES_NAMED)) {
    if (Buffer.byteLength(JSON.stringify([...told, name])) > NAMES_BYTES) break;
    told.push(name);
  }
  return told;
}

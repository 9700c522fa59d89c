import { KubeError } from './errors.ts';

/** As the API server says it of each field of an apply that the kind in the cluster does not have. */
const UNDECLARED = /\.status\.([A-Za-z0-9]+)\S*: field not declared in schema/g;

/**
 * An operator may be newer than the kinds in its cluster: its image was changed first. Such a kind refuses the whole status for
 * the sake of one field that it does not have, and nothing would be told at all. Returns the status without those fields, or
 * undefined where that is not why it was refused. Pure.
 */
export function withoutUndeclared(status: object, caught: unknown): object | undefined {
  if (!(caught instanceof KubeError)) return undefined;
  const gone = new Set([...caught.message.matchAll(UNDECLARED)].map(([, field]) => field));
  const kept = Object.entries(status).filter(([field]) => !gone.has(field));
  return kept.length === Object.keys(status).length ? undefined : Object.fromEntries(kept);
}

import type { Place } from './cluster.ts';
import { groupOf, type KindRef } from './kinds.ts';

/** Path of a collection; without a namespace, of all namespaces. */
export function collectionPath(kind: KindRef, namespace?: string): string {
  const root = groupOf(kind) === '' ? `/api/${kind.apiVersion}` : `/apis/${kind.apiVersion}`;
  const inNamespace = namespace === undefined ? '' : `/namespaces/${segment(namespace)}`;
  return `${root}${inNamespace}/${kind.plural}`;
}

export function objectPath(kind: KindRef, place: Place, subresource?: 'status' | 'scale'): string {
  const path = `${collectionPath(kind, place.namespace)}/${segment(place.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** One path segment, whatever the name holds. Empty, `.` and `..` would name another resource. */
function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') throw new Error(`"${text}" names no object`);
  return encodeURIComponent(text);
}

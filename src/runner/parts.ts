import { HEADER_LIMIT } from '../archive/age/header.ts';
import { type Contents, partsIn } from '../archive/contents.ts';
import type { Manifest, ManifestSegment } from '../archive/manifest.ts';

/**
 * Manifest and contents are two objects, and what a restore loads is what both of them name: a part that only one of
 * them knows would be missing from the restored database without a word. Returns what is wrong, if anything. Pure.
 */
export function partsProblem(manifest: Pick<Manifest, 'segments'>, contents: Contents): string | undefined {
  const stored = [...new Set(manifest.segments.map(({ part }) => part))].sort((a, b) => a - b);
  const told = partsIn(contents)
    .map(({ part }) => part)
    .sort((a, b) => a - b);
  if (stored.join() === told.join()) return undefined;
  return `its manifest has the parts ${stored.join(', ')}, and its contents the parts ${told.join(', ')}`;
}

/** What is wrong with a segment as the manifest describes it, before a byte of it is fetched. Pure. */
export function segmentProblem({ key, size, header, payload }: ManifestSegment): string | undefined {
  const headerBytes = header?.size ?? 0;
  if (headerBytes > HEADER_LIMIT)
    return `the header of ${key} is said to have ${headerBytes} bytes, which none of ours has`;
  if (headerBytes + payload.size !== size) return `header and payload of ${key} do not add up to its ${size} bytes`;
  return undefined;
}

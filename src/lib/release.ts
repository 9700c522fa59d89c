/** Versions as applications write them, which is looser than semver. Pure. */
import { comparePrerelease } from './semver.ts';

export interface Release {
  /** Four numbers; those that were not written are 0. */
  readonly numbers: readonly [number, number, number, number];
  /** Identifiers behind the hyphen; empty for a release. */
  readonly prerelease: readonly string[];
}

/** The grammar in words, for messages. */
export const RELEASE_GRAMMAR = 'one to four numbers with dots, such as 1.24.3 or v2.0.0-rc.1';

/** Nine digits are exact as a number, and a year with month and day fits. */
const PATTERN =
  /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/i;

/** Undefined where it is no version. What stands behind a `+` tells builds apart that are one release, and is left out. */
export function parseRelease(text: string): Release | undefined {
  const [found, a, b, c, d, prerelease] = PATTERN.exec(text.trim()) ?? [];
  if (found === undefined) return undefined;
  const number = (digits: string | undefined) => Number(digits ?? 0);
  return { numbers: [number(a), number(b), number(c), number(d)], prerelease: prerelease?.split('.') ?? [] };
}

/** Below 0 where `a` came before `b`. */
export function compareReleases(a: Release, b: Release): number {
  return compareNumbers(a.numbers, b.numbers) || comparePrerelease(a.prerelease, b.prerelease);
}

/** As {@link compareReleases}, of the first two numbers alone: 1.24.3 and 1.24.0-rc.1 are of one series. */
export function compareSeries(a: Release, b: Release): number {
  return compareNumbers(a.numbers.slice(0, 2), b.numbers.slice(0, 2));
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  const differs = a.findIndex((number, index) => number !== b[index]);
  return differs < 0 ? 0 : (a[differs] ?? 0) - (b[differs] ?? 0);
}

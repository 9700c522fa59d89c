interface SemanticVersion {
  readonly numbers: readonly number[];
  /** Identifiers behind the hyphen; empty for a release. */
  readonly prerelease: readonly string[];
}

const PATTERN = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

function parse(text: string): SemanticVersion | undefined {
  const [, major, minor, patch, prerelease] = PATTERN.exec(text) ?? [];
  if (major === undefined) return undefined;
  return { numbers: [major, minor, patch].map(Number), prerelease: prerelease?.split('.') ?? [] };
}

/** Whether `a` is a later version than `b`, by the rules of semver.org. What is no version, or absent, is older than any. */
export function isLater(a: string | undefined, b: string | undefined): boolean {
  const [left, right] = [parse(a ?? ''), parse(b ?? '')];
  if (left === undefined || right === undefined) return left !== undefined;
  const byNumbers = compare(left.numbers, right.numbers, (x, y) => x - y);
  return (byNumbers || comparePrerelease(left.prerelease, right.prerelease)) > 0;
}

/** The first difference counts; of two that are the same so far, the longer one is later. */
function compare<T>(a: readonly T[], b: readonly T[], by: (x: T, y: T) => number): number {
  for (const [index, x] of a.entries()) {
    const y = b[index];
    if (y === undefined) return 1;
    const difference = by(x, y);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** 1.0.0-rc.1 comes before 1.0.0. */
export function comparePrerelease(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  return compare(a, b, compareIdentifiers);
}

/** Numbers by their value and before words; words by their bytes. */
function compareIdentifiers(a: string, b: string): number {
  const [x, y] = [a, b].map((text) => (/^\d+$/.test(text) ? Number(text) : undefined));
  if (x !== undefined && y !== undefined) return x - y;
  if (x !== undefined || y !== undefined) return x === undefined ? 1 : -1;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Small turns of phrase. Pure. */
import { formatDuration } from '../lib/duration.ts';

/** `4m10s`: how long ago an instant of the API is. Undefined where there is none. */
export function age(time: string | undefined, now: Date): string | undefined {
  return time === undefined ? undefined : shortSpan(now.getTime() - Date.parse(time));
}

/** As kubectl rounds ages: one unit once it is large. */
export function shortSpan(milliseconds: number): string {
  const text = formatDuration(milliseconds);
  const [first = '', second = ''] = text.match(/\d+[dhms]/g) ?? [];
  const large = Number.parseInt(first, 10) >= 10 || first.endsWith('s');
  return large ? first : `${first}${second}`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function list(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} and ${last}`;
}

/** The known word that was probably meant; undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const scored = known.map((candidate) => ({ candidate, distance: distance(word, candidate) }));
  const best = scored.sort((a, b) => a.distance - b.distance)[0];
  if (best === undefined) return undefined;
  const near = best.distance <= Math.max(2, Math.floor(word.length / 4));
  // Somebody who typed the beginning of a long generated name meant the newest of those.
  return near
    ? best.candidate
    : [...known].sort().findLast((candidate) => word.length >= 3 && candidate.startsWith(word));
}

/** How many letters have to be added, left out, changed or swapped with their neighbour. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

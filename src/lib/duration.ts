/** One or more `<number><unit>`, units s, m, h, d, w: `90s`, `1h30m`, `14d`. The only grammar of durations in our kinds. */
export const DURATION_PATTERN = '^([0-9]+(s|m|h|d|w))+$';

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

/** Milliseconds of a duration such as `1h30m`. Throws on text that does not match {@link DURATION_PATTERN}. */
export function parseDuration(text: string): number {
  if (!new RegExp(DURATION_PATTERN).test(text)) {
    throw new Error(`"${text}" is no duration: write numbers with s, m, h, d or w, such as 90s or 1h30m`);
  }
  let seconds = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)([smhdw])/g)) {
    seconds += Number(digits) * SECONDS[unit as keyof typeof SECONDS];
  }
  return seconds * 1000;
}

/** The shortest faithful way to say a span to a person: `3s`, `4m10s`, `2h5m`, `3d4h`. */
export function formatDuration(milliseconds: number): string {
  let rest = Math.max(0, Math.round(milliseconds / 1000));
  const words: string[] = [];
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const count = Math.floor(rest / SECONDS[unit]);
    rest -= count * SECONDS[unit];
    if (count > 0) words.push(`${count}${unit}`);
  }
  return words.slice(0, 2).join('') || '0s';
}

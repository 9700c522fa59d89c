/**
 * The text of a schedule: five fields as in crontab(5), the macros, names of months and days, and Jenkins' `H`, a fixed
 * value drawn by a hash, so that a hundred nightly schedules do not all start at midnight. Pure.
 */
import { shortHash } from '../api/names.ts';

export interface Cron {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  /** 0 is Sunday. */
  readonly daysOfWeek: ReadonlySet<number>;
  /** Both day fields are restricted: then a day that fits either one fits, as crontab(5) has it. */
  readonly eitherDay: boolean;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

const FIELDS = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: 7, names: DAYS },
] as const satisfies readonly Field[];

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Longer text is no schedule that a person wrote. */
const MAX_LENGTH = 256;

/**
 * Reads a schedule; `seed` (namespace/name) decides what `H` is. Throws an Error that names the field and what it may be.
 */
export function parseCron(text: string, seed: string): Cron {
  if (text.length > MAX_LENGTH) throw new Error(`longer than ${MAX_LENGTH} characters`);
  const trimmed = text.trim();
  const plain = trimmed.startsWith('@') ? MACROS[trimmed.toLowerCase()] : trimmed;
  if (plain === undefined) throw new Error(`${trimmed} is no macro: use one of ${Object.keys(MACROS).join(', ')}`);
  const words = plain.split(/\s+/);
  if (words.length !== FIELDS.length) {
    throw new Error(`${words.length} fields instead of 5 (minute, hour, day of month, month, day of week)`);
  }
  const [minutes, hours, daysOfMonth, months, days] = FIELDS.map((field, index) =>
    parseField(words[index] ?? '', field, `${seed}/${field.name}`),
  ) as [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];
  const daysOfWeek = new Set([...days].map((day) => day % 7));
  return {
    minutes,
    hours,
    daysOfMonth,
    months,
    daysOfWeek,
    eitherDay: isRestricted(words[2]) && isRestricted(words[4]),
  };
}

/** In crontab(5) a day field that begins with a star is not a restriction, steps or not. */
function isRestricted(word: string | undefined): boolean {
  return word !== undefined && !word.startsWith('*') && word !== '?';
}

function parseField(word: string, field: Field, seed: string): Set<number> {
  const values = new Set<number>();
  for (const part of word.split(',')) {
    for (const value of parsePart(part, field, seed)) values.add(value);
  }
  return values;
}

/** One of `*`, `?`, `7`, `1-5`, `H`, `H(1-5)`, each with an optional `/step`. */
function parsePart(part: string, field: Field, seed: string): number[] {
  const match = /^(?:(\*|\?)|(H)(?:\(([^()]+)\))?|([^/]+))(?:\/([0-9]{1,4}))?$/.exec(part);
  if (match === null) throw new Error(`${field.name}: "${part}" is not understood`);
  const [, star, hashed, hashRange, values, stepText] = match;
  const step = stepText === undefined ? undefined : Number(stepText);
  if (step === 0) throw new Error(`${field.name}: a step of 0 never comes`);
  // A day of week may be written 7, but H and * run over seven days only.
  const whole: [number, number] = [field.min, field.max === 7 ? 6 : field.max];
  if (star !== undefined) return every(whole, step ?? 1);
  if (hashed !== undefined)
    return hash(hashRange === undefined ? hashable(field, whole) : parseRange(hashRange, field), step, seed);
  const range = parseRange(values ?? '', field);
  if (step !== undefined && !values?.includes('-')) return every([range[0], whole[1]], step);
  return every(range, step ?? 1);
}

/** Every month has a 28th. */
function hashable(field: Field, whole: [number, number]): [number, number] {
  return field.max === 31 ? [1, 28] : whole;
}

function hash([from, to]: [number, number], step: number | undefined, seed: string): number[] {
  const span = Math.min(step ?? Number.POSITIVE_INFINITY, to - from + 1);
  const first = from + (Number.parseInt(shortHash([seed], 8), 16) % span);
  return step === undefined ? [first] : every([first, to], step);
}

function parseRange(text: string, field: Field): [number, number] {
  const [fromText = '', toText, ...rest] = text.split('-');
  if (rest.length > 0) throw new Error(`${field.name}: "${text}" is not understood`);
  const from = parseValue(fromText, field);
  const to = toText === undefined ? from : parseValue(toText, field);
  if (from > to) throw new Error(`${field.name}: ${text} runs backwards`);
  return [from, to];
}

function parseValue(text: string, field: Field): number {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + field.min;
  const value = Number(text);
  if (!/^[0-9]{1,2}$/.test(text) || value < field.min || value > field.max) {
    throw new Error(`${field.name}: "${text}" is not within ${field.min}-${field.max}`);
  }
  return value;
}

function every([from, to]: [number, number], step: number): number[] {
  const values: number[] = [];
  for (let value = from; value <= to; value += step) values.push(value);
  return values;
}

/**
 * When a schedule runs. Pure: the time is an argument.
 *
 * A slot is a local minute that the cron text names. A local minute that a time zone leaves out (clocks go forward) runs
 * at the first instant after the gap; one that it has twice (clocks go back) runs the first time only.
 */
import { Temporal } from 'temporal-polyfill';
import type { Cron } from './cron.ts';

/** 29 February is at most eight years away (1896 to 1904, 2096 to 2104); what does not come in nine years never comes. */
const HORIZON_DAYS = 9 * 366;

const MINUTE = 60_000;

export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    // An offset such as +02:00 is understood as well, but is no name of a zone with its rules.
    return !/^[+-]/.test(zone);
  } catch {
    return false;
  }
}

/** The first slot after an instant; undefined where there is none, as for 31 February. */
export function nextSlot(cron: Cron, timeZone: string, after: Date): Date | undefined {
  const start = Temporal.Instant.fromEpochMilliseconds(after.getTime()).toZonedDateTimeISO(timeZone);
  // A gap's slots run after it: the slots of the day before may still be to come when clocks skip midnight.
  let day = start.toPlainDate().subtract({ days: 1 });
  const last = day.add({ days: HORIZON_DAYS });
  const times = timesOf(cron);
  while (Temporal.PlainDate.compare(day, last) <= 0) {
    if (fitsDay(cron, day)) {
      const slot = firstSlotOf(times, day, timeZone, after);
      if (slot !== undefined) return slot;
      day = day.add({ days: 1 });
    } else {
      day = cron.months.has(day.month) ? day.add({ days: 1 }) : day.with({ day: 1 }).add({ months: 1 });
    }
  }
  return undefined;
}

/**
 * The last slot within `(after, until]`: however many were missed, only the last one counts. Looks at growing windows
 * before `until`, so that it costs little whether a slot comes every minute or every year.
 */
export function lastSlot(cron: Cron, timeZone: string, after: Date, until: Date): Date | undefined {
  for (const minutes of [60, 1_440, 10_080, 44_640, 527_040, Number.POSITIVE_INFINITY]) {
    const from = new Date(Math.max(after.getTime(), until.getTime() - minutes * MINUTE));
    let found: Date | undefined;
    let slot = nextSlot(cron, timeZone, from);
    while (slot !== undefined && slot <= until) {
      found = slot;
      slot = nextSlot(cron, timeZone, slot);
    }
    if (found !== undefined || from.getTime() === after.getTime()) return found;
  }
  return undefined;
}

function fitsDay(cron: Cron, day: Temporal.PlainDate): boolean {
  if (!cron.months.has(day.month)) return false;
  const ofMonth = cron.daysOfMonth.has(day.day);
  const ofWeek = cron.daysOfWeek.has(day.dayOfWeek % 7);
  return cron.eitherDay ? ofMonth || ofWeek : ofMonth && ofWeek;
}

/** Local minutes of a day come in order as instants too (those of a gap together), so the first one after an instant is found by halving. */
function firstSlotOf(
  times: readonly number[],
  day: Temporal.PlainDate,
  timeZone: string,
  after: Date,
): Date | undefined {
  const slotAt = (index: number): Date => {
    const time = times[index] ?? 0;
    return instantOf(day.toPlainDateTime({ hour: Math.floor(time / 60), minute: time % 60 }), timeZone);
  };
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (slotAt(middle) > after) high = middle;
    else low = middle + 1;
  }
  return low < times.length ? slotAt(low) : undefined;
}

/** Minutes of the day, in order. */
function timesOf({ hours, minutes }: Cron): number[] {
  return [...hours].flatMap((hour) => [...minutes].map((minute) => hour * 60 + minute)).sort((a, b) => a - b);
}

/** The instant at which a local minute runs. */
function instantOf(local: Temporal.PlainDateTime, timeZone: string): Date {
  const earlier = local.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  const exists = Temporal.PlainDateTime.compare(earlier.toPlainDateTime(), local) === 0;
  if (exists) return new Date(earlier.epochMilliseconds);
  // In a gap 'earlier' is before it and 'later' behind it: the change lies between the two.
  const change = earlier.getTimeZoneTransition('next');
  return new Date((change ?? local.toZonedDateTime(timeZone, { disambiguation: 'later' })).epochMilliseconds);
}

/** An instant as the clock on the wall of a zone shows it, with its offset: `2026-11-25T00:17:00+01:00`. */
export function inZone(instant: Date, timeZone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(instant.getTime())
    .toZonedDateTimeISO(timeZone)
    .toString({ timeZoneName: 'never', fractionalSecondDigits: 0 });
}

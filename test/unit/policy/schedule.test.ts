import { describe, expect, test } from '@jest/globals';
import { parseCron } from '../../../src/policy/cron.ts';
import { isTimeZone, lastSlot, nextSlot } from '../../../src/policy/schedule.ts';
import fc from '../../support/fast-check.ts';

const cron = (text: string) => parseCron(text, 'shop/nightly');
const next = (text: string, zone: string, after: string) => nextSlot(cron(text), zone, new Date(after))?.toISOString();

describe('the next slot', () => {
  test.each<[string, string, string, string | undefined]>([
    ['0 2 * * *', 'Etc/UTC', '2026-11-24T01:59:59Z', '2026-11-24T02:00:00.000Z'],
    // Exactly on a slot: that one is over.
    ['0 2 * * *', 'Etc/UTC', '2026-11-24T02:00:00Z', '2026-11-25T02:00:00.000Z'],
    ['0 2 * * *', 'Europe/Paris', '2026-11-24T01:00:00Z', '2026-11-25T01:00:00.000Z'],
    ['@monthly', 'Etc/UTC', '2026-11-24T00:00:00Z', '2026-12-01T00:00:00.000Z'],
    ['0 0 29 2 *', 'Etc/UTC', '2026-11-24T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['0 0 31 2 *', 'Etc/UTC', '2026-11-24T00:00:00Z', undefined],
    // Both day fields restricted: either is enough (the 13th, and every Friday).
    ['0 0 13 * fri', 'Etc/UTC', '2026-11-08T00:00:00Z', '2026-11-13T00:00:00.000Z'],
    ['0 0 13 * fri', 'Etc/UTC', '2026-11-13T00:00:00Z', '2026-11-20T00:00:00.000Z'],
    ['0 0 * * 7', 'Etc/UTC', '2026-11-24T00:00:00Z', '2026-11-29T00:00:00.000Z'],
    ['0 */4 * * *', 'Etc/UTC', '2026-11-24T00:00:00Z', '2026-11-24T04:00:00.000Z'],
    // Clocks go forward from 02:00 to 03:00 on 29 March 2026: 02:30 runs when the gap ends.
    ['30 2 * * *', 'Europe/Paris', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z'],
    ['30 2 * * *', 'Europe/Paris', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00.000Z'],
    // Clocks go back from 03:00 to 02:00 on 25 October 2026: 02:30 runs the first time only.
    ['30 2 * * *', 'Europe/Paris', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z'],
    ['30 2 * * *', 'Europe/Paris', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00.000Z'],
    // Clocks skip midnight itself (Beirut, 29 March 2026): the day's first minute runs when the day begins.
    ['0 0 * * *', 'Asia/Beirut', '2026-03-28T12:00:00Z', '2026-03-28T22:00:00.000Z'],
    // A zone that left out a whole day (Samoa, 30 December 2011).
    ['0 12 30 12 *', 'Pacific/Apia', '2011-12-29T12:00:00Z', '2011-12-30T10:00:00.000Z'],
  ])('of "%s" in %s after %s is %s', (text, zone, after, expected) => {
    expect(next(text, zone, after)).toBe(expected);
  });
});

const ZONES = [
  'Etc/UTC',
  'Europe/Paris',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/Sao_Paulo',
  'Africa/Casablanca',
  'Pacific/Chatham',
];
const field = (min: number, max: number) =>
  fc.oneof(
    fc.constant('*'),
    fc.integer({ min, max }).map(String),
    fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
  );
const text = fc
  .tuple(field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
  .map((fields) => fields.join(' '));
const time = fc.integer({ min: 0, max: 2_208_988_800 }).map((seconds) => new Date(seconds * 1000));

/** What a clock on the wall of a zone shows, asked of Intl: an oracle that knows nothing of our arithmetic. */
function wallClock(zone: string) {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    minute: 'numeric',
    hour: 'numeric',
    day: 'numeric',
    month: 'numeric',
    year: 'numeric',
    weekday: 'short',
  });
  return (instant: Date) => Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
}

function shows(expression: ReturnType<typeof cron>, clock: Record<string, string>): boolean {
  const weekday = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'].indexOf(clock['weekday']!);
  const month = expression.daysOfMonth.has(Number(clock['day']));
  const week = expression.daysOfWeek.has(weekday);
  return (
    expression.minutes.has(Number(clock['minute'])) &&
    expression.hours.has(Number(clock['hour'])) &&
    expression.months.has(Number(clock['month'])) &&
    (expression.eitherDay ? month || week : month && week)
  );
}

describe('whatever the zone and the text', () => {
  test('every slot is after the instant it was asked for, and asking again moves on', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), text, time, (zone, words, after) => {
        const expression = cron(words);
        const first = nextSlot(expression, zone, after);
        if (first === undefined) return;
        expect(first.getTime()).toBeGreaterThan(after.getTime());
        expect(nextSlot(expression, zone, first)?.getTime() ?? Number.POSITIVE_INFINITY).toBeGreaterThan(
          first.getTime(),
        );
      }),
      { numRuns: 300 },
    );
  });

  test('no minute of the wall clock that fits is left out or run twice, over whole days with and without a change of clocks', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        fc.tuple(field(0, 59), field(0, 23)),
        fc.integer({ min: 0, max: 20_000 }),
        (zone, [minute, hour], dayNumber) => {
          const expression = cron(`${minute} ${hour} * * *`);
          const clock = wallClock(zone);
          const from = new Date(dayNumber * 86_400_000);
          const until = new Date(from.getTime() + 2 * 86_400_000);
          const seen = new Set<string>();
          const expected: number[] = [];
          for (let at = from.getTime() + 60_000; at <= until.getTime(); at += 60_000) {
            const wall = clock(new Date(at));
            const label = `${wall['year']}-${wall['month']}-${wall['day']} ${wall['hour']}:${wall['minute']}`;
            // A minute that the clock shows for the second time was in the hours before, perhaps before `from`.
            const before = clock(new Date(at - 3_600_000));
            const again =
              seen.has(label) ||
              (before['hour'] === wall['hour'] && before['minute'] === wall['minute']) ||
              isHalfHourAgain(clock, at, label);
            seen.add(label);
            if (shows(expression, wall) && !again) expected.push(at);
          }
          const slots: number[] = [];
          let slot = nextSlot(expression, zone, from);
          while (slot !== undefined && slot <= until) {
            slots.push(slot.getTime());
            slot = nextSlot(expression, zone, slot);
          }
          // Slots of a gap come on top of what the clock shows: each at the very end of a gap.
          const extra = slots.filter((at) => !expected.includes(at));
          for (const at of extra) expect(isJump(clock, at)).toBe(true);
          expect(slots.filter((at) => expected.includes(at))).toEqual(expected);
        },
      ),
      { numRuns: 12 },
    );
  });
});

/** Lord Howe moves its clocks by half an hour. */
function isHalfHourAgain(clock: ReturnType<typeof wallClock>, at: number, label: string): boolean {
  const wall = clock(new Date(at - 1_800_000));
  return `${wall['year']}-${wall['month']}-${wall['day']} ${wall['hour']}:${wall['minute']}` === label;
}

function isJump(clock: ReturnType<typeof wallClock>, at: number): boolean {
  const minutes = (instant: number) =>
    Number(clock(new Date(instant))['hour']) * 60 + Number(clock(new Date(instant))['minute']);
  return (minutes(at) - minutes(at - 60_000) + 1_440) % 1_440 !== 1;
}

describe('the last slot', () => {
  test('of many that were missed is the only one that counts', () => {
    expect(
      lastSlot(
        cron('* * * * *'),
        'Etc/UTC',
        new Date('2025-01-01T00:00:00Z'),
        new Date('2026-11-24T12:00:30Z'),
      )?.toISOString(),
    ).toBe('2026-11-24T12:00:00.000Z');
    expect(
      lastSlot(
        cron('@yearly'),
        'Etc/UTC',
        new Date('2020-01-01T00:00:00Z'),
        new Date('2026-11-24T12:00:30Z'),
      )?.toISOString(),
    ).toBe('2026-01-01T00:00:00.000Z');
  });

  test('is none where none was missed', () => {
    expect(
      lastSlot(cron('0 2 * * *'), 'Etc/UTC', new Date('2026-11-24T02:00:00Z'), new Date('2026-11-25T01:59:59Z')),
    ).toBeUndefined();
  });
});

describe('the text of a schedule', () => {
  test('H is the same for the same schedule, and spreads different ones', () => {
    const minuteOf = (seed: string) => [...parseCron('H H * * *', seed).minutes][0];
    expect(minuteOf('shop/nightly')).toBe(minuteOf('shop/nightly'));
    const minutes = new Set(Array.from({ length: 200 }, (_, index) => minuteOf(`shop/schedule-${index}`)));
    expect(minutes.size).toBeGreaterThan(50);
  });

  test.each([
    'H(0-5) * * * *',
    'H/15 * * * *',
    '0 H(1-4) H * *',
    '1,2,30-40/5 8-18 * jan-mar mon-fri',
    '0 0 ? * *',
    '@DAILY',
    '  0 0 * * *  ',
  ])('"%s" is understood', (words) => {
    expect(cron(words).minutes.size).toBeGreaterThan(0);
  });

  test.each([
    ['0 0 * *', '4 fields'],
    ['0 0 0 * * *', '6 fields'],
    ['60 * * * *', 'minute: "60"'],
    ['* 24 * * *', 'hour: "24"'],
    ['* * 0 * *', 'day of month: "0"'],
    ['* * * 13 *', 'month: "13"'],
    ['* * * * 8', 'day of week: "8"'],
    ['*/0 * * * *', 'step of 0'],
    ['5-1 * * * *', 'runs backwards'],
    ['@reboot', '@reboot is no macro'],
    ['* * L * *', 'day of month: "L"'],
    ['１ * * * *', 'minute'],
    ['-1 * * * *', 'minute'],
    ['', '1 fields'],
    ['*'.repeat(300), 'longer than 256'],
  ])('"%s" is refused: %s', (words, why) => {
    expect(() => cron(words)).toThrow(why);
  });

  test('a zone that is none is known as such, and never taken for UTC', () => {
    expect(['Europe/Paris', 'Etc/UTC', 'America/Argentina/Buenos_Aires'].map(isTimeZone)).toEqual([true, true, true]);
    expect(['Mars/Olympus', '', '+02:00', 'Europe'].map(isTimeZone)).toEqual([false, false, false, false]);
  });
});

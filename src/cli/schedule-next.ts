/** `schedule next`: when a schedule runs, in its own time zone. */

import { KIND } from '../kube/kinds.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { type Cron, parseCron } from '../policy/cron.ts';
import { inZone, isTimeZone, nextSlot } from '../policy/schedule.ts';
import { EXIT, type Format } from './output.ts';
import { type Cli, type CommonOptions, withSession } from './session.ts';
import { table } from './table.ts';
import { shortSpan } from './words.ts';

export interface ScheduleNextOptions extends CommonOptions {
  readonly count: number;
  readonly output?: Format;
}

export async function scheduleNext(cli: Cli, name: string, options: ScheduleNextOptions): Promise<number> {
  const { output } = cli;
  return withSession(cli, options, async (session) => {
    const { metadata, spec } = await session.find(KIND.backupSchedule, name);
    const zone = spec.timeZone ?? 'Etc/UTC';
    if (!isTimeZone(zone)) throw stalled(`"${zone}" is no IANA time zone, such as Europe/Paris`, 'spec.timeZone');
    const slots = nextSlots(cronOf(spec.schedule, `${metadata.namespace}/${name}`), zone, cli.now(), options.count);
    if (slots.length === 0) throw stalled(`"${spec.schedule}" never comes`, 'spec.schedule');
    if (spec.suspend === true)
      output.warn(`schedule "${name}" is suspended: none of these runs while spec.suspend is true.`);
    if (options.output === 'json' || options.output === 'yaml') {
      output.objects(
        slots.map((slot) => ({ local: inZone(slot, zone), utc: slot.toISOString() })),
        options.output,
      );
      return EXIT.ok;
    }
    const rows = slots.map((slot) => [
      inZone(slot, zone),
      `${slot.toISOString().slice(0, 19)}Z`,
      shortSpan(slot.getTime() - cli.now().getTime()),
    ]);
    output.data(table([`LOCAL (${zone})`, 'UTC', 'IN'], rows));
    return EXIT.ok;
  });
}

export function nextSlots(cron: Cron, zone: string, after: Date, count: number): Date[] {
  const slots: Date[] = [];
  let slot = nextSlot(cron, zone, after);
  while (slot !== undefined && slots.length < count) {
    slots.push(slot);
    slot = nextSlot(cron, zone, slot);
  }
  return slots;
}

function cronOf(schedule: string, seed: string): Cron {
  try {
    return parseCron(schedule, seed);
  } catch (caught) {
    throw stalled(messageOf(caught), 'spec.schedule');
  }
}

function stalled(message: string, field: string): HoldfastError {
  return new HoldfastError('InvalidSchedule', `This schedule never runs: ${message}.`, {
    hint: `Correct ${field}.`,
  });
}

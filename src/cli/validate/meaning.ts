/**
 * What the API server cannot know and the operator would put into a condition later: a date that never comes, a mistyped
 * key. Asked only of objects that the API server would take. Pure.
 */
import type { BackupKeySpec } from '../../api/backup-key.ts';
import type { BackupScheduleSpec } from '../../api/backup-schedule.ts';
import { validateRecipient } from '../../keys/recipients.ts';
import { messageOf } from '../../lib/errors.ts';
import { type Cron, parseCron } from '../../policy/cron.ts';
import { isTimeZone, nextSlot } from '../../policy/schedule.ts';
import type { Problem } from './problem.ts';

export interface Meant {
  readonly kind: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
  readonly spec: unknown;
}

export function doubts(object: Meant, now: Date): Problem[] {
  const all = [...tooManyBytes(object.spec, ['spec'])];
  if (object.kind === 'BackupKey') all.push(...mistyped(object.spec as BackupKeySpec));
  if (object.kind === 'BackupSchedule') all.push(...never(object.spec as BackupScheduleSpec, now));
  return all;
}

function mistyped({ recipients }: BackupKeySpec): Problem[] {
  return recipients.flatMap((recipient, index) => {
    try {
      validateRecipient(recipient);
      return [];
    } catch (caught) {
      return [{ path: ['spec', 'recipients', index], message: `is no age recipient: ${messageOf(caught)}` }];
    }
  });
}

function never(spec: BackupScheduleSpec, now: Date): Problem[] {
  const zone = spec.timeZone ?? 'Etc/UTC';
  if (!isTimeZone(zone)) {
    return [{ path: ['spec', 'timeZone'], message: `"${zone}" is no IANA time zone, such as Europe/Paris` }];
  }
  let cron: Cron;
  try {
    cron = parseCron(spec.schedule, '');
  } catch (caught) {
    return [{ path: ['spec', 'schedule'], message: messageOf(caught) }];
  }
  return nextSlot(cron, zone, now) === undefined
    ? [{ path: ['spec', 'schedule'], message: `"${spec.schedule}" never comes` }]
    : [];
}

/** PostgreSQL's own limit; admission counts characters. */
const DATABASE_BYTES = 63;

function tooManyBytes(value: unknown, path: readonly (string | number)[]): Problem[] {
  if (Array.isArray(value)) return value.flatMap((each, index) => tooManyBytes(each, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => {
    const isDatabase = name === 'database' || name === 'maintenanceDatabase';
    if (!isDatabase || typeof each !== 'string') return tooManyBytes(each, [...path, name]);
    const bytes = Buffer.byteLength(each);
    return bytes <= DATABASE_BYTES
      ? []
      : [
          {
            path: [...path, name],
            message: `has ${bytes} bytes in UTF-8; PostgreSQL's names have at most ${DATABASE_BYTES}`,
          },
        ];
  });
}

/** Examples applied as they are, with names and hosts replaced by those of a scene. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupSchedule } from '../../src/api/backup-schedule.ts';
import type { Scene } from './e2e-scene.ts';
import { until } from './e2e-wait.ts';
import { POSTGRES_HOST, S3_ENDPOINT } from './e2e-world.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');

/** In order; each must occur in the file, or the example and its test have come apart. */
export type Replacements = readonly (readonly [string, string])[];

export async function applyExample(scene: Scene, file: string, replacements: Replacements): Promise<void> {
  let text = await readFile(join(EXAMPLES, file), 'utf8');
  for (const [from, to] of replacements) {
    if (!text.includes(from)) throw new Error(`examples/${file} does not say ${from}`);
    text = text.replaceAll(from, to);
  }
  // Its own time may be now, and then there is a run that nobody asked for: half a day away, in every zone of the examples, is not.
  const away = (new Date().getUTCHours() + 12) % 24;
  text = text.replaceAll(/(schedule: H) (?:\d+|\*\/4) (\* \* \*)/g, `$1 ${away} $2`);
  // As a GitOps tool does it: on the server, where an unknown field is an error.
  await scene.kubectl.call(['apply', '--server-side', '-f', '-'], text);
}

export const theDatabase = (scene: Scene): Replacements => [
  ['host: postgres.shop.svc', `host: ${POSTGRES_HOST}`],
  ['database: shop', `database: ${scene.database}`],
];

export const theBucket = (scene: Scene): Replacements => [
  ['https://s3.eu-de.example.com', S3_ENDPOINT],
  ['region: eu-de', 'region: us-east-1'],
  ['bucket: acme-backups', `bucket: ${scene.bucket}`],
];

export const theKey = (scene: Scene): Replacements => [['age1CHANGE-ME', scene.recipient]];

/** One run now, rather than to wait for the night; until it has ended well. */
export async function runNow(scene: Scene, schedule: string, seconds?: number): Promise<BackupSchedule> {
  await scene.kubectl.call(['patch', 'backupschedule', schedule, '--type=merge', '-p', '{"spec":{"trigger":"now"}}']);
  return until<BackupSchedule>(
    scene.kubectl,
    'backupschedule',
    schedule,
    ({ status }) => status?.lastTrigger === 'now' && status.lastSuccessfulTime !== undefined,
    seconds === undefined ? {} : { seconds },
  );
}

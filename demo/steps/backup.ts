/** One Backup, from the object to the bytes in the bucket. */
import type { Backup, BackupStatus } from '../../src/api/backup.ts';
import { formatBytes } from '../../src/lib/bytes.ts';
import { formatDuration } from '../../src/lib/duration.ts';
import { type BucketAccess, type StoredObject, withBucket } from '../bucket.ts';
import type { Demo } from '../context.ts';
import { type Fingerprint, fingerprint } from '../database.ts';
import { example, named } from '../examples.ts';
import { applyShown } from '../files.ts';
import { Problem } from '../problem.ts';
import { block, command, during, proof, tell, title } from '../say.ts';
import { complete } from '../settled.ts';
import { ready } from './key.ts';
import { storedAccess } from './parts.ts';

export async function makeStore(demo: Demo): Promise<void> {
  title('A store');
  tell('A BackupStore says where archives go. A probe Job tries it out, with the credentials in its own namespace.');
  const store = await example('postgresql.yaml', 'BackupStore');
  await applyShown(demo.kubectl, store, 'store.yaml');
  await during('waiting until the probe has written and read', () =>
    ready(demo.kubectl, 'backupstore', store.metadata.name),
  );
  proof('The store is Ready.');
}

/** What was in the database when the backup was asked for; everything of it must come back. */
export async function backUp(demo: Demo): Promise<Fingerprint> {
  const { kubectl } = demo;
  title('A backup, while the app writes');
  tell('First a count and a checksum over everything that is in the database now; the restore is held against them.');
  const before = await fingerprint(kubectl);
  block(describe(before));

  const name = demo.name;
  await applyShown(kubectl, named(await example('postgresql.yaml', 'Backup'), name), `backup-${name}.yaml`);
  const backup = await during('backing up: dump, compress, encrypt, upload, read it all back', (progress) =>
    complete<Backup>(kubectl, 'backup', name, progress),
  );
  command(`kubectl -n ${kubectl.namespace} get backup ${name}`);
  block(await kubectl.call(['get', 'backup', name]));
  proof(summary(backup.status ?? {}));
  await lookIntoBucket(demo, backup.status?.location ?? '');
  return before;
}

export function describe(figures: Fingerprint): string {
  return `${figures.customers.toLocaleString('en')} customers, ${figures.orders.toLocaleString('en')} orders, checksum ${figures.checksum}, schema ${figures.schema}`;
}

function summary(status: BackupStatus): string {
  const { sizes, startTime, completionTime } = status;
  const took = Date.parse(completionTime ?? '') - Date.parse(startTime ?? '');
  const bytes = sizes === undefined ? '' : `${formatBytes(sizes.source)} dumped, ${formatBytes(sizes.stored)} stored, `;
  return `Complete: ${bytes}${formatDuration(took)} in all. Complete means that every byte was read back from the bucket, decrypted, decompressed, compared and parsed to the end, by a one-time key that nobody has any more.`;
}

/** Every age file begins with this line; what follows its header is ciphertext. */
const AGE = 'age-encryption.org/v1';

async function lookIntoBucket(demo: Demo, location: string): Promise<void> {
  const access = await storedAccess(demo.kubectl);
  const objects = await during('looking into the bucket', () => objectsOf(demo, access, location));
  block(objects.map(({ key, size }) => `${formatBytes(size).padStart(10)}  ${key}`).join('\n'));
  proof(`The manifest is in clear and without row data; everything else begins with "${AGE}": ciphertext.`);
}

/** The objects of a run's folder. Throws when one that should be encrypted is not. */
async function objectsOf(demo: Demo, access: BucketAccess, location: string): Promise<readonly StoredObject[]> {
  const folder = location.replace(`s3://${access.bucket}/`, '');
  return withBucket(demo.kubectl, access, async (bucket) => {
    const objects = (await bucket.list()).filter(({ key }) => key.startsWith(folder));
    for (const { key } of objects) {
      if (key.endsWith('/manifest.json')) continue;
      const beginning = await bucket.beginning(key, AGE.length);
      if (beginning.toString('latin1') !== AGE) {
        throw new Problem(`${key} is not encrypted.`, 'This must never happen: please report it.');
      }
    }
    if (objects.length === 0) throw new Problem(`There is nothing below ${location}.`, 'Please report it.');
    return objects;
  });
}

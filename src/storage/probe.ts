import { HoldfastError } from '../lib/errors.ts';
import type { Storage } from './storage.ts';

const BODY = new TextEncoder().encode(
  'Holdfast writes this object to see whether the store works. It can be deleted.\n',
);
const LIMIT = 4096;

/**
 * Tries what a backup will need: write, read back, and the conditional write by which two attempts at one backup cannot
 * both win. The writer may have no right to delete, so one small object per prefix stays, and is found the next time.
 */
export async function probeStorage(storage: Storage, prefix: string): Promise<{ readonly conditionalWrites: boolean }> {
  const folder = prefix === '' ? 'v1/.probe' : `${prefix}/v1/.probe`;
  const key = `${folder}/probe.txt`;
  await storage.put(key, BODY);
  const found = await storage.getSmall(key, LIMIT);
  if (Buffer.compare(found, BODY) !== 0) {
    throw new HoldfastError('StoreRejected', `the store gave back other bytes of ${key} than were written`, {
      outlook: 'retry',
      hint: 'See the log of the S3 server: an archive there could not be trusted.',
    });
  }
  return { conditionalWrites: await refusesSecondWrite(storage, key) };
}

/** Servers that do not know the condition either write all the same or refuse the header. */
async function refusesSecondWrite(storage: Storage, key: string): Promise<boolean> {
  try {
    await storage.put(key, BODY, { ifAbsent: true });
    return false;
  } catch (caught) {
    if (!(caught instanceof HoldfastError)) throw caught;
    if (caught.reason === 'ObjectExists') return true;
    if (caught.reason === 'StoreRejected') return false;
    throw caught;
  }
}

/** Files that hold a private key. */
import { open } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../lib/errors.ts';

/** Writes a new file that only its owner can read; one that is there already, or a link, is never touched. Reaches the disk before it returns. */
export async function writePrivate(path: string, text: string): Promise<void> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new HoldfastError(
        'FileExists',
        `${path} is there already, and may be the only copy of a key: it is not overwritten.`,
        {
          hint: 'Choose another name with --out FILE.',
        },
      );
    }
    throw new HoldfastError('FileUnwritable', `${path} cannot be written: ${messageOf(caught)}`, {
      hint: 'Choose another place with --out FILE.',
      cause: caught,
    });
  }
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

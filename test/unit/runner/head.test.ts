import { expect, test } from '@jest/globals';
import { headOf } from '../../../src/engines/postgres/dump/rewrite.ts';
import { newIdentity } from '../../../src/keys/identities.ts';
import { readHead } from '../../../src/runner/head.ts';

test('a part that cannot be decrypted ends the reader of its head, with the reason', async () => {
  const { identity } = await newIdentity('classic');
  const reading = readHead({
    read: async function* () {
      yield Buffer.from('no age file at all\n');
    },
    identities: [identity],
    start: headOf,
    signal: new AbortController().signal,
  });
  await expect(reading).rejects.toMatchObject({ reason: 'ArchiveCorrupt' });
});

test('a reader of a head that is ended before it has seen it says so, and keeps nobody waiting', async () => {
  const reader = headOf();
  reader.kill();
  await expect(reader.done).rejects.toThrow('not read to its end');
});

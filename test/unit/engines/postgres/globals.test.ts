import { expect, test } from '@jest/globals';
import { readGlobalsToEnd } from '../../../../src/engines/postgres/globals.ts';

const LAST = '--\n-- PostgreSQL database cluster dump complete\n--\n\n\\unrestrict x\n\n';

async function read(...pieces: readonly string[]): Promise<void> {
  const { input, done } = readGlobalsToEnd();
  for (const piece of pieces) input.write(Buffer.from(piece));
  input.end();
  await done;
}

test('the SQL of roles is whole where it has its last line, in however many pieces it comes', async () => {
  await read('CREATE ROLE a;\n'.repeat(9_000), LAST);
  await read('CREATE ROLE a;\n', LAST.slice(0, 20), LAST.slice(20));
});

test('the SQL of roles that ends earlier, or mentions that line before its end, is not whole', async () => {
  await expect(read('CREATE ROLE a;\n')).rejects.toMatchObject({ reason: 'DumpUnreadable' });
  await expect(read(LAST, 'CREATE ROLE a;\n'.repeat(100))).rejects.toMatchObject({ reason: 'DumpUnreadable' });
  await expect(read()).rejects.toMatchObject({ reason: 'DumpUnreadable' });
});

test('one that is killed does not wait for ever', async () => {
  const program = readGlobalsToEnd();
  program.kill();
  await expect(program.done).rejects.toMatchObject({ reason: 'DumpUnreadable' });
});

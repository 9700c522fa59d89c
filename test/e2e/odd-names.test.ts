import { expect, test } from '@jest/globals';
import { backUp, restore } from '../support/e2e-runs.ts';
import { aScene } from '../support/e2e-scene.ts';
import { sql } from '../support/e2e-world.ts';

test('a database whose name has quotes, spaces, an emoji, an equals sign and a leading dash comes back', async () => {
  const database = `--dbname= 'it"s' odd 🐘 \\`;
  await using scene = await aScene('odd-names', { database });
  await backUp(scene, 'first');
  await sql(database, 'DELETE FROM orders');
  await restore(scene, 'first', 'first');
  expect(await sql(database, 'SELECT count(*)::int AS orders FROM orders')).toEqual([{ orders: 2_000 }]);
});

import { expect, test } from '@jest/globals';
import { backUp, printOf, restore } from '../support/e2e-runs.ts';
import { aScene } from '../support/e2e-scene.ts';
import { sql } from '../support/e2e-world.ts';

test('a database whose name has quotes, spaces, an emoji, an equals sign and a leading dash comes back', async () => {
  const database = `--dbname= 'it"s' odd 🐘 \\`;
  await using scene = await aScene('odd-names', { database });
  await backUp(scene, 'first');
  const before = await printOf(scene);
  await sql(database, 'DELETE FROM orders');
  await restore(scene, 'first', 'first');
  expect(await printOf(scene)).toEqual(before);
});

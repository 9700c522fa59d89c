import { expect, test } from '@jest/globals';
import type { ManifestSegment } from '../../../src/archive/manifest.ts';
import { recipe } from '../../../src/runner/recipe.ts';

const segments = (...keys: readonly string[]) => keys.map((key) => ({ key }) as ManifestSegment);

test('the recipe of one database joins its segments', () => {
  const part = { file: 'part-00000.pgdump', segments: segments('a/p', 'a/p.001'), database: undefined };
  expect(recipe([part])[1]).toBe('cat a/p a/p.001 | age -d -i identity.txt | zstd -d > database.dump');
});

test('the recipe of a whole server begins with the roles, and a name never becomes a command', () => {
  const lines = recipe([
    { file: 'part-00000.pgdump', segments: segments('a/p0'), database: 'x\nrm -rf /; $(y)' },
    { file: 'globals.sql', segments: segments('a/g'), database: undefined },
  ]);
  expect(lines.filter((line) => !line.startsWith('#'))).toEqual([
    'cat a/g | age -d -i identity.txt | zstd -d > globals.sql',
    'psql --dbname=postgres --file=globals.sql',
    'cat a/p0 | age -d -i identity.txt | zstd -d > database-0.dump',
    'createdb --template=template0 restored_0',
    'pg_restore --exit-on-error --dbname=restored_0 database-0.dump',
  ]);
  expect(lines.find((line) => line.includes('rm -rf'))).toBe('# Database "x\\nrm -rf /; $(y)"');
});

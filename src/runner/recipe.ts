import type { ManifestSegment } from '../archive/manifest.ts';

/** What a person types, in the folder of the run, to open the archive without us. In the contents, so that it is at hand with the archive. */
export function recipe(segments: readonly ManifestSegment[]): string[] {
  const files = segments.map(({ key }) => key).join(' ');
  return [
    '# In a copy of the folder that holds manifest.json; identity.txt is the private key.',
    `cat ${files} | age -d -i identity.txt | zstd -d > database.dump`,
    'createdb --template=template0 restored',
    'pg_restore --exit-on-error --dbname=restored database.dump',
  ];
}

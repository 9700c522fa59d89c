import { GLOBALS_FILE } from '../archive/layout.ts';
import type { ManifestSegment } from '../archive/manifest.ts';

export interface RecipePart {
  readonly file: string;
  readonly segments: readonly ManifestSegment[];
  /** In an archive of a whole server: whose dump it is. */
  readonly database: string | undefined;
}

/** What a person types, in the folder of the run, to open the archive without us. In the contents, so that it is at hand with the archive. */
export function recipe(parts: readonly RecipePart[]): string[] {
  const start = '# In a copy of the folder that holds manifest.json; identity.txt is the private key.';
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return [start, ...ofDatabase(only, 'database.dump', 'restored')];
  const globals = parts.filter(({ file }) => file === GLOBALS_FILE);
  return [
    start,
    ...globals.flatMap((part) => [
      '# Roles and tablespaces. That a role exists already, as your own does, is told as an error and is none; it gets the',
      '# attributes and the password of the archive.',
      `${opened(part)} > globals.sql`,
      'psql --dbname=postgres --file=globals.sql',
    ]),
    ...parts
      .filter((part) => !globals.includes(part))
      .flatMap((part, index) => {
        // The name may hold anything, and a line of a recipe is one line.
        const about = `# Database ${JSON.stringify(part.database)}`;
        return [about, ...ofDatabase(part, `database-${index}.dump`, `restored_${index}`)];
      }),
  ];
}

function ofDatabase(part: RecipePart, dump: string, restored: string): string[] {
  return [
    `${opened(part)} > ${dump}`,
    `createdb --template=template0 ${restored}`,
    `pg_restore --exit-on-error --dbname=${restored} ${dump}`,
  ];
}

function opened({ segments }: RecipePart): string {
  return `cat ${segments.map(({ key }) => key).join(' ')} | age -d -i identity.txt | zstd -d`;
}

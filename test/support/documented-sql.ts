/** The statements that docs/postgresql.md tells people to run, so that what is tested is what they read. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '../../docs/postgresql.md');

/** The block of SQL behind `<!-- sql: NAME -->`. */
export async function documentedSql(name: string): Promise<string> {
  const page = await readFile(PAGE, 'utf8');
  const marker = `<!-- sql: ${name} -->\n\`\`\`sql\n`;
  const [, ...found] = page.split(marker);
  const [block] = found;
  if (block === undefined || found.length > 1) {
    throw new Error(`docs/postgresql.md has ${found.length} blocks of SQL named "${name}"`);
  }
  return block.slice(0, block.indexOf('\n```'));
}

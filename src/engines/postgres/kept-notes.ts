/** What earlier restores keep beside what is live: whoever tries several times in one night does not see that each try keeps a whole copy. */
import type { Session } from './connection.ts';
import { KEPT_PATTERN, readNotes, replacedBy } from './marker.ts';
import { identifier } from './sql.ts';

interface Row {
  readonly name: string;
  readonly comment: string | null;
  /** In words; null where this role may not know. */
  readonly size: string | null;
}

/** The size asks for each file of a database, so only what may be a kept one is asked for it. */
const DATABASES = `
  SELECT datname AS name, comment,
    CASE WHEN comment LIKE '${KEPT_PATTERN}'
      AND (has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE'))
      THEN pg_size_pretty(pg_database_size(oid)) END AS size
  FROM (SELECT oid, datname, shobj_description(oid, 'pg_database') AS comment FROM pg_database) d ORDER BY 1`;

/** So many are named. */
const NAMED = 8;

/** A sentence, or none. `database`: only what was kept of this one. */
export async function keptNotes(session: Session, database?: string): Promise<readonly string[]> {
  const rows = await session.query<Row>(DATABASES);
  const all = rows.map(({ name, comment, size }) => ({ name, size, notes: readNotes(comment) }));
  const marks = all.flatMap(({ notes }) => notes.restores);
  const kept = all.flatMap(({ name, size, notes }) => {
    const uid = replacedBy(notes, name);
    if (uid === undefined || (database !== undefined && notes.previousName !== database)) return [];
    const mark = marks.findLast((each) => each.uid === uid);
    const of = mark === undefined ? 'a Restore that nobody knows any more' : `Restore ${mark.namespace}/${mark.name}`;
    return [{ name, text: `${identifier(name)} (${size ?? 'of unknown size'}, of ${of})` }];
  });
  const [first] = kept;
  if (first === undefined) return [];
  const more = kept.length > NAMED ? ` and ${kept.length - NAMED} more` : '';
  const named = kept.slice(0, NAMED).map(({ text }) => text);
  return [
    `earlier restores keep ${named.join(', ')}${more}: each goes when the keepPrevious of its Restore is over, and where that Restore is gone, never by itself: DROP DATABASE ${identifier(first.name)}`,
  ];
}

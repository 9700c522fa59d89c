/** What a drill came to, for people. Pure. */
import type { Restore } from '../api/restore.ts';
import { formatBytes } from '../lib/bytes.ts';
import type { Paint } from './style.ts';
import { cell, facts, table } from './table.ts';
import { plural } from './words.ts';

/** Undefined where nothing was restored. */
export function drillText({ status, spec }: Restore, paint: Paint): string | undefined {
  const { drill, checks = [] } = status ?? {};
  if (drill === undefined) return undefined;
  const { server, duration, bytes, tables, rows, databases, largest = [], perDatabase = [], notes = [] } = drill;
  const summary = facts([
    ['Server', `PostgreSQL ${server}, thrown away`],
    ['Duration', duration],
    ['Restored', `${plural(rows, 'row')} in ${plural(tables, 'table')} of ${plural(databases, 'database')}`],
    ['On disk', formatBytes(bytes)],
    ['Notes', notes.length === 0 ? undefined : notes.map((note) => cell(note)).join('\n')],
  ]);
  const parts = [
    summary,
    ...(perDatabase.length === 0
      ? []
      : [
          table(
            ['DATABASE', 'ROWS', 'TABLES', 'SIZE'],
            perDatabase.map((each) => [
              cell(each.name),
              String(each.rows),
              String(each.tables),
              formatBytes(each.bytes),
            ]),
          ),
        ]),
    ...(largest.length === 0
      ? []
      : [
          table(
            ['LARGEST TABLES', 'ROWS'],
            largest.map((each) => [cell(each.table), String(each.rows)]),
          ),
        ]),
    ...(checks.length === 0
      ? []
      : [
          table(
            ['CHECK', 'HELD', 'FOUND'],
            checks.map(({ name, passed, found }) => [
              name,
              passed ? paint('green', 'yes') : paint('red', 'no'),
              passed ? cell(expected(spec, name)) : cell(found),
            ]),
          ),
        ]),
  ];
  return parts.join('\n\n');
}

function expected({ checks = [] }: Restore['spec'], name: string): string | undefined {
  return checks.find((check) => check.name === name)?.expect;
}

import { harmless, widthOf } from './style.ts';

/** As kubectl sets its own tables. */
const GAP = '   ';

/** Columns under their headers, in kubectl's manner; the last one is not padded. Cells may hold colours of ours. */
export function table(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [headers, ...rows];
  const widths = headers.map((_, column) => Math.max(...all.map((row) => widthOf(row[column] ?? ''))));
  return all.map((row) => lineOf(row, widths)).join('\n');
}

function lineOf(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
    .join(GAP)
    .trimEnd();
}

/** Names and values, a line each, the values under each other. A value of several lines keeps its column. */
export function facts(lines: readonly (readonly [name: string, value: string | undefined])[], indent = ''): string {
  const known = lines.filter((line): line is readonly [string, string] => line[1] !== undefined);
  const width = Math.max(0, ...known.map(([name]) => name.length)) + 2;
  return known
    .map(([name, value]) => {
      const [first = '', ...rest] = value.split('\n');
      const head = `${indent}${`${name}:`.padEnd(width)}${first}`;
      return [head, ...rest.map((line) => `${indent}${' '.repeat(width)}${line}`)].join('\n');
    })
    .join('\n');
}

/** A cell of text from elsewhere: one line, harmless, `<none>` where there is nothing, as kubectl writes. */
export function cell(text: string | number | boolean | undefined): string {
  return text === undefined || text === '' ? '<none>' : harmless(String(text)).replace(/\s*\n\s*/g, ' ');
}

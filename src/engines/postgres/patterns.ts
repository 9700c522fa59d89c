/**
 * pg_dump takes names as patterns: `a.b` is a table within a schema, capitals are folded, `*` and `?` are wild, and the
 * rest is a regular expression. Within double quotes everything stands for itself. Pure.
 *
 * What is not ASCII is written as the code of the character, since pg_dump reads its arguments in the encoding of its
 * session, and that is the database's or whatever a role has set.
 */

/** A name as its characters: each the code that the server's regular expressions know it by. */
export type Codes = readonly number[];

const DELETE = 0x7f;

/** Matches this name and no other. */
export function literalPattern(codes: Codes): string {
  let pattern = '';
  let quoted = false;
  for (const code of codes) {
    const plain = code <= DELETE;
    if (plain !== quoted) pattern += '"';
    quoted = plain;
    pattern += plain ? quotedCharacter(code) : `(\\x${code.toString(16)})`;
  }
  return quoted ? `${pattern}"` : pattern;
}

const quotedCharacter = (code: number) => (code === 0x22 ? '""' : String.fromCharCode(code));

/** Long enough that few arguments do, short enough that the server compiles it at once. */
const PATTERN_LENGTH = 4000;

/** Patterns that together match these names within one schema and no others. */
export function tablePatterns(schema: Codes, names: readonly Codes[]): readonly string[] {
  const patterns: string[][] = [];
  let length = PATTERN_LENGTH;
  for (const name of names.map(literalPattern)) {
    length += name.length + 1;
    if (length > PATTERN_LENGTH) {
      patterns.push([]);
      length = name.length;
    }
    patterns.at(-1)?.push(name);
  }
  return patterns.map((alternatives) => `${literalPattern(schema)}.(${alternatives.join('|')})`);
}

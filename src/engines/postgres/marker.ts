/**
 * What we note in a database's comment: the only place that its owner may write, that survives a rename, and that
 * everybody can read without us. Each note is one line below the owner's own text; unknown lines are the owner's.
 */
import { isPreviousName } from '../../api/names.ts';
import { inAscii } from './sql.ts';

/** A restore that went live in a database. */
export interface RestoreMark {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly specHash: string;
  /** Noted, not compared: a rebuilt cluster counts as the same. */
  readonly cluster: string;
  /** RFC 3339. */
  readonly time: string;
}

export interface DatabaseNotes {
  /** The owner's comment; absent where there is none. */
  readonly comment?: string;
  /** Oldest first; carried over at every swap. */
  readonly restores: readonly RestoreMark[];
  /** UID of the restore that is loading into this database. */
  readonly scratchOf?: string;
  /** What was loaded into this one; see loaded.ts. */
  readonly loaded?: string;
  /** UID of the restore that put another database in this one's place. */
  readonly previousOf?: string;
  /** The name that this one had until then; absent where it was noted before there was an undo. */
  readonly previousName?: string;
}

const RESTORES = 'holdfast-restores: ';
const SCRATCH = 'holdfast-scratch-of: ';
const LOADED = 'holdfast-loaded: ';
const PREVIOUS = 'holdfast-previous-of: ';
/** For LIKE: the comment of a database that is kept, or that says so of itself. */
export const KEPT_PATTERN = `%${PREVIOUS}%`;
/** As JSON: a name may have a line end in it. */
const PREVIOUS_NAME = 'holdfast-previous-name: ';

export function readNotes(comment: string | null | undefined): DatabaseNotes {
  const own: string[] = [];
  const restores: RestoreMark[] = [];
  let scratchOf: string | undefined;
  let loaded: string | undefined;
  let previousOf: string | undefined;
  let previousName: string | undefined;
  for (const line of (comment ?? '').split('\n')) {
    const marks = line.startsWith(RESTORES) ? marksOf(line.slice(RESTORES.length)) : undefined;
    if (marks !== undefined) restores.push(...marks);
    else if (line.startsWith(SCRATCH)) scratchOf = line.slice(SCRATCH.length).trim();
    else if (line.startsWith(`${LOADED}{`)) loaded = line.slice(LOADED.length);
    else if (line.startsWith(PREVIOUS)) previousOf = line.slice(PREVIOUS.length).trim();
    else if (line.startsWith(PREVIOUS_NAME) && nameOf(line) !== undefined) previousName = nameOf(line);
    else own.push(line);
  }
  const text = own.join('\n');
  return {
    ...(text === '' ? {} : { comment: text }),
    restores,
    ...(scratchOf === undefined ? {} : { scratchOf }),
    ...(loaded === undefined ? {} : { loaded }),
    ...(previousOf === undefined ? {} : { previousOf }),
    ...(previousName === undefined ? {} : { previousName }),
  };
}

/** The line that notes a restore, but for its time, which goes between the two; in ASCII. */
export function markLine(run: Omit<RestoreMark, 'time'>): { readonly before: string; readonly after: string } {
  const { namespace, name, uid, specHash, cluster } = run;
  const [before = '', after = ''] = (
    RESTORES + JSON.stringify([{ namespace, name, uid, specHash, cluster, time: '\0' }])
  ).split('\\u0000');
  return { before: inAscii(before), after: inAscii(after) };
}

/** The comment that holds these notes; undefined where there is nothing to say. */
export function writeNotes(notes: DatabaseNotes): string | undefined {
  const lines = [
    ...(notes.comment === undefined ? [] : [notes.comment]),
    ...(notes.restores.length === 0 ? [] : [RESTORES + JSON.stringify(notes.restores)]),
    ...(notes.scratchOf === undefined ? [] : [SCRATCH + notes.scratchOf]),
    ...(notes.loaded === undefined ? [] : [LOADED + notes.loaded]),
    ...(notes.previousOf === undefined ? [] : [PREVIOUS + notes.previousOf]),
    ...(notes.previousName === undefined ? [] : [PREVIOUS_NAME + JSON.stringify(notes.previousName)]),
  ];
  return lines.length === 0 ? undefined : lines.join('\n');
}

/**
 * UID of the restore that put another database in this one's place and keeps it, by its mark and by the name that it was given:
 * one that a person renamed back is in use, though it still bears the mark.
 */
export function replacedBy({ previousOf }: DatabaseNotes, name: string): string | undefined {
  return previousOf !== undefined && isPreviousName(name, { uid: previousOf }) ? previousOf : undefined;
}

/** Whether this very restore, by name and content, went live here before, in whatever cluster. */
export function wasRestored(
  notes: DatabaseNotes,
  restore: Pick<RestoreMark, 'namespace' | 'name' | 'specHash'>,
): boolean {
  return notes.restores.some(
    (mark) => mark.namespace === restore.namespace && mark.name === restore.name && mark.specHash === restore.specHash,
  );
}

/** What two databases know of restores, when one takes the other's place. Oldest first. */
export function marksOfBoth(one: readonly RestoreMark[], other: readonly RestoreMark[]): readonly RestoreMark[] {
  const marks = new Map([...one, ...other].map((mark) => [mark.uid, mark]));
  return [...marks.values()].sort((a, b) => Date.parse(a.time) - Date.parse(b.time));
}

/** Undefined for text that is no name: then the line is the owner's. */
function nameOf(line: string): string | undefined {
  try {
    const name: unknown = JSON.parse(line.slice(PREVIOUS_NAME.length));
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined for text that is no list of marks: then the line is the owner's. Entries that lack something are passed over. */
function marksOf(text: string): readonly RestoreMark[] | undefined {
  let entries: unknown;
  try {
    entries = JSON.parse(text);
  } catch {
    return undefined;
  }
  return Array.isArray(entries) ? entries.flatMap((entry) => (isMark(entry) ? [entry] : [])) : undefined;
}

function isMark(entry: unknown): entry is RestoreMark {
  if (typeof entry !== 'object' || entry === null) return false;
  const fields = entry as Readonly<Record<string, unknown>>;
  return ['namespace', 'name', 'uid', 'specHash', 'cluster', 'time'].every((key) => typeof fields[key] === 'string');
}

/** What a backup is of, as parts that are written one after the other: one database, or a whole server. */
import { type BackupTask, isOneDatabase } from '../api/task.ts';
import type { Contents, DatabaseContents, InstanceContents } from '../archive/contents.ts';
import { dumpFile, FORMAT_VERSION, GLOBALS_FILE } from '../archive/layout.ts';
import type { ManifestSegment } from '../archive/manifest.ts';
import type { DatabaseSource, InstanceSource, Login, Source } from '../engines/engine.ts';
import type { Logger } from '../observability/log.ts';
import { engineContext, type RunnerContext } from './context.ts';
import { type RecipePart, recipe } from './recipe.ts';
import type { SizedDigest } from './stages/meter.ts';

/** A part whose turn has come. */
export interface Part {
  readonly part: number;
  /** Name of its file. */
  readonly file: string;
  readonly source: Pick<Source, 'dump' | 'readToEnd'>;
}

export interface WrittenPart extends Part {
  readonly plain: SizedDigest;
  readonly segments: readonly ManifestSegment[];
}

export interface Subject extends AsyncDisposable {
  readonly scope: 'Database' | 'Instance';
  readonly server: { readonly version: string; readonly major: number };
  /** Programs that dump, each with its version; the first is the one that people ask for. */
  readonly tools: readonly string[];
  /** Each is to be written before the next is asked for. */
  parts(): AsyncGenerator<Part>;
  contents(written: readonly WrittenPart[]): Contents;
  /** Databases of a server that are not among the parts; whole once those are written. */
  readonly skipped: InstanceContents['skipped'];
}

export async function openSubject(task: BackupTask, context: RunnerContext, login: Login): Promise<Subject> {
  const { database, selection } = task;
  const engine = engineContext(context, task.run);
  if (!isOneDatabase(database)) {
    return serverSubject(await context.engine.openInstanceSource(database, login, engine), context.log);
  }
  const source = await context.engine.openSource(database, login, engine, selection);
  return databaseSubject(database.database, source, selection);
}

function databaseSubject(database: string, source: Source, selection: BackupTask['selection']): Subject {
  return {
    scope: 'Database',
    server: source.server,
    tools: [source.tool],
    async *parts() {
      yield { part: 0, file: dumpFile(0), source };
    },
    contents: (written) => ({
      formatVersion: FORMAT_VERSION,
      ...described(database, source, written, selection),
      recipe: recipe(written.map((part) => ({ ...part, database: undefined }))),
    }),
    skipped: [],
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

function serverSubject(source: InstanceSource, log: Logger): Subject {
  const dumped: { database: string; source: DatabaseSource; part: number }[] = [];
  const skipped: InstanceContents['skipped'] = [...source.skipped];
  let facts: Awaited<ReturnType<InstanceSource['describe']>> | undefined;
  let tool = '';

  async function* parts(): AsyncGenerator<Part> {
    for (const database of source.databases) {
      const part = dumped.length;
      const found = await source.database(database);
      if (found === undefined) {
        skipped.push({ database, reason: 'DroppedMeanwhile' });
        continue;
      }
      dumped.push({ database, source: found, part });
      tool = found.tool;
      yield { part, file: dumpFile(part), source: found };
    }
    // Last, so that roles are in it that own what was made while the first databases were dumped.
    facts = await source.describe();
    skipped.push(...facts.made.map((database) => ({ database, reason: 'MadeMeanwhile' })));
    // The contents say so too, but nobody in the cluster can read them.
    for (const each of skipped) log.info(each, 'a database of the server is not in the archive');
    yield { part: dumped.length, file: GLOBALS_FILE, source: source.globals };
  }

  return {
    scope: 'Instance',
    server: source.server,
    get tools() {
      return tool === '' ? [source.globals.tool] : [tool, source.globals.tool];
    },
    parts,
    skipped,
    contents: (written) => contentsOf({ written, dumped, skipped, facts, globals: source.globals }),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

function contentsOf(found: {
  readonly written: readonly WrittenPart[];
  readonly dumped: readonly { database: string; source: DatabaseSource; part: number }[];
  readonly skipped: InstanceContents['skipped'];
  readonly facts: Awaited<ReturnType<InstanceSource['describe']>> | undefined;
  readonly globals: InstanceSource['globals'];
}): InstanceContents {
  const { written, dumped, skipped, facts, globals } = found;
  const last = written.at(-1);
  if (facts === undefined || last === undefined) throw new Error('the contents are told when every part is written');
  const { made: _, ...server } = facts;
  const databaseOf = (part: number) => dumped.find((each) => each.part === part)?.database;
  return {
    formatVersion: FORMAT_VERSION,
    scope: 'Instance',
    databases: dumped.map(({ database, source, part }) =>
      described(
        database,
        source,
        written.filter((each) => each.part === part),
      ),
    ),
    skipped,
    globals: {
      part: last.part,
      tool: globals.tool,
      format: 'sql',
      plain: last.plain,
      rolePasswords: globals.rolePasswords,
    },
    ...server,
    recipe: recipe(written.map((part): RecipePart => ({ ...part, database: databaseOf(part.part) }))),
  };
}

function described(
  database: string,
  source: Pick<Source, 'tool' | 'properties' | 'tables'>,
  parts: readonly WrittenPart[],
  selection?: BackupTask['selection'],
): DatabaseContents {
  return {
    database,
    properties: source.properties,
    ...(selection === undefined ? {} : { selection }),
    tables: [...source.tables],
    parts: parts.map(({ part, plain }) => ({ part, tool: source.tool, format: 'custom', plain })),
  };
}

import { describe, expect, test } from '@jest/globals';
import { FENCE_MARGIN } from '../../../src/controllers/restore/facts.ts';
import { attachmentsApart } from '../../../src/engines/postgres/dump/attachments.ts';
import { GUARD_MARGIN_MS, guarded } from '../../../src/engines/postgres/dump/guard.ts';
import { objectsIn } from '../../../src/engines/postgres/dump/objects.ts';
import { type Into, partOf } from '../../../src/engines/postgres/dump/part.ts';
import { headReader, type TocEntry } from '../../../src/engines/postgres/dump/toc.ts';
import { aDump, anEntry } from '../../support/postgres-dump.ts';

/** Numbers of entries that it needs stand behind each. */
const table = (dumpId: number, tag: string, ...needs: number[]) =>
  anEntry({
    dumpId,
    desc: 'TABLE',
    namespace: 'public',
    tag,
    dropStmt: `DROP TABLE public.${tag};`,
    dependencies: needs.map(String),
  });
const of = (dumpId: number, desc: string, tag: string, needs: readonly number[], over: Partial<TocEntry> = {}) =>
  anEntry({ dumpId, desc, namespace: 'public', tag, dependencies: needs.map(String), ...over });

/** A table `a`, a table `a b`, whose constraint could be either's by its name, and one that points to the first. */
const SHOP = [
  anEntry({ dumpId: 1, desc: 'ENCODING', defn: "SET client_encoding = 'UTF8';\n" }),
  anEntry({ dumpId: 2, desc: 'SCHEMA', tag: 'kit', dropStmt: 'DROP SCHEMA kit;' }),
  anEntry({ dumpId: 3, desc: 'TYPE', namespace: 'kit', tag: 'mood', dropStmt: 'DROP TYPE kit.mood;' }),
  table(4, 'a', 3),
  anEntry({ dumpId: 5, desc: 'TABLE', namespace: 'public', tag: 'a b', dropStmt: 'DROP TABLE public."a b";' }),
  table(6, 'c'),
  of(7, 'SEQUENCE', 'a_id_seq', [4], { dropStmt: 'DROP SEQUENCE public.a_id_seq;' }),
  of(8, 'TABLE DATA', 'a', [4], { hasData: true, section: 3 }),
  of(9, 'SEQUENCE SET', 'a_id_seq', [7], { section: 3 }),
  of(14, 'TABLE DATA', 'c', [6], { hasData: true, section: 3 }),
  of(10, 'CONSTRAINT', 'a b c', [4, 5], { defn: 'ALTER TABLE ONLY public."a b"\n    ADD CONSTRAINT c', section: 4 }),
  of(11, 'FK CONSTRAINT', 'c to_a', [4, 6], { defn: 'ALTER TABLE ONLY public.c\n    ADD', section: 4 }),
  of(12, 'COMMENT', 'TABLE a', [4]),
  of(13, 'COMMENT', 'SCHEMA public', [99]),
];

function archiveOf(entries: readonly TocEntry[]) {
  const head = headReader().push(aDump(entries))?.head;
  if (head === undefined) throw new Error('it is a whole head');
  return { head, archive: objectsIn(head) };
}

const ids = (entries: readonly TocEntry[]) => entries.map(({ dumpId }) => dumpId);
const tables = (...names: string[]) => ({ include: { tables: names.map((name) => ({ schema: 'public', name })) } });
const into = (entries: readonly TocEntry[], onConflict: Into['onConflict']): Into => {
  const { archive } = archiveOf(entries);
  return { onConflict, database: 'shop', there: new Set(archive.byKey.keys()), live: archive };
};

describe('a part', () => {
  test('has all that belongs to it, and what that needs, and nothing else', () => {
    const { entries, refusals } = partOf({ ...archiveOf(SHOP), selection: tables('a') });
    expect(refusals).toEqual([]);
    expect(ids(entries)).toEqual([1, 2, 3, 4, 7, 8, 9, 12, 13]);
  });

  test('tells by the statement whose a constraint is, where the name could be either', () => {
    const { entries } = partOf({ ...archiveOf(SHOP), selection: tables('a b') });
    expect(ids(entries)).toEqual([1, 5, 10, 13]);
  });

  test('that points to a table which nobody asked for is refused, with both names and the way out', () => {
    const { refusals } = partOf({ ...archiveOf(SHOP), selection: tables('c') });
    expect(refusals).toEqual([
      {
        reason: 'SelectionIncomplete',
        message:
          'what is selected cannot be restored by itself: fk constraint "public"."c to_a" needs table "public"."a"',
        hint: 'add to include: table "public"."a"; or leave out what needs it as well',
      },
    ]);
    const without = { exclude: { tables: [{ schema: 'public', name: 'a' }] } };
    expect(partOf({ ...archiveOf(SHOP), selection: without }).refusals[0]?.hint).toContain('take out of exclude');
  });

  test('of nothing is refused', () => {
    const selection = { include: { schemas: ['public'] }, exclude: { schemas: ['public'] } };
    expect(partOf({ ...archiveOf(SHOP), selection }).refusals).toMatchObject([{ reason: 'SelectionEmpty' }]);
  });
});

describe('into a database that has objects', () => {
  test('what is there stays with all that belongs to it, and is enough for what needs it', () => {
    const live = SHOP.filter(({ dumpId }) => [1, 4].includes(dumpId));
    const part = partOf({ ...archiveOf(SHOP), selection: tables('a', 'c'), into: into(live, 'Skip') });
    expect(part.kept.map(({ label }) => label)).toEqual(['table "public"."a"']);
    expect(ids(part.entries)).toEqual([1, 6, 14, 11]);
  });

  test('what is replaced goes first, with what stands between the tables, in the order that is the reverse of making', () => {
    const live = SHOP.filter(({ dumpId }) => dumpId !== 10).map((entry) =>
      entry.dumpId === 11 ? { ...entry, dropStmt: 'ALTER TABLE public.c DROP CONSTRAINT to_a;' } : entry,
    );
    const request = { ...archiveOf(SHOP), selection: tables('a', 'c'), into: into(live, 'Replace') };
    const part = partOf(request);
    expect(part.refusals).toEqual([]);
    const guard = {
      fence: new Date(1_800_000_000_000),
      mark: { before: 'x', after: 'y' },
      going: part.replaced,
      live: request.into.live,
    };
    const [opening, ...rest] = guarded(request.head, part.entries, guard).entries;
    const statements = [...(opening?.defn ?? '').matchAll(/decode\('([0-9a-f]+)'/g)].map(([, hex]) =>
      Buffer.from(hex ?? '', 'hex').toString(),
    );
    expect(statements).toEqual([
      'ALTER TABLE public.c DROP CONSTRAINT to_a;',
      'DROP TABLE public.c;',
      'DROP TABLE public.a;',
    ]);
    expect(rest.at(-1)).toMatchObject({ desc: 'EVENT TRIGGER', owner: '', dropStmt: '', dumpId: 16 });
    expect(rest.at(-1)?.defn).toContain('to_timestamp(1800000000)');
  });

  describe('what would be replaced', () => {
    const replacing = (archived: readonly TocEntry[], live: readonly TocEntry[], also: readonly string[] = []) => {
      const request = into(live, 'Replace');
      const there = new Set([...request.there, ...also]);
      return partOf({ ...archiveOf(archived), selection: tables('a'), into: { ...request, there } }).refusals;
    };
    const data = of(8, 'TABLE DATA', 'a', [4], { hasData: true, section: 3 });
    const rows = [table(4, 'a'), data];
    const KINDS = ['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE'];
    const made = (desc: string) => [
      anEntry({ dumpId: 4, desc, namespace: 'public', tag: 'a', dropStmt: `DROP ${desc} public.a;` }),
      ...(desc === 'TABLE' ? [data] : []),
    ];

    test.each(KINDS.flatMap((live) => KINDS.map((archived) => ({ live, archived }))))(
      'is a $live, and a $archived in the archive',
      ({ live, archived }) => {
        const refusals = replacing(made(archived), made(live));
        if (live === archived) expect(refusals).toEqual([]);
        else
          expect(refusals).toMatchObject([
            {
              reason: 'KindMismatch',
              message: expect.stringContaining(
                `${live.toLowerCase()} "public"."a" is ${archived.toLowerCase()} "public"."a" in the archive`,
              ),
            },
          ]);
      },
    );

    test('could not be dropped by itself', () => {
      const key = archiveOf(rows).archive.objects[0]?.key ?? '';
      expect(replacing(rows, [], [key])).toMatchObject([
        { reason: 'KindMismatch', message: expect.stringContaining('belongs to a table or an extension there') },
      ]);
    });

    test('has rows that the archive does not have', () => {
      expect(replacing([table(4, 'a')], rows)).toMatchObject([
        { reason: 'RowsMissing', message: expect.stringContaining('table "public"."a"') },
      ]);
      expect(replacing(rows, rows)).toEqual([]);
    });

    test.each([
      ['by the statement', { defn: 'CREATE TABLE public.a (\n    x integer\n)\nPARTITION BY RANGE (x);\n' }],
      ['by its kind', { relkind: 'p'.charCodeAt(0) }],
    ])('has its rows in partitions, which is told %s', (_, over) => {
      const archived = [{ ...table(4, 'a'), ...over }, table(20, 'a_1', 4), of(21, 'TABLE ATTACH', 'a_1', [20, 4])];
      const all = [...archived, of(22, 'TABLE DATA', 'a_1', [20], { hasData: true, section: 3 })];
      expect(replacing(all, rows)).toEqual([]);
      // Left out by the backup.
      expect(replacing(archived, rows)).toMatchObject([{ reason: 'RowsMissing' }]);
      // There they are its partitions', of which it has none.
      expect(replacing(archived, archived.slice(0, 1))).toEqual([]);
    });
  });

  test('what would stay and needs what would go is named', () => {
    const part = partOf({ ...archiveOf(SHOP), selection: tables('a'), into: into(SHOP, 'Replace') });
    expect(part.refusals).toMatchObject([
      {
        reason: 'StillNeeded',
        message: expect.stringContaining('fk constraint "public"."c to_a" needs table "public"."a"'),
      },
    ]);
  });
});

test('a commit that was let through comes within the time that the operator waits beyond the fence', () => {
  // The rest is for clocks that differ.
  expect(GUARD_MARGIN_MS).toBeLessThanOrEqual(FENCE_MARGIN - 15_000);
});

test('a partition that is made and attached in one entry becomes two', () => {
  const defn =
    'CREATE TABLE public.p_1 (\n    a integer\n);\nALTER TABLE ONLY public.p ATTACH PARTITION public.p_1 FOR VALUES IN (1);\n';
  const { head } = archiveOf([table(1, 'p'), { ...table(2, 'p_1', 1), defn }]);
  const apart = attachmentsApart(head);
  expect(apart.entries.map((entry) => [entry.dumpId, entry.desc, entry.defn])).toEqual([
    [1, 'TABLE', ''],
    [2, 'TABLE', 'CREATE TABLE public.p_1 (\n    a integer\n);\n'],
    [3, 'TABLE ATTACH', 'ALTER TABLE ONLY public.p ATTACH PARTITION public.p_1 FOR VALUES IN (1);\n'],
  ]);
  expect(objectsIn(apart).objects[1]?.parent?.label).toBe('table "public"."p"');
});

test.each(['LATIN5', 'LATIN6', 'SQL_ASCII', 'EUC_TW', 'UTF8'])(
  'names of %s that are not the same stay apart',
  (encoding) => {
    const names = ['sipari\xfe', 'sipari\xf0', '\xef\xbb\xbft', 't'];
    const tablesOf = names.map((tag, index) => table(index + 2, tag));
    const { archive } = archiveOf([
      anEntry({ dumpId: 1, desc: 'ENCODING', defn: `SET client_encoding = '${encoding}';\n` }),
      ...tablesOf,
    ]);
    expect(archive.objects).toHaveLength(names.length);
  },
);

import { expect, test } from '@jest/globals';
import {
  builds,
  definitions,
  isDealt,
  rows,
  rowsAlone,
  whatIsBuiltUpon,
} from '../../../src/engines/postgres/dump/passes.ts';
import type { DumpHead } from '../../../src/engines/postgres/dump/toc.ts';
import { anEntry } from '../../support/postgres-dump.ts';

let id = 0;
const entry = (desc: string, section: number, defn = `CREATE ${desc};\n`) => {
  id += 1;
  const data =
    desc === 'TABLE DATA' ? { hasData: true, copyStmt: 'COPY public.t (id) FROM stdin;\n', dependencies: ['3'] } : {};
  return anEntry({ dumpId: id, desc, section, defn, ...data });
};

const HEAD = {
  entries: [
    entry('ENCODING', 2),
    entry('SEARCHPATH', 2),
    entry('TABLE', 2),
    entry('COMMENT', 1, 'COMMENT ON TABLE t;\n'),
    entry('ACL', 1),
    entry('SECURITY LABEL', 1),
    entry('TABLE DATA', 3),
    entry('BLOBS', 3),
    entry('SEQUENCE SET', 3),
    entry('INDEX', 4),
    entry('COMMENT', 1, 'COMMENT ON INDEX i;\n'),
    entry('INDEX', 4, 'CREATE INDEX i ON t USING btree (id);\n\nALTER TABLE t CLUSTER ON i;\n'),
    entry('CONSTRAINT', 4, 'ALTER TABLE ONLY t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n'),
    entry('INDEX ATTACH', 4),
    entry('FK CONSTRAINT', 4, 'ALTER TABLE ONLY t\n    ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES o(id);\n'),
    entry('TRIGGER', 4),
    entry('DEFAULT ACL', 4),
  ],
} as unknown as DumpHead;

/** What is done with `--section`, beside what is always done: what has no section goes with the entry before. */
function taken({ entries }: DumpHead, section: number): string[] {
  let current = 0;
  return entries.flatMap((each) => {
    if (each.section !== 1) current = each.section;
    if (current !== section || ['ENCODING', 'SEARCHPATH'].includes(each.desc ?? '')) return [];
    const of = /(INDEX|TABLE) \w;/.exec(each.defn ?? '')?.[1] ?? '';
    return [
      `${each.desc}${each.defn?.includes('CLUSTER') ? ' clustered' : ''}${each.desc === 'COMMENT' ? ` of ${of}` : ''}`,
    ];
  });
}

const PASSES = () => [
  taken(definitions(HEAD), 2),
  taken(rows(HEAD), 3),
  taken(builds(HEAD), 4),
  taken(whatIsBuiltUpon(HEAD), 4),
];

test('what rows need comes first, then rows, then what is one statement at one table, then all the rest in its order', () => {
  expect(PASSES()).toEqual([
    ['TABLE', 'COMMENT of TABLE', 'SECURITY LABEL'],
    ['TABLE DATA', 'BLOBS', 'SEQUENCE SET'],
    ['INDEX', 'COMMENT of INDEX', 'CONSTRAINT'],
    ['ACL', 'INDEX clustered', 'INDEX ATTACH', 'FK CONSTRAINT', 'TRIGGER', 'DEFAULT ACL'],
  ]);
});

test('each is done once', () => {
  expect(PASSES().flat().length).toBe(HEAD.entries.length - 2);
});

test('others than the first have only rows to take, and are told the encoding', () => {
  const alone = rowsAlone(rows(HEAD)).entries;
  expect(alone.map(({ desc }) => desc)).toEqual(['ENCODING', 'SEARCHPATH', 'TABLE DATA']);
  expect(alone.flatMap(({ dependencies }) => dependencies)).toEqual([]);
});

test.each([
  ['COPY public.t (id) FROM stdin;\n', true],
  ['COPY public."a;b" (id) FROM stdin;\n', false],
  ['COPY public.t (id) FROM stdin WITH (FORMAT csv);\n', false],
  ['', false],
  [null, false],
])('rows by %j are dealt: %j', (copyStmt, expected) => {
  expect(isDealt(anEntry({ dumpId: 1, desc: 'TABLE DATA', hasData: true, copyStmt }))).toBe(expected);
});

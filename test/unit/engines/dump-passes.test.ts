import { expect, test } from '@jest/globals';
import { builds, whatIsBuiltUpon } from '../../../src/engines/postgres/dump/passes.ts';
import type { DumpHead, TocEntry } from '../../../src/engines/postgres/dump/toc.ts';

const entry = (desc: string, section: number, defn = `CREATE ${desc};\n`) => ({ desc, section, defn }) as TocEntry;

const HEAD = {
  entries: [
    entry('TABLE', 2),
    entry('TABLE DATA', 3),
    entry('INDEX', 4),
    entry('COMMENT', 1),
    entry('INDEX', 4, 'CREATE INDEX i ON t USING btree (id);\n\nALTER TABLE t CLUSTER ON i;\n'),
    entry('CONSTRAINT', 4, 'ALTER TABLE ONLY t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (id);\n'),
    entry('INDEX ATTACH', 4),
    entry('FK CONSTRAINT', 4, 'ALTER TABLE ONLY t\n    ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES o(id);\n'),
    entry('TRIGGER', 4),
  ],
} as unknown as DumpHead;

/** What --section=post-data takes: what has no section goes with the entry before. */
function taken({ entries }: DumpHead): string[] {
  let section = 0;
  return entries.flatMap((each) => {
    if (each.section !== 1) section = each.section;
    return section === 4 ? [`${each.desc}${each.defn?.includes('CLUSTER') ? ' clustered' : ''}`] : [];
  });
}

test('several connections make what is one statement at one table, with its comment', () => {
  expect(taken(builds(HEAD))).toEqual(['INDEX', 'COMMENT', 'CONSTRAINT']);
});

test('one connection makes all the rest, in its order, and each entry is made once', () => {
  expect(taken(whatIsBuiltUpon(HEAD))).toEqual(['INDEX clustered', 'INDEX ATTACH', 'FK CONSTRAINT', 'TRIGGER']);
});

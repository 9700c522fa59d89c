import { expect, test } from '@jest/globals';
import type { BackupTask } from '../../../src/api/task.ts';
import type { DatabaseSource, InstanceSource, Login } from '../../../src/engines/engine.ts';
import type { RunnerContext } from '../../../src/runner/context.ts';
import { openSubject } from '../../../src/runner/subject.ts';

const task = { database: { engine: 'postgresql' } } as unknown as BackupTask;

test('what a backup of a whole server leaves out is in the log, since its contents are for who has the key', async () => {
  const said: unknown[] = [];
  const source = {
    databases: ['shop', 'dropped'],
    skipped: [{ database: 'closed', reason: 'ConnectionsNotAllowed' }],
    globals: {},
    database: async (name: string) => (name === 'shop' ? ({ tool: 'pg_dump 17.6' } as DatabaseSource) : undefined),
    describe: async () => ({ made: ['new'] }),
  } as unknown as InstanceSource;
  const context = {
    root: '/nowhere',
    engine: { openInstanceSource: async () => source },
    log: { info: (facts: unknown) => said.push(facts) },
  } as unknown as RunnerContext;
  const subject = await openSubject(task, context, {} as Login);
  const files: string[] = [];
  for await (const { file } of subject.parts()) files.push(file);
  expect(files).toEqual(['part-00000.pgdump', 'globals.sql']);
  const leftOut = [
    { database: 'closed', reason: 'ConnectionsNotAllowed' },
    { database: 'dropped', reason: 'DroppedMeanwhile' },
    { database: 'new', reason: 'MadeMeanwhile' },
  ];
  expect(said).toEqual(leftOut);
  expect(subject.skipped).toEqual(leftOut);
});

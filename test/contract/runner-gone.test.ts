/** What each step of a restore does when its target, its database or its store is gone; and when they are back. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { CheckTask, CleanupTask, PlanTask, Report, ServerAccess, SwapTask } from '../../src/api/task.ts';
import type { Fingerprint } from '../support/postgres-fingerprint.ts';
import { loadTask } from '../support/restore-steps.ts';
import { failureOf, type InstanceWorld, instanceWorld, resultOf } from '../support/runner-instance.ts';
import type { RunnerRun } from '../support/runner-process.ts';

jest.setTimeout(120_000);

const STEPS = ['plan', 'load', 'check', 'swap'] as const;
type Step = (typeof STEPS)[number];

/** What a step needs to have been done, and what it takes from there to the end. */
const BEFORE: Readonly<Record<Step, readonly Step[]>> = { plan: [], load: [], check: ['load'], swap: ['load'] };
const FROM: Readonly<Record<Step, readonly Step[]>> = {
  plan: ['plan', 'load', 'swap'],
  load: ['load', 'swap'],
  check: ['check', 'swap'],
  swap: ['swap'],
};

let it: InstanceWorld;
let archive: Awaited<ReturnType<InstanceWorld['backup']>>;
/** What is in the archive. */
let backedUp: Fingerprint;
let count = 0;

beforeAll(async () => {
  it = await instanceWorld();
  await it.world.sql('postgres', 'CREATE DATABASE shop');
  await it.world.sql(
    'shop',
    'CREATE TABLE orders (id int PRIMARY KEY, what text)',
    "INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, 500) n",
    'CREATE VIEW late AS SELECT * FROM orders WHERE id > 400',
  );
  backedUp = await it.world.print('shop');
  archive = await it.backup({ database: it.access('shop') });
}, 300_000);

afterAll(async () => {
  await it[Symbol.asyncDispose]();
});

/** A database that was spoilt after the backup, and the last task of its restore. */
interface Story {
  readonly name: string;
  readonly spoilt: Fingerprint;
  readonly task: SwapTask;
}

async function begin(): Promise<Story> {
  const name = `shop_${count++}`;
  await it.world.sql('postgres', `CREATE DATABASE ${name} TEMPLATE shop`);
  await it.world.sql(name, 'DELETE FROM orders WHERE id > 10');
  const spoilt = await it.world.print(name);
  return { name, spoilt, task: it.restoreTask(archive.task, archive.manifestDigest, { database: it.access(name) }) };
}

type Change = Partial<Pick<SwapTask, 'database' | 'store'>>;

function run(step: Step, { task }: Story, change: Change = {}): Promise<RunnerRun> {
  const whole = { ...task, ...change };
  const { notAfter: _, dropPrevious: __, ...base } = whole;
  const checks = [{ name: 'rows', sql: 'SELECT count(*) FROM orders', expect: '500' }];
  const plan: PlanTask = { ...base, command: 'plan' };
  const check: CheckTask = { ...loadTask(whole), command: 'check', checks };
  return it.run({ plan, load: loadTask(whole), check, swap: whole }[step]);
}

async function ended(steps: readonly Step[], story: Story): Promise<void> {
  for (const step of steps) resultOf(await run(step, story), step as Report['command']);
}

const scratches = async ({ task }: Story) =>
  (await it.world.databases()).filter((name) => name === task.scratchDatabase).length;

const nowhere = (access: ServerAccess): ServerAccess => ({ ...access, port: 9 });

describe.each<[string, (story: Story) => Change, string]>([
  ['its server does not answer', ({ task }) => ({ database: nowhere(task.database) }), 'DatabaseUnreachable'],
  ['its bucket is gone', ({ task }) => ({ store: { ...task.store, bucket: 'no-such-bucket' } }), 'BucketNotFound'],
])('while %s', (_what, gone, reason) => {
  test.each(STEPS)('a %s changes nothing and may be tried again; then the restore is whole', async (step) => {
    const story = await begin();
    await ended(BEFORE[step], story);
    const left = await scratches(story);
    const failed = await run(step, story, gone(story));
    expect({ ...failureOf(failed), exitCode: failed.exitCode }).toMatchObject({ reason, retry: true, exitCode: 3 });
    expect(failureOf(failed).hint).toBeTruthy();
    expect(await it.world.print(story.name)).toEqual(story.spoilt);
    expect(await scratches(story)).toBe(left);
    await ended(FROM[step], story);
    expect(await it.world.print(story.name)).toEqual(backedUp);
    expect(await scratches(story)).toBe(0);
  });
});

test('while its server does not answer a cleanup may be tried again; then nothing is left', async () => {
  const story = await begin();
  await ended(['load'], story);
  const { run: of, database, scratchDatabase, previousDatabase } = story.task;
  const task = { command: 'cleanup', run: of, database, scratchDatabase, previousDatabase } as const;
  const cleanup: CleanupTask = { ...task, dropPrevious: false, keepScratch: false };
  const failed = await it.run({ ...cleanup, database: nowhere(database) });
  expect(failureOf(failed)).toMatchObject({ reason: 'DatabaseUnreachable', retry: true });
  expect(await scratches(story)).toBe(1);
  expect(resultOf(await it.run(cleanup), 'cleanup')).toEqual({ restored: false });
  expect(await scratches(story)).toBe(0);
  expect(await it.world.print(story.name)).toEqual(story.spoilt);
});

describe('when the live database is dropped', () => {
  test.each(STEPS)('before a %s, the restore makes it anew', async (step) => {
    const story = await begin();
    await ended(BEFORE[step], story);
    await it.world.sql('postgres', `DROP DATABASE ${story.name}`);
    await ended(FROM[step], story);
    expect(await it.world.print(story.name)).toEqual(backedUp);
    expect(await it.world.databases()).not.toContain(story.task.previousDatabase);
    expect(await scratches(story)).toBe(0);
  });
});

describe('when the scratch database is dropped by somebody', () => {
  test.each(['check', 'swap'] as const)('a %s fails, and the live database is as it was', async (step) => {
    const story = await begin();
    await ended(BEFORE[step], story);
    await it.world.sql('postgres', `DROP DATABASE "${story.task.scratchDatabase}"`);
    expect(failureOf(await run(step, story)).message).toContain(story.task.scratchDatabase);
    expect(await it.world.print(story.name)).toEqual(story.spoilt);
  });
});

test('a load whose archive is broken leaves the live database as it was, and nothing beside it', async () => {
  const story = await begin();
  const broken = await it.backup({ database: it.access('shop') });
  const [segment] = (await it.objects(broken.task.folder)).filter((key) => key.endsWith('.pgdump.zst.age'));
  await it.spoil(segment!);
  const task = {
    ...story.task,
    archive: { ...story.task.archive, folder: broken.task.folder, manifestDigest: broken.manifestDigest },
  };
  expect(failureOf(await run('load', { ...story, task }))).toMatchObject({ retry: false });
  expect(await it.world.print(story.name)).toEqual(story.spoilt);
  expect(await scratches(story)).toBe(0);
});

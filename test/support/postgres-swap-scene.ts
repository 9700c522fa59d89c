/** Databases that say `old`, an archive that says `new`, and processes that die in the middle of putting it in their place. */
import { type ChildProcess, spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { previousDatabaseName, scratchDatabaseName } from '../../src/api/names.ts';
import type { CleanupTask, RestoreIdentity, ServerAccess } from '../../src/api/task.ts';
import type { Fingerprint } from './postgres-fingerprint.ts';
import type { SwapOrder } from './postgres-swap-seams.ts';
import { type Archive, dumpOf, inTheFuture, type PostgresWorld, postgresWorld } from './postgres-world.ts';

export interface SwapScene<Access, Request> extends AsyncDisposable {
  readonly world: PostgresWorld;
  /** Of a database that says `new`. */
  readonly archive: Archive;
  /** What a database looks like that says `old`, and one that says `new`, whatever its name. */
  readonly old: Fingerprint;
  readonly new: Fingerprint;
  /** Says `old`. */
  aDatabase(name: string): Promise<void>;
  /** A process that swaps; without a statement it gets to its end. */
  runChild(order: Pick<SwapOrder<Access, Request>, 'access' | 'request'> & Partial<SwapOrder<Access, Request>>): Child;
}

export interface Child {
  readonly child: ChildProcess;
  /** The beginning of each statement, then how it ended. */
  readonly said: Promise<string[]>;
}

/** `program`: what the processes run, in test/support. */
export async function swapScene<Access, Request>(
  program: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<SwapScene<Access, Request>> {
  const world = await postgresWorld(settings);
  await world.role('app');
  const make = async (name: string, says: string) => {
    await world.sql('postgres', `CREATE DATABASE "${name}" OWNER app`);
    await world.sql(
      name,
      'SET ROLE app',
      `CREATE TABLE word AS SELECT '${says}' AS says`,
      `CREATE SEQUENCE "of ${says}"`,
      `CREATE VIEW "${says} aloud" AS SELECT upper(says) FROM word`,
    );
  };
  await make('template_of_old', 'old');
  await make('template_of_new', 'new');
  // One that was stopped would hold its locks, and this process, for ever.
  const children = new Set<ChildProcess>();
  return {
    world,
    archive: await dumpOf(world, 'template_of_new'),
    old: await world.print('template_of_old'),
    new: await world.print('template_of_new'),
    aDatabase: (name) => make(name, 'old'),
    runChild: (order) => {
      const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
      const whole: SwapOrder<Access, Request> = {
        login: world.superuser,
        temporary: world.context.temporary,
        fence: inTheFuture().toISOString(),
        statement: Number.MAX_SAFE_INTEGER,
        signal: 'SIGKILL',
        ...order,
      };
      child.stdin.end(JSON.stringify(whole));
      children.add(child);
      return { child, said: text(child.stdout).then((words) => words.trim().split('\n')) };
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill('SIGKILL');
      await world[Symbol.asyncDispose]();
    },
  };
}

/** As the operator asks for it once a restore is over. */
export function cleanupOf(database: ServerAccess, run: RestoreIdentity, dropPrevious = false): CleanupTask {
  return {
    command: 'cleanup',
    run,
    database,
    scratchDatabase: scratchDatabaseName(run),
    previousDatabase: previousDatabaseName(database.database ?? 'holdfast', run),
    dropPrevious,
    keepScratch: false,
  };
}

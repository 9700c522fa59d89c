import type { ServerAccess } from '../../src/api/task.ts';
import { isOneDatabase } from '../../src/api/task.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import type { InstanceWorld } from './runner-instance.ts';

const runOf = (name: string) => ({ namespace: 'shop', name, uid: '1a2b3c4d-0000-4000-8000-000000000000' });

function open({ world }: InstanceWorld, access: ServerAccess, name: string): Promise<AsyncDisposable> {
  const context = { ...world.context, run: runOf(name) };
  return isOneDatabase(access)
    ? postgres.openSource(access, world.superuser, context)
    : postgres.openInstanceSource(access, world.superuser, context);
}

/** What the second is told while the first is at work; empty where it was let in. */
export async function refusesWhile(it: InstanceWorld, first: ServerAccess, second: ServerAccess): Promise<string> {
  await using _ = await open(it, first, 'first');
  try {
    await using __ = await open(it, second, 'second');
    return '';
  } catch (caught) {
    return (caught as Error).message;
  }
}

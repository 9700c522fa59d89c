/** An undo and the Restore that it undoes, as the operator would find them. */
import type { Restore } from '../../src/api/restore.ts';
import type { RestoreFacts } from '../../src/controllers/restore/facts.ts';
import { databaseOf } from '../../src/controllers/restore/jobs.ts';
import { chooseUndo, type Earlier } from '../../src/controllers/restore/undo.ts';
import type { RunFacts } from '../../src/controllers/run-facts.ts';
import { aRestore, condition, NOON } from './builders.ts';
import { RestoreWorld } from './restore-world.ts';

export const ACCESS = {
  engine: 'postgresql',
  host: 'pg.shop.svc',
  port: 5432,
  database: 'orders',
  maintenanceDatabase: 'postgres',
  credentials: { secret: 'pg', usernameKey: 'username', passwordKey: 'password' },
} as const;

const EARLIER_UID = '99999999-aaaa-4bbb-8ccc-000000000009';

/** A Restore that is Complete and keeps what it replaced. */
export function earlierRestore(status: Restore['status'] = {}): Restore {
  return aRestore({
    metadata: { name: 'upgrade', uid: EARLIER_UID },
    status: {
      phase: 'Complete',
      completionTime: NOON.toISOString(),
      outcome: { result: 'Restored', time: NOON.toISOString() },
      previousDatabase: 'orders_before_99999999',
      conditions: [condition('Complete', 'True', 'Restored')],
      ...status,
    },
  });
}

export function anUndo(more: Parameters<typeof aRestore>[0] = {}): Restore {
  const made = aRestore({ ...more, metadata: { name: 'undo-upgrade', ...more.metadata } });
  const { onConflict: _, ...spec } = made.spec;
  return { ...made, spec: { ...spec, from: { previousOf: { restoreRef: { name: 'upgrade' } } } } };
}

export const anEarlier = (more: Partial<Earlier> = {}): Earlier => ({
  restore: earlierRestore(),
  runs: [],
  target: ACCESS,
  ...more,
});

export function undoSource(
  restore: Restore,
  runs: readonly RunFacts[],
  earlier = anEarlier(),
): Pick<RestoreFacts, 'source' | 'backup' | 'store' | 'target' | 'identity'> {
  const source = chooseUndo(restore, earlier);
  return {
    source,
    backup: undefined,
    store: undefined,
    target: databaseOf({ restore, runs, source }) ?? (source.choice === 'made' ? earlier.target : undefined),
    identity: { wait: { reason: 'NoIdentity', message: 'x' } },
  };
}

/** {@link RestoreWorld} with an undo in it. `live` becomes `new` when what was kept is live. */
export class UndoWorld extends RestoreWorld {
  override restore: Restore | undefined = anUndo({ metadata: { finalizers: [] } });

  override facts(restore: Restore): RestoreFacts {
    const facts = super.facts(restore);
    return { ...facts, ...undoSource(restore, facts.runs) };
  }

  /** What is replaced is kept, so nothing has to be saved beforehand. */
  protected override mustBeSaved(): void {}
}

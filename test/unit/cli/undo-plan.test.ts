import { describe, expect, test } from '@jest/globals';
import { keepsSomething, mustBeUndoable, type UndoFacts, undoText } from '../../../src/cli/undo-plan.ts';
import { notedTarget } from '../../../src/controllers/restore/noted-target.ts';
import type { HoldfastError } from '../../../src/lib/errors.ts';
import { condition, NOON, noonPlus } from '../../support/builders.ts';
import { ACCESS, anUndo, earlierRestore } from '../../support/undo-world.ts';

const WEB = { kind: 'Deployment', name: 'web' } as const;

function aPlan(more: Partial<UndoFacts> = {}): UndoFacts {
  return {
    undone: earlierRestore({ target: notedTarget(ACCESS) }),
    spec: anUndo().spec,
    workloads: [{ workload: WEB, replicas: 3 }],
    namespace: 'shop',
    others: [],
    ...more,
  };
}

function whyNot(plan: UndoFacts): HoldfastError | undefined {
  try {
    mustBeUndoable(plan);
    return undefined;
  } catch (caught) {
    return caught as HoldfastError;
  }
}

describe('what an undo says beforehand', () => {
  test('is which restore, which database goes live where, what goes away, and who rests', () => {
    const text = undoText(aPlan(), noonPlus(7_200));
    expect(text).toMatch(/undoes: +Restore upgrade, of 2h ago \(2026-11-24T12:00:00.000Z\)/);
    expect(text).toMatch(/goes live again: +"orders_before_99999999", as it was when the restore replaced it/);
    expect(text).toMatch(/on: +orders on pg.shop.svc:5432/);
    expect(text).toMatch(/goes away: +what is live now: it is kept 24h under another name/);
    expect(text).toMatch(/meanwhile at zero: +Deployment web, then back to 3/);
  });

  test('is that what is live now goes for ever, where it is not kept', () => {
    expect(undoText(aPlan({ spec: { ...anUndo().spec, keepPrevious: '0s' } }), NOON)).toContain('cannot come back');
  });
});

describe('an undo is refused, with the next step,', () => {
  const undone = (status: Parameters<typeof earlierRestore>[0]) => aPlan({ undone: earlierRestore(status) });
  const nothingKept = { previousDatabase: undefined } as unknown as { previousDatabase: string };

  test('not at all where a database is kept, or a predecessor may have kept one', () => {
    expect(whyNot(aPlan())).toBeUndefined();
    expect(whyNot(undone({ previousDatabases: ['a', 'b'], ...nothingKept }))).toBeUndefined();
    const outcome = { result: 'AlreadyRestored', time: NOON.toISOString() } as const;
    expect(whyNot(undone({ outcome, ...nothingKept }))).toBeUndefined();
  });

  test.each<[string, UndoFacts, boolean]>([
    ['keeps a database', aPlan(), true],
    ['keeps databases', undone({ previousDatabases: ['a', 'b'], ...nothingKept }), true],
    ['keeps nothing', undone(nothingKept), false],
    ['is not over', undone({ conditions: [] }), false],
    ['failed', undone({ conditions: [condition('Failed', 'True')] }), false],
  ])('is what a shell offers, or not: of one that %s', (_what, plan, offered) => {
    expect(keepsSomething(plan.undone)).toBe(offered);
    if (offered) expect(whyNot(plan)).toBeUndefined();
  });

  test.each<[string, UndoFacts, string, RegExp]>([
    ['before the restore is over', undone({ conditions: [] }), 'RestoreNotOver', /delete restore.holdfast.dev upgrade/],
    [
      'where the restore failed',
      undone({ conditions: [condition('Failed', 'True')] }),
      'NothingToUndo',
      /get restores.holdfast.dev/,
    ],
    [
      'where the restore was a dry run',
      undone({ outcome: { result: 'DryRun', time: NOON.toISOString() } }),
      'NothingToUndo',
      /get restores.holdfast.dev/,
    ],
    ['where nothing is kept any more', undone(nothingKept), 'PreviousGone', /kubectl holdfast -n shop list/],
    [
      'where nothing is kept any more, and it was saved before',
      undone({ ...nothingKept, safetyBackup: { name: 'upgrade-safety-1', uid: 'u', time: NOON.toISOString() } }),
      'PreviousGone',
      /kubectl holdfast -n shop restore upgrade-safety-1/,
    ],
    [
      'where it was undone already',
      {
        ...undone(nothingKept),
        others: [
          anUndo({
            status: {
              undoes: {
                restore: 'upgrade',
                restoreUID: earlierRestore().metadata.uid,
                specHash: '',
                databases: [],
              },
              previousDatabase: 'orders_before_22222222',
              conditions: [condition('Complete', 'True')],
            },
          }),
        ],
      },
      'PreviousGone',
      /undo undo-upgrade/,
    ],
    [
      'where a workload is missing',
      aPlan({ workloads: [{ workload: WEB, replicas: undefined }] }),
      'WorkloadNotFound',
      /get deployments/,
    ],
  ])('%s', (_name, plan, reason, hint) => {
    expect(whyNot(plan)).toMatchObject({ reason, hint: expect.stringMatching(hint) });
  });
});

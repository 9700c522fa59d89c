/** What a schedule keeps, and why. Pure. */

export interface RetentionPolicy {
  /** The newest so many. */
  readonly keepLast?: number;
  /** Milliseconds before the newest verified backup; all within stay. */
  readonly keepWithin?: number;
}

/** A backup as far as retention is concerned. */
export interface KeptBackup {
  readonly name: string;
  /** When it was made: its start, not its end, so that a slow run does not change the order. */
  readonly time: Date;
  /** Complete, and read back to the end. */
  readonly verified: boolean;
  /** A Restore that is not over wants it. */
  readonly inUse: boolean;
}

export interface RetentionPlan<B extends KeptBackup = KeptBackup> {
  readonly keep: readonly { readonly backup: B; readonly because: string }[];
  readonly remove: readonly B[];
}

/**
 * Splits the backups of one schedule. Only verified ones are counted and removed: failed and unverified ones evict
 * nothing. Time is told from the newest verified backup, not from the clock: neither a clock that is years ahead nor a
 * month without success makes the last good one old.
 */
export function planRetention<B extends KeptBackup>(policy: RetentionPolicy, backups: readonly B[]): RetentionPlan<B> {
  const verified = backups.filter((backup) => backup.verified).toSorted((a, b) => b.time.getTime() - a.time.getTime());
  const newest = verified[0];
  const rules = rulesOf(policy, newest);
  const keep: { backup: B; because: string }[] = [];
  const remove: B[] = [];
  for (const backup of backups) {
    const rank = verified.indexOf(backup);
    const because = rules.find((rule) => rule.applies(backup, rank))?.because;
    if (because === undefined) remove.push(backup);
    else keep.push({ backup, because });
  }
  return { keep, remove };
}

interface Rule {
  readonly because: string;
  applies(backup: KeptBackup, rank: number): boolean;
}

/** The first that applies keeps; order is for the reason that is shown. */
function rulesOf({ keepLast, keepWithin }: RetentionPolicy, newest: KeptBackup | undefined): Rule[] {
  const limited = keepLast !== undefined || keepWithin !== undefined;
  return [
    {
      because: 'not verified: retention counts and removes verified backups only',
      applies: ({ verified }) => !verified,
    },
    { because: 'the newest verified backup', applies: (backup) => backup === newest },
    { because: 'a restore is using it', applies: ({ inUse }) => inUse },
    { because: 'no retention is set', applies: () => !limited },
    { because: `among the last ${keepLast}`, applies: (_backup, rank) => keepLast !== undefined && rank < keepLast },
    {
      because: 'within keepWithin',
      applies: ({ time }) =>
        keepWithin !== undefined && newest !== undefined && newest.time.getTime() - time.getTime() <= keepWithin,
    },
  ];
}

import type { BackupKey, BackupKeyStatus } from '../../api/backup-key.ts';
import { type ConditionReport, summarise } from '../../api/conditions.ts';
import { fingerprint, validateRecipient } from '../../keys/recipients.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Decision } from '../action.ts';

export interface BackupKeyFacts {
  readonly key: BackupKey;
  /** Every key of the namespace that says `default: true`, by name. */
  readonly defaults: readonly string[];
}

type Verdict = Pick<ConditionReport, 'reason' | 'message'> & { readonly ready: boolean };

/** What may be wrong with a key, in order; the first that applies wins. */
const RULES: readonly ((facts: BackupKeyFacts) => Verdict | undefined)[] = [
  // A recipient that passes the pattern can still have a wrong checksum: a typing error, and an archive that nobody opens.
  recipientIsInvalid,
  // Two defaults: none wins, since a guess would encrypt to the wrong people.
  defaultIsContested,
];

export function decide(facts: BackupKeyFacts, now: Date): Decision<BackupKeyStatus> {
  const { key } = facts;
  const verdict = RULES.map((rule) => rule(facts)).find((found) => found !== undefined) ?? usable(facts);
  const generation = key.metadata.generation ?? 0;
  const report: ConditionReport = {
    type: 'Ready',
    status: verdict.ready ? 'True' : 'False',
    reason: verdict.reason,
    message: verdict.message,
  };
  const stalled: ConditionReport[] = verdict.ready ? [] : [{ ...report, type: 'Stalled', status: 'True' }];
  return {
    actions: [],
    status: {
      observedGeneration: generation,
      fingerprints: key.spec.recipients.map(fingerprint),
      conditions: summarise(key.status?.conditions, [report, ...stalled], generation, now),
    },
  };
}

function recipientIsInvalid({ key }: BackupKeyFacts): Verdict | undefined {
  for (const [index, recipient] of key.spec.recipients.entries()) {
    try {
      validateRecipient(recipient);
    } catch (caught) {
      return {
        ready: false,
        reason: 'InvalidRecipient',
        message: `spec.recipients[${index}] is no age recipient: ${messageOf(caught)}`,
      };
    }
  }
  return undefined;
}

function defaultIsContested({ key, defaults }: BackupKeyFacts): Verdict | undefined {
  if (key.spec.default !== true || defaults.length < 2) return undefined;
  return {
    ready: false,
    reason: 'DefaultConflict',
    message: `${defaults.join(', ')} all say default: true, so none is the default. Leave it on one of them.`,
  };
}

function usable({ key }: BackupKeyFacts): Verdict {
  const count = key.spec.recipients.length;
  return {
    ready: true,
    reason: 'Usable',
    message: `archives can be encrypted to ${count} recipient${count === 1 ? '' : 's'}`,
  };
}

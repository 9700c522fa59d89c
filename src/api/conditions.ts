import Type from 'typebox';

/** Kubernetes' condition, as in meta/v1. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

const ConditionSchema = Type.Object({
  type: Type.String({ maxLength: 316 }),
  status: Type.Enum(['True', 'False', 'Unknown']),
  reason: Type.String({ minLength: 1, maxLength: 1024 }),
  message: Type.String({ maxLength: 32768 }),
  lastTransitionTime: Type.String({ format: 'date-time' }),
  observedGeneration: Type.Integer({ minimum: 0 }),
});

/** What the status of every kind of ours has. */
export const commonStatus = {
  observedGeneration: Type.Optional(
    Type.Integer({
      minimum: -1,
      description: 'The generation of the spec that this status speaks of; -1 while the operator has not looked at it.',
    }),
  ),
  conditions: Type.Optional(
    Type.Array(ConditionSchema, { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
  ),
};

/**
 * The conditions of our kinds and what True means.
 *
 * - `Ready`: a store or a key can be used. Always present.
 * - `Complete`: the run ended well. Terminal: never changes again.
 * - `Failed`: the run ended badly. Terminal: never changes again.
 * - `Verified`: the archive's bytes were read back, decrypted and parsed to the end.
 * - `Drilled`: the last drill of a schedule restored its backup, and every check held. Absent before the first.
 * - `Quiesced`: every workload of the restore is at zero and its pods are gone.
 * - `ScaleContested`: somebody else wrote the count of a workload during the restore; the message says who. Stays when it is over.
 * - `PreviousDropped`: only ever False, while the replaced database cannot be dropped although `keepPrevious` is over.
 * - `Forced`: the person took on refusals of the plan, which the message names. Stays when it is over.
 * - `Reconciling`, `Stalled`: kstatus' pair. Reconciling is True while the operator still works towards the spec;
 *   Stalled is True when it will not get further without somebody's help.
 */
export type ConditionType =
  | 'Ready'
  | 'Complete'
  | 'Failed'
  | 'Verified'
  | 'Drilled'
  | 'Quiesced'
  | 'ScaleContested'
  | 'PreviousDropped'
  | 'Forced'
  | 'Reconciling'
  | 'Stalled';

/** What a decision says of one condition; the summariser adds the time and the generation. */
export interface ConditionReport {
  readonly type: ConditionType;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

/** Reports folded into the conditions that were there: an unchanged status keeps its transition time; a condition no longer reported goes. */
export function summarise(
  previous: readonly Condition[] | undefined,
  reports: readonly ConditionReport[],
  generation: number,
  now: Date,
): Condition[] {
  return reports.map((report) => {
    const before = previous?.find((condition) => condition.type === report.type);
    const unchanged = before?.status === report.status;
    return {
      ...report,
      lastTransitionTime: unchanged ? before.lastTransitionTime : instant(now),
      observedGeneration: generation,
    };
  });
}

export function isTrue(conditions: readonly Condition[] | undefined, type: ConditionType): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}

/** RFC 3339 in seconds, as Kubernetes writes its own times. */
export function instant(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

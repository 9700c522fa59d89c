/**
 * Refusals of a restore that a person may take on, by name: the name is the refusal's reason. Rights are not among them,
 * since what the server does not allow fails anyway, nor what would make the restore another one than was asked for.
 */
export const FORCEABLE = ['Version', 'Nodes', 'Foreign', 'SafetyBackup'] as const;

export type Forceable = (typeof FORCEABLE)[number];

export function isForceable(reason: string): reason is Forceable {
  return FORCEABLE.some((name) => name === reason);
}

/** Of refusals, those that nobody took on. */
export function standing<T extends { readonly reason: string }>(
  refusals: readonly T[],
  force: readonly string[] | undefined,
): readonly T[] {
  return refusals.filter(({ reason }) => !isForced(reason, force));
}

/** Both are asked: a name that is given and is not of the list forces nothing. */
export function isForced(reason: string, force: readonly string[] | undefined): boolean {
  return isForceable(reason) && force?.includes(reason) === true;
}

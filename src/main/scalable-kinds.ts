/** Which kinds a restore may take to zero beyond Deployments and StatefulSets, as the chart tells it. */
import Type from 'typebox';
import { Check } from 'typebox/value';
import { CRON_JOBS, type ScalableKind } from '../api/workloads.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';

const Kinds = Type.Array(
  Type.Object(
    {
      group: Type.String({ pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' }),
      version: Type.String({ pattern: '^v[a-z0-9]+$' }),
      resource: Type.String({ pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' }),
      kind: Type.String({ pattern: '^[A-Z][A-Za-z0-9]*$' }),
    },
    { additionalProperties: false },
  ),
);

/** Undefined for a text that says no such list. */
export function scalableKindsFrom(text: string): readonly ScalableKind[] | undefined {
  const value = parse(text);
  if (!Check(Kinds, value)) return undefined;
  return value.map(({ group, version, resource, kind }) => ({
    apiVersion: `${group}/${version}`,
    kind,
    plural: resource,
  }));
}

/** CronJobs are another matter: they are patched, not scaled. */
export function withCronJobs(kinds: readonly ScalableKind[], allowed: string | undefined): readonly ScalableKind[] {
  return allowed === 'true' ? [...kinds, CRON_JOBS] : kinds;
}

/** For a program that has no list of everything that is wrong with its environment. */
export function scalableKinds(env: Readonly<Record<string, string | undefined>>): readonly ScalableKind[] {
  const kinds = scalableKindsFrom(env['HOLDFAST_SCALABLE_KINDS'] || '[]');
  if (kinds === undefined) {
    throw new HoldfastError('BadConfiguration', `HOLDFAST_SCALABLE_KINDS must be ${SCALABLE_KINDS_ARE}`);
  }
  return withCronJobs(kinds, env['HOLDFAST_SUSPEND_CRON_JOBS']);
}

export const SCALABLE_KINDS_ARE =
  'a JSON list such as [{"group":"argoproj.io","version":"v1alpha1","resource":"rollouts","kind":"Rollout"}]';

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw new Error(messageOf(error), { cause: error });
  }
}

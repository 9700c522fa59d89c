/** The kinds that a restore may take to zero, and how the API server names them. */
import type { Workload } from './restore.ts';

export interface ScalableKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
}

const APPS = 'apps/v1';

/** Every operator may scale these. */
export const SCALABLE_ALWAYS: readonly ScalableKind[] = [
  { apiVersion: APPS, kind: 'Deployment', plural: 'deployments' },
  { apiVersion: APPS, kind: 'StatefulSet', plural: 'statefulsets' },
];

/** Has no count: it is suspended in place of being scaled. Allowed by a chart value of its own, since that needs their `patch`. */
export const CRON_JOBS: ScalableKind = { apiVersion: 'batch/v1', kind: 'CronJob', plural: 'cronjobs' };

export function isCronJob({ apiVersion, kind }: { readonly apiVersion?: string; readonly kind: string }): boolean {
  return apiVersion === CRON_JOBS.apiVersion && kind === CRON_JOBS.kind;
}

/** The versions of a group show the same workloads. */
export function groupOf({ apiVersion = APPS }: { readonly apiVersion?: string }): string {
  return apiVersion.split('/')[0] ?? '';
}

/** Undefined where the admin has not allowed the kind; `more`: what was allowed beyond Deployments and StatefulSets. */
export function scalableKindOf(workload: Workload, more: readonly ScalableKind[]): ScalableKind | undefined {
  const { apiVersion = APPS, kind } = workload;
  return [...SCALABLE_ALWAYS, ...more].find((known) => known.apiVersion === apiVersion && known.kind === kind);
}

/** `Deployment web`, for people. */
export function workloadTitle({ kind, name }: Workload): string {
  return `${kind} ${name}`;
}

/** As kubectl takes it and we find it again: `Deployment/web`, `rollouts.argoproj.io/web`. */
export function workloadArgument({ apiVersion, kind, plural }: ScalableKind, name: string): string {
  const [group = ''] = apiVersion.split('/');
  return apiVersion === APPS ? `${kind}/${name}` : `${plural}.${group}/${name}`;
}

/** The other way round; undefined where it names none of the kinds that are allowed. */
export function workloadNamed(
  argument: string,
  more: readonly ScalableKind[],
): { readonly resource: ScalableKind; readonly name: string } | undefined {
  const [, name = ''] = argument.split('/');
  const resource = [...SCALABLE_ALWAYS, ...more].find((known) => workloadArgument(known, name) === argument);
  return resource === undefined || name === '' ? undefined : { resource, name };
}

/**
 * Every right that the operator's account needs, and why, in every namespace that it looks after. The chart's ClusterRole
 * says the same, and so do the Roles that take its place where the operator is confined to some namespaces; tests
 * hold them, and what the operator really asks of the API server, against this table. None of it is a right on
 * something outside of all namespaces. There is no `secrets` here, and never will be.
 */

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';

export interface Right {
  readonly group: string;
  /** With its subresource, such as `restores/status`. */
  readonly resource: string;
  readonly verbs: readonly Verb[];
  readonly because: string;
}

const HOLDFAST = 'holdfast.dev';
const WATCHED: readonly Verb[] = ['get', 'list', 'watch'];

export const RIGHTS: readonly Right[] = [
  ...['backupstores', 'backupkeys', 'backupschedules', 'backups', 'restores'].flatMap((resource): Right[] => [
    { group: HOLDFAST, resource, verbs: WATCHED, because: 'They say what is to be done.' },
    {
      group: HOLDFAST,
      resource: `${resource}/status`,
      verbs: ['patch'],
      because: 'Server-side apply of what became of them.',
    },
  ]),
  {
    group: HOLDFAST,
    resource: 'restores',
    verbs: ['patch', 'create', 'delete'],
    because:
      'A finalizer while an app may be at zero, nothing else of a Restore is written; a schedule makes its drills, and removes old ones.',
  },
  {
    group: HOLDFAST,
    resource: 'backups',
    verbs: ['create', 'delete'],
    because: 'A schedule makes its Backups, and removes those that retention lets go.',
  },
  {
    group: 'batch',
    resource: 'jobs',
    verbs: [...WATCHED, 'create', 'delete'],
    because: 'Everything that touches a database or a store runs in one.',
  },
  {
    group: '',
    resource: 'pods',
    verbs: WATCHED.filter((verb) => verb !== 'get'),
    because: "The runner's answer is its termination message; an app is quiet when its pods are gone.",
  },
  {
    group: 'coordination.k8s.io',
    resource: 'leases',
    verbs: [...WATCHED, 'create', 'update', 'delete'],
    because: 'Leader, one operation per database, and the replica count to return to.',
  },
  { group: 'events.k8s.io', resource: 'events', verbs: ['create'], because: 'They tell people what happened.' },
  ...['deployments', 'statefulsets'].flatMap((resource) => scaleRights('apps', resource)),
];

/** What a kind needs that the chart is told to allow (`restore.scalableKinds`): the same as Deployments. */
export function scaleRights(group: string, resource: string): Right[] {
  return [
    {
      group,
      resource: `${resource}/scale`,
      verbs: ['get', 'update'],
      because: 'To zero for a restore, and back; it names the selector of the pods that must be gone.',
    },
    {
      group,
      resource,
      verbs: ['get'],
      because: 'Who else writes the count is in the managed fields, which a scale does not have.',
    },
  ];
}

/** Only where the chart is told so (`restore.suspendCronJobs`): a CronJob has no smaller right than this one. */
export const CRON_JOB_RIGHTS: readonly Right[] = [
  {
    group: 'batch',
    resource: 'cronjobs',
    verbs: ['get', 'patch'],
    because: 'Suspended for a restore, and resumed; nothing else of it is written.',
  },
];

/** What an operator that is confined to some namespaces needs in its own, whether or not that is one of them. */
export const HOME_RIGHTS: readonly Right[] = RIGHTS.filter(({ resource }) => resource === 'leases');

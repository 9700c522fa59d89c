/** Reads everything that an examination looks at. What our rights do not show is no error but an answer. */
import type { Backup } from '../../api/backup.ts';
import type { BackupKey } from '../../api/backup-key.ts';
import type { BackupSchedule } from '../../api/backup-schedule.ts';
import type { BackupStore } from '../../api/backup-store.ts';
import { KINDS } from '../../api/crd.ts';
import type { KubeObject, Lease } from '../../api/kubernetes.ts';
import { GROUP, VERSION } from '../../api/meta.ts';
import { LABELS, MANAGED_BY } from '../../api/names.ts';
import type { Restore } from '../../api/restore.ts';
import { isForbidden, isNotFound } from '../../kube/errors.ts';
import { KIND, type KindRef } from '../../kube/kinds.ts';
import { LEADER_LEASE } from '../../kube/leader.ts';
import { collectionPath } from '../../kube/paths.ts';
import { DEPLOYMENT, type Deployment, NAMESPACE, type Namespace } from '../kinds.ts';
import type { Session } from '../session.ts';
import { fieldsOf, missingFields } from './fields.ts';
import type { Answer } from './finding.ts';

export interface AccessAnswer {
  readonly verb: string;
  readonly resource: string;
  readonly group: string;
  readonly allowed: boolean;
}

export interface OperatorFacts {
  readonly deployment: Deployment;
  /** The only namespaces that it looks after; empty: all. */
  readonly namespaces: readonly string[];
  readonly leader: Answer<Lease | undefined>;
}

export interface ServedKinds {
  /** Of the group holdfast.dev; empty where the CRDs are not there. */
  readonly versions: readonly string[];
  /** Kinds of ours that are not served. */
  readonly missingKinds: readonly string[];
  /** Fields that this plugin knows and the cluster does not. */
  readonly missingFields: Answer<readonly string[]>;
}

export interface DoctorFacts {
  readonly namespace: string;
  readonly served: ServedKinds;
  readonly operators: Answer<readonly OperatorFacts[]>;
  readonly access: readonly AccessAnswer[];
  readonly place: Answer<Namespace | undefined>;
  readonly stores: Answer<readonly BackupStore[]>;
  readonly keys: Answer<readonly BackupKey[]>;
  readonly schedules: Answer<readonly BackupSchedule[]>;
  readonly backups: Answer<readonly Backup[]>;
  readonly restores: Answer<readonly Restore[]>;
  readonly leases: Answer<readonly Lease[]>;
}

export async function look(session: Session): Promise<DoctorFacts> {
  const { namespace } = session;
  const served = await servedKinds(session);
  const there = served.versions.length > 0;
  const listed = <T extends KubeObject>(kind: KindRef<T>): Promise<Answer<readonly T[]>> =>
    there ? answer(session.cluster.list(kind, { namespace })) : Promise.resolve(unknown('the kinds are not served'));
  const [operators, access, place, stores, keys, schedules, backups, restores, leases] = await Promise.all([
    operatorsOf(session),
    there ? accessOf(session) : [],
    placeOf(session),
    listed(KIND.backupStore),
    listed(KIND.backupKey),
    listed(KIND.backupSchedule),
    listed(KIND.backup),
    listed(KIND.restore),
    answer(session.cluster.list(KIND.lease, { namespace, labelSelector: `${LABELS.managedBy}=${MANAGED_BY}` })),
  ]);
  return { namespace, served, operators, access, place, stores, keys, schedules, backups, restores, leases };
}

/** Undefined where there is no such namespace. */
async function placeOf({ http, namespace }: Session): Promise<Answer<Namespace | undefined>> {
  const path = `${collectionPath(NAMESPACE)}/${encodeURIComponent(namespace)}`;
  const found = http.json<Namespace>({ method: 'GET', path }).catch((caught: unknown) => {
    if (isNotFound(caught)) return undefined;
    throw caught;
  });
  return answer(found);
}

/** Only a refusal is an answer; a broken connection ends the examination. */
async function answer<T>(asked: Promise<T>): Promise<Answer<T>> {
  try {
    return { known: true, value: await asked };
  } catch (caught) {
    if (isForbidden(caught)) return unknown('you may not look at them');
    if (isNotFound(caught)) return unknown('this cluster does not serve them');
    throw caught;
  }
}

function unknown<T>(why: string): Answer<T> {
  return { known: false, why };
}

/** Discovery and OpenAPI are open to everybody who can log in; the CRDs themselves are not. */
async function servedKinds({ http }: Session): Promise<ServedKinds> {
  const group = await answer(http.json<{ versions: { version: string }[] }>({ method: 'GET', path: `/apis/${GROUP}` }));
  const versions = group.known ? group.value.versions.map(({ version }) => version) : [];
  if (!versions.includes(VERSION)) return { versions, missingKinds: [], missingFields: unknown('they are not served') };
  const path = `/apis/${GROUP}/${VERSION}`;
  const [resources, schemas] = await Promise.all([
    http.json<{ resources: { kind: string }[] }>({ method: 'GET', path }),
    answer(http.json<OpenApi>({ method: 'GET', path: `/openapi/v3${path}` })),
  ]);
  const kinds = new Set(resources.resources.map(({ kind }) => kind));
  const missingKinds = KINDS.map(({ kind }) => kind).filter((kind) => !kinds.has(kind));
  return {
    versions,
    missingKinds,
    missingFields: schemas.known ? { known: true, value: allMissing(schemas.value, missingKinds) } : schemas,
  };
}

interface OpenApi {
  readonly components?: { readonly schemas?: Readonly<Record<string, object>> };
}

function allMissing({ components }: OpenApi, missingKinds: readonly string[]): string[] {
  return KINDS.filter(({ kind }) => !missingKinds.includes(kind)).flatMap(({ kind, spec }) => {
    const name = Object.keys(components?.schemas ?? {}).find((each) => each.endsWith(`.${kind}`));
    const theirs = fieldsOf(components?.schemas?.[name ?? ''] ?? {});
    return missingFields(fieldsOf({ properties: { spec: JSON.parse(JSON.stringify(spec)) as object } }), theirs).map(
      (field) => `${kind} ${field}`,
    );
  });
}

const OPERATORS = { labelSelector: 'app.kubernetes.io/name=holdfast' };

/** Who may not look everywhere may have an operator in this very namespace. That there is none here says nothing then. */
async function operatorsOf(session: Session): Promise<Answer<readonly OperatorFacts[]>> {
  const everywhere = await answer(session.cluster.list(DEPLOYMENT, OPERATORS));
  if (everywhere.known) return { known: true, value: await Promise.all(everywhere.value.map(operatorFacts(session))) };
  const here = await answer(session.cluster.list(DEPLOYMENT, { namespace: session.namespace, ...OPERATORS }));
  if (!here.known || here.value.length === 0) return everywhere;
  return { known: true, value: await Promise.all(here.value.map(operatorFacts(session))) };
}

function operatorFacts({ cluster }: Session) {
  return async (deployment: Deployment): Promise<OperatorFacts> => {
    const namespace = deployment.metadata.namespace ?? '';
    const leader = await answer(cluster.get(KIND.lease, { namespace, name: LEADER_LEASE }));
    return { deployment, namespaces: watchedBy(deployment), leader };
  };
}

function watchedBy({ spec }: Deployment): string[] {
  const variables = spec.template?.spec?.containers?.flatMap(({ env }) => env ?? []) ?? [];
  const text = variables.find(({ name }) => name === 'HOLDFAST_WATCH_NAMESPACES')?.value ?? '';
  return text.split(',').filter((name) => name !== '');
}

const VERBS = ['get', 'list', 'watch', 'create', 'delete'] as const;

function accessOf(session: Session): Promise<AccessAnswer[]> {
  const ours = KINDS.flatMap(({ plural }) => VERBS.map((verb) => ({ verb, resource: plural, group: GROUP })));
  const progress = [
    { verb: 'list', resource: 'pods', group: '' },
    { verb: 'get', resource: 'pods/log', group: '' },
  ];
  return Promise.all([...ours, ...progress].map((asked) => review(session, asked)));
}

async function review(session: Session, asked: Omit<AccessAnswer, 'allowed'>): Promise<AccessAnswer> {
  const [resource, subresource] = asked.resource.split('/');
  const { status } = await session.http.json<{ status?: { allowed?: boolean } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: {
        resourceAttributes: {
          namespace: session.namespace,
          group: asked.group,
          verb: asked.verb,
          resource,
          subresource,
        },
      },
    },
  });
  return { ...asked, allowed: status?.allowed === true };
}

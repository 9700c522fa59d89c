import type { CronJob, KubeObject, Lease, LeaseSpec, NewObject, Scale } from '../api/kubernetes.ts';
import { FIELD_MANAGER } from '../api/meta.ts';
import type { Cluster, DeleteOptions, EventReport, Identity, ListOptions, Place, Version } from './cluster.ts';
import { isAlreadyExists, isNotFound } from './errors.ts';
import { eventObject } from './event.ts';
import type { Http } from './http.ts';
import { KIND, type KindRef, kindOf } from './kinds.ts';
import { collectionPath, objectPath } from './paths.ts';
import { withoutUndeclared } from './undeclared.ts';

/** The API server's own default of a page that neither strains it nor takes long to parse. */
const PAGE_SIZE = 500;

export interface ListPage<T extends KubeObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly T[] | null;
}

/** The one real {@link Cluster}. `mayWrite` is asked right before the first byte of every write and throws to keep it back. */
export class KubeCluster implements Cluster {
  private readonly http: Http;
  private readonly mayWrite: () => void;
  private readonly reporter: string;

  constructor(http: Http, options: { readonly mayWrite?: () => void; readonly reporter?: string } = {}) {
    this.http = http;
    this.mayWrite = options.mayWrite ?? (() => undefined);
    this.reporter = options.reporter ?? FIELD_MANAGER;
  }

  async get<T extends KubeObject>(kind: KindRef<T>, place: Place): Promise<T | undefined> {
    return unlessMissing(this.http.json<T>({ method: 'GET', path: objectPath(kind, place) }));
  }

  async list<T extends KubeObject>(kind: KindRef<T>, options: ListOptions = {}): Promise<readonly T[]> {
    return (await listAll(this.http, kind, options)).items;
  }

  create<T extends KubeObject>(object: NewObject): Promise<T> {
    const path = collectionPath(kindOf(object), object.metadata.namespace);
    return this.write<T>('POST', path, { query: { fieldManager: FIELD_MANAGER }, body: object });
  }

  // A resourceVersion is given to one version of one object only, so it stands for the uid too, which nobody compares here.
  async applyStatus<T extends KubeObject>(kind: KindRef<T>, seen: Version, status: object): Promise<T> {
    // The API server names one field at a time.
    for (let declared = status; ; ) {
      try {
        return await this.patchStatus(kind, seen, declared);
      } catch (caught) {
        const less = withoutUndeclared(declared, caught);
        if (less === undefined) throw caught;
        declared = less;
      }
    }
  }

  private patchStatus<T extends KubeObject>(kind: KindRef<T>, seen: Version, status: object): Promise<T> {
    const { apiVersion, kind: name } = kind;
    return this.write<T>('PATCH', objectPath(kind, seen, 'status'), {
      query: { fieldManager: FIELD_MANAGER, force: 'true' },
      body: { apiVersion, kind: name, metadata: versionMeta(seen), status },
      contentType: 'application/apply-patch+yaml',
    });
  }

  // A merge patch, since it answers a plain Conflict for a stale resourceVersion or uid; a JSON patch's `test` answers Invalid.
  setFinalizers<T extends KubeObject>(kind: KindRef<T>, seen: Version, finalizers: readonly string[]): Promise<T> {
    return this.write<T>('PATCH', objectPath(kind, seen), {
      query: { fieldManager: FIELD_MANAGER },
      body: { metadata: { uid: seen.uid, resourceVersion: seen.resourceVersion, finalizers } },
      contentType: 'application/merge-patch+json',
    });
  }

  async delete(kind: KindRef, object: Identity, options: DeleteOptions = {}): Promise<void> {
    const { uid } = object;
    const { resourceVersion, propagationPolicy = 'Background' } = options;
    const preconditions = { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    await this.write('DELETE', objectPath(kind, object), {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy, preconditions },
    });
  }

  getScale(kind: KindRef, place: Place): Promise<Scale | undefined> {
    return unlessMissing(this.http.json<Scale>({ method: 'GET', path: objectPath(kind, place, 'scale') }));
  }

  setScale(kind: KindRef, seen: Version, replicas: number): Promise<Scale> {
    return this.write<Scale>('PUT', objectPath(kind, seen, 'scale'), {
      query: { fieldManager: FIELD_MANAGER },
      body: { apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: versionMeta(seen), spec: { replicas } },
    });
  }

  setSuspend(seen: Version, suspend: boolean): Promise<CronJob> {
    return this.write<CronJob>('PATCH', objectPath(KIND.cronJob, seen), {
      query: { fieldManager: FIELD_MANAGER },
      body: { metadata: versionMeta(seen), spec: { suspend } },
      contentType: 'application/merge-patch+json',
    });
  }

  updateLease(seen: Lease, spec: LeaseSpec): Promise<Lease> {
    const { apiVersion, kind, metadata } = seen;
    const place = { namespace: metadata.namespace ?? '', name: metadata.name };
    return this.write<Lease>('PUT', objectPath(KIND.lease, place), {
      query: { fieldManager: FIELD_MANAGER },
      body: { apiVersion, kind, metadata, spec },
    });
  }

  async event(report: EventReport, at: Date): Promise<void> {
    try {
      await this.create(eventObject(report, at, this.reporter));
    } catch (error) {
      // Said already: its name is made of what it says.
      if (!isAlreadyExists(error)) throw error;
    }
  }

  private write<T>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    rest: { query?: Record<string, string>; body: object; contentType?: string },
  ): Promise<T> {
    return this.http.json<T>({ method, path, ...rest, beforeSend: this.mayWrite });
  }
}

function versionMeta({ namespace, name, uid, resourceVersion }: Version) {
  return { namespace, name, uid, resourceVersion };
}

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/**
 * All pages of a list, as of one resourceVersion. Asked without a resourceVersion, so the answer is never older than the
 * question, whichever API server of several gives it. A page that fails, an expired continue token (410) included, is thrown.
 */
export async function listAll<T extends KubeObject>(
  http: Http,
  kind: KindRef<T>,
  { namespace, labelSelector }: ListOptions,
): Promise<{ readonly items: T[]; readonly resourceVersion: string }> {
  const items: T[] = [];
  let next: string | undefined;
  for (;;) {
    const page: ListPage<T> = await http.json({
      method: 'GET',
      path: collectionPath(kind, namespace),
      query: { limit: String(PAGE_SIZE), labelSelector, continue: next },
    });
    for (const item of page.items ?? []) items.push(named(item, kind));
    next = page.metadata.continue || undefined;
    if (next === undefined) return { items, resourceVersion: page.metadata.resourceVersion };
  }
}

/** Items of a list of built-in kinds come without apiVersion and kind. */
function named<T extends KubeObject>(item: T, { apiVersion, kind }: KindRef<T>): T {
  return { ...item, apiVersion, kind };
}

import type { Crd, NewCrd } from '../api/kubernetes.ts';
import { isNotFound } from './errors.ts';
import type { Http } from './http.ts';
import type { KindRef } from './kinds.ts';
import { collectionPath } from './paths.ts';

const CRD: KindRef<Crd> = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
};

/** The calls that the upgrade of our kinds needs. The operator has no right to any of them. */
export class CrdClient {
  private readonly http: Http;

  constructor(http: Http) {
    this.http = http;
  }

  /** `undefined` where there is none. */
  async get(name: string): Promise<Crd | undefined> {
    try {
      return await this.http.json<Crd>({ method: 'GET', path: pathOf(name) });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  create(wanted: NewCrd): Promise<Crd> {
    return this.http.json<Crd>({ method: 'POST', path: collectionPath(CRD), query: MANAGER, body: wanted });
  }

  /**
   * Server-side apply, forced: `spec.versions` and the names are lists that it takes as a whole, so a field or a rule that
   * ours does not have goes; labels and annotations of others stay. Refused (`isConflict`) when somebody changed it since
   * it was looked at, so that a newer version is not overtaken.
   */
  apply(found: Crd, wanted: NewCrd): Promise<Crd> {
    const { uid, resourceVersion } = found.metadata;
    return this.http.json<Crd>({
      method: 'PATCH',
      path: pathOf(wanted.metadata.name),
      query: { ...MANAGER, force: 'true' },
      body: { ...wanted, metadata: { ...wanted.metadata, uid, resourceVersion } },
      contentType: 'application/apply-patch+yaml',
    });
  }

  /** The plurals that the API server serves of a group's version: what a client can use at this instant. */
  async served(group: string, version: string): Promise<ReadonlySet<string>> {
    const path = `/apis/${encodeURIComponent(group)}/${encodeURIComponent(version)}`;
    try {
      const { resources } = await this.http.json<{ resources: { name: string }[] }>({ method: 'GET', path });
      return new Set(resources.map(({ name }) => name));
    } catch (error) {
      if (isNotFound(error)) return new Set();
      throw error;
    }
  }
}

const MANAGER = { fieldManager: 'holdfast-crds' };

/** Cluster-scoped: `collectionPath` without a namespace is the collection itself. */
function pathOf(name: string): string {
  return `${collectionPath(CRD)}/${encodeURIComponent(name)}`;
}

/** The API server as its administrator asks it, without a process for every call: what tests do a hundred times a minute. */
import { Http } from '../../src/kube/http.ts';
import { kindOf } from '../../src/kube/kinds.ts';
import { personalCredentials } from '../../src/kube/kubeconfig.ts';
import { collectionPath, objectPath } from '../../src/kube/paths.ts';

// A connection that nobody uses keeps no process alive, so nobody closes them.
const opened = new Map<string, Promise<Http>>();

export function admin(kubeconfig: string): Promise<Http> {
  let http = opened.get(kubeconfig);
  if (http === undefined) {
    http = personalCredentials({ file: kubeconfig }, {}).then((credentials) => new Http(credentials));
    opened.set(kubeconfig, http);
  }
  return http;
}

interface Named {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly [field: string]: unknown;
}

const STRICT = { fieldValidation: 'Strict' };

/** As `kubectl create`: a field that is not one is an error. */
export async function createObject(kubeconfig: string, object: Named): Promise<void> {
  const path = collectionPath(kindOf(object), object.metadata.namespace);
  await (await admin(kubeconfig)).json({ method: 'POST', path, query: STRICT, body: object });
}

/** Writes these fields of its status, as `kubectl patch --subresource=status --type=merge`. */
export async function patchStatus(kubeconfig: string, object: Named, status: unknown): Promise<void> {
  const path = objectPath(kindOf(object), object.metadata, 'status');
  const contentType = 'application/merge-patch+json';
  await (await admin(kubeconfig)).json({ method: 'PATCH', path, query: STRICT, body: { status }, contentType });
}

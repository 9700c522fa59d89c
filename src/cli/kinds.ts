/** Kinds that a person may name or make, beyond those of the operator. */
import type { KubeObject } from '../api/kubernetes.ts';
import type { KindRef } from '../kube/kinds.ts';

export interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: string };
}

interface Container {
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

export interface Deployment extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly template?: { readonly spec?: { readonly containers?: readonly Container[] } };
  };
  readonly status?: { readonly readyReplicas?: number };
}

/** The operator has no verb for Secrets; a person's own rights decide here. */
export const SECRET: KindRef<Secret> = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };
export const NAMESPACE: KindRef<Namespace> = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };
export const DEPLOYMENT: KindRef<Deployment> = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };

/** A log of the requests to a cluster's API server. */
import { join } from 'node:path';

export function auditPolicyFile(dir: string): string {
  return join(dir, 'audit-policy.yaml');
}

/** A line of JSON for every request, so that a test can ask who did what. */
export function auditLog(dir: string): string {
  return join(dir, 'log/audit.log');
}

/** Whole requests and answers where our operator writes; nothing but the fact elsewhere, and never a Secret's data. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver", "system:kube-scheduler", "system:kube-proxy"]
- level: None
  userGroups: ["system:nodes"]
- level: RequestResponse
  verbs: [create, update, patch, delete, deletecollection]
  resources:
  - group: holdfast.dev
  - {group: coordination.k8s.io, resources: [leases]}
  - {group: batch, resources: [jobs]}
  - {group: apps, resources: ["deployments/scale", "statefulsets/scale", "replicasets/scale"]}
- level: Metadata
`;

import Type from 'typebox';

export const GROUP = 'holdfast.dev';

/** A kind of ours as kubectl takes it for no other's: Velero has Backups and Restores as well. */
export const inKubectl = (kind: string): string => `${kind.toLowerCase()}.${GROUP}`;
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}`;

/** The field manager of every server-side apply of ours. */
export const FIELD_MANAGER = 'holdfast';

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Which fields one writer owns, as the API server keeps account of it. */
export interface ManagedFields {
  readonly manager?: string;
  readonly operation?: string;
  readonly subresource?: string;
  readonly time?: string;
  /** `{"f:spec":{"f:replicas":{}}}` */
  readonly fieldsV1?: unknown;
}

/** The part of Kubernetes' ObjectMeta that we read. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly ownerReferences?: readonly OwnerReference[];
  readonly managedFields?: readonly ManagedFields[];
}

/** An object of one of our kinds as it comes from the API server. */
export interface Resource<Spec, Status> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta & { readonly namespace: string };
  readonly spec: Spec;
  readonly status?: Status;
}

/** `metadata.name` of another object of the same namespace; there is no namespace field anywhere, so nobody reaches into another tenant. */
export const NameReference = (description: string) => Type.Object({ name: ObjectName() }, { description });

/** A DNS subdomain name, as Kubernetes wants it of Secrets and of our own kinds. */
export const ObjectName = () =>
  Type.String({ minLength: 1, maxLength: 253, pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$' });

/** A key within a Secret. */
export const SecretKey = (description: string) =>
  Type.String({ minLength: 1, maxLength: 253, pattern: '^[-._a-zA-Z0-9]+$', description });

/** One value within a Secret of the same namespace. */
export const SecretKeyReference = (description: string) =>
  Type.Object({ name: ObjectName(), key: SecretKey('Key within the Secret.') }, { description });

/** The schema with a default. TypeBox forgets the type when options are spread over a schema. */
export function withDefault<Schema extends object>(schema: Schema, value: unknown): Schema {
  return { ...schema, default: value };
}

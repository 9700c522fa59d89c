/** From what people wrote to what a runner is told. Pure. */
import { type BackupStore, resolveEndpoint, STORE_SECRET_KEYS } from '../api/backup-store.ts';
import {
  addressOf,
  entryOf,
  type PostgresqlSource,
  type PostgresqlTarget,
  targetAddressOf,
  targetEntryOf,
} from '../api/postgresql.ts';
import type { ServerAccess, StoreAccess } from '../api/task.ts';
import type { RunnerSecrets } from '../manifests/runner-pod.ts';

export function storeAccessOf({ spec }: BackupStore): StoreAccess {
  const { endpoint, region, bucket, prefix, forcePathStyle, credentials, tls } = spec.s3;
  return {
    endpoint: resolveEndpoint(endpoint),
    region,
    bucket,
    prefix: prefix ?? '',
    forcePathStyle: forcePathStyle ?? false,
    ...(credentials === undefined ? {} : secretOf(credentials.secretRef)),
    ...(spec.serviceAccountName === undefined ? {} : { serviceAccount: spec.serviceAccountName }),
    ...(tls === undefined ? {} : authoritiesOf(tls)),
  };
}

type S3Spec = BackupStore['spec']['s3'];

function secretOf({
  name,
  ...named
}: NonNullable<S3Spec['credentials']>['secretRef']): Pick<StoreAccess, 'secret' | 'secretKeys'> {
  const secretKeys = { ...STORE_SECRET_KEYS, ...named };
  const usual = Object.entries(STORE_SECRET_KEYS).every(
    ([what, key]) => secretKeys[what as keyof typeof secretKeys] === key,
  );
  return usual ? { secret: name } : { secret: name, secretKeys };
}

function authoritiesOf({ caSecretRef, caConfigMapRef }: NonNullable<S3Spec['tls']>): Pick<StoreAccess, 'authorities'> {
  if (caSecretRef !== undefined) return { authorities: { kind: 'Secret', ...caSecretRef } };
  return caConfigMapRef === undefined ? {} : { authorities: { kind: 'ConfigMap', ...caConfigMapRef } };
}

/** What the pod of a Job that uses a store is given for it. */
export function storeNeedsOf({ secret, serviceAccount, authorities }: StoreAccess): {
  readonly secrets: RunnerSecrets;
  readonly serviceAccount?: string;
} {
  return {
    secrets: {
      ...(secret === undefined ? {} : { store: secret }),
      ...(authorities === undefined
        ? {}
        : { storeCa: { kind: authorities.kind, name: authorities.name, keys: [authorities.key] } }),
    },
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
  };
}

export function sourceAccessOf(source: PostgresqlSource): ServerAccess {
  return { engine: 'postgresql', ...addressOf(source), ...entryOf(source) };
}

/** `archived`: see {@link targetAddressOf}. */
export function targetAccessOf(
  source: PostgresqlSource,
  target: PostgresqlTarget | undefined,
  archived?: string,
): ServerAccess {
  const [address, entry] = [targetAddressOf(source, target, archived), targetEntryOf(source, target, archived)];
  return { engine: 'postgresql', ...address, ...entry };
}

/** The Secrets that a runner needs for a database. Of those for TLS only the keys that are named: they may hold more, such as an authority's private key. */
export function databaseSecretsOf({ credentials, tls }: ServerAccess): RunnerSecrets {
  const { authorities, clientCertificate: client } = tls ?? {};
  return {
    database: credentials.secret,
    ...(authorities === undefined ? {} : { databaseCa: { name: authorities.secret, keys: [authorities.key] } }),
    ...(client === undefined
      ? {}
      : {
          databaseCertificate: {
            name: client.secret,
            keys: [...new Set([client.certificateKey, client.privateKeyKey])],
          },
        }),
  };
}

/** From what people wrote to what a runner is told. Pure. */
import { type BackupStore, resolveEndpoint } from '../api/backup-store.ts';
import type { PostgresqlAddress } from '../api/postgresql.ts';
import { credentialsOf, type PostgresqlSource } from '../api/postgresql.ts';
import type { DatabaseAccess, StoreAccess } from '../api/task.ts';

export function storeAccessOf(store: BackupStore): StoreAccess {
  const { endpoint, region, bucket, prefix, forcePathStyle, credentials } = store.spec.s3;
  return {
    endpoint: resolveEndpoint(endpoint),
    region,
    bucket,
    prefix: prefix ?? '',
    forcePathStyle: forcePathStyle ?? false,
    secret: credentials.secretRef.name,
  };
}

export function databaseAccessOf(
  address: PostgresqlAddress,
  credentials: PostgresqlSource['credentials'],
): DatabaseAccess {
  return { engine: 'postgresql', ...address, credentials: credentialsOf({ credentials }) };
}

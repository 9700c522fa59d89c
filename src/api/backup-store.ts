import Type, { type Static } from 'typebox';
import { commonStatus } from './conditions.ts';
import { NameReference, type Resource } from './meta.ts';

const S3Schema = Type.Object({
  endpoint: Type.String({
    minLength: 1,
    maxLength: 512,
    pattern: '^(https?://)?[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?/?$',
    description:
      'Host or URL of the S3 server, such as s3.eu-de.example.com or http://minio.storage.svc:9000. A bare host means https; status.resolvedEndpoint shows what is used.',
  }),
  region: Type.String({
    minLength: 1,
    maxLength: 64,
    pattern: '^[-a-zA-Z0-9]+$',
    description: 'Region that requests are signed for.',
  }),
  bucket: Type.String({
    minLength: 3,
    maxLength: 63,
    pattern: '^[a-z0-9][-a-z0-9.]*[a-z0-9]$',
    description: 'Bucket that holds the archives. It must exist.',
  }),
  prefix: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 256,
      pattern: '^[-A-Za-z0-9_.]+(/[-A-Za-z0-9_.]+)*$',
      description: "Folder within the bucket below which everything is written; the bucket's root when absent.",
      'x-kubernetes-validations': [
        {
          rule: "!self.split('/').exists(part, part == '.' || part == '..')",
          message: 'a prefix may not contain the parts "." or ".."',
        },
      ],
    }),
  ),
  forcePathStyle: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Address the bucket as a path (host/bucket) rather than as a host name (bucket.host). Most servers other than AWS want true.',
    }),
  ),
  credentials: Type.Object(
    {
      secretRef: NameReference(
        'Secret with the keys AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, where they are temporary, AWS_SESSION_TOKEN.',
      ),
    },
    { description: 'Who the Jobs are to the S3 server.' },
  ),
});

export const BackupStoreSpecSchema = Type.Object({
  s3: S3Schema,
});

export const BackupStoreStatusSchema = Type.Object({
  ...commonStatus,
  resolvedEndpoint: Type.Optional(Type.String({ description: 'The URL that is used.' })),
  conditionalWrites: Type.Optional(
    Type.Boolean({
      description: 'Whether the server honours If-None-Match: *, by which two attempts at one backup cannot both win.',
    }),
  ),
  lastCheckTime: Type.Optional(Type.String({ format: 'date-time', description: 'When the store was last tried.' })),
});

export type BackupStoreSpec = Static<typeof BackupStoreSpecSchema>;
export type BackupStoreStatus = Static<typeof BackupStoreStatusSchema>;
export type BackupStore = Resource<BackupStoreSpec, BackupStoreStatus>;

/** The endpoint as a URL without a trailing slash: `host[:port]` means https. */
export function resolveEndpoint(endpoint: string): string {
  const url = /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`;
  return url.replace(/\/+$/, '');
}

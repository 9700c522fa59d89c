import Type, { type Static } from 'typebox';
import { commonStatus } from './conditions.ts';
import { ObjectName, type Resource, SecretKey, withDefault } from './meta.ts';

/** Where in the Secret of a store the credentials are, unless it says otherwise: as AWS names the environment variables. */
export const STORE_SECRET_KEYS = {
  accessKeyIdKey: 'AWS_ACCESS_KEY_ID',
  secretAccessKeyKey: 'AWS_SECRET_ACCESS_KEY',
  sessionTokenKey: 'AWS_SESSION_TOKEN',
} as const;

const Credentials = Type.Object(
  {
    secretRef: Type.Object(
      {
        name: ObjectName(),
        accessKeyIdKey: Type.Optional(
          withDefault(SecretKey('Key of the access key ID.'), STORE_SECRET_KEYS.accessKeyIdKey),
        ),
        secretAccessKeyKey: Type.Optional(
          withDefault(SecretKey('Key of the secret access key.'), STORE_SECRET_KEYS.secretAccessKeyKey),
        ),
        sessionTokenKey: Type.Optional(
          withDefault(
            SecretKey(
              'Key of the session token of temporary credentials; where the Secret has no such key, there is none.',
            ),
            STORE_SECRET_KEYS.sessionTokenKey,
          ),
        ),
      },
      { description: 'Secret with the credentials.' },
    ),
  },
  {
    description:
      "Who the Jobs are to the S3 server. Absent: whoever the cloud says their service account is (EKS: IAM roles for service accounts, or Pod Identity). The node's own role is never used.",
  },
);

const authority = (kind: 'Secret' | 'ConfigMap') =>
  Type.Optional(
    Type.Object(
      { name: ObjectName(), key: SecretKey(`Key within the ${kind}.`) },
      { description: `${kind} and key with the certificates of the authorities, in PEM.` },
    ),
  );

const Tls = Type.Object(
  { caSecretRef: authority('Secret'), caConfigMapRef: authority('ConfigMap') },
  {
    description:
      'The authorities that may have signed the certificate of the S3 server, in place of the public ones. There is no switch that turns the check off: an impostor would take every backup and keep none.',
    'x-kubernetes-validations': [
      {
        rule: 'has(self.caSecretRef) != has(self.caConfigMapRef)',
        message: 'name exactly one of caSecretRef and caConfigMapRef',
      },
    ],
  },
);

const S3Schema = Type.Object(
  {
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
    credentials: Type.Optional(Credentials),
    tls: Type.Optional(Tls),
  },
  {
    'x-kubernetes-validations': [
      {
        rule: "!has(self.tls) || !self.endpoint.startsWith('http://')",
        message: 'tls is for an endpoint that begins with https://: over http:// nothing is encrypted or checked',
      },
    ],
  },
);

export const BackupStoreSpecSchema = Type.Object({
  s3: S3Schema,
  serviceAccountName: Type.Optional({
    ...ObjectName(),
    description:
      "Service account of every Job that uses this store; absent: the namespace's default. No token of Kubernetes is mounted for it: it is there for what a cloud gives to its Pods.",
  }),
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

/**
 * What the demo puts into its namespace before Holdfast comes in: a PostgreSQL, an S3 server and an app. All of it runs under the
 * restricted PodSecurity level, on empty volumes: this is for looking at, not for keeping.
 */

export const NAMESPACE = 'holdfast-demo';
export const OPERATOR_NAMESPACE = 'holdfast-system';
export const RELEASE = 'holdfast';
export const CLUSTER_NAME = 'demo';
export const APP = 'demo-app';
export const REPLICAS = 3;
export const DATABASE = 'shop';

/** Secrets, by the names that examples/*.yaml use. */
export const LOGIN = { secret: 'database-login', role: 'shop' };
export const STORE_SECRET = 'store-credentials';
/** Only the demo keeps the private key in the cluster: a second run must be able to open the first one's archives. */
export const IDENTITY = { secret: 'restore-identity', key: 'identity' };
export const SUPERUSER_SECRET = 'postgres-superuser';

const POSTGRES_PORT = 5432;
export const S3_PORT = 7070;

/** The users of the images: PostgreSQL wants one that is in the image's /etc/passwd. */
const USERS = { postgres: 999, s3: 65532 };

const podSecurity = (user: number) => ({
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: 'RuntimeDefault' },
});
const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
};

export interface Images {
  readonly postgres: string;
  readonly s3: string;
}

export function namespace(): object {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
  };
}

export function secret(name: string, values: Readonly<Record<string, string>>): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: values };
}

const fromSecret = (name: string, secret: string, key: string) => ({
  name,
  valueFrom: { secretKeyRef: { name: secret, key } },
});

/** Empty folders of a pod, each by the name of its volume. */
function emptyFolders(paths: Readonly<Record<string, string>>) {
  return {
    volumeMounts: Object.entries(paths).map(([name, mountPath]) => ({ name, mountPath })),
    volumes: Object.keys(paths).map((name) => ({ name, emptyDir: {} })),
  };
}

/** As the official image wants it, so that this one may take its place. */
/** By default three answers that take longer than a second, on a busy machine, take the only server out of its Service. */
const PATIENT = { periodSeconds: 2, timeoutSeconds: 10, failureThreshold: 30 };

export function postgres(image: string): object[] {
  const folders = emptyFolders({ data: '/var/lib/postgresql/data', run: '/var/run/postgresql', tmp: '/tmp' });
  return [
    service('postgres', POSTGRES_PORT),
    deployment('postgres', 1, {
      securityContext: podSecurity(USERS.postgres),
      containers: [
        {
          name: 'postgres',
          image,
          imagePullPolicy: 'IfNotPresent',
          securityContext: containerSecurity,
          env: [
            { name: 'PGDATA', value: '/var/lib/postgresql/data/pgdata' },
            fromSecret('POSTGRES_PASSWORD', SUPERUSER_SECRET, 'password'),
          ],
          ports: [{ containerPort: POSTGRES_PORT }],
          // By the network, not by the socket: the official image answers there while it still sets itself up.
          readinessProbe: {
            exec: { command: ['pg_isready', '-q', '-h', '127.0.0.1', '-U', 'postgres'] },
            ...PATIENT,
          },
          volumeMounts: folders.volumeMounts,
        },
      ],
      volumes: folders.volumes,
    }),
  ];
}

export function s3(image: string): object[] {
  const folders = emptyFolders({ data: '/data', versions: '/versions', iam: '/iam', tmp: '/tmp' });
  return [
    service('s3', S3_PORT),
    deployment('s3', 1, {
      securityContext: podSecurity(USERS.s3),
      containers: [
        {
          name: 's3',
          image,
          imagePullPolicy: 'IfNotPresent',
          securityContext: containerSecurity,
          env: [
            fromSecret('ROOT_ACCESS_KEY_ID', STORE_SECRET, 'AWS_ACCESS_KEY_ID'),
            fromSecret('ROOT_SECRET_ACCESS_KEY', STORE_SECRET, 'AWS_SECRET_ACCESS_KEY'),
          ],
          ports: [{ containerPort: S3_PORT }],
          readinessProbe: { httpGet: { path: '/healthz', port: S3_PORT }, ...PATIENT },
          volumeMounts: folders.volumeMounts,
        },
      ],
      volumes: folders.volumes,
    }),
  ];
}

/** Three pods that each write an order every half second, by psql alone. */
const APP_SQL = `\\getenv pod HOSTNAME
INSERT INTO orders (pod, amount) VALUES (:'pod', round((random() * 100)::numeric, 2));
\\watch 0.5
`;

/** `image` is the database's: psql is in it. */
export function app(image: string): object[] {
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: APP }, data: { 'write.sql': APP_SQL } },
    deployment(APP, REPLICAS, {
      securityContext: podSecurity(USERS.postgres),
      // psql as the first process of its container does not hear SIGTERM.
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: 'app',
          image,
          imagePullPolicy: 'IfNotPresent',
          securityContext: containerSecurity,
          command: ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', '/app/write.sql'],
          env: [
            { name: 'PGHOST', value: 'postgres' },
            { name: 'PGDATABASE', value: DATABASE },
            fromSecret('PGUSER', LOGIN.secret, 'username'),
            fromSecret('PGPASSWORD', LOGIN.secret, 'password'),
          ],
          volumeMounts: [{ name: 'app', mountPath: '/app' }],
        },
      ],
      volumes: [{ name: 'app', configMap: { name: APP } }],
    }),
  ];
}

function service(name: string, port: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port, targetPort: port }] },
  };
}

function deployment(name: string, replicas: number, podSpec: object): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: {
      replicas,
      // Two of a database on one volume would not do; and for the app it saves a surge of pods on a small machine.
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: { automountServiceAccountToken: false, enableServiceLinks: false, ...podSpec },
      },
    },
  };
}

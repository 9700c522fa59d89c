import Type, { type Static } from 'typebox';
import { ObjectName, SecretKey } from './meta.ts';

/**
 * A database name: 1 to 63 bytes in UTF-8 (PostgreSQL cuts longer ones in silence), without control characters.
 * CEL counts characters, the runner counts bytes.
 */
const databaseName = (description: string) =>
  Type.String({ minLength: 1, maxLength: 63, pattern: '^[^\\x00-\\x1f\\x7f]+$', description });

const credentials = Type.Object(
  {
    secretRef: Type.Object({
      name: ObjectName(),
      usernameKey: Type.Optional({ ...SecretKey('Key of the role name.'), default: 'username' } as ReturnType<
        typeof SecretKey
      >),
      passwordKey: Type.Optional({ ...SecretKey('Key of the password.'), default: 'password' } as ReturnType<
        typeof SecretKey
      >),
    }),
  },
  { description: 'Secret with the role and its password.' },
);

const host = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: '^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$',
  description: 'Host name or address of the server.',
});
const port = Type.Integer({ minimum: 1, maximum: 65535, default: 5432 });
const maintenanceDatabase = {
  ...databaseName('Database in which locks are held and from which databases are created and renamed.'),
  default: 'postgres',
} as ReturnType<typeof databaseName>;

export const PostgresqlSourceSchema = Type.Object(
  {
    host,
    port: Type.Optional(port),
    database: databaseName('The database to back up.'),
    maintenanceDatabase: Type.Optional(maintenanceDatabase),
    credentials,
  },
  {
    'x-kubernetes-validations': [
      {
        rule: '!has(self.maintenanceDatabase) || self.database != self.maintenanceDatabase',
        message: 'database and maintenanceDatabase must differ: a database cannot be replaced from inside itself',
      },
    ],
  },
);

/** Where a restore goes; each field absent means: as in the archive's own Backup. */
export const PostgresqlTargetSchema = Type.Object({
  host: Type.Optional(host),
  port: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 65535, description: "Port of the server; absent: the backup's." }),
  ),
  database: Type.Optional(databaseName('Name that the restored database gets.')),
  maintenanceDatabase: Type.Optional(
    databaseName('Database in which locks are held and from which databases are created and renamed.'),
  ),
  credentials: Type.Optional(credentials),
});

export type PostgresqlSource = Static<typeof PostgresqlSourceSchema>;
export type PostgresqlTarget = Static<typeof PostgresqlTargetSchema>;

/** A PostgreSQL database to connect to, every default applied. Passwords are elsewhere. */
export interface PostgresqlAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly maintenanceDatabase: string;
}

export function addressOf(source: PostgresqlSource): PostgresqlAddress {
  return {
    host: source.host,
    port: source.port ?? 5432,
    database: source.database,
    maintenanceDatabase: source.maintenanceDatabase ?? 'postgres',
  };
}

/** The keys of the Secret that holds role and password. */
export interface PostgresqlCredentials {
  readonly secret: string;
  readonly usernameKey: string;
  readonly passwordKey: string;
}

export function credentialsOf(source: {
  readonly credentials: PostgresqlSource['credentials'];
}): PostgresqlCredentials {
  const { name, usernameKey, passwordKey } = source.credentials.secretRef;
  return { secret: name, usernameKey: usernameKey ?? 'username', passwordKey: passwordKey ?? 'password' };
}

/** The address a restore goes to: the target's fields over the source's. */
export function targetAddressOf(source: PostgresqlSource, target: PostgresqlTarget | undefined): PostgresqlAddress {
  const from = addressOf(source);
  return {
    host: target?.host ?? from.host,
    port: target?.port ?? from.port,
    database: target?.database ?? from.database,
    maintenanceDatabase: target?.maintenanceDatabase ?? from.maintenanceDatabase,
  };
}

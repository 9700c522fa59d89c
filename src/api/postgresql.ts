import Type, { type Static } from 'typebox';
import { HoldfastError } from '../lib/errors.ts';
import { BYTES_PATTERN } from '../lib/quantity.ts';
import { ObjectName, SecretKey, SecretKeyReference, withDefault } from './meta.ts';
import { ExcludeSchema, IncludeSchema } from './postgresql-selection.ts';

/**
 * A database name: 1 to 63 bytes in UTF-8 (PostgreSQL cuts longer ones in silence), without control characters.
 * CEL counts characters, the runner counts bytes.
 */
export const DatabaseName = (description: string) =>
  Type.String({ minLength: 1, maxLength: 63, pattern: '^[^\\x00-\\x1f\\x7f]+$', description });

const credentials = Type.Object(
  {
    secretRef: Type.Object(
      {
        name: ObjectName(),
        // No defaults in the schema: the API server would fill them in beside uriKey.
        usernameKey: Type.Optional(SecretKey('Key of the role name; absent: username.')),
        passwordKey: Type.Optional(SecretKey('Key of the password; absent: password.')),
        uriKey: Type.Optional(
          SecretKey('Key of a URI, postgresql://role:password@host:5432/database, in place of the other two keys.'),
        ),
      },
      {
        'x-kubernetes-validations': [
          {
            rule: '!has(self.uriKey) || (!has(self.usernameKey) && !has(self.passwordKey))',
            message: 'name uriKey alone, or usernameKey and passwordKey: a URI holds both',
          },
        ],
      },
    ),
  },
  { description: 'Secret with the role and its password.' },
);

export const TLS_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** libpq's sslmode, from the weakest on. */
export type TlsMode = (typeof TLS_MODES)[number];

const tls = (absent: string) =>
  Type.Object(
    {
      mode: Type.Enum([...TLS_MODES], {
        description:
          "As libpq's sslmode. Only verify-full knows that the server is the one that is named; verify-ca takes any that the authority signed, require and prefer take any at all.",
      }),
      caSecretRef: Type.Optional(
        SecretKeyReference(
          'PEM certificates of the authorities that may have signed the certificate of the server; absent with verify-full: the public authorities.',
        ),
      ),
      clientCertSecretRef: Type.Optional(
        Type.Object(
          {
            name: ObjectName(),
            certKey: Type.Optional(
              withDefault(SecretKey('Key of the certificate, and those between it and its authority.'), 'tls.crt'),
            ),
            keyKey: Type.Optional(withDefault(SecretKey('Key of the private key, without a passphrase.'), 'tls.key')),
          },
          { description: 'Certificate with which the role shows who it is, for servers that ask for one.' },
        ),
      ),
    },
    {
      description: `How the connection is encrypted and whom it trusts; absent: ${absent}.`,
      'x-kubernetes-validations': [
        {
          rule: "!has(self.caSecretRef) || self.mode in ['verify-ca', 'verify-full']",
          message: 'caSecretRef needs mode verify-ca or verify-full: the other modes look at no certificate',
        },
        {
          rule: "self.mode != 'verify-ca' || has(self.caSecretRef)",
          message:
            'mode verify-ca needs caSecretRef: a public authority signs for anybody, so without the host name its word is worth nothing (verify-full works without)',
        },
        {
          rule: "!has(self.clientCertSecretRef) || self.mode in ['require', 'verify-ca', 'verify-full']",
          message: 'clientCertSecretRef needs mode require, verify-ca or verify-full',
        },
      ],
    },
  );

export const AUTHENTICATION_METHODS = ['scram-sha-256', 'md5', 'password', 'cert'] as const;

/**
 * How a server may ask for proof. `password`: the password itself. `cert`: nothing beyond the client certificate, whether it
 * looks at that or not, so the server itself must be known.
 */
export type AuthenticationMethod = (typeof AUTHENTICATION_METHODS)[number];

export const DEFAULT_AUTHENTICATION: readonly AuthenticationMethod[] = ['scram-sha-256', 'md5'];

const authentication = (description: string) =>
  Type.Array(Type.Enum([...AUTHENTICATION_METHODS]), {
    minItems: 1,
    maxItems: AUTHENTICATION_METHODS.length,
    description,
  });

const PASSWORD_NEEDS = 'authentication password sends the password itself, so it needs tls.mode verify-full';
const CERT_NEEDS = 'authentication cert needs tls.clientCertSecretRef, and tls.mode verify-full';

/**
 * What is only safe where the server is known. `without`: what holds where tls is absent; in a target it may come from the
 * backup, and what does not fit then is refused by the runner.
 */
const authenticationRules = (without: 'false' | 'true') => [
  {
    rule: `!has(self.authentication) || !('password' in self.authentication) || (has(self.tls) ? self.tls.mode == 'verify-full' : ${without})`,
    message: PASSWORD_NEEDS,
  },
  {
    rule: `!has(self.authentication) || !('cert' in self.authentication) || (has(self.tls) ? self.tls.mode == 'verify-full' && has(self.tls.clientCertSecretRef) : ${without})`,
    message: CERT_NEEDS,
  },
];

const host = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: '^[A-Za-z0-9]([-A-Za-z0-9.:]*[A-Za-z0-9])?$',
  description: 'Host name or address of the server.',
});
const port = Type.Integer({ minimum: 1, maximum: 65535, default: 5432 });
const maintenanceDatabase = withDefault(
  DatabaseName('Database in which locks are held and from which databases are created and renamed.'),
  'postgres',
);

export const PostgresqlSourceSchema = Type.Object(
  {
    host,
    port: Type.Optional(port),
    scope: Type.Optional(
      Type.Enum(['Database', 'Instance'], {
        default: 'Database',
        description:
          'Database: the one that is named. Instance: every database of the server, each by itself, with the roles and tablespaces.',
      }),
    ),
    database: Type.Optional(DatabaseName('The database to back up; absent with scope Instance.')),
    maintenanceDatabase: Type.Optional(maintenanceDatabase),
    include: Type.Optional(IncludeSchema),
    exclude: Type.Optional(ExcludeSchema),
    credentials,
    tls: Type.Optional(tls('mode prefer')),
    authentication: Type.Optional(
      withDefault(
        authentication(
          'What the server may ask for as proof; anything else is refused before it is answered. password (in clear text) and cert (nothing beyond the client certificate) need tls.mode verify-full.',
        ),
        [...DEFAULT_AUTHENTICATION],
      ),
    ),
  },
  {
    'x-kubernetes-validations': [
      ...authenticationRules('false'),
      {
        rule: "(has(self.scope) && self.scope == 'Instance') || has(self.database)",
        message: 'database is required: name it, or take all of them with scope Instance',
      },
      {
        rule: "!has(self.scope) || self.scope != 'Instance' || !has(self.database)",
        message: 'scope Instance takes every database of the server: leave out database',
      },
      {
        rule: "!has(self.scope) || self.scope != 'Instance' || (!has(self.include) && !has(self.exclude))",
        message: 'include and exclude choose within one database: leave them out with scope Instance',
      },
      {
        rule: '!has(self.maintenanceDatabase) || !has(self.database) || self.database != self.maintenanceDatabase',
        message: 'database and maintenanceDatabase must differ: a database cannot be replaced from inside itself',
      },
    ],
  },
);

/** Of `ownership`: no role. */
const PRESERVE = 'Preserve';

/** The role that is to load and own what is restored; undefined: as in the archive. */
export function newOwnerOf({ ownership = PRESERVE }: PostgresqlTarget): string | undefined {
  return ownership === PRESERVE ? undefined : ownership;
}

/** Where a restore goes; each field absent means: as in the archive's own Backup. `tls` and `credentials` count as one field each. */
export const PostgresqlTargetSchema = Type.Object(
  {
    host: Type.Optional(host),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65535, description: "Port of the server; absent: the backup's." }),
    ),
    database: Type.Optional(DatabaseName('Name that the restored database gets.')),
    maintenanceDatabase: Type.Optional(
      DatabaseName('Database in which locks are held and from which databases are created and renamed.'),
    ),
    credentials: Type.Optional(credentials),
    tls: Type.Optional(tls("the backup's, all of it")),
    authentication: Type.Optional(authentication("What the server may ask for as proof; absent: the backup's.")),
    maxBytes: Type.Optional(
      Type.Unsafe<string | number>({
        'x-kubernetes-int-or-string': true,
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        minimum: 0,
        maxLength: 32,
        pattern: BYTES_PATTERN,
        description:
          'A restore that needs more than this is refused, such as 500Gi; the server tells nobody how much disk it has. Counted as plan.bytesNeeded is.',
      }),
    ),
    ownership: Type.Optional(
      withDefault(
        DatabaseName(
          'Preserve: everything belongs to who owned it in the archive. Any other word is the name of a role without special rights that loads and owns everything, for an archive that is not trusted; the login must be its member, and may not be a superuser.',
        ),
        PRESERVE,
      ),
    ),
    privileges: Type.Optional(
      Type.Enum(['Preserve', 'Skip'], {
        default: 'Preserve',
        description:
          'Skip: nothing is granted that the archive grants. What a live database grants stays, since it is not of the archive.',
      }),
    ),
  },
  { 'x-kubernetes-validations': authenticationRules('true') },
);

export type PostgresqlSource = Static<typeof PostgresqlSourceSchema>;
export type PostgresqlTarget = Static<typeof PostgresqlTargetSchema>;

/** A PostgreSQL database to connect to, every default applied. Passwords are elsewhere. */
export interface PostgresqlAddress {
  readonly host: string;
  readonly port: number;
  /** Absent: every database of the server. */
  readonly database?: string;
  readonly maintenanceDatabase: string;
}

export function addressOf(source: PostgresqlSource): PostgresqlAddress {
  return {
    host: source.host,
    port: source.port ?? 5432,
    ...(source.database === undefined ? {} : { database: source.database }),
    maintenanceDatabase: source.maintenanceDatabase ?? 'postgres',
  };
}

/** Where in the Secret role and password are. */
export type PostgresqlCredentials =
  | { readonly secret: string; readonly usernameKey: string; readonly passwordKey: string }
  | {
      readonly secret: string;
      readonly uriKey: string;
      /** The databases that the URI may name, if it names one; absent: any. */
      readonly databases?: readonly string[];
    };

/** A value of a Secret; its name and key also serve messages. */
export interface SecretValue {
  readonly secret: string;
  readonly key: string;
}

export interface PostgresqlTls {
  readonly mode: TlsMode;
  /** Absent: the public authorities. */
  readonly authorities?: SecretValue;
  readonly clientCertificate?: {
    readonly secret: string;
    readonly certificateKey: string;
    readonly privateKeyKey: string;
  };
}

/** How to get in at a {@link PostgresqlAddress}: names and keys of Secrets, none of their values. */
export interface PostgresqlEntry {
  readonly credentials: PostgresqlCredentials;
  /** Absent: mode prefer. */
  readonly tls?: PostgresqlTls;
  /** Absent: {@link DEFAULT_AUTHENTICATION}. */
  readonly authentication?: readonly AuthenticationMethod[];
}

type EntrySpec = Pick<PostgresqlSource, 'credentials' | 'tls' | 'authentication'>;

/** The other way round: as a person would write how a runner gets in. */
export function entrySpecOf({ credentials, tls, authentication }: PostgresqlEntry) {
  const { secret, ...keys } = credentials;
  return {
    credentials: { secretRef: { name: secret, ...('uriKey' in keys ? { uriKey: keys.uriKey } : keys) } },
    ...(tls === undefined ? {} : { tls: tlsSpecOf(tls) }),
    ...(authentication === undefined ? {} : { authentication: [...authentication] }),
  };
}

function tlsSpecOf({ mode, authorities, clientCertificate }: PostgresqlTls) {
  return {
    mode,
    ...(authorities === undefined ? {} : { caSecretRef: { name: authorities.secret, key: authorities.key } }),
    ...(clientCertificate === undefined
      ? {}
      : {
          clientCertSecretRef: {
            name: clientCertificate.secret,
            certKey: clientCertificate.certificateKey,
            keyKey: clientCertificate.privateKeyKey,
          },
        }),
  };
}

export function entryOf(source: PostgresqlSource): PostgresqlEntry {
  return entry(source, source.database === undefined ? undefined : [source.database]);
}

/** As {@link targetAddressOf}. A URI of the backup's Secret names the backup's database, and the restore may go into another. */
export function targetEntryOf(
  source: PostgresqlSource,
  target: PostgresqlTarget | undefined,
  archived?: string,
): PostgresqlEntry {
  const { database } = targetAddressOf(source, target, archived);
  const named = [database, ...(target?.credentials === undefined ? [source.database] : [])];
  const databases = named.filter((name) => name !== undefined);
  return entry(
    { ...source, ...target, credentials: target?.credentials ?? source.credentials },
    // The Secret of a whole server's backup was not made for one database.
    database === undefined || source.database === undefined ? undefined : databases,
  );
}

function entry(
  { credentials, tls, authentication }: EntrySpec,
  databases: readonly string[] | undefined,
): PostgresqlEntry {
  return {
    credentials: credentialsOf(credentials, databases),
    ...(tls === undefined ? {} : { tls: tlsOf(tls) }),
    ...(authentication === undefined ? {} : { authentication }),
  };
}

function credentialsOf(
  { secretRef }: PostgresqlSource['credentials'],
  databases: readonly string[] | undefined,
): PostgresqlCredentials {
  const { name, usernameKey, passwordKey, uriKey } = secretRef;
  if (uriKey !== undefined) return { secret: name, uriKey, ...(databases === undefined ? {} : { databases }) };
  return { secret: name, usernameKey: usernameKey ?? 'username', passwordKey: passwordKey ?? 'password' };
}

function tlsOf({ mode, caSecretRef, clientCertSecretRef }: NonNullable<PostgresqlSource['tls']>): PostgresqlTls {
  return {
    mode,
    ...(caSecretRef === undefined ? {} : { authorities: { secret: caSecretRef.name, key: caSecretRef.key } }),
    ...(clientCertSecretRef === undefined
      ? {}
      : {
          clientCertificate: {
            secret: clientCertSecretRef.name,
            certificateKey: clientCertSecretRef.certKey ?? 'tls.crt',
            privateKeyKey: clientCertSecretRef.keyKey ?? 'tls.key',
          },
        }),
  };
}

/** Of two modes, the one that trusts less. */
export function stricterTls(one: TlsMode, other: TlsMode): TlsMode {
  return TLS_MODES.indexOf(one) >= TLS_MODES.indexOf(other) ? one : other;
}

/** What admission sees of a spec that says all; fields of a target that come from two objects meet here first. */
export function entryProblem({ tls, authentication = [] }: PostgresqlEntry): HoldfastError | undefined {
  const known = tls?.mode === 'verify-full';
  if (authentication.includes('password') && !known) return misfit(PASSWORD_NEEDS);
  if (authentication.includes('cert') && !(known && tls.clientCertificate !== undefined)) return misfit(CERT_NEEDS);
  return undefined;
}

function misfit(message: string): HoldfastError {
  return new HoldfastError('SpecInvalid', message, {
    hint: 'name both tls and authentication in target.postgresql: each that is absent is taken from the Backup',
  });
}

/**
 * The address a restore goes to: the target's fields over the source's. `archived`: the one database that is taken out of
 * an archive of a whole server.
 */
export function targetAddressOf(
  source: PostgresqlSource,
  target: PostgresqlTarget | undefined,
  archived?: string,
): PostgresqlAddress {
  const from = addressOf(source);
  const database = target?.database ?? archived ?? from.database;
  return {
    host: target?.host ?? from.host,
    port: target?.port ?? from.port,
    ...(database === undefined ? {} : { database }),
    maintenanceDatabase: target?.maintenanceDatabase ?? from.maintenanceDatabase,
  };
}

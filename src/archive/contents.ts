import Type, { type Static } from 'typebox';
import { ByteCount, Digest } from '../api/digest.ts';
import { FORMAT_VERSION } from './layout.ts';

/** A setting of `ALTER DATABASE … SET`, for one role or, where role is absent, for all. */
const DatabaseSettingSchema = Type.Object({
  role: Type.Optional(Type.String()),
  name: Type.String(),
  value: Type.String(),
});

/** What a dump of one database does not carry, but a restored one must have. */
const DatabasePropertiesSchema = Type.Object({
  owner: Type.String(),
  encoding: Type.String(),
  /** c: libc, i: ICU, b: builtin (17 and newer). */
  localeProvider: Type.String(),
  collate: Type.String(),
  ctype: Type.String(),
  /** ICU or builtin locale. */
  locale: Type.Optional(Type.String()),
  icuRules: Type.Optional(Type.String()),
  tablespace: Type.String(),
  /** -1: no limit. */
  connectionLimit: Type.Integer(),
  /** Without our marker. */
  comment: Type.Optional(Type.String()),
  /** Access privileges as in pg_database.datacl; absent: the default ones. */
  acl: Type.Optional(Type.Array(Type.String())),
  settings: Type.Array(DatabaseSettingSchema),
  /** Owner of schema public where a dump does not tell it; null: there is no such schema. */
  publicSchemaOwner: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

const Tables = () => Type.Array(Type.Object({ schema: Type.String(), name: Type.String() }));

/** What the archive is a part of, as it was asked for. Names are literal. */
const SelectionSchema = Type.Object({
  include: Type.Optional(
    Type.Object({ schemas: Type.Optional(Type.Array(Type.String())), tables: Type.Optional(Tables()) }),
  ),
  exclude: Type.Optional(
    Type.Object({
      schemas: Type.Optional(Type.Array(Type.String())),
      tables: Type.Optional(Tables()),
      tableData: Type.Optional(Tables()),
    }),
  ),
});

/** Of the bytes as the tool wrote them: before compression and encryption. */
const PlainSchema = Type.Object({
  size: ByteCount(),
  sha256: Digest(),
});

/** One database and the parts that hold it. */
const database = {
  database: Type.String(),
  properties: DatabasePropertiesSchema,
  /** Absent: the whole database. An archive that has it never replaces a database. */
  selection: Type.Optional(SelectionSchema),
  tables: Tables(),
  parts: Type.Array(
    Type.Object({
      part: Type.Integer({ minimum: 0 }),
      tool: Type.String(),
      format: Type.Literal('custom'),
      plain: PlainSchema,
    }),
    { minItems: 1 },
  ),
};

/** Commands that a person types to open the archive without us. */
const recipe = Type.Array(Type.String());

/** Contents of an archive of one database. */
const OneDatabaseSchema = Type.Object({
  formatVersion: Type.Literal(FORMAT_VERSION),
  // Never written; a scope that is neither is of a time after ours.
  scope: Type.Optional(Type.Literal('Database')),
  ...database,
  recipe,
});

const flag = () => Type.Boolean();

/** A role as pg_roles has it; which rights are known depends on the version. */
const RoleSchema = Type.Object({
  name: Type.String(),
  superuser: flag(),
  inherit: flag(),
  createRole: flag(),
  createDatabases: flag(),
  login: flag(),
  replication: flag(),
  bypassRowSecurity: flag(),
  /** -1: no limit. */
  connectionLimit: Type.Integer(),
  validUntil: Type.Optional(Type.String()),
  /** What the server keeps of the password, a verifier; absent: none, or the dumping role could not read it. */
  password: Type.Optional(Type.String()),
  comment: Type.Optional(Type.String()),
  /** Settings of the role in every database. */
  settings: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
});

/** `member` has the rights of `role`. `inherit` and `set` came with 16. */
const MembershipSchema = Type.Object({
  role: Type.String(),
  member: Type.String(),
  admin: flag(),
  inherit: Type.Optional(flag()),
  set: Type.Optional(flag()),
});

/** Contents of an archive of a whole server. */
const InstanceSchema = Type.Object({
  formatVersion: Type.Literal(FORMAT_VERSION),
  scope: Type.Literal('Instance'),
  databases: Type.Array(Type.Object(database)),
  /** Databases that the server had and the archive has not, and why. */
  skipped: Type.Array(Type.Object({ database: Type.String(), reason: Type.String() })),
  /** What belongs to the server: the part with the SQL that makes it anew, and the same as facts. */
  globals: Type.Object({
    part: Type.Integer({ minimum: 0 }),
    tool: Type.String(),
    format: Type.Literal('sql'),
    plain: PlainSchema,
    /** False: the dumping role may not read them, as on managed servers. */
    rolePasswords: Type.Boolean(),
  }),
  roles: Type.Array(RoleSchema),
  memberships: Type.Array(MembershipSchema),
  tablespaces: Type.Array(Type.Object({ name: Type.String(), location: Type.String() })),
  recipe,
});

/** contents.json, inside the encrypted contents object: all that would tell too much in clear. */
export const ContentsSchema = Type.Union([InstanceSchema, OneDatabaseSchema]);

export type DatabaseProperties = Static<typeof DatabasePropertiesSchema>;
export type DatabaseSetting = Static<typeof DatabaseSettingSchema>;
export type Contents = Static<typeof OneDatabaseSchema> | Static<typeof InstanceSchema>;
export type InstanceContents = Static<typeof InstanceSchema>;
/** What an archive says of one of its databases. */
export type DatabaseContents = InstanceContents['databases'][number];
export type RoleDescription = Static<typeof RoleSchema>;
export type Membership = Static<typeof MembershipSchema>;

export function isInstance(contents: Contents): contents is InstanceContents {
  return contents.scope === 'Instance';
}

/** The databases in an archive, whichever form it has. */
export function databasesIn(contents: Contents): readonly DatabaseContents[] {
  return isInstance(contents) ? contents.databases : [contents];
}

/** Every part that the contents tell of. */
export function partsIn(
  contents: Contents,
): readonly { readonly part: number; readonly plain: { readonly size: number } }[] {
  const dumps = databasesIn(contents).flatMap(({ parts }) => parts);
  return isInstance(contents) ? [...dumps, contents.globals] : dumps;
}

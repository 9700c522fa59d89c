import Type, { type Static } from 'typebox';
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

/** contents.json, inside the encrypted contents object: all that would tell too much in clear. */
export const ContentsSchema = Type.Object({
  formatVersion: Type.Literal(FORMAT_VERSION),
  database: Type.String(),
  properties: DatabasePropertiesSchema,
  tables: Type.Array(Type.Object({ schema: Type.String(), name: Type.String() })),
  parts: Type.Array(
    Type.Object({
      part: Type.Integer({ minimum: 0 }),
      tool: Type.String(),
      format: Type.Literal('custom'),
      /** Of the dump as the tool wrote it: before compression and encryption. */
      plain: Type.Object({
        size: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
        sha256: Type.String({ pattern: '^sha256:[0-9a-f]{64}$' }),
      }),
    }),
    { minItems: 1 },
  ),
  /** Commands that a person types to open the archive without us. */
  recipe: Type.Array(Type.String()),
});

export type DatabaseProperties = Static<typeof DatabasePropertiesSchema>;
export type DatabaseSetting = Static<typeof DatabaseSettingSchema>;
export type Contents = Static<typeof ContentsSchema>;

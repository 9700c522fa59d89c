/**
 * What a real API server must take of our kinds, and what it must refuse: every bound of every field on both sides, and every rule.
 * As data, so that test/scenario/admission.test.ts and scripts/prove-admission.ts try the same.
 */
import { KINDS } from '../../src/api/crd.ts';
import { boundCases, type Schema, sample } from './schema-bounds.ts';

export type Json = Record<string, unknown>;

export interface AdmissionCase {
  readonly kind: string;
  readonly name: string;
  /** Where the case is about one field: that field. */
  readonly path?: readonly string[];
  readonly tried:
    | { readonly make: unknown }
    /** Made first, then patched. */
    | { readonly make: unknown; readonly change: Json }
    /** The status of an object that stands. */
    | { readonly status: unknown };
  /** A piece of what the API server says; absent: it takes the object. */
  readonly refusal?: string;
  /** What the object then has. */
  readonly becomes?: { readonly spec?: unknown; readonly status?: unknown };
}

const TLS = {
  mode: 'verify-full',
  caSecretRef: { name: 'pg', key: 'ca.crt' },
  clientCertSecretRef: { name: 'pg-client' },
};
const POSTGRESQL = {
  host: 'pg.shop.svc',
  port: 5432,
  database: 'orders',
  maintenanceDatabase: 'postgres',
  credentials: { secretRef: { name: 'pg' } },
  tls: TLS,
  include: { schemas: ['public'], tables: [{ schema: 'shop', name: 'orders' }] },
  exclude: {
    schemas: ['scratch'],
    tables: [{ schema: 'shop', name: 'sessions' }],
    tableData: [{ schema: 'shop', name: 'log' }],
  },
};
const BACKUP_SPEC = {
  source: { postgresql: POSTGRESQL },
  storeRef: { name: 'cellar' },
  keyRef: { name: 'team' },
  compression: { level: 3 },
  application: { version: '1.24.3', workloads: [{ kind: 'Deployment', name: 'web' }], requireSameNodes: true },
};

const EPHEMERAL = {
  image: 'registry.example/postgis:17',
  storage: { size: '20Gi' },
  resources: { requests: { cpu: '500m', memory: '1Gi' }, limits: { cpu: 2, memory: '4Gi' } },
};

/** A good spec of each kind, with every optional object in place, so that each field can be reached. */
export const GOOD: Readonly<Record<string, Json>> = {
  BackupStore: {
    s3: {
      endpoint: 's3.example.com',
      region: 'eu-1',
      bucket: 'acme',
      prefix: 'prod',
      credentials: { secretRef: { name: 'bucket' } },
    },
  },
  BackupKey: { recipients: ['age1abcd'], identity: { secretRef: { name: 'private', key: 'identity' } } },
  Backup: BACKUP_SPEC,
  BackupSchedule: {
    schedule: '0 2 * * *',
    retention: { keepLast: 3, keepWithin: '14d' },
    drill: {
      schedule: '0 6 * * 0',
      checks: [{ name: 'orders', sql: 'SELECT true' }],
      identity: { secretRef: { name: 'private', key: 'identity' } },
      ephemeral: EPHEMERAL,
    },
    template: { metadata: { labels: { team: 'blue' } }, spec: BACKUP_SPEC },
  },
  Restore: {
    from: { backupRef: { name: 'nightly' } },
    target: { postgresql: { host: 'pg', credentials: { secretRef: { name: 'pg' } }, tls: TLS } },
    scaleDown: { workloads: [{ kind: 'Deployment', name: 'web' }], timeout: '10m' },
    identity: { secretRef: { name: 'private', key: 'identity' } },
    application: { version: '1.25.0', longTermReleases: ['1.24'] },
    include: { schemas: ['public'], tables: [{ schema: 'shop', name: 'orders' }] },
    exclude: { schemas: ['audit'], tables: [{ schema: 'shop', name: 'log' }] },
  },
};

/** The good spec as another field of it must be for this value to be allowed. */
function settingFor(schema: Schema, good: Json, path: readonly string[], value: unknown): Json {
  const parent = path.slice(0, -1);
  if (path.at(-1) === 'mode' && typeof value === 'string' && !value.startsWith('verify-')) {
    return withValue(schema, good, parent, {});
  }
  if (value === 'Instance') {
    return ['database', 'include', 'exclude'].reduce((spec, name) => withoutValue(spec, [...parent, name]), good);
  }
  if (path[0] === 'from' && !['backupRef', 'database', undefined].includes(path[1])) {
    const others =
      path[1] === 'previousOf' ? [['target'], ['identity'], ['application'], ['include'], ['exclude']] : [];
    return [['from', 'backupRef'], ...others].reduce(withoutValue, good);
  }
  if (kindOfTarget(path) === 'ephemeral') {
    const others = [['scaleDown'], ['application'], ['include'], ['exclude']];
    return [['target', 'postgresql'], ...others].reduce(withoutValue, good);
  }
  return good;
}

const kindOfTarget = (path: readonly string[]) => (path[0] === 'target' ? path[1] : undefined);

/** Every case of a kind. */
export function casesOf(kind: string): AdmissionCase[] {
  const { spec, status } = KINDS.find((each) => each.kind === kind)!;
  const schema: Schema = JSON.parse(JSON.stringify(spec));
  const good = GOOD[kind]!;
  return [
    { kind, name: 'is taken when it is good', tried: { make: good } },
    {
      kind,
      name: 'says when it is made that nobody has looked at it',
      path: ['status'],
      tried: { make: good },
      becomes: { status: { observedGeneration: -1 } },
    },
    {
      kind,
      name: 'an unknown field is refused with its path',
      tried: { make: { ...good, nonesuch: true } },
      refusal: 'spec.nonesuch',
    },
    { kind, name: 'without a spec it is refused', tried: { make: undefined }, refusal: 'spec' },
    ...boundsOf(kind, schema, good),
    ...presence(kind, schema, good),
    ...statusCases(kind, JSON.parse(JSON.stringify(status))),
    ...RULES.filter((rule) => rule.kind === kind),
  ];
}

function boundsOf(kind: string, schema: Schema, good: Json): AdmissionCase[] {
  return boundCases(schema).map(({ path, bound, value, valid }) => ({
    kind,
    name: `${shown('spec', path)}: ${bound}`,
    path: ['spec', ...path],
    tried: { make: withValue(schema, settingFor(schema, good, path, value), path, value) },
    ...(valid ? {} : { refusal: shown('spec', path).replace(/\[\d+\]$/, '') }),
  }));
}

/** Each field left out: what must be there is missed, what may be absent is not, and what has a default gets it. */
function presence(kind: string, schema: Schema, good: Json): AdmissionCase[] {
  return fieldsOf(schema).flatMap(({ path, required, fallback }): AdmissionCase[] => {
    const name = shown('spec', path);
    // What is inside of a choice is looked at where that was chosen; the choice itself is what else the good spec has.
    const base = path.length > 2 ? settingFor(schema, good, path, undefined) : good;
    const spec = withoutValue(withValue(schema, base, path.slice(0, -1), undefined), path);
    const common = { kind, path: ['spec', ...path], tried: { make: spec } };
    if (required && fallback === undefined)
      return [{ ...common, name: `without ${name} it is refused`, refusal: name }];
    const rule = ABSENT_IS_REFUSED.find(([field]) => field.test(`${kind} ${name}`));
    if (rule !== undefined) return [{ ...common, name: `without ${name} a rule refuses it`, refusal: rule[1] }];
    if (fallback === undefined) return [{ ...common, name: `without ${name} it is taken` }];
    const becomes = { spec: withValue(schema, spec, path, fallback) };
    return [{ ...common, name: `without ${name} it is ${JSON.stringify(fallback)}`, becomes }];
  });
}

/** Optional for the schema; a rule asks for it where everything else is as in the good spec. */
const ABSENT_IS_REFUSED: readonly (readonly [field: RegExp, refusal: string])[] = [
  [/^Backup.*\.application\.workloads$/, 'requireSameNodes needs workloads'],
  [/^Restore spec\.application\.version$/, 'longTermReleases needs version'],
  [/^Backup.*\.postgresql\.database$/, 'database is required'],
  [/^BackupStore .*\.tls\.ca\w+Ref$/, 'name exactly one of'],
  [/^Restore spec\.from\.backupRef$/, 'name exactly one of'],
];

interface Field {
  readonly path: readonly string[];
  readonly required: boolean;
  readonly fallback: unknown;
}

function fieldsOf(schema: Schema, path: readonly string[] = []): Field[] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, property]): Field[] => {
    const inner = [...path, name];
    const field = { path: inner, required: schema.required?.includes(name) ?? false, fallback: property.default };
    return [field, ...fieldsOf(property, inner)];
  });
  return schema.items === undefined ? own : [...own, ...fieldsOf(schema.items, [...path, '0'])];
}

/** The operator writes it, nobody else; its bounds hold all the same. */
function statusCases(kind: string, schema: Schema): AdmissionCase[] {
  const good = sample(schema, 0, 'every field') as Json;
  const bounds = boundCases(schema).map(({ path, bound, value, valid }): AdmissionCase => {
    const status = withValue(schema, good, path, value);
    const refusal = valid ? {} : { refusal: shown('status', path).replace(/\[\d+\]$/, '') };
    return {
      kind,
      name: `${shown('status', path)}: ${bound}`,
      path: ['status', ...path],
      tried: { status },
      ...refusal,
    };
  });
  const absent = fieldsOf(schema).map(({ path, required }): AdmissionCase => {
    const name = shown('status', path);
    const tried = { status: withoutValue(good, path) };
    const common = { kind, path: ['status', ...path], tried };
    return required
      ? { ...common, name: `without ${name} it is refused`, refusal: path.at(-1)! }
      : { ...common, name: `without ${name} it is taken` };
  });
  return [{ kind, name: 'takes a status with every field', tried: { status: good } }, ...bounds, ...absent];
}

/** As the API server names it: spec.scaleDown.workloads[0].name. */
function shown(root: string, path: readonly string[]): string {
  return [root, ...path].join('.').replace(/\.(\d+)/g, '[$1]');
}

/** The value put in its place; an object on the way that is not there gets what it must have. `undefined`: the way only. */
function withValue(schema: Schema, good: unknown, [head, ...rest]: readonly string[], value: unknown): Json {
  if (head === undefined) return (value === undefined ? good : value) as Json;
  const inner = schema.properties?.[head] ?? schema.items ?? Object.values(schema.patternProperties ?? {})[0] ?? {};
  const copy: Json | unknown[] = Array.isArray(good) ? [...good] : { ...(good as Json) };
  const there = (good as Json)[head] ?? sample(inner, 0);
  (copy as Json)[head] = rest.length === 0 && value !== undefined ? value : withValue(inner, there, rest, value);
  return copy as Json;
}

function withoutValue(good: unknown, [head, ...rest]: readonly string[]): Json {
  const key = head!;
  const copy: Json | unknown[] = Array.isArray(good) ? [...good] : { ...(good as Json) };
  if (rest.length === 0) delete (copy as Json)[key];
  else (copy as Json)[key] = withoutValue((good as Json)[key], rest);
  return copy as Json;
}

const good = (kind: string, path: string, value: unknown): Json => {
  const schema: Schema = JSON.parse(JSON.stringify(KINDS.find((each) => each.kind === kind)!.spec));
  return withValue(schema, GOOD[kind]!, path.split('.'), value);
};

const EXACTLY_ONE = 'name exactly one of';
const NAMES_ITS_SERVER = 'from.archive needs target.postgresql.host';
const LATEST = { scheduleRef: { name: 'nightly' } };
const ARCHIVE = {
  storeRef: { name: 'cellar' },
  path: 's3://acme/prod/v1/lodz/shop/_manual/20261124T120000Z-11111111/',
};
const SERVER = { host: 'pg', credentials: { secretRef: { name: 'pg' } } };

const UNDONE = { restoreRef: { name: 'upgrade' } };

const NEVER_CHANGES = 'never changes';
const ONLY_KEEP_PREVIOUS = 'only keepPrevious may change';
const CLIMBS = 'a prefix may not contain';
const INSIDE = 'must differ';

const changed = (kind: string, what: string, change: Json, refusal?: string): AdmissionCase => ({
  kind,
  name: `changed: ${what}`,
  tried: { make: GOOD[kind], change: { spec: change } },
  ...(refusal === undefined ? {} : { refusal }),
});

const made = (kind: string, name: string, spec: unknown, refusal?: string): AdmissionCase => ({
  kind,
  name,
  tried: { make: spec },
  ...(refusal === undefined ? {} : { refusal }),
});

/** Where a PostgreSQL server is described. */
const SERVERS: Readonly<Record<string, string>> = {
  Backup: 'source.postgresql',
  BackupSchedule: 'template.spec.source.postgresql',
  Restore: 'target.postgresql',
};

const KNOWN_SERVER = 'needs tls.mode verify-full';
const CERTIFICATE = 'authentication cert needs';
const CA_MODE = 'caSecretRef needs mode';
const CA_MISSING = 'mode verify-ca needs caSecretRef';
const CLIENT_MODE = 'clientCertSecretRef needs mode';
const URI_ALONE = 'name uriKey alone';

const { caSecretRef, clientCertSecretRef } = TLS;

const CHOOSE_WITHIN_ONE = 'include and exclude choose within one database';
const EVERY = { database: undefined, include: undefined, exclude: undefined };

/** Fields of a server, and what is said of them together. `undefined` takes a field away. */
const SERVER_RULES: readonly (readonly [name: string, fields: Json, refusal?: string])[] = [
  ['a URI', { credentials: { secretRef: { name: 'pg', uriKey: 'uri' } } }],
  ['a URI and a role', { credentials: { secretRef: { name: 'pg', uriKey: 'uri', usernameKey: 'u' } } }, URI_ALONE],
  ['a URI and a password', { credentials: { secretRef: { name: 'pg', uriKey: 'uri', passwordKey: 'p' } } }, URI_ALONE],
  ['an authority that nobody asks', { tls: { mode: 'require', caSecretRef } }, CA_MODE],
  ['verify-ca with an authority', { tls: { mode: 'verify-ca', caSecretRef } }],
  ['verify-ca without an authority', { tls: { mode: 'verify-ca' } }, CA_MISSING],
  ['verify-full without an authority', { tls: { mode: 'verify-full' } }],
  ['a client certificate that may go unused', { tls: { mode: 'prefer', clientCertSecretRef } }, CLIENT_MODE],
  ['a client certificate with require', { tls: { mode: 'require', clientCertSecretRef } }],
  ['a client certificate with verify-ca', { tls: { mode: 'verify-ca', caSecretRef, clientCertSecretRef } }],
  ['md5 without TLS', { authentication: ['md5'], tls: undefined }],
  ['md5 with require', { authentication: ['md5'], tls: { mode: 'require' } }],
  ['a clear-text password with require', { authentication: ['password'], tls: { mode: 'require' } }, KNOWN_SERVER],
  ['a clear-text password with verify-full', { authentication: ['password'], tls: { mode: 'verify-full' } }],
  ['cert with verify-full', { authentication: ['cert'], tls: { mode: 'verify-full', clientCertSecretRef } }],
  ['cert without a certificate', { authentication: ['cert'], tls: { mode: 'verify-full' } }, CERTIFICATE],
  ['cert with require', { authentication: ['cert'], tls: { mode: 'require', clientCertSecretRef } }, CERTIFICATE],
];

/** Of a source only: what is backed up. */
const SOURCE_RULES: readonly (readonly [name: string, fields: Json, refusal?: string])[] = [
  ['nothing to include', { include: {} }, 'at least 1 properties'],
  ['nothing to exclude', { exclude: {} }, 'at least 1 properties'],
  ['every database of it', { scope: 'Instance', ...EVERY }],
  ['every database, and one by name', { scope: 'Instance', ...EVERY, database: 'orders' }, 'leave out database'],
  ['every database, and what of it', { scope: 'Instance', ...EVERY, include: { schemas: ['a'] } }, CHOOSE_WITHIN_ONE],
  ['every database, and what not', { scope: 'Instance', ...EVERY, exclude: { schemas: ['a'] } }, CHOOSE_WITHIN_ONE],
  ['one database, by its scope', { scope: 'Database' }],
  ['one database, by its scope, and none by name', { scope: 'Database', ...EVERY }, 'database is required'],
  ['one database, all of it', { include: undefined, exclude: undefined }],
  ['its maintenance database', { database: 'postgres' }, INSIDE],
];

function serverCases(kind: string): AdmissionCase[] {
  const place = SERVERS[kind]!;
  const base = place.split('.').reduce((object, key) => object[key] as Json, GOOD[kind]!);
  // A target's TLS may be the backup's.
  const alone = kind === 'Restore' ? undefined : '';
  const without = ['password', 'cert'].map((method): [string, Json, string?] => {
    const fields = { authentication: [method], tls: undefined };
    const refusal = method === 'password' ? KNOWN_SERVER : CERTIFICATE;
    return alone === undefined ? [`${method} without TLS`, fields] : [`${method} without TLS`, fields, refusal];
  });
  const ofSource = kind === 'Restore' ? [] : SOURCE_RULES;
  return [...SERVER_RULES, ...ofSource, ...without].map(([name, fields, refusal]) =>
    made(kind, `a server: ${name}`, good(kind, place, { ...base, ...fields }), refusal),
  );
}

const OVER_HTTP = 'tls is for an endpoint that begins with https://';
const ONE_AUTHORITY = 'name exactly one of';
const authority = { name: 'authority', key: 'ca.crt' };
const KNOWN = { caSecretRef: authority };

const STORE_RULES: readonly (readonly [name: string, s3: Json, refusal?: string])[] = [
  ['an authority for a bare host', { tls: KNOWN }],
  ['an authority for https', { endpoint: 'https://s3.example.com', tls: KNOWN }],
  ['an authority for http', { endpoint: 'http://s3.example.com', tls: KNOWN }, OVER_HTTP],
  ['http without an authority', { endpoint: 'http://s3.example.com' }],
  ['two authorities', { tls: { ...KNOWN, caConfigMapRef: authority } }, ONE_AUTHORITY],
  ['no authority', { tls: {} }, ONE_AUTHORITY],
];

/** Rules that look at more than one value, or at the value before. */
const RULES: readonly AdmissionCase[] = [
  ...Object.keys(SERVERS).flatMap(serverCases),
  made(
    'BackupKey',
    'mixes no post-quantum recipients with classic ones',
    { recipients: ['age1abcd', 'age1pq1abc0'] },
    'age forbids mixing',
  ),
  made('BackupKey', 'takes several post-quantum recipients', { recipients: ['age1pq1abc0', 'age1pq1abd0'] }),
  made('BackupKey', 'takes several classic recipients', { recipients: ['age1abcd', 'age1abce'] }),
  made('BackupKey', 'takes no recipient twice', { recipients: ['age1abcd', 'age1abcd'] }, 'Duplicate value'),
  ...['prod/../other', '.', 'a/./b'].map((prefix) =>
    made('BackupStore', `the prefix ${prefix} climbs nowhere`, good('BackupStore', 's3.prefix', prefix), CLIMBS),
  ),
  made('BackupStore', 'a prefix with dots in its names is fine', good('BackupStore', 's3.prefix', 'prod.v2/..x/eu')),
  ...STORE_RULES.map(([name, s3, refusal]) =>
    made('BackupStore', name, { s3: { ...(GOOD['BackupStore']!['s3'] as Json), ...s3 } }, refusal),
  ),
  made(
    'Backup',
    'a database is not backed up from inside itself',
    good('Backup', 'source.postgresql.maintenanceDatabase', 'orders'),
    INSIDE,
  ),
  made(
    'BackupSchedule',
    'a database is not backed up from inside itself',
    good('BackupSchedule', 'template.spec.source.postgresql.maintenanceDatabase', 'orders'),
    INSIDE,
  ),
  made('BackupSchedule', 'retention says something', good('BackupSchedule', 'retention', {}), 'spec.retention'),
  changed('Backup', 'a value', { compression: { level: 9 } }, NEVER_CHANGES),
  changed('Backup', 'a value that was a default', { startDeadline: '2h' }, NEVER_CHANGES),
  changed('Backup', 'nothing', { compression: { level: 3 } }),
  made(
    'Backup',
    'without requireSameNodes an app needs no workloads',
    good('Backup', 'application', { version: '1', requireSameNodes: false }),
  ),
  made(
    'BackupSchedule',
    'without requireSameNodes an app needs no workloads',
    good('BackupSchedule', 'template.spec.application', { version: '1', requireSameNodes: false }),
  ),
  made('Restore', 'a version needs no long-term releases', good('Restore', 'application', { version: '1' })),
  made('Restore', 'an app of which nothing is said', good('Restore', 'application', {})),
  ...['include', 'exclude'].map((name) =>
    made('Restore', `nothing to ${name}`, good('Restore', name, {}), 'at least 1 properties'),
  ),
  ...['500Gi', '1.5T', '1000000', 1_000_000].map((maxBytes) =>
    made('Restore', `maxBytes may be ${maxBytes}`, good('Restore', 'target.postgresql.maxBytes', maxBytes)),
  ),
  ...['5GB', '-1', '5 Gi', '1e3', ''].map((maxBytes) =>
    made(
      'Restore',
      `maxBytes may not be "${maxBytes}"`,
      good('Restore', 'target.postgresql.maxBytes', maxBytes),
      'spec.target.postgresql.maxBytes',
    ),
  ),
  changed('Restore', 'force', { force: ['Version'] }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'dryRun', { dryRun: true }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'application, in part', { application: { version: '1.26.0' } }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'from', { from: { backupRef: { name: 'other' } } }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'target, gone', { target: null }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'target, in part', { target: { postgresql: { database: 'other' } } }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'onConflict', { onConflict: 'Replace' }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'scaleDown, gone', { scaleDown: null }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'scaleDown, in part', { scaleDown: { timeout: '1m' } }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'identity, gone', { identity: null }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'identity, in part', { identity: { secretRef: { key: 'other' } } }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'safetyBackup', { safetyBackup: false }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'startDeadline', { startDeadline: '2h' }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'activeDeadlineSeconds', { activeDeadlineSeconds: 90 }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'streams', { streams: 2 }, ONLY_KEEP_PREVIOUS),
  changed('Restore', 'keepScratch', { keepScratch: true }, ONLY_KEEP_PREVIOUS),
  ...['include', 'exclude', 'application'].map((name) =>
    changed('Restore', `${name}, gone`, { [name]: null }, ONLY_KEEP_PREVIOUS),
  ),
  ...['include', 'exclude'].map((name) =>
    changed('Restore', `${name}, in part`, { [name]: { schemas: ['other'] } }, ONLY_KEEP_PREVIOUS),
  ),
  ...Object.entries({
    roles: [{ onConflict: 'Skip' }, { onConflict: 'Replace' }],
    checks: [[{ name: 'a', sql: 'SELECT true' }], [{ name: 'a', sql: 'SELECT false' }]],
    force: [['Version'], ['Nodes']],
  }).flatMap(([name, [before, after]]) =>
    [null, after].map((value) => ({
      kind: 'Restore',
      name: `changed: ${name}, ${value === null ? 'gone' : 'another'}`,
      tried: { make: { ...GOOD['Restore'], [name]: before }, change: { spec: { [name]: value } } },
      refusal: ONLY_KEEP_PREVIOUS,
    })),
  ),
  changed('Restore', 'keepPrevious, which may', { keepPrevious: '0s' }),
  {
    kind: 'Restore',
    name: 'changed: keepPrevious of one that says much else',
    tried: {
      make: {
        ...GOOD['Restore'],
        ...{ roles: { onConflict: 'Skip' }, checks: [{ name: 'a', sql: 'SELECT true' }], force: ['Version'] },
      },
      change: { spec: { keepPrevious: '0s' } },
    },
  },
  {
    kind: 'Restore',
    name: 'changed: keepPrevious of one that says little else',
    tried: { make: { from: GOOD['Restore']!['from'] }, change: { spec: { keepPrevious: '0s' } } },
  },
  made('Restore', 'the latest of a schedule', { from: { latest: LATEST } }),
  made('Restore', 'the latest of before an instant', {
    from: { latest: { ...LATEST, before: '2026-11-22T12:00:00Z' } },
  }),
  // Each is refused by one of pattern and format alone.
  ...['2026-11-22t12:00:00z', '2026-13-45T12:00:00Z'].map((before) =>
    made(
      'Restore',
      `the latest of before ${before}`,
      { from: { latest: { ...LATEST, before } } },
      'spec.from.latest.before',
    ),
  ),
  made('Restore', 'of nothing', { from: {} }, EXACTLY_ONE),
  made('Restore', 'of nothing, but one database of it', { from: { database: 'orders' } }, EXACTLY_ONE),
  made('Restore', 'of two things', { from: { latest: LATEST, backupRef: { name: 'b' } } }, EXACTLY_ONE),
  made(
    'Restore',
    'of an archive and the latest',
    { from: { latest: LATEST, archive: ARCHIVE }, target: { postgresql: SERVER } },
    EXACTLY_ONE,
  ),
  made('Restore', 'an archive into a server that is named', {
    from: { archive: ARCHIVE },
    target: { postgresql: SERVER },
  }),
  made('Restore', 'an archive by its folder alone', {
    from: { archive: { ...ARCHIVE, path: 'v1/a..b/..c' } },
    target: { postgresql: SERVER },
  }),
  ...['..', 'prod/../other', './prod', 's3://acme/prod/..'].map((path) =>
    made(
      'Restore',
      `an archive at ${path}`,
      { from: { archive: { ...ARCHIVE, path } }, target: { postgresql: SERVER } },
      'a path may not contain',
    ),
  ),
  ...['/prod/v1', 'prod//v1', 'prod/%2e%2e/v1', 'https://acme/prod', 'prod\\v1', 'a b', 'prod/v1//'].map((path) =>
    made(
      'Restore',
      `an archive at ${path}`,
      { from: { archive: { ...ARCHIVE, path } }, target: { postgresql: SERVER } },
      'spec.from.archive.path',
    ),
  ),
  made('Restore', 'an archive into nowhere', { from: { archive: ARCHIVE } }, NAMES_ITS_SERVER),
  made('Restore', 'an archive into no server', { from: { archive: ARCHIVE }, target: {} }, NAMES_ITS_SERVER),
  made(
    'Restore',
    'an archive into a server without a Secret',
    { from: { archive: ARCHIVE }, target: { postgresql: { host: 'pg' } } },
    NAMES_ITS_SERVER,
  ),
  made(
    'Restore',
    'an archive into a Secret without a server',
    { from: { archive: ARCHIVE }, target: { postgresql: { credentials: SERVER.credentials } } },
    NAMES_ITS_SERVER,
  ),
  made('Restore', 'an undo says what it undoes, and no more', { from: { previousOf: UNDONE } }),
  made('Restore', 'an undo that scales, keeps and only looks', {
    from: { previousOf: UNDONE },
    ...{ scaleDown: GOOD['Restore']!['scaleDown'], keepPrevious: '1h', dryRun: true },
  }),
  made(
    'Restore',
    'an undo has no Backup',
    { from: { previousOf: UNDONE, backupRef: { name: 'b' } } },
    'name exactly one',
  ),
  ...Object.entries({
    from: { previousOf: UNDONE, database: 'orders' },
    target: { postgresql: { database: 'copy' } },
    identity: { secretRef: { name: 'private', key: 'identity' } },
    checks: [{ name: 'a', sql: 'SELECT true' }],
    application: { version: '1.2.3' },
    force: ['Version'],
    include: { schemas: ['public'] },
    exclude: { schemas: ['public'] },
    roles: { onConflict: 'Replace' },
  }).map(([name, value]) =>
    made('Restore', `an undo has no ${name}`, { from: { previousOf: UNDONE }, [name]: value }, 'an undo loads nothing'),
  ),
  made('Restore', 'a drill needs nothing but a backup', {
    from: { backupRef: { name: 'b' } },
    target: { ephemeral: {} },
  }),
  made('Restore', 'a drill says all that it may', {
    from: { backupRef: { name: 'b' }, database: 'orders' },
    target: { ephemeral: EPHEMERAL },
    ...{ checks: [{ name: 'a', sql: 'SELECT true' }], identity: GOOD['Restore']!['identity'], dryRun: true },
  }),
  made('Restore', 'a drill of an archive needs no server', {
    from: { archive: { storeRef: { name: 'cellar' }, path: 'v1/a/b/c/d' } },
    target: { ephemeral: {} },
  }),
  made(
    'Restore',
    'a drill goes into no other server',
    { from: { backupRef: { name: 'b' } }, target: { ephemeral: {}, postgresql: { database: 'copy' } } },
    'name either postgresql or ephemeral',
  ),
  ...Object.entries({
    onConflict: 'Replace',
    keepScratch: true,
    scaleDown: { workloads: [{ kind: 'Deployment', name: 'web' }] },
    application: { version: '1.2.3' },
    include: { schemas: ['public'] },
    exclude: { schemas: ['public'] },
    roles: { onConflict: 'Skip' },
    streams: 2,
  }).map(([name, value]) =>
    made(
      'Restore',
      `a drill has no ${name}`,
      { from: { backupRef: { name: 'b' } }, target: { ephemeral: {} }, [name]: value },
      'a drill restores all of it',
    ),
  ),
  ...['lots', '1Zi'].map((size) =>
    made(
      'Restore',
      `${size} is no amount of bytes`,
      { from: { backupRef: { name: 'b' } }, target: { ephemeral: { storage: { size } } } },
      'spec.target.ephemeral.storage.size',
    ),
  ),
  changed('BackupSchedule', 'the template, which may', { template: { spec: { compression: { level: 9 } } } }),
];

/**
 * The entries of a dump as objects: a table with its rows, its indexes, its privileges and whatever else belongs to it, and
 * what each needs of others. Pure.
 */
import type { DumpHead, TocEntry } from './toc.ts';

/** As far as a decision about a part of a database needs to tell them apart. */
export type ObjectKind = 'relation' | 'schema' | 'extension' | 'large object' | 'replication' | 'setting' | 'other';

export interface DumpObject {
  /** The same for the same object of another database. */
  readonly key: string;
  readonly kind: ObjectKind;
  /** For people: `table "public"."orders"`. */
  readonly label: string;
  /** Undefined for what is in no schema. */
  readonly schema: string | undefined;
  readonly name: string;
  /** The entry by which it is made, and all that belong to it, in the order of the dump. */
  readonly entries: readonly TocEntry[];
  /** Of a partition: the table that it is a part of. */
  parent: DumpObject | undefined;
}

/** What an entry needs, and what needs it. */
export interface Needed {
  readonly by: TocEntry;
  readonly object: DumpObject;
}

export interface DumpObjects {
  readonly objects: readonly DumpObject[];
  readonly byKey: ReadonlyMap<string, DumpObject>;
  /** Settings of the session, and what only a restore that makes the database itself would use. */
  readonly always: readonly TocEntry[];
  /** Comments and privileges of what the dump does not make: schema public, the language plpgsql. */
  readonly strays: readonly TocEntry[];
  /** All entries, as the dump has them. */
  readonly order: readonly TocEntry[];
  needsOf(object: DumpObject): readonly Needed[];
  /** In words that a person knows it by. */
  describe(entry: TocEntry): string;
  text(bytes: string | null): string;
  /** Oids, in decimal. */
  largeObjects(): readonly string[];
}

const SESSION = new Set(['ENCODING', 'STDSTRINGS', 'SEARCHPATH', 'DATABASE', 'DATABASE PROPERTIES']);

/** What is made for something else, and is known by the first thing that it names as needed. */
const OF_THE_FIRST = new Set([
  ...['COMMENT', 'ACL', 'SECURITY LABEL', 'SEQUENCE SET', 'SEQUENCE OWNED BY', 'TABLE DATA', 'MATERIALIZED VIEW DATA'],
  ...['STATISTICS DATA', 'ROW SECURITY', 'PUBLICATION TABLE', 'PUBLICATION TABLES IN SCHEMA', 'SUBSCRIPTION TABLE'],
]);

/** What is called "<its table> <its own name>". */
const CALLED_AFTER = new Set([
  ...['CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT', 'DEFAULT', 'TRIGGER', 'POLICY', 'RULE'],
]);

const RELATIONS = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'FOREIGN TABLE', 'SEQUENCE']);
const REPLICATION = new Set(['PUBLICATION', 'SUBSCRIPTION']);
const LARGE_OBJECTS = new Set(['BLOB', 'BLOB METADATA', 'BLOBS']);

export function objectsIn(head: DumpHead): DumpObjects {
  const text = decoderOf(head);
  const byId = new Map(head.entries.map((entry) => [String(entry.dumpId), entry]));
  const needed = (entry: TocEntry) => entry.dependencies.flatMap((id) => byId.get(id) ?? []);
  const servers = head.entries.filter(({ desc }) => desc === 'SERVER');
  const owners = new Owners(needed, servers);
  const objects = new Map<string, DumpObject & { readonly entries: TocEntry[] }>();
  const homes = new Map<TocEntry, DumpObject>();
  const always: TocEntry[] = [];
  const strays: TocEntry[] = [];
  for (const entry of head.entries) {
    const root = owners.rootOf(entry);
    if (root === undefined) strays.push(entry);
    else if (SESSION.has(root.desc ?? '')) always.push(entry);
    else {
      const key = keyOf(root, text);
      const object = objects.get(key) ?? objectOf(root, key, text);
      objects.set(key, object);
      object.entries.push(entry);
      homes.set(entry, object);
    }
  }
  for (const [entry, home] of homes) {
    if (entry.desc !== 'TABLE ATTACH') continue;
    home.parent = needed(entry)
      .flatMap((one) => homes.get(one) ?? [])
      .find((one) => one !== home);
  }
  const schemas = new Map([...objects.values()].flatMap((one) => (one.kind === 'schema' ? [[one.name, one]] : [])));
  return {
    objects: [...objects.values()],
    byKey: objects,
    always,
    strays,
    order: head.entries,
    text,
    describe: (entry) => describe(entry, text),
    largeObjects: () => objects.get(LARGE_OBJECTS_KEY)?.entries.flatMap(oidsOf) ?? [],
    needsOf: (object) =>
      object.entries.flatMap((by) => {
        const around = by.namespace === null ? undefined : schemas.get(text(by.namespace));
        const all = new Set([
          ...needed(by).flatMap((one) => homes.get(one) ?? []),
          ...(around === undefined ? [] : [around]),
        ]);
        all.delete(object);
        return [...all].map((one) => ({ by, object: one }));
      }),
  };
}

/** Whose each entry is. Undefined: of something that the dump does not make. */
class Owners {
  readonly #needed: (entry: TocEntry) => readonly TocEntry[];
  readonly #servers: readonly TocEntry[];
  readonly #roots = new Map<TocEntry, TocEntry | undefined>();

  constructor(needed: (entry: TocEntry) => readonly TocEntry[], servers: readonly TocEntry[]) {
    this.#needed = needed;
    this.#servers = servers;
  }

  rootOf(entry: TocEntry): TocEntry | undefined {
    if (this.#roots.has(entry)) return this.#roots.get(entry);
    // Should an entry be its own owner by a damaged dump, it stands alone.
    this.#roots.set(entry, entry);
    const root = this.#find(entry);
    this.#roots.set(entry, root);
    return root;
  }

  #find(entry: TocEntry): TocEntry | undefined {
    const desc = entry.desc ?? '';
    const needed = this.#needed(entry);
    if (OF_THE_FIRST.has(desc)) return needed[0] === undefined ? undefined : this.rootOf(needed[0]);
    // A dump does not say that a mapping needs its server.
    const owner =
      desc === 'USER MAPPING'
        ? this.#servers.find(({ tag }) => entry.tag?.endsWith(` SERVER ${tag}`))
        : ownerAmong(entry, desc, needed);
    return owner === undefined ? entry : this.rootOf(owner);
  }
}

function ownerAmong(entry: TocEntry, desc: string, needed: readonly TocEntry[]): TocEntry | undefined {
  const near = needed.filter((one) => one.namespace === entry.namespace);
  if (desc === 'TABLE ATTACH') return near.find((one) => RELATIONS.has(one.desc ?? '') && one.tag === entry.tag);
  if (desc === 'INDEX ATTACH') {
    return near.find(
      ({ desc: of, tag }) =>
        (of === 'INDEX' && tag === entry.tag) || (of === 'CONSTRAINT' && tag?.endsWith(` ${entry.tag}`) === true),
    );
  }
  if (CALLED_AFTER.has(desc)) {
    return firstNamed(
      entry,
      near.filter((one) => OWNS.has(one.desc ?? '') && entry.tag?.startsWith(`${one.tag} `) === true),
    );
  }
  if (desc === 'INDEX' || desc === 'STATISTICS') return firstNamed(entry, needed.filter(isRelation));
  // Of a column: of an identity, or what serial makes.
  if (desc === 'SEQUENCE') return needed.find((one) => one.desc === 'TABLE' || one.desc === 'FOREIGN TABLE');
  return undefined;
}

const isRelation = (entry: TocEntry) => RELATIONS.has(entry.desc ?? '');
const OWNS = new Set([...RELATIONS, 'DOMAIN']);

/** The one that the statement names first, where there are several. */
function firstNamed(entry: TocEntry, among: readonly TocEntry[]): TocEntry | undefined {
  const [only, ...others] = [...new Set(among)];
  if (only === undefined || others.length === 0) return only;
  const { defn } = entry;
  const at = (one: TocEntry) => {
    const found = defn?.indexOf(`${qualifiedOf(one)}`) ?? -1;
    return found < 0 ? Number.POSITIVE_INFINITY : found;
  };
  return [only, ...others].sort((a, b) => at(a) - at(b) || (b.tag?.length ?? 0) - (a.tag?.length ?? 0))[0];
}

/** As the dump itself writes it, from `DROP TABLE "s"."t";`. */
export function qualifiedOf({ dropStmt, desc, tag }: TocEntry): string {
  const prefix = `DROP ${desc} `;
  return dropStmt?.startsWith(prefix) === true ? dropStmt.slice(prefix.length).replace(/;\s*$/, '') : (tag ?? '');
}

/** From 17 on there is one entry for many, which lists them. */
function oidsOf({ desc, tag, defn }: TocEntry): readonly string[] {
  if (desc === 'BLOB') return [tag ?? ''];
  return desc === 'BLOB METADATA' ? (defn ?? '').split('\n').filter((oid) => oid !== '') : [];
}

/** Statements that drop an object name it as nothing else in a dump does: with the types of arguments and operands. */
function keyOf(root: TocEntry, text: (bytes: string | null) => string): string {
  const { desc } = root;
  if (LARGE_OBJECTS.has(desc ?? '')) return LARGE_OBJECTS_KEY;
  const name = text(root.tag);
  if (isRelation(root)) return relationKey(text(root.namespace), name);
  if (desc === 'SCHEMA') return schemaKey(name);
  if (desc === 'EXTENSION') return extensionKey(name);
  if (desc === 'TYPE' || desc === 'SHELL TYPE' || desc === 'DOMAIN')
    return JSON.stringify(['type', text(root.namespace), name]);
  const drop = text(root.dropStmt).trim();
  // A database may be set to quote every name (quote_all_identifiers), and so the dump of it.
  if (drop !== '') return drop.replace(/"([a-z_][a-z0-9_$]*)"/g, '$1');
  return JSON.stringify([text(desc), text(root.namespace), name, text(root.owner)]);
}

/** They have numbers and no names: as one, since one may refer to another. */
export const LARGE_OBJECTS_KEY = 'large objects';
export const relationKey = (schema: string, name: string) => JSON.stringify(['relation', schema, name]);
export const schemaKey = (name: string) => JSON.stringify(['schema', name]);
export const extensionKey = (name: string) => JSON.stringify(['extension', name]);

function objectOf(root: TocEntry, key: string, text: (bytes: string | null) => string) {
  return {
    key,
    kind: kindOf(root.desc ?? ''),
    label: LARGE_OBJECTS.has(root.desc ?? '') ? 'large objects' : describe(root, text),
    schema: root.namespace === null || root.namespace === '' ? undefined : text(root.namespace),
    name: text(root.tag),
    entries: [] as TocEntry[],
    parent: undefined as DumpObject | undefined,
  };
}

function kindOf(desc: string): ObjectKind {
  if (RELATIONS.has(desc)) return 'relation';
  if (desc === 'SCHEMA') return 'schema';
  if (desc === 'EXTENSION') return 'extension';
  if (LARGE_OBJECTS.has(desc)) return 'large object';
  if (REPLICATION.has(desc)) return 'replication';
  return desc === 'DEFAULT ACL' ? 'setting' : 'other';
}

function describe({ desc, namespace, tag }: TocEntry, text: (bytes: string | null) => string): string {
  const what = text(desc).toLowerCase();
  const name = text(tag);
  // A cast is called CAST (a AS b), and so on.
  if (name.toLowerCase().startsWith(`${what} `)) return name;
  return namespace === null || namespace === '' ? `${what} "${name}"` : `${what} "${text(namespace)}"."${name}"`;
}

/** What Node calls PostgreSQL's encodings, as far as both know them. Of others what is ASCII is read right, and the rest stays bytes. */
const ENCODINGS: Readonly<Record<string, string>> = {
  LATIN1: 'latin1',
  ...{ LATIN2: 'iso-8859-2', LATIN3: 'iso-8859-3', LATIN4: 'iso-8859-4', LATIN7: 'iso-8859-13', LATIN8: 'iso-8859-14' },
  ...{
    LATIN5: 'windows-1254',
    LATIN6: 'iso-8859-10',
    LATIN9: 'iso-8859-15',
    LATIN10: 'iso-8859-16',
    ISO_8859_5: 'iso-8859-5',
    ISO_8859_6: 'iso-8859-6',
  },
  ...{ ISO_8859_7: 'iso-8859-7', ISO_8859_8: 'iso-8859-8', KOI8R: 'koi8-r', KOI8U: 'koi8-u', WIN866: 'ibm866' },
  ...{ WIN874: 'windows-874', WIN1250: 'windows-1250', WIN1251: 'windows-1251', WIN1252: 'windows-1252' },
  ...{ WIN1253: 'windows-1253', WIN1254: 'windows-1254', WIN1255: 'windows-1255', WIN1256: 'windows-1256' },
  ...{ WIN1257: 'windows-1257', WIN1258: 'windows-1258', EUC_JP: 'euc-jp', EUC_KR: 'euc-kr', EUC_CN: 'gbk' },
};

function decoderOf({ entries }: DumpHead): (bytes: string | null) => string {
  const setting = entries.find(({ desc }) => desc === 'ENCODING')?.defn ?? '';
  const encoding = /client_encoding = '(\w+)'/.exec(setting)?.[1] ?? 'UTF8';
  const label = ENCODINGS[encoding];
  if (label === 'latin1') return (bytes) => bytes ?? '';
  const decoder = new TextDecoder(label ?? 'utf-8', { fatal: true, ignoreBOM: true });
  return (bytes) => {
    if (bytes === null) return '';
    try {
      return decoder.decode(Buffer.from(bytes, 'latin1'));
    } catch {
      // Unreadable, but never the same as another one: by these names it is told what is there already.
      return `\uFFFD${bytes}`;
    }
  };
}

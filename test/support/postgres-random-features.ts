/** What a database may have beside types, tables and rows. */
import { type Draft, id, lit, type Table } from './postgres-random-draft.ts';

/** Adds its statements; false where this database has nothing that it could be added to. */
type Feature = (draft: Draft) => boolean;

const always =
  (add: (draft: Draft) => void): Feature =>
  (draft) => {
    add(draft);
    return true;
  };

/** On one of the tables for which it makes sense. */
const onTable =
  (add: (draft: Draft, table: Table) => void, fits: (table: Table) => boolean = () => true): Feature =>
  (draft) => {
    const fitting = draft.tables.filter(fits);
    if (fitting.length > 0) add(draft, draft.random.pick(fitting));
    return fitting.length > 0;
  };

const from =
  (major: number, feature: Feature): Feature =>
  (draft) =>
    draft.major >= major && feature(draft);
const ordinary = (table: Table) => table.kind === 'plain' || table.kind === 'partitioned';
const plain = (table: Table) => table.kind === 'plain';
const keyed = (table: Table) => table.keyed && table.logged;

/** A column that this kind of index takes, of some table. */
const onColumn =
  (
    kind: 'btree' | 'hash' | 'gin' | 'gist' | 'brin',
    add: (draft: Draft, ref: string, column: string) => void,
  ): Feature =>
  (draft) => {
    const found = draft.tables.flatMap(({ ref, columns }) =>
      columns.filter(({ type }) => type.indexes?.includes(kind)).map(({ name }) => ({ ref, column: id(name) })),
    );
    if (found.length === 0) return false;
    const { ref, column } = draft.random.pick(found);
    add(draft, ref, column);
    return true;
  };

/** A function for triggers. */
function triggerFunction(draft: Draft): string {
  const ref = draft.newRef();
  draft.add(`CREATE FUNCTION ${ref}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN RETURN NEW; END $body$`);
  return ref;
}

const withTrigger = (write: (draft: Draft, name: string, ref: string, run: string) => string, fits = plain) =>
  onTable((draft, { ref }) => {
    const run = `EXECUTE FUNCTION ${triggerFunction(draft)}()`;
    draft.add(write(draft, id(draft.name()), ref, run));
  }, fits);

const structure: Readonly<Record<string, Feature>> = {
  'foreign key': (draft) => {
    const [targets, sources] = [draft.tables.filter(keyed), draft.tables.filter(ordinary)];
    if (targets.length === 0 || sources.length === 0) return false;
    const [to, by] = [draft.random.pick(targets), draft.random.pick(sources)];
    addReference(
      draft,
      by,
      to,
      draft.random.pick(['', 'ON DELETE CASCADE ON UPDATE SET NULL', 'DEFERRABLE INITIALLY DEFERRED', 'MATCH FULL']),
    );
    return true;
  },
  'foreign keys in a circle': (draft) => {
    const tables = draft.tables.filter((table) => plain(table) && keyed(table));
    if (tables.length === 0) return false;
    const [a, b] = [draft.random.pick(tables), draft.random.pick(tables)];
    addReference(draft, a, b, 'DEFERRABLE');
    addReference(draft, b, a, 'ON DELETE SET NULL');
    return true;
  },
  check: onTable((draft, { ref }) =>
    draft.add(`ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} CHECK (id > 0 OR id IS NULL)`),
  ),
  'check that is not inherited': onTable(
    (draft, { ref }) => draft.add(`ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} CHECK (id < 99) NO INHERIT`),
    ({ kind }) => kind === 'plain' || kind === 'inherited',
  ),
  'dropped column': onTable((draft, { ref }) => {
    const column = id(draft.name());
    draft.add(`ALTER TABLE ${ref} ADD COLUMN ${column} int DEFAULT 5`, `ALTER TABLE ${ref} DROP COLUMN ${column}`);
  }, ordinary),
  'column added with a default': onTable(
    (draft, { ref }) =>
      draft.add(`ALTER TABLE ${ref} ADD COLUMN ${id(draft.name())} text NOT NULL DEFAULT ${draft.text()}`),
    ordinary,
  ),
  'column storage': onTable((draft, { ref }) => {
    const column = id(draft.name());
    const compression = draft.major >= 14 ? [`ALTER TABLE ${ref} ALTER ${column} SET COMPRESSION pglz`] : [];
    draft.add(
      `ALTER TABLE ${ref} ADD COLUMN ${column} text DEFAULT repeat('x', 3000)`,
      `ALTER TABLE ${ref} ALTER ${column} SET STORAGE EXTERNAL`,
      `ALTER TABLE ${ref} ALTER ${column} SET STATISTICS 123`,
      `ALTER TABLE ${ref} ALTER ${column} SET (n_distinct = -0.5)`,
      ...compression,
    );
  }, plain),
  'exclusion constraint': (draft) => {
    const found = draft.tables
      .filter(plain)
      .flatMap(({ ref, columns }) =>
        columns
          .filter(({ type }) => type.indexes?.includes('gist') && type.extension === undefined)
          .map(({ name }) => ({ ref, column: id(name) })),
      );
    if (found.length === 0) return false;
    const { ref, column } = draft.random.pick(found);
    draft.add(
      `ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} EXCLUDE USING gist (${column} WITH &&) WHERE (id < 0)`,
    );
    return true;
  },
  sequence: always((draft) => {
    const ref = draft.newRef();
    draft.add(
      `CREATE SEQUENCE ${ref} AS ${draft.random.pick(['smallint', 'int', 'bigint'])} INCREMENT -3 MINVALUE -1000 MAXVALUE 50 START 20 CACHE 5 CYCLE`,
      draft.random.pick([
        `SELECT setval('${ref.replaceAll("'", "''")}', -7, false)`,
        `SELECT nextval('${ref.replaceAll("'", "''")}')`,
        'SELECT 1',
      ]),
    );
  }),
  'sequence at its end': always((draft) => {
    const ref = draft.newRef();
    draft.add(`CREATE SEQUENCE ${ref}`, `SELECT setval(${lit(ref)}, 9223372036854775807)`);
  }),
  'default from a sequence': onTable((draft, { ref }) => {
    const [sequence, column] = [draft.newRef(), id(draft.name())];
    draft.add(
      `CREATE SEQUENCE ${sequence}`,
      `ALTER TABLE ${ref} ADD COLUMN ${column} bigint DEFAULT nextval(${lit(sequence)})`,
      `ALTER SEQUENCE ${sequence} OWNED BY NONE`,
    );
  }, plain),
};

/** A new column that points to rows of the other table. */
function addReference(draft: Draft, by: Table, to: Table, options: string): void {
  const column = id(draft.name());
  draft.add(`ALTER TABLE ${by.ref} ADD COLUMN ${column} bigint REFERENCES ${to.ref} (id) ${options}`);
  if (to.rows > 0) draft.add(`UPDATE ${by.ref} SET ${column} = ${draft.random.int(1, to.rows)} WHERE id % 2 = 1`);
  // What a deferred check has still to look at would be in the way of the next ALTER TABLE.
  draft.add('SET CONSTRAINTS ALL IMMEDIATE');
}

const indexes: Readonly<Record<string, Feature>> = {
  'unique index': onTable((draft, { ref, columns }) => {
    const [column] = columns.filter(({ type }) => type.indexes?.includes('btree'));
    const others = column === undefined ? '' : `, ${id(column.name)}`;
    draft.add(
      `CREATE UNIQUE INDEX ${id(draft.name())} ON ${ref} (id DESC NULLS LAST${others}) INCLUDE (id) WITH (fillfactor = 55)`,
    );
  }, plain),
  'partial index': onTable((draft, { ref }) =>
    draft.add(`CREATE INDEX ${id(draft.name())} ON ${ref} (id) WHERE id IS NOT NULL AND id <> 3`),
  ),
  'expression index': onTable((draft, { ref }) => {
    const name = draft.name();
    draft.add(`CREATE INDEX ${id(name)} ON ${ref} ((id % 7), (id::text || 'x') COLLATE "C" text_pattern_ops)`);
  }),
  'nulls are not distinct': from(
    15,
    onTable((draft, { ref }) => {
      const column = id(draft.name());
      draft.add(
        `ALTER TABLE ${ref} ADD COLUMN ${column} text`,
        `ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} UNIQUE NULLS NOT DISTINCT (id, ${column})`,
      );
    }, plain),
  ),
  'btree index': onColumn('btree', (draft, ref, column) =>
    draft.add(`CREATE INDEX ${id(draft.name())} ON ${ref} (${column})`),
  ),
  'hash index': onColumn('hash', (draft, ref, column) => draft.add(`CREATE INDEX ON ${ref} USING hash (${column})`)),
  'gin index': onColumn('gin', (draft, ref, column) =>
    draft.add(`CREATE INDEX ON ${ref} USING gin (${opclassFor(draft, ref, column)}) WITH (fastupdate = off)`),
  ),
  'gist index': onColumn('gist', (draft, ref, column) =>
    draft.add(`CREATE INDEX ${id(draft.name())} ON ${ref} USING gist (${opclassFor(draft, ref, column)})`),
  ),
  'brin index': onColumn('brin', (draft, ref, column) =>
    draft.add(`CREATE INDEX ON ${ref} USING brin (${column}) WITH (pages_per_range = 7)`),
  ),
  'trigram index': (draft) => {
    if (!draft.extensions.includes('pg_trgm')) return false;
    return onTable((_, { ref }) => draft.add(`CREATE INDEX ON ${ref} USING gin ((id::text) ext.gin_trgm_ops)`))(draft);
  },
  'index on some partitions only': onTable(
    (draft, { ref }) => draft.add(`CREATE INDEX ${id(draft.name())} ON ONLY ${ref} (id)`),
    ({ kind }) => kind === 'partitioned',
  ),
  'clustered index': onTable((draft, { ref }) => {
    const name = id(draft.name());
    draft.add(`CREATE INDEX ${name} ON ${ref} (id)`, `ALTER TABLE ${ref} CLUSTER ON ${name}`);
  }, plain),
  'replica identity': onTable((draft, { ref }) => {
    const name = id(draft.name());
    draft.add(`CREATE UNIQUE INDEX ${name} ON ${ref} (id)`, `ALTER TABLE ${ref} REPLICA IDENTITY USING INDEX ${name}`);
  }, plain),
  'replica identity full': onTable((draft, { ref }) => draft.add(`ALTER TABLE ${ref} REPLICA IDENTITY FULL`), plain),
  statistics: onTable((draft, { ref, columns }) => {
    const column = columns.find(({ type }) => type.indexes?.includes('btree'));
    if (column === undefined) return;
    const name = draft.newRef();
    draft.add(
      `CREATE STATISTICS ${name} (ndistinct, mcv) ON id, ${id(column.name)} FROM ${ref}`,
      `ALTER STATISTICS ${name} SET STATISTICS 55`,
    );
  }, ordinary),
};

/** GIN and GiST find an extension's operator class through the search path, which is empty here. */
function opclassFor(draft: Draft, ref: string, column: string): string {
  const type = draft.tables.find((table) => table.ref === ref)?.columns.find(({ name }) => id(name) === column)?.type;
  const classes: Readonly<Record<string, string>> = { hstore: 'gin_hstore_ops', ltree: 'gist_ltree_ops' };
  const found = classes[type?.extension ?? ''];
  return found === undefined ? column : `${column} ext.${found}`;
}

/** The schema of a name as `newRef` makes it. */
const schemaOf = (ref: string): string => /^"(?:[^"]|"")*"/.exec(ref)?.[0] ?? '';

const views: Readonly<Record<string, Feature>> = {
  view: onTable((draft, { ref, columns }) => {
    const [view, above] = [draft.newRef(), draft.newRef()];
    const list = ['t.id AS "First"', ...columns.map(({ name }) => `t.${id(name)}`)].join(', ');
    draft.add(
      `CREATE VIEW ${view} AS SELECT ${list} FROM ${ref} t WHERE t.id <> 3`,
      `CREATE VIEW ${above} WITH (security_barrier) AS SELECT v.*, count(*) OVER () AS many FROM ${view} v ORDER BY 1`,
      `ALTER VIEW ${view} OWNER TO ${draft.role()}`,
    );
  }),
  'view that knows a key': onTable(
    (draft, { ref }) =>
      draft.add(`CREATE VIEW ${draft.newRef()} AS SELECT t.*, count(*) AS "how many" FROM ${ref} t GROUP BY t.id`),
    (table) => table.keyed && plain(table),
  ),
  'recursive view': always((draft) =>
    draft.add(
      `CREATE VIEW ${draft.newRef()} AS WITH RECURSIVE "Self" (n, "Way") AS (VALUES (1, ${draft.text()}) UNION ALL SELECT n + 1, "Way" || 'x' FROM "Self" WHERE n < 5) SELECT * FROM "Self"`,
    ),
  ),
  'view that is written to': onTable((draft, { ref }) => {
    const view = draft.newRef();
    draft.add(
      `CREATE VIEW ${view} WITH (check_option = cascaded) AS SELECT id FROM ${ref} WHERE id > 0`,
      `ALTER VIEW ${view} ALTER COLUMN id SET DEFAULT 42`,
    );
  }),
  'view with an instead-of trigger': onTable((draft, { ref }) => {
    const view = draft.newRef();
    draft.add(
      `CREATE VIEW ${view} AS SELECT id, 'x'::text AS "Text" FROM ${ref}`,
      `CREATE TRIGGER ${id(draft.name())} INSTEAD OF INSERT OR DELETE ON ${view} FOR EACH ROW EXECUTE FUNCTION ${triggerFunction(draft)}('an argument', ${draft.text()})`,
    );
  }),
  'view of the invoker': from(
    15,
    onTable((draft, { ref }) =>
      draft.add(`CREATE VIEW ${draft.newRef()} WITH (security_invoker = true) AS SELECT id FROM ${ref}`),
    ),
  ),
  rule: onTable((draft, { ref }) => {
    draft.add(
      `CREATE RULE ${id(draft.name())} AS ON DELETE TO ${ref} DO ALSO NOTIFY ${id('heard')}, ${lit("it's")}`,
      `CREATE RULE ${id(draft.name())} AS ON UPDATE TO ${ref} WHERE false DO INSTEAD NOTHING`,
    );
  }, plain),
  'materialized view': onTable((draft, { ref }) => {
    const [view, above, filled] = [draft.newRef(), draft.newRef(), draft.random.chance(0.5)];
    draft.add(
      `CREATE MATERIALIZED VIEW ${view} WITH (fillfactor = 77) AS SELECT id, id * 2 AS twice FROM ${ref}`,
      `CREATE INDEX ${id(draft.name())} ON ${view} (twice)`,
      `CREATE MATERIALIZED VIEW ${above} AS SELECT count(*) AS n FROM ${view} WITH ${filled ? 'DATA' : 'NO DATA'}`,
      // It is filled again as its owner.
      `GRANT USAGE ON SCHEMA ${schemaOf(ref)}, ${schemaOf(view)} TO app`,
      `GRANT SELECT ON ${ref} TO app`,
      `ALTER MATERIALIZED VIEW ${view} OWNER TO app`,
    );
    draft.materialized.push(view, ...(filled ? [above] : []));
  }),
  'materialized view without data': onTable((draft, { ref }) =>
    draft.add(`CREATE MATERIALIZED VIEW ${draft.newRef()} AS SELECT max(id) AS most FROM ${ref} WITH NO DATA`),
  ),
};

const code: Readonly<Record<string, Feature>> = {
  'SQL function': always((draft) => {
    const [ref, body] = [draft.newRef(), `SELECT $1::text || ${draft.text()}`];
    draft.add(
      `CREATE FUNCTION ${ref}(${id(draft.name())} int, VARIADIC "B" text[] DEFAULT ARRAY[${draft.text()}]) RETURNS text
         LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS ${lit(body)}`,
      `ALTER FUNCTION ${ref} OWNER TO ${draft.role()}`,
    );
  }),
  'function that returns rows': always((draft) =>
    draft.add(
      `CREATE FUNCTION ${draft.newRef()}(INOUT a int DEFAULT 1, OUT "B c" text) RETURNS SETOF record LANGUAGE plpgsql ROWS 50 SECURITY DEFINER SET search_path = public, pg_temp SET work_mem = '7MB' AS $body$\nBEGIN\n  RETURN QUERY SELECT 1, 'it''s'::text;\nEND\n$body$`,
    ),
  ),
  'function with an SQL body': from(
    14,
    onTable((draft, { ref }) =>
      draft.add(
        `CREATE FUNCTION ${draft.newRef()}(n int) RETURNS bigint BEGIN ATOMIC SELECT n + count(*) FROM ${ref}; END`,
      ),
    ),
  ),
  'overloaded functions': always((draft) => {
    const ref = draft.newRef();
    for (const type of ['int', 'text', 'anyelement'])
      draft.add(`CREATE FUNCTION ${ref}(${type}) RETURNS int LANGUAGE sql AS 'SELECT 1'`);
    draft.add(`GRANT EXECUTE ON FUNCTION ${ref}(text) TO reader`, `COMMENT ON FUNCTION ${ref}(int) IS ${draft.text()}`);
  }),
  procedure: always((draft) =>
    draft.add(`CREATE PROCEDURE ${draft.newRef()}(INOUT "x y" int) LANGUAGE plpgsql AS $p$ BEGIN COMMIT; END $p$`),
  ),
  aggregate: always((draft) =>
    draft.add(
      `CREATE AGGREGATE ${draft.newRef()}(int, text) (SFUNC = ${stepFunction(draft)}, STYPE = int, INITCOND = '7')`,
    ),
  ),
  'operator and cast': always((draft) => {
    const [type, equal, schema] = [draft.newRef(), draft.newRef(), id(draft.random.pick(draft.schemas))];
    draft.add(
      `CREATE TYPE ${type} AS (a int)`,
      `CREATE FUNCTION ${equal}(${type}, ${type}) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a = ($2).a'`,
      `CREATE OPERATOR ${schema}.=== (FUNCTION = ${equal}, LEFTARG = ${type}, RIGHTARG = ${type}, COMMUTATOR = OPERATOR(${schema}.===), HASHES)`,
      `CREATE FUNCTION ${equal}(${type}) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT ($1).a'`,
      `CREATE CAST (${type} AS int) WITH FUNCTION ${equal}(${type}) AS ASSIGNMENT`,
    );
  }),
  'row trigger': withTrigger(
    (_, name, ref, run) =>
      `CREATE TRIGGER ${name} BEFORE INSERT OR UPDATE OF id ON ${ref} FOR EACH ROW WHEN (NEW.id <> 7) ${run}`,
  ),
  'trigger on a partitioned table': withTrigger(
    (_, name, ref, run) => `CREATE TRIGGER ${name} AFTER INSERT ON ${ref} FOR EACH ROW ${run}`,
    ({ kind }) => kind === 'partitioned',
  ),
  'statement trigger': withTrigger(
    (_, name, ref, run) =>
      `CREATE TRIGGER ${name} AFTER DELETE ON ${ref} REFERENCING OLD TABLE AS "gone rows" FOR EACH STATEMENT ${run}`,
  ),
  'constraint trigger': withTrigger(
    (_, name, ref, run) =>
      `CREATE CONSTRAINT TRIGGER ${name} AFTER INSERT ON ${ref} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW ${run}`,
  ),
  'trigger that is off': onTable((draft, { ref }) => {
    const name = id(draft.name());
    draft.add(
      `CREATE TRIGGER ${name} BEFORE TRUNCATE ON ${ref} EXECUTE FUNCTION ${triggerFunction(draft)}()`,
      `ALTER TABLE ${ref} ${draft.random.pick(['DISABLE', 'ENABLE ALWAYS', 'ENABLE REPLICA'])} TRIGGER ${name}`,
      `COMMENT ON TRIGGER ${name} ON ${ref} IS ${draft.text()}`,
    );
  }, plain),
  'event trigger': always((draft) => {
    const ref = draft.newRef();
    draft.add(
      `CREATE FUNCTION ${ref}() RETURNS event_trigger LANGUAGE plpgsql AS $e$ BEGIN END $e$`,
      `CREATE EVENT TRIGGER ${id(draft.name())} ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP VIEW') EXECUTE FUNCTION ${ref}()`,
    );
  }),
};

function stepFunction(draft: Draft): string {
  const ref = draft.newRef();
  draft.add(`CREATE FUNCTION ${ref}(int, int, text) RETURNS int LANGUAGE sql AS 'SELECT $1 + $2'`);
  return ref;
}

const rights: Readonly<Record<string, Feature>> = {
  'row security': onTable((draft, { ref }) => {
    draft.add(
      `ALTER TABLE ${ref} ENABLE ROW LEVEL SECURITY`,
      `CREATE POLICY ${id(draft.name())} ON ${ref} FOR SELECT TO ${draft.role()}, PUBLIC USING (id > 1)`,
      `CREATE POLICY ${id(draft.name())} ON ${ref} AS RESTRICTIVE FOR UPDATE TO ${draft.role()}, CURRENT_USER USING (id > 1) WITH CHECK (id < 99)`,
      ...(draft.random.chance(0.5) ? [`ALTER TABLE ${ref} FORCE ROW LEVEL SECURITY`] : []),
    );
  }, ordinary),
  'table grants': onTable((draft, { ref }) => {
    draft.add(
      `GRANT SELECT, INSERT ON ${ref} TO ${draft.role()} WITH GRANT OPTION`,
      `GRANT UPDATE (id), REFERENCES (id) ON ${ref} TO ${draft.role()}`,
      `GRANT SELECT (id) ON ${ref} TO PUBLIC`,
      ...(draft.major >= 17 ? [`GRANT MAINTAIN ON ${ref} TO ${draft.role()}`] : []),
    );
  }),
  'grants passed on': onTable((draft, { ref }) =>
    draft.add(
      `GRANT USAGE ON SCHEMA ${schemaOf(ref)} TO app, reader`,
      `GRANT SELECT ON ${ref} TO app WITH GRANT OPTION`,
      'SET ROLE app',
      `GRANT SELECT ON ${ref} TO reader WITH GRANT OPTION`,
      'RESET ROLE',
    ),
  ),
  'rights taken from the owner': onTable(
    (draft, { ref }) => draft.add(`ALTER TABLE ${ref} OWNER TO app`, `REVOKE INSERT, DELETE ON ${ref} FROM app`),
    plain,
  ),
  'table owner': onTable((draft, { ref }) => draft.add(`ALTER TABLE ${ref} OWNER TO ${draft.role()}`)),
  'schema grants': always((draft) => {
    const schema = id(draft.random.pick(draft.schemas));
    draft.add(
      `GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${draft.role()}`,
      `GRANT USAGE ON SCHEMA ${schema} TO PUBLIC`,
    );
  }),
  'grants on schema public': (draft) => {
    if (!draft.schemas.includes('public')) return false;
    const possible = [
      'REVOKE ALL ON SCHEMA public FROM PUBLIC',
      'GRANT CREATE ON SCHEMA public TO PUBLIC',
      'GRANT USAGE ON SCHEMA public TO reader',
      'ALTER SCHEMA public OWNER TO app',
      // Before 15 it is not dumped.
      ...(draft.major >= 15 ? [`COMMENT ON SCHEMA public IS ${draft.text()}`] : []),
    ];
    draft.add(...draft.random.some(possible, 3));
    return true;
  },
  'sequence, function, type and language grants': always((draft) => {
    const [sequence, routine, type] = [draft.newRef(), draft.newRef(), draft.newRef()];
    draft.add(
      `CREATE SEQUENCE ${sequence}`,
      `GRANT USAGE ON SEQUENCE ${sequence} TO ${draft.role()}`,
      `CREATE FUNCTION ${routine}() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      `REVOKE EXECUTE ON FUNCTION ${routine}() FROM PUBLIC`,
      `CREATE DOMAIN ${type} AS int`,
      `REVOKE USAGE ON TYPE ${type} FROM PUBLIC`,
      `GRANT USAGE ON TYPE ${type} TO ${draft.role()} WITH GRANT OPTION`,
      'REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC',
    );
  }),
  'default privileges': always((draft) => {
    const schema = id(draft.random.pick(draft.schemas));
    draft.add(
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${draft.role()} IN SCHEMA ${schema} GRANT SELECT ON TABLES TO ${draft.role()} WITH GRANT OPTION`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${draft.role()} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE ${draft.role()} GRANT USAGE ON SCHEMAS TO ${draft.role()}`,
      `ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT USAGE ON TYPES TO ${draft.role()}`,
    );
  }),
};

/** What is not true of the rows that are there, and who gets their changes: no row could be changed afterwards. */
const last: Readonly<Record<string, Feature>> = {
  publication: onTable(
    (draft, { ref }) => {
      draft.add(
        `CREATE PUBLICATION ${id(draft.name())} FOR TABLE ${ref} WITH (publish = 'insert, delete', publish_via_partition_root = true)`,
      );
      if (draft.major >= 15)
        draft.add(`CREATE PUBLICATION ${id(draft.name())} FOR TABLES IN SCHEMA ${id(draft.schemas[0] ?? '')}`);
    },
    (table) => plain(table) && table.logged,
  ),
  'publication of all tables': always((draft) => draft.add(`CREATE PUBLICATION ${id(draft.name())} FOR ALL TABLES`)),
  'foreign key that is not valid': onTable(
    (draft, { ref }) => {
      const column = id(draft.name());
      draft.add(
        `ALTER TABLE ${ref} ADD COLUMN ${column} bigint DEFAULT 4711`,
        `ALTER TABLE ${ref} ADD FOREIGN KEY (${column}) REFERENCES ${ref} (id) NOT VALID`,
      );
    },
    (table) => plain(table) && keyed(table),
  ),
  'not null by name, not valid': from(
    18,
    onTable((draft, { ref }) => {
      const column = id(draft.name());
      draft.add(
        `ALTER TABLE ${ref} ADD COLUMN ${column} int`,
        `ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} NOT NULL ${column} NOT VALID`,
      );
    }, plain),
  ),
  'check that is not valid': onTable(
    (draft, { ref }) => draft.add(`ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} CHECK (id > 1000) NOT VALID`),
    plain,
  ),
  'constraint that is not enforced': from(
    18,
    onTable(
      (draft, { ref }) =>
        draft.add(`ALTER TABLE ${ref} ADD CONSTRAINT ${id(draft.name())} CHECK (id > 500) NOT ENFORCED`),
      plain,
    ),
  ),
};

const others: Readonly<Record<string, Feature>> = {
  comments: onTable((draft, { ref, columns }) => {
    const [column] = columns;
    draft.add(`COMMENT ON TABLE ${ref} IS ${draft.text()}`, `COMMENT ON COLUMN ${ref}.id IS ${draft.text()}`);
    if (column !== undefined) draft.add(`COMMENT ON COLUMN ${ref}.${id(column.name)} IS ${draft.text()}`);
  }),
  'large objects': always((draft) => {
    for (const [number, data] of [
      [draft.random.int(1, 99_999), "'\\x'"],
      [draft.random.int(100_000, 199_999), "decode(repeat('00ff27', 3000), 'hex')"],
      [4_294_967_295, "'\\xdeadbeef'"],
    ] as const) {
      draft.add(`SELECT lo_from_bytea(${number}, ${data})`);
      if (draft.random.chance(0.5)) draft.add(`ALTER LARGE OBJECT ${number} OWNER TO ${draft.role()}`);
      if (draft.random.chance(0.5)) draft.add(`GRANT SELECT, UPDATE ON LARGE OBJECT ${number} TO ${draft.role()}`);
      if (draft.random.chance(0.5)) draft.add(`COMMENT ON LARGE OBJECT ${number} IS ${draft.text()}`);
    }
  }),
  'sparse large object': always((draft) =>
    draft.add('SELECT lo_create(200000)', "SELECT lo_put(200000, 100000, 'end')"),
  ),
  'names that are no text': (draft) => {
    if (draft.encoding !== 'SQL_ASCII') return false;
    const table = `format('CREATE TABLE %I.%I (id int, %I text DEFAULT %L)', ${lit(draft.schemas.at(-1) ?? '')}, E'caf\\351', E'\\377', E'\\376')`;
    draft.add(`DO $do$ BEGIN EXECUTE ${table}; END $do$`);
    return true;
  },
  collation: always((draft) => {
    const [copy, ref] = [draft.newRef(), draft.newRef()];
    draft.add(
      `CREATE COLLATION ${copy} FROM "C"`,
      `CREATE TABLE ${ref} (id int, word text COLLATE ${copy})`,
      `INSERT INTO ${ref} VALUES (1, 'Z'), (2, 'a')`,
    );
  }),
  'ICU collation': (draft) => {
    if (draft.encoding === 'SQL_ASCII') return false;
    const [collation, ref] = [draft.newRef(), draft.newRef()];
    draft.add(
      `CREATE COLLATION ${collation} (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false)`,
      `CREATE TABLE ${ref} (id int, word text COLLATE ${collation} UNIQUE)`,
      `INSERT INTO ${ref} VALUES (1, 'Word')`,
    );
    return true;
  },
  'text search': always((draft) => {
    const [dictionary, configuration] = [draft.newRef(), draft.newRef()];
    draft.add(
      `CREATE TEXT SEARCH DICTIONARY ${dictionary} (TEMPLATE = pg_catalog.simple, STOPWORDS = english, ACCEPT = false)`,
      `CREATE TEXT SEARCH CONFIGURATION ${configuration} (COPY = pg_catalog.english)`,
      `ALTER TEXT SEARCH CONFIGURATION ${configuration} ALTER MAPPING FOR asciiword, word WITH ${dictionary}, english_stem`,
    );
  }),
  'foreign server': always((draft) => {
    const server = id(draft.name());
    draft.add(
      'CREATE EXTENSION IF NOT EXISTS postgres_fdw SCHEMA pg_catalog',
      `CREATE SERVER ${server} TYPE 'odd' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid', dbname ${lit(`it's "x"`)})`,
      `CREATE USER MAPPING FOR ${draft.role()} SERVER ${server} OPTIONS (user 'u', password 'p''w')`,
      `GRANT USAGE ON FOREIGN SERVER ${server} TO reader`,
      `CREATE FOREIGN TABLE ${draft.newRef()} (id int OPTIONS (column_name 'ID'), ${id(draft.name())} text) SERVER ${server} OPTIONS (schema_name 'S', table_name 'T')`,
    );
  }),
  'belongs to an extension': onTable((draft, { ref }) => {
    const [routine] = [draft.newRef()];
    if (draft.extensions[0] === undefined) return;
    draft.add(
      `CREATE FUNCTION ${routine}() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      `ALTER FUNCTION ${routine}() DEPENDS ON EXTENSION ${draft.extensions[0]}`,
      `COMMENT ON EXTENSION ${draft.extensions[0]} IS ${lit(`own ${draft.name()}`)}`,
      `COMMENT ON TABLE ${ref} IS NULL`,
    );
  }),
  'temporal key': from(18, (draft) => {
    if (!draft.extensions.includes('btree_gist')) return false;
    const [ref, by] = [draft.newRef(), draft.newRef()];
    draft.add(
      'SET search_path = pg_catalog, ext',
      `CREATE TABLE ${ref} (id int, valid daterange, PRIMARY KEY (id, valid WITHOUT OVERLAPS))`,
      `CREATE TABLE ${by} (id int, valid daterange, FOREIGN KEY (id, PERIOD valid) REFERENCES ${ref})`,
      `INSERT INTO ${ref} VALUES (1, '[2026-01-01,2026-02-01)'), (1, '[2026-02-01,2026-03-01)')`,
      `INSERT INTO ${by} VALUES (1, '[2026-01-15,2026-02-15)')`,
      'SET search_path = pg_catalog',
    );
    return true;
  }),
};

/** In three rounds; within each the order is free. */
export const FEATURES: readonly Readonly<Record<string, Feature>>[] = [
  { ...structure, ...indexes, ...views, ...code, ...others },
  rights,
  last,
];

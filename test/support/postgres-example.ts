/** A database with one of nearly everything that a dump must carry. */
import pg from 'pg';
import type { PostgresWorld } from './postgres-world.ts';

/** Owned by `owner`; `reader` has some privileges. Both roles must exist. */
export async function anExampleDatabase(
  world: PostgresWorld,
  name: string,
  { owner = 'app', reader = 'reader', superuserThings = true } = {},
): Promise<void> {
  const [database, app, other] = [name, owner, reader].map((text) => pg.escapeIdentifier(text));
  await world.sql(
    'postgres',
    `CREATE DATABASE ${database} OWNER ${app} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'`,
  );
  await world.sql(
    name,
    `SET ROLE ${app}`,
    'CREATE SCHEMA "Odd ""schema""\n😀"',
    "CREATE TYPE mood AS ENUM ('sad', 'it''s \"fine\"')",
    'CREATE DOMAIN positive AS int CHECK (VALUE > 0)',
    `CREATE TABLE person (
       id int GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3) PRIMARY KEY,
       name text NOT NULL, feels mood DEFAULT 'sad', born date, size positive,
       shout text GENERATED ALWAYS AS (upper(name)) STORED, data bytea, extra jsonb, UNIQUE (name, born))`,
    `INSERT INTO person (name, born, size, data, extra)
       SELECT 'person ' || i || E'\\t\\\\N "é" 😀', date '2000-01-01' + i, i, decode(md5(i::text), 'hex'), jsonb_build_object('i', i)
       FROM generate_series(1, 1000) i`,
    'CREATE SEQUENCE ticket START 100 INCREMENT 5 CYCLE MAXVALUE 1000',
    "SELECT nextval('ticket'), nextval('ticket')",
    'CREATE TABLE "Odd ""schema""\n😀"."-x; DROP TABLE person; --" (a int REFERENCES person (id) ON DELETE CASCADE)',
    'INSERT INTO "Odd ""schema""\n😀"."-x; DROP TABLE person; --" SELECT id FROM person LIMIT 3',
    'CREATE TABLE measured (at timestamptz NOT NULL, value float8) PARTITION BY RANGE (at)',
    "CREATE TABLE measured_1 PARTITION OF measured FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
    'CREATE TABLE measured_other PARTITION OF measured DEFAULT',
    "INSERT INTO measured VALUES ('2026-01-15', 0.1), ('2027-01-15', 'NaN')",
    "CREATE INDEX by_mood ON person (feels) WHERE feels <> 'sad'",
    'CREATE VIEW adults AS SELECT id, name FROM person WHERE born < now()',
    'CREATE MATERIALIZED VIEW totals AS SELECT count(*) FROM person',
    'CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$',
    `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$`,
    'CREATE TRIGGER noted BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION note()',
    'ALTER TABLE person ENABLE ROW LEVEL SECURITY',
    'CREATE POLICY everyone ON person USING (size > 0)',
    `GRANT SELECT ON person TO ${other}`,
    `GRANT SELECT (name) ON person TO ${other} WITH GRANT OPTION`,
    `GRANT USAGE ON SCHEMA "Odd ""schema""\n😀" TO ${other}`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${other}`,
    'COMMENT ON TABLE person IS \'people; "quoted"\'',
    'SELECT lo_create(4711)',
    "SELECT lo_put(4711, 0, 'a large object')",
    `GRANT SELECT ON LARGE OBJECT 4711 TO ${other}`,
    'CREATE EXTENSION pgcrypto',
  );
  if (superuserThings) {
    await world.sql(
      name,
      `CREATE TABLE foreign_owned (a int)`,
      `ALTER TABLE foreign_owned OWNER TO ${other}`,
      `INSERT INTO foreign_owned VALUES (1)`,
      'CREATE EXTENSION pageinspect',
    );
  }
  await world.sql(
    'postgres',
    `COMMENT ON DATABASE ${database} IS 'the shop''s database\nsecond line'`,
    `ALTER DATABASE ${database} CONNECTION LIMIT 42`,
    `REVOKE ALL ON DATABASE ${database} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${database} TO ${other} WITH GRANT OPTION`,
    `ALTER DATABASE ${database} SET search_path = "$user", public, "Odd ""schema""\n😀"`,
    `ALTER DATABASE ${database} SET work_mem = '8MB'`,
    `ALTER ROLE ${app} IN DATABASE ${database} SET statement_timeout = '90s'`,
  );
}

/** The demo's database: SQL by psql inside its pod, and the figures by which two states of it are compared. */
import { createHash } from 'node:crypto';
import type { Kubectl } from './kubectl.ts';
import { DATABASE, LOGIN } from './objects.ts';

/** Rows and a checksum over all their columns, of both tables; and one over the schema and what is of the database itself. */
export interface Fingerprint {
  readonly customers: number;
  readonly orders: number;
  readonly checksum: string;
  readonly schema: string;
  /** The highest order that the checksum covers. The app never stops writing, so later orders are left out of a comparison. */
  readonly lastOrder: number;
}

/** Runs SQL over the socket within the pod, as a plain role, and returns the rows: a line each, columns parted by `|`. */
export function sql(
  kubectl: Kubectl,
  statements: string,
  place: { readonly role: string; readonly database: string } = { role: LOGIN.role, database: DATABASE },
): Promise<string> {
  const psql = ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-U', 'postgres', '-d', place.database];
  const text = `SET ROLE ${place.role};\n${statements}`;
  return kubectl.call(['exec', '-i', 'deployment/postgres', '-c', 'postgres', '--', ...psql, '-f', '-'], text);
}

/** 100,000 customers that never change and orders that the app adds to; in one transaction, since the app of an earlier run may be writing. */
export async function seed(kubectl: Kubectl, customers: number): Promise<void> {
  await sql(
    kubectl,
    `BEGIN;
     DROP TABLE IF EXISTS customers, orders;
     CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL);
     INSERT INTO customers SELECT n, 'Customer ' || n, md5(n::text) || '@example.com' FROM generate_series(1, ${customers}) n;
     CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, pod text NOT NULL, amount numeric NOT NULL,
       written timestamptz NOT NULL DEFAULT clock_timestamp());
     COMMIT;`,
  );
}

/**
 * What the database holds now. The lock waits for orders that are being written and lets none begin: without it, an order with a
 * lower number than the last could commit after we looked.
 */
export function fingerprint(kubectl: Kubectl): Promise<Fingerprint> {
  return measured(kubectl, 'BEGIN; LOCK TABLE orders IN SHARE MODE;', 'true');
}

/** The same figures without the orders after `lastOrder`. */
export function fingerprintUpTo(kubectl: Kubectl, lastOrder: number): Promise<Fingerprint> {
  return measured(kubectl, 'BEGIN;', `id <= ${lastOrder}`);
}

async function measured(kubectl: Kubectl, before: string, condition: string): Promise<Fingerprint> {
  const text = await sql(
    kubectl,
    `${before}
     SELECT (SELECT count(*) FROM customers),
            (SELECT count(*) FROM orders WHERE ${condition}),
            (SELECT coalesce(max(id), 0) FROM orders WHERE ${condition}),
            md5((SELECT coalesce(string_agg(c::text, E'\\n' ORDER BY id), '') FROM customers c)
             || (SELECT coalesce(string_agg(o::text, E'\\n' ORDER BY id), '') FROM orders o WHERE ${condition}));
     COMMIT;`,
  );
  const [customers = '', orders = '', lastOrder = '', checksum = ''] = text.trim().split('|');
  const schema = await schemaChecksum(kubectl);
  return { customers: Number(customers), orders: Number(orders), lastOrder: Number(lastOrder), checksum, schema };
}

/** The comment of the database, in which a restore is noted, with the heading that only one has which has a comment. */
const NOTED = /^--\n-- Name: DATABASE .*; Type: COMMENT; .*\n--\n\nCOMMENT ON DATABASE .*;\n\n\n/m;

/** The word that each dump makes up for psql. */
const MADE_UP = /^\\(un)?restrict .*\n/gm;

async function schemaChecksum(kubectl: Kubectl): Promise<string> {
  const dump = ['pg_dump', '-U', 'postgres', '--schema-only', '--create', DATABASE];
  const text = await kubectl.call(['exec', 'deployment/postgres', '-c', 'postgres', '--', ...dump]);
  return createHash('sha256').update(text.replace(NOTED, '').replace(MADE_UP, '')).digest('hex').slice(0, 16);
}

export async function count(kubectl: Kubectl, query: string): Promise<number> {
  return Number((await sql(kubectl, query)).trim());
}

import type { Hold } from './hold.ts';

/**
 * Settings for the sessions of pg_dump and pg_restore, which set all other time-outs to none themselves. Through a pooler
 * there are none: PgBouncer turns away whoever brings settings along that it does not know.
 */
export function sessionOptions({ session, pooled }: Pick<Hold, 'session' | 'pooled'>): readonly string[] {
  if (pooled) return [];
  const keepalive = ['tcp_keepalives_idle=10', 'tcp_keepalives_interval=5', 'tcp_keepalives_count=3'];
  // Between two statements pg_restore waits for its data, however long the network takes.
  return session.server.major >= 14 ? [...keepalive, 'idle_session_timeout=0'] : keepalive;
}

/**
 * What is loaded into may be set to be read only.
 *
 * Objects are made one statement at a time; that they are on disk is seen to by the commit of the swap, which comes after. */
export function loadOptions(held: Pick<Hold, 'session' | 'pooled'>): readonly string[] {
  return held.pooled ? [] : [...sessionOptions(held), 'synchronous_commit=off', 'default_transaction_read_only=off'];
}

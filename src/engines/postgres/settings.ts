/** Settings for the sessions of pg_dump and pg_restore, which set all other time-outs to none themselves. */
export function patienceOptions(major: number): readonly string[] {
  const keepalive = ['tcp_keepalives_idle=10', 'tcp_keepalives_interval=5', 'tcp_keepalives_count=3'];
  // Between two statements pg_restore waits for its data, however long the network takes.
  return major >= 14 ? [...keepalive, 'idle_session_timeout=0'] : keepalive;
}

import type { PostgresqlAddress } from '../../api/postgresql.ts';
import type { Login } from '../engine.ts';

/** A database to connect to, and as whom. */
export interface Endpoint extends Pick<PostgresqlAddress, 'host' | 'port'> {
  readonly database: string;
  readonly login: Login;
  /** What the server's administrator sees in pg_stat_activity; see session-name.ts. */
  readonly applicationName: string;
}

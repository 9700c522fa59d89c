/** Where everything that the harness makes is kept. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `$XDG_CACHE_HOME/holdfast`, or `~/.cache/holdfast`. */
export function cacheRoot(environment: NodeJS.ProcessEnv = process.env): string {
  // An empty variable counts as unset, as the XDG specification says.
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'holdfast');
}

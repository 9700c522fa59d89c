/** Talks to a cluster by kubectl. */
import { run } from './command.ts';
import { program } from './programs.ts';

/** A proxy for the world outside must not get what is meant for a cluster on this machine. */
const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];

/** Runs kubectl and returns what it prints. */
export async function kubectl(kubeconfig: string, args: readonly string[], input?: string): Promise<string> {
  const env = { ...process.env };
  for (const name of PROXY_VARIABLES) delete env[name];
  return run(await program('kubectl'), ['--kubeconfig', kubeconfig, '--request-timeout=10s', ...args], {
    env,
    ...(input !== undefined && { input }),
  });
}

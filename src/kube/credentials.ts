import { readFile } from 'node:fs/promises';
import type { Agent, RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { HoldfastError } from '../lib/errors.ts';

/** Where the API server is. */
export interface Server {
  readonly url: URL;
}

/** What a request carries to be let in. */
export interface Access {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'rejectUnauthorized' | 'servername'>;
  /** Where the way leads through a proxy: the one that knows it, certificates included. */
  readonly agent?: Agent;
}

/** Who we are to the API server. `access` reads files anew each time it is asked; the caller keeps the answer for a while. */
export interface Credentials extends Server {
  access(): Promise<Access>;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The kubeconfig that KUBECONFIG names; else the service account of the pod that we run in; else ~/.kube/config.
 * Only a kubeconfig loads the Kubernetes client: it costs 85 MB of memory that no replica in a cluster has to spend.
 */
export async function findCredentials(env: NodeJS.ProcessEnv): Promise<Credentials> {
  if (!env['KUBECONFIG'] && env['KUBERNETES_SERVICE_HOST']) return serviceAccount(env);
  return kubeconfig();
}

/** The token is a file that the kubelet replaces before it expires; so is, seldom, the authority's certificate. */
export function serviceAccount(env: NodeJS.ProcessEnv, folder = SERVICE_ACCOUNT): Credentials {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  return {
    url: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    async access() {
      const [token, ca] = await Promise.all([readFile(`${folder}/token`, 'utf8'), readFile(`${folder}/ca.crt`)]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}

async function kubeconfig(): Promise<Credentials> {
  const { KubeConfig } = await import('./client-node.ts');
  const config = new KubeConfig();
  config.loadFromDefault();
  return credentialsOf(config);
}

/** The current context of a kubeconfig that was read. */
export function credentialsOf(config: KubeConfig): Credentials {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new HoldfastError('NoCluster', 'the kubeconfig has no current cluster', {
      hint: 'Set KUBECONFIG to a file with a current-context, or run inside a cluster.',
    });
  }
  return {
    url: new URL(cluster.server),
    async access() {
      const options: RequestOptions & { headers: Record<string, string> } = { headers: {} };
      await config.applyToHTTPSOptions(options);
      const proxied = cluster.proxyUrl ? { agent: options.agent as Agent } : {};
      return { headers: lowerCased(options), tls: tlsOf(options), ...proxied };
    },
  };
}

function lowerCased(options: { readonly headers: Readonly<Record<string, string>>; auth?: string | null | undefined }) {
  const headers = Object.fromEntries(
    Object.entries(options.headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
  if (options.auth) headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

function tlsOf({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): Access['tls'] {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    ...(servername === undefined ? {} : { servername }),
  };
}

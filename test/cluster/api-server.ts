/**
 * An API server with etcd alone: everything of Kubernetes that is an API, and nothing that acts.
 *
 * Good for whole loops of a controller without containers. There is no controller manager: Jobs start no Pods,
 * nothing collects what an owner leaves behind, and namespaces stay "Terminating". There is no kubelet either: the
 * test plays both by writing status. Admission of service accounts is off, since nobody makes their default.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { compactEtcd, etcdFlags } from './etcd.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { issue, makeAuthority, makeTokenSigningKeys } from './pki.ts';
import { freePorts } from './ports.ts';
import { program } from './programs.ts';
import { answersHttp, apiServerReady } from './ready.ts';
import { memoryDir } from './temp-dir.ts';
import { lastLinesOf, startTied, type TiedProcess } from './tied-process.ts';
import { waitFor } from './wait.ts';

export interface ApiServer {
  /** A file; its user is an administrator and may impersonate anybody. */
  kubeconfig: string;
  url: string;
  /** Certificates, data and the logs `etcd.log` and `kube-apiserver.log`; gone after `stop`. */
  dir: string;
  /** Ends the API server and starts it again on the same data. Open watches break, as in a rolling upgrade. */
  restart(): Promise<void>;
  /**
   * Drops all history: a watch or a list that goes on from any resourceVersion handed out before is answered with
   * 410 Gone. It restarts the API server, whose own cache of past events would else answer for etcd.
   */
  compact(): Promise<void>;
  stop(): Promise<void>;
}

export interface ApiServerOptions {
  /** Further flags of kube-apiserver. */
  flags?: readonly string[];
}

/** A few seconds on a free machine; this many on one that also builds Kubernetes. */
const READY_WITHIN_MS = 90_000;

/** A free port may be taken by somebody else before it is used. */
const ATTEMPTS = 3;

/** Starts one, ready to use. Several can run at once. All of it ends with this process at the latest. */
export async function upApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const dir = await memoryDir('api-server');
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(dir, options);
    } catch (error) {
      await rm(join(dir, 'etcd'), { recursive: true, force: true });
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function start(dir: string, options: ApiServerOptions): Promise<ApiServer> {
  const [port, clients, peers] = (await freePorts(3)) as [number, number, number];
  const url = `https://127.0.0.1:${port}`;
  const etcdUrl = `http://127.0.0.1:${clients}`;
  const kubeconfig = join(dir, 'kubeconfig');
  await writeAccess(dir, kubeconfig, url);
  const flags = [...apiServerFlags(dir, port, etcdUrl), ...(options.flags ?? [])];

  const etcd = await startEtcd(dir, etcdUrl, `http://127.0.0.1:${peers}`);
  let apiServer: TiedProcess;
  try {
    apiServer = await startApiServer(dir, url, flags);
  } catch (error) {
    await etcd.stop('SIGKILL');
    throw error;
  }
  const restart = async () => {
    await apiServer.stop('SIGKILL');
    apiServer = await startApiServer(dir, url, flags);
  };
  return {
    kubeconfig,
    url,
    dir,
    restart,
    async compact() {
      await compactEtcd(etcdUrl);
      await restart();
    },
    async stop() {
      // Nothing is kept, so nothing needs a graceful end.
      await Promise.all([apiServer.stop('SIGKILL'), etcd.stop('SIGKILL')]);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function writeAccess(dir: string, kubeconfig: string, server: string): Promise<void> {
  const pki = join(dir, 'pki');
  await mkdir(pki, { recursive: true });
  await makeAuthority(pki, 'holdfast-api-server');
  await makeTokenSigningKeys(pki);
  await issue(pki, {
    file: 'apiserver',
    commonName: 'kube-apiserver',
    alternativeNames: ['IP:127.0.0.1', 'DNS:localhost'],
  });
  await issue(pki, { file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters' });
  await writeKubeconfig(kubeconfig, pki, 'admin', { name: 'holdfast-api-server', server });
}

async function startEtcd(dir: string, clients: string, peers: string): Promise<TiedProcess> {
  // Its data need not survive anything, and waiting for the disk would cost every write.
  const flags = [...etcdFlags({ dataDir: join(dir, 'etcd'), clients, peers }), '--unsafe-no-fsync'];
  const log = join(dir, 'etcd.log');
  const etcd = startTied(await program('etcd'), flags, { log });
  await untilReady('etcd', etcd, log, () => answersHttp(`${clients}/health`));
  return etcd;
}

async function startApiServer(dir: string, url: string, flags: readonly string[]): Promise<TiedProcess> {
  const log = join(dir, 'kube-apiserver.log');
  const apiServer = startTied(await program('kube-apiserver'), flags, { log });
  await untilReady('kube-apiserver', apiServer, log, () => apiServerReady(url, join(dir, 'pki')));
  return apiServer;
}

async function untilReady(name: string, server: TiedProcess, log: string, ready: () => Promise<boolean>) {
  try {
    await waitFor(ready, {
      timeoutMs: READY_WITHIN_MS,
      everyMs: 50,
      hopeless: () => !server.running(),
      otherwise: () => `${name} did not become ready:\n${lastLinesOf(log)}\nNext: read ${log}`,
    });
  } catch (error) {
    await server.stop('SIGKILL');
    throw error;
  }
}

function apiServerFlags(dir: string, port: number, etcd: string): string[] {
  const pki = join(dir, 'pki');
  return [
    ...['--etcd-servers', etcd],
    ...['--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1', '--secure-port', String(port)],
    ...['--tls-cert-file', join(pki, 'apiserver.crt'), '--tls-private-key-file', join(pki, 'apiserver.key')],
    ...['--client-ca-file', join(pki, 'ca.crt')],
    ...['--service-account-key-file', join(pki, 'sa.pub')],
    ...['--service-account-signing-key-file', join(pki, 'sa.key')],
    ...['--service-account-issuer', 'https://kubernetes.default.svc.cluster.local'],
    ...['--service-cluster-ip-range', '10.0.0.0/24'],
    ...['--authorization-mode', 'RBAC'],
    ...['--disable-admission-plugins', 'ServiceAccount'],
  ];
}

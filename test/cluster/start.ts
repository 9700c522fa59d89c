/** Brings a cluster from whatever state it is in to ready. */
import { join } from 'node:path';
import { makeCgroups } from './cgroups.ts';
import { containerdAnswers, importImage } from './containerd.ts';
import { type DaemonName, findDaemon, logOf, startDaemon } from './daemons.ts';
import { dnsAnswers } from './dns.ts';
import { kubectl } from './kubectl.ts';
import { ensureNode, insideNode } from './node.ts';
import { nodeReady } from './node-ready.ts';
import { type Parts, writeFiles } from './parts.ts';
import { kubeconfigOf } from './place.ts';
import { apiServerReady } from './ready.ts';
import { lastLinesOf } from './tied-process.ts';
import { waitFor } from './wait.ts';

/** Seconds on a free machine; this much on one that is busy with something else. */
const READY_WITHIN_MS = 180_000;

/** A daemon that is not there this long after its start has failed: it takes this to become itself. */
const STARTED_WITHIN_MS = 5_000;

export async function startCluster(parts: Parts): Promise<void> {
  const { addresses, dir, pause } = parts;
  await makeCgroups(addresses.name);
  const firstProcess = await ensureNode(addresses, dir, pause);
  await writeFiles(parts);
  await Promise.all([startControlPlane(parts, firstProcess), startContainerd(parts, firstProcess)]);
  const kubeletStarted = ensureDaemon(parts, firstProcess, 'kubelet');
  ensureDaemon(parts, firstProcess, 'kube-proxy');
  await kubectl(kubeconfigOf(dir), ['apply', '--server-side', '--force-conflicts', '-f', '-'], parts.dns);
  await untilReady(parts, 'kubelet', () => nodeReady(kubeconfigOf(dir), addresses.nodeName, kubeletStarted));
  await untilReady(parts, 'kubelet', () => dnsAnswers(addresses));
}

async function startControlPlane(parts: Parts, firstProcess: number): Promise<void> {
  const { addresses, dir } = parts;
  ensureDaemon(parts, firstProcess, 'etcd');
  ensureDaemon(parts, firstProcess, 'kube-apiserver');
  await untilReady(parts, 'kube-apiserver', () => apiServerReady(addresses.apiServer, join(dir, 'pki')));
  ensureDaemon(parts, firstProcess, 'kube-controller-manager');
  ensureDaemon(parts, firstProcess, 'kube-scheduler');
}

async function startContainerd(parts: Parts, firstProcess: number): Promise<void> {
  ensureDaemon(parts, firstProcess, 'containerd');
  await untilReady(parts, 'containerd', () => containerdAnswers(parts.dir));
  for (const image of parts.images) await importImage(parts.dir, image);
}

/** Starts the daemon unless it runs; returns when it was started. */
function ensureDaemon({ addresses, dir, commands }: Parts, firstProcess: number, name: DaemonName): Date | undefined {
  if (findDaemon(addresses.name, name) !== undefined) return undefined;
  const started = new Date();
  startDaemon(addresses.name, dir, { name, command: [...insideNode(firstProcess), ...commands[name]] });
  return started;
}

/** Waits for something that a daemon has to do. */
async function untilReady(parts: Parts, name: DaemonName, ready: () => Promise<boolean>): Promise<void> {
  const { addresses, dir } = parts;
  const started = performance.now();
  const log = logOf(dir, name);
  await waitFor(ready, {
    timeoutMs: READY_WITHIN_MS,
    hopeless: () => performance.now() - started > STARTED_WITHIN_MS && findDaemon(addresses.name, name) === undefined,
    otherwise: () =>
      `${addresses.name} did not become ready. The end of ${name}.log:\n${lastLinesOf(log)}\nNext: read ${log}`,
  });
}

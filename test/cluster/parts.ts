/** What a cluster is made of: the programs it runs and how, its images, its files. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { AUDIT_POLICY, auditPolicyFile } from './audit.ts';
import { keyOf } from './cache.ts';
import type { DaemonName } from './daemons.ts';
import { dnsManifest } from './dns.ts';
import {
  apiServerFlags,
  clusterEtcdFlags,
  controllerManagerFlags,
  kubeletFlags,
  proxyFlags,
  schedulerFlags,
} from './flags.ts';
import { identitiesOf } from './identities.ts';
import type { Image } from './image.ts';
import { corednsImage, pauseImage } from './images.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { nodeFiles } from './node-files.ts';
import { issue, makeAuthority, makeTokenSigningKeys } from './pki.ts';
import type { Place } from './place.ts';
import { program } from './programs.ts';

/** A program and its arguments. */
type Command = readonly [string, ...string[]];

export interface Parts extends Place {
  commands: Readonly<Record<DaemonName, Command>>;
  /** The program that is the node's first process. */
  pause: string;
  /** Needed before anything else can run. */
  images: readonly Image[];
  /** Path → content. */
  files: Readonly<Record<string, string>>;
  dns: string;
}

/** Everything for a cluster, built first where it is not in the cache. */
export async function gatherParts(place: Place): Promise<Parts> {
  const { addresses, dir } = place;
  const pause = await pauseImage();
  const coredns = await corednsImage();
  const configuration = Object.entries(nodeFiles(place, pause.name)).map(([path, text]) => [join(dir, path), text]);
  return {
    ...place,
    commands: {
      etcd: [await program('etcd'), ...clusterEtcdFlags(place)],
      'kube-apiserver': [await program('kube-apiserver'), ...apiServerFlags(place)],
      'kube-controller-manager': [await program('kube-controller-manager'), ...controllerManagerFlags(place)],
      'kube-scheduler': [await program('kube-scheduler'), ...schedulerFlags(place)],
      containerd: ['containerd', '--config', join(dir, 'node/containerd.toml')],
      kubelet: [await program('kubelet'), ...kubeletFlags(place)],
      'kube-proxy': [await program('kube-proxy'), ...proxyFlags(place)],
    },
    pause: await program('pause'),
    images: [pause, coredns],
    files: { ...Object.fromEntries(configuration), [auditPolicyFile(dir)]: AUDIT_POLICY },
    dns: dnsManifest(addresses, coredns.name),
  };
}

/** Changes whenever a cluster that was made earlier would not be the one that is made now. */
export function keyOfParts({ commands, files, dns }: Parts): string {
  return keyOf({ parts: JSON.stringify([commands, files, dns]) });
}

/** Writes configuration, certificates and kubeconfigs. Certificates that are there stay, since clients hold them. */
export async function writeFiles(parts: Parts): Promise<void> {
  for (const [path, text] of Object.entries(parts.files)) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.unfinished`, text);
    await rename(`${path}.unfinished`, path);
  }
  await writeIdentities(parts);
}

async function writeIdentities({ addresses, dir }: Parts): Promise<void> {
  const pki = join(dir, 'pki');
  const { servers, clients } = identitiesOf(addresses);
  await makeAuthority(pki, `${addresses.name}-ca`);
  await makeTokenSigningKeys(pki);
  await Promise.all([...servers, ...clients].map((identity) => issue(pki, identity)));
  const place = { name: addresses.name, server: addresses.apiServer };
  for (const { file } of clients) await writeKubeconfig(join(dir, `${file}.kubeconfig`), pki, file, place);
}

/** The file that tells a client where the cluster is and who it is itself. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Access {
  /** Shown by kubectl as cluster and context. */
  name: string;
  server: string;
  /** PEM texts. */
  authority: string;
  certificate: string;
  key: string;
}

export function kubeconfigText(access: Access): string {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  return `apiVersion: v1
kind: Config
current-context: ${access.name}
clusters:
- name: ${access.name}
  cluster:
    server: ${access.server}
    certificate-authority-data: ${base64(access.authority)}
users:
- name: ${access.name}
  user:
    client-certificate-data: ${base64(access.certificate)}
    client-key-data: ${base64(access.key)}
contexts:
- name: ${access.name}
  context:
    cluster: ${access.name}
    user: ${access.name}
`;
}

/** Writes a kubeconfig for the identity `file` of a folder of certificates. */
export async function writeKubeconfig(
  path: string,
  pki: string,
  file: string,
  place: Pick<Access, 'name' | 'server'>,
): Promise<void> {
  const pem = (name: string) => readFile(join(pki, name), 'utf8');
  const text = kubeconfigText({
    ...place,
    authority: await pem('ca.crt'),
    certificate: await pem(`${file}.crt`),
    key: await pem(`${file}.key`),
  });
  await writeFile(path, text, { mode: 0o600 });
}

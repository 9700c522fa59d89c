/** Certificates and kubeconfigs: who is who to the API server. */
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { addressesOf } from '../../cluster/addresses.ts';
import { identitiesOf } from '../../cluster/identities.ts';
import { kubeconfigText } from '../../cluster/kubeconfig.ts';
import { authorityConfig, certificateConfig } from '../../cluster/pki.ts';

test('an authority may sign and is marked as one', () => {
  const config = authorityConfig('kc1-ca').split('\n');
  expect(config).toContain('CN = kc1-ca');
  expect(config).toContain('basicConstraints = critical,CA:TRUE');
  expect(config.join('\n')).toContain('keyCertSign');
});

describe('a certificate', () => {
  test('names its user and its group, and may not sign', () => {
    const config = certificateConfig({ file: 'admin', commonName: 'kubernetes-admin', organization: 'system:masters' });
    expect(config.split('\n')).toEqual(
      expect.arrayContaining(['O = system:masters', 'CN = kubernetes-admin', 'basicConstraints = critical,CA:FALSE']),
    );
  });

  test('has no group and no further names when there are none', () => {
    const config = certificateConfig({ file: 'x', commonName: 'somebody' });
    expect(config).not.toMatch(/^O = |subjectAltName/m);
  });

  test('is good for every address that the server is reached by', () => {
    const config = certificateConfig({ file: 'x', commonName: 'server', alternativeNames: ['IP:10.0.0.1', 'DNS:a.b'] });
    expect(config).toContain('subjectAltName = IP:10.0.0.1,DNS:a.b');
  });
});

describe('the identities of a cluster', () => {
  const { servers, clients } = identitiesOf(addressesOf(1));

  test('let the API server be reached from the host and from pods', () => {
    const names = servers.find(({ file }) => file === 'apiserver')?.alternativeNames;
    expect(names).toEqual(expect.arrayContaining(['IP:172.30.1.11', 'IP:10.201.0.1', 'DNS:kubernetes.default.svc']));
  });

  test('give the kubelet the rights of its own node alone', () => {
    expect(clients.find(({ file }) => file === 'kubelet')).toMatchObject({
      commonName: 'system:node:kc1-n1',
      organization: 'system:nodes',
    });
  });

  test('make only the administrator one', () => {
    const administrators = clients.filter(({ organization }) => organization === 'system:masters');
    expect(administrators.map(({ file }) => file)).toEqual(['admin']);
  });
});

test('a kubeconfig holds all that a client needs, and no other file', () => {
  const text = kubeconfigText({
    name: 'kc1',
    server: 'https://172.30.1.11:6443',
    authority: 'CA',
    certificate: 'CERT',
    key: 'KEY',
  });
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  expect(parse(text)).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'kc1',
    clusters: [
      { name: 'kc1', cluster: { server: 'https://172.30.1.11:6443', 'certificate-authority-data': base64('CA') } },
    ],
    users: [{ name: 'kc1', user: { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') } }],
    contexts: [{ name: 'kc1', context: { cluster: 'kc1', user: 'kc1' } }],
  });
});

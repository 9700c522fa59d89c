import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { addressesOf } from '../../cluster/addresses.ts';
import { AUDIT_POLICY } from '../../cluster/audit.ts';
import { dnsManifest } from '../../cluster/dns.ts';
import { setUpScript } from '../../cluster/node.ts';
import { cniConfig, containerdConfig, kubeletConfig, proxyConfig } from '../../cluster/node-files.ts';

const place = { addresses: addressesOf(3), dir: '/cache/clusters/kc3' };

describe('the kubelet', () => {
  const config = parse(kubeletConfig(place)) as Record<string, unknown>;

  test('has a cgroup of its own and the DNS of its cluster', () => {
    expect(config).toMatchObject({
      kind: 'KubeletConfiguration',
      address: '172.30.3.11',
      cgroupRoot: '/kc3/n1',
      clusterDNS: ['10.203.0.10'],
      containerRuntimeEndpoint: 'unix:///cache/clusters/kc3/node/containerd.sock',
    });
  });

  test('runs where cgroups are of version 1', () => {
    expect(config['failCgroupV1']).toBe(false);
  });

  test('keeps images, since none could be pulled again', () => {
    expect(config['imageGCHighThresholdPercent']).toBe(100);
  });

  test('lets nobody in without a name', () => {
    expect(config).toMatchObject({
      authentication: { anonymous: { enabled: false } },
      authorization: { mode: 'Webhook' },
    });
  });
});

describe('containerd', () => {
  const config = containerdConfig(place, 'localhost/holdfast-pause:k');

  test.each([
    ['listens in the folder of its cluster', 'address = "/cache/clusters/kc3/node/containerd.sock"'],
    ['uses our pause image', 'sandbox_image = "localhost/holdfast-pause:k"'],
    ['does not lower scores, which needs a right that is rare', 'restrict_oom_score_adj = true'],
    ['keeps its state where it goes with the node', 'state = "/run/containerd"'],
  ])('%s', (_, line) => {
    expect(config).toContain(line);
  });
});

test('pods get addresses of their cluster', () => {
  const { plugins } = JSON.parse(cniConfig(place)) as { plugins: unknown[] };
  expect(plugins[0]).toMatchObject({ type: 'bridge', ipam: { ranges: [[{ subnet: '10.103.1.0/24' }]] } });
});

test('kube-proxy leaves the limits of the machine alone', () => {
  expect(parse(proxyConfig(place))).toMatchObject({
    mode: 'nftables',
    clusterCIDR: '10.103.0.0/16',
    conntrack: { maxPerCore: 0, min: 0 },
  });
});

describe('the audit log', () => {
  const { rules } = parse(AUDIT_POLICY) as { rules: { level: string; resources?: { resources?: string[] }[] }[] };

  test('has whole requests of what the operator writes', () => {
    expect(rules.find(({ level }) => level === 'RequestResponse')?.resources).toContainEqual({ group: 'holdfast.dev' });
  });

  test('has no Secret in it', () => {
    const withContent = rules.filter(({ level }) => level.startsWith('Request')).flatMap(({ resources }) => resources);
    expect(JSON.stringify(withContent)).not.toContain('secrets');
    expect(rules.at(-1)).toEqual({ level: 'Metadata' });
  });
});

test('the DNS server has the address that every kubelet tells its pods', () => {
  const objects = dnsManifest(place.addresses, 'localhost/holdfast-coredns:k')
    .split('---\n')
    .map((text) => parse(text) as { kind: string; spec?: { clusterIP?: string } });
  expect(objects.map(({ kind }) => kind)).toContain('Deployment');
  expect(objects.find(({ kind }) => kind === 'Service')?.spec?.clusterIP).toBe('10.203.0.10');
});

test('the first process of a node sets everything up before it becomes the one that stays', () => {
  const lines = setUpScript(place.addresses, '/cache/private', '/cache/pause').split('\n');
  expect(lines[0]).toBe('set -e');
  expect(lines.at(-1)).toBe("exec '/cache/pause'");
  expect(lines).toContain("mkdir -p /var/lib/cni; mount --bind '/cache/private/var/lib/cni' /var/lib/cni");
});

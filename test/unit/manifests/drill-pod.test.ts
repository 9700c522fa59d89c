import { describe, expect, test } from '@jest/globals';
import type { V1Container } from '@kubernetes/client-node';
import { withDrillServer } from '../../../src/manifests/drill-pod.ts';
import { runnerPodSpec } from '../../../src/manifests/runner-pod.ts';

const SETTINGS = { image: 'localhost/holdfast:test', imagePullPolicy: 'IfNotPresent' } as const;
const BASE = runnerPodSpec({ settings: SETTINGS, secrets: { store: 'bucket', identity: 'key' } });
const POD = withDrillServer(BASE, { image: 'postgres:17', runAsUser: 65532, bytes: 1_000_000 }, SETTINGS);
const CONTAINERS = [...(POD.initContainers ?? []), ...POD.containers];
const named = (name: string) => CONTAINERS.find((container) => container.name === name) as V1Container;
const mountsOf = (name: string) => (named(name).volumeMounts ?? []).map(({ mountPath }) => mountPath);

describe('the pod of a drill', () => {
  test('makes a password, a server with it, and runs that beside the runner, in this order', () => {
    expect(CONTAINERS.map(({ name }) => name)).toEqual(['password', 'initdb', 'server', 'runner']);
    expect(named('server')).toMatchObject({ restartPolicy: 'Always', startupProbe: { exec: expect.anything() } });
    expect(named('password').restartPolicy).toBeUndefined();
  });

  test('is what PodSecurity calls restricted, in every container', () => {
    expect(POD.securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: 'RuntimeDefault' },
      runAsUser: 65532,
    });
    expect(POD.automountServiceAccountToken).toBe(false);
    for (const { name, securityContext, resources } of CONTAINERS) {
      expect([name, securityContext]).toEqual([
        name,
        { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
      ]);
      expect([name, resources?.limits?.['memory']]).toEqual([name, expect.any(String)]);
    }
    const kinds = (POD.volumes ?? []).map(({ name: _, ...source }) => Object.keys(source)[0]);
    expect(new Set(kinds)).toEqual(new Set(['downwardAPI', 'emptyDir', 'secret']));
  });

  test('shows the server none of the Secrets, and the password only to whom it is for', () => {
    expect(mountsOf('server')).toEqual(['/holdfast/server', '/tmp', '/etc/passwd']);
    expect(mountsOf('initdb')).toEqual([...mountsOf('server'), '/holdfast/run/drill']);
    expect(mountsOf('password')).toEqual(['/holdfast/run/drill']);
    expect(mountsOf('runner')).toEqual(expect.arrayContaining(['/holdfast/run/store', '/holdfast/run/drill']));
    expect(mountsOf('runner')).not.toContain('/holdfast/server');
    expect(POD.volumes).toContainEqual({ name: 'drill', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } });
  });

  test('has a server that nobody outside reaches, started without a shell', () => {
    const { command } = named('server');
    expect(command?.[0]).toBe('postgres');
    expect(command).toEqual(expect.arrayContaining(['listen_addresses=127.0.0.1', 'unix_socket_directories=']));
    expect(named('server').ports).toBeUndefined();
    expect(named('initdb').command?.[0]).toBe('initdb');
    expect(JSON.stringify(CONTAINERS)).not.toMatch(/"(ba)?sh"/);
  });

  test('asks for a node with room for what is restored', () => {
    expect(named('server').resources?.requests).toMatchObject({ 'ephemeral-storage': '1537Mi', cpu: '100m' });
    expect(POD.volumes).toContainEqual({ name: 'server', emptyDir: {} });
  });

  test('leaves the user to the platform where the admin says so', () => {
    const pod = withDrillServer(BASE, { image: 'postgres:17', bytes: 0 }, SETTINGS);
    expect(pod.securityContext).toEqual(BASE.securityContext);
    expect(JSON.stringify(pod)).not.toContain('/etc/passwd');
  });
});

/** The doctor at a cluster that falls ill, against a real API server. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { DEPLOYMENT } from '../../src/cli/kinds.ts';
import { microTime } from '../../src/kube/event.ts';
import { KIND } from '../../src/kube/kinds.ts';
import { now } from '../../src/platform/clock.ts';
import { fillShop, said } from '../support/cli-shop.ts';
import { CliWorld, type PluginOptions } from '../support/cli-world.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';

jest.setTimeout(60_000);

let world: CliWorld;

beforeAll(async () => {
  world = await CliWorld.up({ kinds: false });
}, 120_000);

afterAll(async () => {
  await world?.down();
});

async function doctor(options: PluginOptions = {}, namespace = 'shop') {
  const { code, stdout } = await world.plugin(['doctor', '-n', namespace, '-o', 'json'], options);
  const findings = JSON.parse(stdout) as Finding[];
  return { code, findings, wrong: findings.filter(({ verdict }) => verdict === 'wrong').map(({ subject }) => subject) };
}

describe('a cluster without our kinds', () => {
  test('is said to be one by every command, with the next step', async () => {
    for (const args of [['list'], ['status'], ['inspect', 'x'], ['key', 'create', 'x'], ['backup', '--from', 'x']]) {
      const { code, stdout, stderr } = await world.plugin(args);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('This cluster does not have the kinds of Holdfast (holdfast.dev/v1alpha1).');
      expect(stderr).toContain('kubectl holdfast doctor');
    }
  });

  test('leaves the doctor with two findings', async () => {
    const { code, wrong, findings } = await doctor();
    expect(code).toBe(1);
    expect(wrong).toEqual(['kinds', 'operator']);
    expect(findings.every(({ next }) => next?.startsWith('helm upgrade --install'))).toBe(true);
  });
});

describe('a cluster with everything', () => {
  beforeAll(async () => {
    await installKinds(world.server.kubeconfig);
    await fillShop(world, 'shop');
    const labels = { 'app.kubernetes.io/name': 'holdfast' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'operator', image: 'holdfast' }] } };
    await world.put(DEPLOYMENT, 'holdfast-system', {
      metadata: { name: 'holdfast', labels },
      spec: { replicas: 1, selector: { matchLabels: labels }, template },
      status: { replicas: 1, readyReplicas: 1 },
    });
    await world.put(KIND.lease, 'holdfast-system', {
      metadata: { name: 'holdfast-leader' },
      spec: {
        holderIdentity: 'pod-1_uuid',
        leaseDurationSeconds: 15, // Nobody renews it, and these tests take their time.
        renewTime: microTime(new Date(now().getTime() + 600_000)),
      },
    });
  }, 60_000);

  test('is well', async () => {
    const { code, stdout, stderr } = await world.plugin(['doctor', '-n', 'shop']);
    expect(stdout).toMatch(/^ok +kinds +holdfast\.dev\/v1alpha1, with every field that this plugin knows$/m);
    expect(stdout).toMatch(/^ok +operator +Deployment holdfast-system\/holdfast: 1 of 1 ready$/m);
    expect(stdout).toMatch(/^ok +leader +pod-1 leads/m);
    expect(stdout).toMatch(/^note +backup before-upgrade +Running for/m);
    expect(stderr).toBe('Nothing is wrong.\n');
    expect(code).toBe(0);
  });

  test('an app that was left at zero gets the line that brings it back, and the line works', async () => {
    await world.put(KIND.lease, 'shop', {
      metadata: {
        name: 'holdfast-scale-0123456789abcdef',
        labels: { 'app.kubernetes.io/managed-by': 'holdfast' },
        annotations: {
          'holdfast.dev/workload': 'Deployment/web',
          'holdfast.dev/replicas': '3',
          'holdfast.dev/holder': 'Restore shop/lost',
        },
      },
      spec: { holderIdentity: 'a-restore-that-is-gone' },
    });
    await kubectl(world.server.kubeconfig, ['-n', 'shop', 'scale', 'deployment/web', '--replicas=0']);
    const { wrong, findings } = await doctor();
    expect(wrong).toEqual(['app web']);
    const next = findings.find(({ subject }) => subject === 'app web')?.next ?? '';
    for (const command of next.split(' && ')) await kubectl(world.server.kubeconfig, command.split(' ').slice(1));
    const web = await world.people.get(KIND.deployment, { namespace: 'shop', name: 'web' });
    expect(web?.spec.replicas).toBe(3);
    expect((await doctor()).wrong).toEqual([]);
  });

  test('a store that fails is found, and one recovers', async () => {
    const store = await world.people.get(KIND.backupStore, { namespace: 'shop', name: 'cellar' });
    const failing = { conditions: [said('Ready', 'False', 'BucketNotFound', 'There is no bucket acme.')] };
    await world.setStatus(KIND.backupStore, store!, failing);
    const { findings } = await doctor();
    expect(findings).toContainEqual({
      subject: 'store cellar',
      verdict: 'wrong',
      message: 'not Ready: BucketNotFound: There is no bucket acme.',
      next: 'kubectl -n shop describe backupstore.holdfast.dev cellar',
    });
    await world.setStatus(KIND.backupStore, store!, { conditions: [said('Ready', 'True', 'Usable', 'ready')] });
    expect((await doctor()).wrong).toEqual([]);
  });

  test('a namespace that is not there is the only thing said of it', async () => {
    const { wrong, findings } = await doctor({}, 'shpo');
    expect(wrong).toEqual(['namespace']);
    expect(findings.at(-1)?.message).toBe('There is no namespace "shpo".');
  });

  test('somebody without rights is told what they may not do, and the rest is unknown rather than well', async () => {
    const { code, findings } = await doctor({ env: { KUBECONFIG: await world.stranger('stranger') } });
    expect(code).toBe(1);
    expect(findings).toContainEqual(
      expect.objectContaining({
        subject: 'your rights',
        verdict: 'wrong',
        message: 'you may not get/list/watch any of our kinds',
      }),
    );
    expect(findings.filter(({ verdict }) => verdict === 'ok').map(({ subject }) => subject)).toEqual(['kinds']);
  });

  test('somebody who may only read is well, with a note', async () => {
    const kubeconfig = await world.stranger('viewer');
    const admin = world.server.kubeconfig;
    const ours = 'backupstores,backupkeys,backupschedules,backups,restores';
    await kubectl(admin, [
      'create',
      'role',
      'viewer',
      '-n',
      'shop',
      '--verb=get,list,watch',
      `--resource=${ours.replaceAll(/(\w+)/g, '$1.holdfast.dev')}`,
    ]);
    await kubectl(admin, ['create', 'rolebinding', 'viewer', '-n', 'shop', '--role=viewer', '--user=viewer']);
    const { code, findings } = await doctor({ env: { KUBECONFIG: kubeconfig } });
    expect(findings.find(({ subject }) => subject === 'your rights')).toMatchObject({
      verdict: 'note',
      message: 'reading is allowed, but not: create/delete any of our kinds, list pods and get pods/log',
    });
    expect(code).toBe(0);
    const status = await world.plugin(['status', '-n', 'shop'], { env: { KUBECONFIG: kubeconfig } });
    expect([status.code, status.stderr]).toEqual([0, '']);
  });

  describe('with an operator of some namespaces', () => {
    const admin = (...args: string[]) => kubectl(world.server.kubeconfig, args);
    const confineTo = (namespace: string, list: string) =>
      admin('-n', namespace, 'set', 'env', 'deployment/holdfast', `HOLDFAST_WATCH_NAMESPACES=${list}`);

    afterAll(() => admin('-n', 'holdfast-system', 'set', 'env', 'deployment/holdfast', 'HOLDFAST_WATCH_NAMESPACES-'));

    test('nobody looks after a namespace that is not one of them', async () => {
      await confineTo('holdfast-system', 'billing,crm');
      const { wrong, findings } = await doctor();
      expect(wrong).toEqual(['operator']);
      expect(findings.find(({ subject }) => subject === 'operator')?.message).toBe(
        'Deployment holdfast-system/holdfast looks after billing and crm only: nobody does what objects in shop ask for.',
      );
      await confineTo('holdfast-system', 'billing,shop');
      expect((await doctor()).wrong).toEqual([]);
    });

    test('who may look in no other namespace finds the one that runs in their own', async () => {
      const kubeconfig = await world.stranger('tenant');
      await admin(
        'create',
        'rolebinding',
        'tenant',
        '-n',
        'shop',
        '--clusterrole=system:aggregate-to-view',
        '--user=tenant',
      );
      const asTenant = async () =>
        (await doctor({ env: { KUBECONFIG: kubeconfig } })).findings.find(({ subject }) => subject === 'operator');
      expect(await asTenant()).toMatchObject({ verdict: 'unknown' });
      const theirs = await world.people.get(DEPLOYMENT, { namespace: 'holdfast-system', name: 'holdfast' });
      const { labels = {} } = theirs?.metadata ?? {};
      await world.put(DEPLOYMENT, 'shop', {
        metadata: { name: 'holdfast', labels },
        spec: theirs?.spec ?? {},
        status: { replicas: 1, readyReplicas: 1 },
      });
      await confineTo('shop', 'shop');
      expect(await asTenant()).toMatchObject({ verdict: 'ok', message: 'Deployment shop/holdfast: 1 of 1 ready' });
      await confineTo('shop', 'billing');
      expect(await asTenant()).toMatchObject({ verdict: 'wrong' });
      await admin('delete', 'deployment', 'holdfast', '-n', 'shop');
    });
  });

  describe('with CRDs that are older than the plugin', () => {
    beforeAll(async () => {
      const path = '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/keepPrevious';
      const patch = JSON.stringify([{ op: 'remove', path }]);
      await kubectl(world.server.kubeconfig, ['patch', 'crd', 'restores.holdfast.dev', '--type=json', '-p', patch]);
    });

    test('the doctor tells what they lack', async () => {
      const deadline = performance.now() + 20_000;
      let found = await doctor();
      while (!found.wrong.includes('kinds') && performance.now() < deadline) found = await doctor();
      expect(found.findings.find(({ subject }) => subject === 'kinds')?.message).toBe(
        'The CRDs are older than this plugin: they lack Restore spec.keepPrevious.',
      );
    });

    test('what a person asked for is refused rather than dropped in silence', async () => {
      const asked = ['--yes', '--identity', 'a/b', '--keep-previous', '2d'];
      const { code, stdout, stderr } = await world.plugin(['restore', '-n', 'shop', 'nightly-202611240117', ...asked]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/unknown field "spec\.keepPrevious"[\s\S]*next: {2}The CRDs of this cluster are older/);
    });
  });
});

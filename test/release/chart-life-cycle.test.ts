/**
 * The release that the other tests share is uninstalled and installed here, with all that an admin fears meanwhile. Each
 * test begins by making what it needs, which the one before has left mostly; the last thing is to give the release back.
 */
import { afterAll, expect, test } from '@jest/globals';
import type { Backup } from '../../src/api/backup.ts';
import { ANNOTATIONS } from '../../src/api/names.ts';
import type { CommandFailed } from '../cluster/command.ts';
import { tempDir } from '../cluster/temp-dir.ts';
import { helm, installRelease, previousChart, RELEASE } from '../support/e2e-release.ts';
import {
  backUp,
  haltWhileLoading,
  printOf,
  restore,
  scaleLeases,
  startRestore,
  theApp,
  untilAppHas,
} from '../support/e2e-runs.ts';
import { aKey, aScene, aStore, contentOf, REPLICAS, type Scene } from '../support/e2e-scene.ts';
import { eventually } from '../support/e2e-wait.ts';
import { kubectlIn, OPERATOR_NAMESPACE, sql, theWorld } from '../support/e2e-world.ts';

const KINDS = ['backupkeys', 'backups', 'backupschedules', 'backupstores', 'restores'].map(
  (plural) => `${plural}.holdfast.dev`,
);

/** An uninstall waits for the operator and its pods: Helm's own five minutes at the worst. */
const LONG = 480_000;

const place = () => {
  const { kubeconfig, programs, holdfastImage } = theWorld();
  return { kubeconfig, kubectl: programs.kubectl, image: holdfastImage };
};
const system = () => kubectlIn(OPERATOR_NAMESPACE);
const uninstall = () => helm(place(), ['uninstall', RELEASE]);

/** The API server takes its time with each. */
const removeKinds = (kinds = KINDS) =>
  system().call(['delete', 'crd', ...kinds, '--ignore-not-found', '--timeout=240s']);

/** Of Holdfast, on each kind in the cluster. */
async function versions(): Promise<(string | undefined)[]> {
  const crds = await system().list<{ metadata: { name: string; annotations?: Record<string, string> } }>('crd');
  const ours = crds.filter(({ metadata }) => KINDS.includes(metadata.name));
  return ours.map(({ metadata }) => metadata.annotations?.[ANNOTATIONS.version]);
}

/** The chart of before, with the kinds of its time, which had no version: where those of today are, everything goes first. */
async function installPrevious(): Promise<void> {
  if ((await versions()).some((version) => version !== undefined)) {
    await helm(place(), ['uninstall', RELEASE, '--ignore-not-found']);
    await removeKinds();
  }
  await installRelease(place(), await previousChart(await tempDir('previous-chart')));
}

afterAll(async () => {
  await installRelease(place());
}, LONG);

/** The app is at zero, and the runner stays where it is. */
async function haltHalfWay(scene: Scene, name: string): Promise<void> {
  await startRestore(scene, name, 'first');
  await haltWhileLoading(scene, name);
  expect((await theApp(scene)).spec.replicas).toBe(0);
}

/** Nothing of the release is left; what an uninstall is not asked to remove is. */
async function expectUninstalled(): Promise<void> {
  const mine = ['-l', `app.kubernetes.io/instance=${RELEASE}`, '-o', 'name'];
  const kinds = 'deployments,jobs,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings';
  await eventually('nothing of the release is left', async () => {
    return (await system().call(['get', kinds, ...mine])) === '';
  });
  expect(await versions()).toHaveLength(KINDS.length);
}

async function uninstallHalfWay(): Promise<void> {
  await installRelease(place());
  await using scene = await aScene('uninstall', { rows: 50_000 });
  const first = await backUp(scene, 'first');
  await sql(scene.database, 'TRUNCATE orders');
  const before = await printOf(scene);
  const archives = (await contentOf(scene)).keys;
  expect(archives.filter((key) => key.endsWith('/manifest.json'))).toHaveLength(1);
  await haltHalfWay(scene, 'half-way');

  await uninstall();
  await untilAppHas(scene, REPLICAS);
  expect(await printOf(scene)).toEqual(before);
  expect(await scaleLeases(scene)).toEqual([]);
  expect(await scene.kubectl.get('restore', 'half-way')).toBeUndefined();
  expect((await scene.kubectl.get<Backup>('backup', 'first'))?.status?.phase).toBe('Complete');
  await expectUninstalled();

  await removeKinds();
  expect((await contentOf(scene)).keys).toEqual(archives);

  await installPrevious();
  await scene.kubectl.apply([aStore(scene), aKey(scene)]);
  const second = await backUp(scene, 'second');
  const folderOf = ({ status }: Backup) => status?.location?.replace(/[^/]+\/$/, '');
  expect(folderOf(second)).toBe(folderOf(first));
  expect((await contentOf(scene)).keys).toEqual(expect.arrayContaining(archives));
}

async function upgradeFromPrevious(): Promise<void> {
  await installPrevious();
  await using scene = await aScene('upgrade', { rows: 5_000 });
  const before = await printOf(scene);
  const { metadata, status } = await backUp(scene, 'first');
  await sql(scene.database, 'TRUNCATE orders');
  // As in a cluster whose kinds are older still: Helm never brings one.
  await removeKinds(['backupschedules.holdfast.dev']);

  await installRelease(place());
  expect(await versions()).toHaveLength(KINDS.length);
  expect(await versions()).not.toContain(undefined);
  expect(await system().call(['get', 'backupschedules', '-A', '-o', 'name'])).toBe('');
  const after = await scene.kubectl.get<Backup>('backup', 'first');
  expect([after?.metadata.uid, after?.status?.location]).toEqual([metadata.uid, status?.location]);
  expect(await scene.kubectl.call(['get', 'backups'])).toMatch(/^first +.* Complete /m);
  await restore(scene, 'back', 'first');
  await untilAppHas(scene, REPLICAS);
  expect(await printOf(scene)).toEqual(before);
}

async function uninstallWithoutOperator(): Promise<void> {
  await installRelease(place());
  await using scene = await aScene('operator-dead', { rows: 50_000 });
  await backUp(scene, 'first');
  const before = await printOf(scene);
  await haltHalfWay(scene, 'half-way');
  await system().call(['scale', `deployment/${RELEASE}`, '--replicas=0']);
  await eventually('no operator is left', async () => {
    const selector = `app.kubernetes.io/name=holdfast,app.kubernetes.io/instance=${RELEASE}`;
    return (await system().list('pod', selector)).length === 0;
  });

  const trouble = await uninstall().then(
    () => undefined,
    (error: CommandFailed) => error,
  );
  // Helm shows the hook's words, and so does its Job for a Helm that does not.
  const log = await system().call(['logs', `job/${RELEASE}-settle`]);
  const told = `Deployment/app in ${scene.namespace} is at zero: Restore ${scene.namespace}/half-way took it there, from ${REPLICAS}.`;
  expect(log).toContain(told);
  expect(trouble?.stderr).toContain(told);
  expect((await theApp(scene)).spec.replicas).toBe(0);
  expect(await scene.kubectl.get('restore', 'half-way')).toBeDefined();

  const line = log.split('\n').find((each) => each.startsWith('  kubectl')) ?? '';
  for (const command of line.trim().split(' && ')) await system().call(command.split(' ').slice(1));
  await untilAppHas(scene, REPLICAS);
  await uninstall();
  expect(await scene.kubectl.get('restore', 'half-way')).toBeUndefined();
  expect((await theApp(scene)).spec.replicas).toBe(REPLICAS);
  expect(await printOf(scene)).toEqual(before);
  await expectUninstalled();
}

test(
  'an uninstall with a restore half-way brings the app back, hangs on nothing and keeps backups; removing the kinds keeps the archives; installed again, the next one lies beside them',
  uninstallHalfWay,
  LONG,
);
test(
  'a backup from before an upgrade of the previous chart is listed and restorable after it, and a kind that the cluster did not have is there',
  upgradeFromPrevious,
  LONG,
);
test(
  'an uninstall without an operator leaves no app at zero unsaid: it stops, the commands that it tells bring the app back, and then it ends',
  uninstallWithoutOperator,
  LONG,
);

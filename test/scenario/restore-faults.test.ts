/** Every state of a restore, and everything that can go wrong in it, on a real API server. The runner's own part of it: test/contract. */
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { safetyBackupName } from '../../src/api/names.ts';
import type { Report } from '../../src/api/task.ts';
import { backupController } from '../../src/controllers/backup/observe.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { databaseLockController } from '../../src/controllers/database-lock/observe.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { Http } from '../../src/kube/http.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { installKinds } from '../support/kube-crds.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { STATES, Stage, type State } from '../support/kube-restore-stage.ts';

jest.setTimeout(300_000);

const CONTROLLERS = [backupController, restoreController, databaseLockController] as AnyController[];

let server: ApiServer;
let proxy: ApiProxy;
let direct: ApiProxy;
let http: Http;
let operator: TestOperator;
const stages: Stage[] = [];

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  direct = await startApiProxy(server.kubeconfig);
  http = new Http(direct.credentials);
  await newOperator();
}, 120_000);

afterAll(async () => {
  await operator?.stop();
  http?.close();
  await proxy?.stop();
  await direct?.stop();
  await server?.stop();
});

async function newOperator(): Promise<void> {
  proxy.fault = (asked) => stages.map((stage) => stage.fault(asked)).find((fault) => fault !== undefined);
  operator = testOperator(proxy, CONTROLLERS);
  await operator.start();
}

/** From one request to the next nothing more of it reaches the API server; another one begins from what is there. */
async function killOperator(): Promise<void> {
  proxy.fault = () => 'refuse';
  proxy.cutAll();
  await operator.stop();
  await newOperator();
}

/** How a story ends: the condition that stands and its reason; of a Restore that was deleted, nothing. */
type End = `${'Complete' | 'Failed'} ${string}` | 'gone';

interface Misfortune {
  /** As a sentence goes on: "while it is loading and …". */
  readonly name: string;
  /** Done once the restore is in the state and held there. */
  strike(stage: Stage): Promise<void> | void;
  /** In the end, but for what {@link Misfortune.expected} says otherwise. */
  readonly usually: End;
  readonly expected?: Partial<Record<State, End>>;
  readonly resumeAt?: 'scale' | 'cleanup';
}

const RESTORED = 'Complete Restored';

const failing = (command: Report['command'], retry: boolean, reason: string): Report => ({
  command,
  ok: false,
  retry,
  failure: { reason, message: 'by the test' },
});

type Saying = Report | 'killed' | ((command: Report['command']) => Report);

/** The Job that is at work, or the next one, says the first of these; what follows says the others, as far as it is asked the same. */
function sayNext(stage: Stage, ...sayings: readonly Saying[]): void {
  const left = [...sayings];
  stage.left = left;
  stage.answer = (purpose) => {
    const [next] = left;
    if (next === undefined || stage.held) return 'as usual';
    const said = typeof next === 'function' ? next(purpose as Report['command']) : next;
    if (said !== 'killed' && said.command !== purpose) return 'as usual';
    left.shift();
    return said;
  };
}

const MISFORTUNES: readonly Misfortune[] = [
  {
    name: 'its Job is killed',
    strike: async (stage) => {
      // While the app goes to zero nothing is at work: of what is there, the Job that looked is taken away.
      if (stage.state === 'Quiescing') await stage.deleteJob();
      else if (stage.state === 'SafetyBackup') sayNext(stage, 'killed', failing('backup', false, 'Interrupted'));
      else sayNext(stage, 'killed');
    },
    usually: RESTORED,
    expected: {
      SafetyBackup: 'Failed SafetyBackup',
      Loading: 'Failed RunnerLost',
      Checking: 'Failed RunnerLost',
      Swapping: 'Failed RunnerLost',
      Resuming: 'Failed LoadFailed',
    },
    resumeAt: 'cleanup',
  },
  {
    name: 'its Job is deleted',
    strike: async (stage) => {
      if (stage.state === 'Pending') await stage.letIn();
      await stage.deleteJob();
    },
    usually: RESTORED,
    expected: { Resuming: 'Failed LoadFailed' },
    resumeAt: 'cleanup',
  },
  { name: 'the Restore is deleted', strike: (stage) => stage.deleteRestore(), usually: 'gone' },
  {
    // And is back for whoever asks again. What was begun is not gone on with, what only asks or waits is.
    name: 'its target database does not answer any more',
    strike: (stage) => sayNext(stage, (command) => failing(command, command !== 'load', 'DatabaseUnreachable')),
    usually: RESTORED,
    expected: {
      Quiescing: 'Failed DatabaseUnreachable',
      Loading: 'Failed DatabaseUnreachable',
      Resuming: 'Failed LoadFailed',
    },
    resumeAt: 'cleanup',
  },
  {
    name: 'its target database does not answer at first',
    strike: (stage) => sayNext(stage, (command) => failing(command, true, 'DatabaseUnreachable')),
    usually: RESTORED,
    expected: { Resuming: 'Failed LoadFailed' },
    resumeAt: 'cleanup',
  },
  {
    // From the moment when everything is loaded on nobody needs it.
    name: 'its BackupStore is deleted',
    strike: async (stage) => {
      await stage.deleteStore();
      if (stage.state === 'Loading') sayNext(stage, failing('load', false, 'StoreUnreachable'));
      if (stage.state === 'SafetyBackup') sayNext(stage, failing('backup', false, 'StoreUnreachable'));
      if (stage.state === 'Pending') {
        await stage.says('StoreNotFound');
        await stage.openStore();
      }
      if (stage.state === 'Resolving') {
        sayNext(stage, failing('plan', true, 'StoreUnreachable'));
        stage.held = false;
        await stage.says('StoreNotFound');
        await stage.openStore();
      }
    },
    usually: RESTORED,
    expected: {
      SafetyBackup: 'Failed SafetyBackup',
      Quiescing: 'Failed SourceGone',
      Loading: 'Failed StoreUnreachable',
    },
  },
  {
    // Until a person has mended it: nothing else of the restore needs that right.
    name: 'the API server refuses to scale the app for a while',
    strike: async (stage) => {
      stage.refuseScale = 6;
      if (stage.state !== 'Quiescing' && stage.state !== 'Resuming') return;
      stage.held = false;
      await stage.says('Forbidden');
    },
    usually: RESTORED,
  },
];

interface Story {
  readonly stage: Stage;
  readonly end: End;
  readonly leftovers: object;
}

let count = 0;

/** All states side by side, each in a namespace of its own: together they take as long as one. */
function tell(misfortune: Misfortune): Map<State, Promise<Story>> {
  count += 1;
  const stories = STATES.map((state) => story(misfortune, state, `story-${count}-${state.toLowerCase()}`));
  // Told by the test of its state.
  for (const each of stories) each.catch(() => undefined);
  return new Map(STATES.map((state, index) => [state, stories[index]!]));
}

async function story(misfortune: Misfortune, state: State, namespace: string): Promise<Story> {
  const stage = new Stage(http, namespace, state, misfortune.resumeAt ?? 'scale');
  stages.push(stage);
  try {
    await stage.open();
    await stage.reached();
    await misfortune.strike(stage);
    stage.held = false;
    await stage.over();
    return { stage, end: await endOf(stage), leftovers: await stage.leftovers() };
  } finally {
    await stage.close();
  }
}

async function endOf(stage: Stage): Promise<End> {
  const restore = await stage.restore();
  if (restore === undefined) return 'gone';
  const found = restore.status?.conditions?.find(
    ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  return `${found?.type as 'Complete'} ${found?.reason ?? ''}`;
}

const PEACE = { replicas: 3, leases: [], locks: 0, jobsAtWork: [] };

async function expectEnd({ expected, usually }: Misfortune, state: State, stories: Map<State, Promise<Story>>) {
  const { stage, end, leftovers } = await stories.get(state)!;
  expect(stage.left).toEqual([]);
  expect(stage.refuseScale).toBeLessThanOrEqual(0);
  expect({ end, ...leftovers }).toEqual({ end: expected?.[state] ?? usually, ...PEACE });
  if (end !== 'gone') expect(stage.live).toBe(end.startsWith('Complete') ? 'new' : 'old');
  // A swap that was on its way when its Restore went may have been done.
  else if (state !== 'Swapping') expect(stage.live).toBe(state === 'Resuming' ? 'new' : 'old');
}

describe('when the operator is killed', () => {
  const killed: Misfortune = { name: '', usually: RESTORED, strike: () => meet() };
  let there = 0;
  let dead: PromiseWithResolvers<void>;
  let stories: Map<State, Promise<Story>>;

  /** The same death is that of all of them. */
  async function meet(): Promise<void> {
    there += 1;
    if (there === STATES.length) await killOperator().then(dead.resolve, dead.reject);
    return dead.promise;
  }

  beforeAll(() => {
    dead = Promise.withResolvers();
    stories = tell(killed);
  });

  test.each(STATES)('while a restore is in the state %s, another one brings it to its end', async (state) => {
    await expectEnd(killed, state, stories);
  });
});

describe.each(MISFORTUNES)('when $name', (misfortune) => {
  let stories: Map<State, Promise<Story>>;

  beforeAll(() => {
    stories = tell(misfortune);
  });

  test.each(STATES)('while the restore is in the state %s, all comes to its end', async (state) => {
    await expectEnd(misfortune, state, stories);
  });
});

describe('the lock of a restore', () => {
  test('is no cover for a Backup that only says that it is its safety backup', async () => {
    const stage = await begun('forged', 'Loading');
    const { uid } = (await stage.restore())!.metadata;
    const labels = { 'holdfast.dev/owner-uid': uid, 'app.kubernetes.io/managed-by': 'holdfast' };
    await stage.makeBackup({ name: 'forged', labels, annotations: { 'holdfast.dev/restore': 'back' } });
    const forged = async () => (await stage.backup('forged'))?.status;
    await stage.until(
      async () => (await forged())?.failure?.reason === 'DatabaseBusy',
      'kept no forged Backup waiting',
    );
    expect((await forged())?.jobName).toBeUndefined();
    await ending(stage);
    // It waits its turn, which comes.
    await stage.until(async () => (await forged())?.phase === 'Complete', 'was not followed by the Backup');
    await stage.close();
  });

  test('stands for its own safety backup, which is kept when the Restore is deleted', async () => {
    const stage = await begun('kept', 'Checking');
    const { safetyBackup } = (await stage.restore())!.status!;
    const kept = await stage.backup(safetyBackup!.name);
    expect(kept).toMatchObject({
      metadata: { uid: safetyBackup!.uid },
      status: { origin: 'Safety', phase: 'Complete' },
    });
    expect(kept?.metadata.ownerReferences).toBeUndefined();
    expect(kept?.spec).toMatchObject({ storeRef: { name: 'cellar' }, source: { postgresql: { host: 'pg.shop.svc' } } });
    await stage.deleteRestore();
    await ending(stage);
    expect((await stage.backup(safetyBackup!.name))?.metadata.uid).toBe(safetyBackup!.uid);
    await stage.close();
  });
});

test('a Backup that somebody else made under the name of the safety backup is none, and the app is not touched', async () => {
  const stage = await begun('taken', 'Resolving');
  const name = safetyBackupName((await stage.restore())!.metadata);
  await stage.makeBackup({ name });
  await ending(stage);
  const { status } = (await stage.restore())!;
  expect(status).toMatchObject({ phase: 'Failed', failure: { reason: 'SafetyBackup' } });
  expect(status?.scaledWorkloads).toBeUndefined();
  await stage.close();
});

async function begun(name: string, state: State): Promise<Stage> {
  const stage = new Stage(http, name, state, 'scale');
  stages.push(stage);
  await stage.open();
  await stage.reached();
  return stage;
}

async function ending(stage: Stage): Promise<void> {
  stage.held = false;
  await stage.over();
}

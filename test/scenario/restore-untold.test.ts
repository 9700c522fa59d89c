/** What a restore comes to when nobody says: a swap without a word, and a drop that fails after everything is over. On a real API server. */
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Report } from '../../src/api/task.ts';
import { backupController } from '../../src/controllers/backup/observe.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { restoreController } from '../../src/controllers/restore/observe.ts';
import { Http } from '../../src/kube/http.ts';
import { now } from '../../src/platform/clock.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { installKinds, kubectl } from '../support/kube-crds.ts';
import { type TestOperator, testOperator } from '../support/kube-operator.ts';
import { Stage } from '../support/kube-restore-stage.ts';

jest.setTimeout(300_000);

const HOUR = 3_600_000;
const PREVIOUS = 'orders_before_1';

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let operator: TestOperator;
let stage: Stage;
/** Of the operator's clock. */
let ahead = 0;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
  const controllers = [backupController, restoreController] as AnyController[];
  operator = testOperator(proxy, controllers, () => new Date(now().getTime() + ahead));
  await operator.start();
}, 120_000);

afterAll(async () => {
  await stage?.close();
  await operator?.stop();
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

const unreachable: Report = {
  command: 'cleanup',
  ok: false,
  retry: true,
  failure: { reason: 'DatabaseUnreachable', message: 'by the test' },
};

const told: Report = { command: 'cleanup', ok: true, result: { restored: true, previousDatabase: PREVIOUS } };

test('a swap without a word is asked for until the server tells; a drop that fails is told, and goes on', async () => {
  stage = new Stage(http, 'untold', 'Swapping', 'scale');
  await stage.open();
  await stage.reached();
  let answer: Report = unreachable;
  stage.answer = (purpose) => {
    if (purpose === 'cleanup' || purpose === 'expire') return answer;
    if (purpose !== 'swap') return 'as usual';
    stage.live = 'new';
    return 'killed';
  };
  await stage.says('DatabaseUnreachable');
  expect(await stage.leftovers()).toMatchObject({ replicas: 3, leases: [] });

  ahead = HOUR;
  const tried = async (purpose: string) => {
    const jobs = await kubectl(server.kubeconfig, ['get', 'jobs', '-n', 'untold', '-o', 'name']);
    return jobs.split('\n').filter((name) => name.includes(`-${purpose}-`)).length;
  };
  await stage.until(async () => (await tried('cleanup')) > 1, 'was not asked about again');
  await stage.says('DatabaseUnreachable');
  expect((await stage.restore())?.status).toMatchObject({
    phase: 'Resuming',
    failure: { message: expect.stringContaining('only the server knows') },
  });

  answer = told;
  ahead += HOUR;
  await stage.over();
  expect((await stage.restore())?.status).toMatchObject({
    phase: 'Complete',
    outcome: { result: 'Restored' },
    previousDatabase: PREVIOUS,
  });

  answer = unreachable;
  const soon = JSON.stringify({ spec: { keepPrevious: '1s' } });
  await kubectl(server.kubeconfig, ['patch', 'restore', 'back', '-n', 'untold', '--type=merge', '-p', soon]);
  const drop = async () => {
    const { conditions = [] } = (await stage.restore())?.status ?? {};
    return conditions.find(({ type }) => type === 'PreviousDropped');
  };
  // To a clock that is ahead a Job that was just made is old, so that it has no pod is told first.
  const isTold = async () => (await drop())?.reason === 'DatabaseUnreachable';
  await stage.until(isTold, 'said nothing of a drop that failed');
  expect(await drop()).toMatchObject({ status: 'False' });
  const events = await kubectl(server.kubeconfig, ['get', 'events.events.k8s.io', '-n', 'untold', '-o', 'json']);
  expect((JSON.parse(events) as { items: object[] }).items).toContainEqual(
    expect.objectContaining({ type: 'Warning', note: expect.stringContaining('could not be dropped: by the test') }),
  );

  answer = { command: 'cleanup', ok: true, result: { restored: true } };
  ahead += HOUR;
  await stage.until(async () => (await stage.restore())?.status?.previousDatabase === undefined, 'keeps it for ever');
  expect(await drop()).toBeUndefined();
  expect((await stage.restore())?.status).toMatchObject({ phase: 'Complete' });
});

/** What a real API server takes of our kinds, and what it refuses: every bound of every field on both sides, and every rule. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KINDS } from '../../src/api/crd.ts';
import { Http } from '../../src/kube/http.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { casesOf } from '../support/admission-cases.ts';
import { Trial } from '../support/admission-trial.ts';
import { type ApiProxy, startApiProxy } from '../support/api-proxy.ts';
import { installKinds } from '../support/kube-crds.ts';

let server: ApiServer;
let proxy: ApiProxy;
let http: Http;
let trial: Trial;

beforeAll(async () => {
  server = await upApiServer();
  await installKinds(server.kubeconfig);
  proxy = await startApiProxy(server.kubeconfig);
  http = new Http(proxy.credentials);
  trial = new Trial(http);
  await trial.begin();
}, 120_000);

afterAll(async () => {
  http?.close();
  await proxy?.stop();
  await server?.stop();
});

describe.each(KINDS.map(({ kind }) => kind))('%s', (kind) => {
  const cases = casesOf(kind);

  test('has bounds to try', () => {
    expect(cases.length).toBeGreaterThan(30);
  });

  test.each(cases.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    expect(await trial.fault(each)).toBeUndefined();
  });
});

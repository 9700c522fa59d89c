/** The upgrade of our kinds against a real API server, with the rights that the chart gives the hook and no other. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { parse, stringify } from 'yaml';
import type { Crd, NewCrd } from '../../src/api/kubernetes.ts';
import { ANNOTATIONS } from '../../src/api/names.ts';
import { applyCrds } from '../../src/hooks/apply-crds.ts';
import { CrdClient } from '../../src/kube/crds.ts';
import { Http } from '../../src/kube/http.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { run } from '../cluster/command.ts';
import { waitFor } from '../cluster/wait.ts';
import { type ApiProxy, isWrite, speakingFor, startApiProxy } from '../support/api-proxy.ts';
import { failureOf } from '../support/failure.ts';
import { chartAccount } from '../support/kube-account.ts';
import { kubectl as call } from '../support/kube-crds.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main', 'hook.ts');

const FOLDER = join(import.meta.dirname, '..', '..', 'crds');
const WANTED = readdirSync(FOLDER).map((file) => parse(readFileSync(join(FOLDER, file), 'utf8')) as NewCrd);
const NAMES = WANTED.map(({ metadata }) => metadata.name);
const BACKUPS = 'backups.holdfast.dev';

let server: ApiServer;
let proxy: ApiProxy;
let account: string;
let said: string[];
const open: Http[] = [];

const kubectl = (args: readonly string[], input?: string) => call(server.kubeconfig, args, input);

beforeAll(async () => {
  server = await upApiServer();
  proxy = await startApiProxy(server.kubeconfig);
  account = await chartAccount(server.kubeconfig, 'holdfast-apply-crds');
}, 120_000);

afterAll(async () => {
  for (const http of open) http.close();
  await proxy?.stop();
  await server?.stop();
});

/** Our kinds stay from test to test, as in a cluster: removing one takes an API server half a minute. */
beforeEach(() => {
  said = [];
  proxy.fault = () => undefined;
});

function apply({ access = speakingFor(account), within = 30_000, wanted = WANTED } = {}): Promise<void> {
  const http = new Http({ ...proxy.credentials, access }, { timeout: 5_000 });
  open.push(http);
  return applyCrds({ crds: new CrdClient(http), wanted, say: (line) => said.push(line), within, every: 100 });
}

async function get(name: string): Promise<Crd & { spec: unknown }> {
  return JSON.parse(await kubectl(['get', 'crd', name, '-o', 'json']));
}

/** One of ours as another version had it. */
function another(name: string, version: string | undefined, change: (text: string) => string = (text) => text): string {
  const wanted = WANTED.find(({ metadata }) => metadata.name === name) as NewCrd;
  const { [ANNOTATIONS.version]: _, ...rest } = wanted.metadata.annotations ?? {};
  const annotations = { ...rest, ...(version === undefined ? {} : { [ANNOTATIONS.version]: version }) };
  return change(stringify({ ...wanted, metadata: { ...wanted.metadata, annotations } }));
}

/** In the place of what is there. */
async function install(text: string): Promise<void> {
  await kubectl(['replace', '--field-manager=helm', '-f', '-'], text);
}

/** A field and a rule that the schema does not have any more. */
function withLegacy(text: string): string {
  const crd = parse(text);
  const { spec } = crd.spec.versions[0].schema.openAPIV3Schema.properties;
  spec.properties.legacy = { type: 'string' };
  spec['x-kubernetes-validations'] = [{ rule: '!has(self.legacy) || self.legacy != "x"', message: 'legacy' }];
  return stringify(crd);
}

function withoutOurVersion(text: string): string {
  const crd = parse(text);
  const [ours] = crd.spec.versions;
  crd.spec.versions = [
    { ...ours, served: false },
    { ...ours, name: 'v9', storage: false },
  ];
  return stringify(crd);
}

test('where there are none, all are made; when it returns, they can be used', async () => {
  await apply();
  for (const name of NAMES) expect(await kubectl(['get', name, '-A', '-o', 'name'])).toBe('');
  expect(said).toEqual(NAMES.map((name) => `${name}: made`));
});

test('as its Job runs it: a line for each kind, and exit code 0; what it cannot do, it tells, and ends with 3', async () => {
  const hook = (...args: string[]) =>
    run(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
      env: { PATH: process.env['PATH'], KUBECONFIG: server.kubeconfig },
    });
  expect(await hook('apply-crds')).toBe(NAMES.map((name) => `${name}: is up to date\n`).join(''));
  await expect(hook('settle')).rejects.toThrow('ended with 3');
  await expect(hook('uninstall')).rejects.toThrow('ended with 3');
});

test('it changes nothing when it runs again', async () => {
  await apply();
  const before = await get(BACKUPS);
  said = [];
  await apply();
  expect((await get(BACKUPS)).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  expect(said).toContain(`${BACKUPS}: is up to date`);
});

test('one of an older version, or of none, gets our schema whole: what ours does not have goes, what others noted on it stays', async () => {
  await apply();
  const ours = await get(BACKUPS);
  await install(another(BACKUPS, undefined, withLegacy));
  await kubectl(['annotate', 'crd', BACKUPS, 'example.com/theirs=kept']);
  await kubectl(['label', 'crd', BACKUPS, 'example.com/theirs=kept']);
  expect(JSON.stringify(await get(BACKUPS))).toContain('legacy');

  await apply();
  const now = await get(BACKUPS);
  expect(now.spec).toEqual(ours.spec);
  expect(now.metadata.annotations).toMatchObject({
    'example.com/theirs': 'kept',
    [ANNOTATIONS.version]: ours.metadata.annotations?.[ANNOTATIONS.version],
  });
  expect(now.metadata.labels).toEqual({ 'example.com/theirs': 'kept' });
  expect(said).toContain(`${BACKUPS}: brought up to date`);
});

test('objects are still there after the upgrade of their kind', async () => {
  await install(another('backupkeys.holdfast.dev', undefined, withLegacy));
  const key = { apiVersion: 'holdfast.dev/v1alpha1', kind: 'BackupKey', metadata: { name: 'k' }, spec: {} };
  const recipients = ['age1zg4efkfasps6q2ydqx7fq3f0ruu4k2qf8ltcp3mk0kmqk5gp3ugq3lw7hc'];
  await waitFor(() => kubectl(['create', '-f', '-'], stringify({ ...key, spec: { recipients } })).then(() => true), {
    timeoutMs: 20_000,
    otherwise: () => 'a BackupKey could not be made',
  });
  await apply();
  expect(await kubectl(['get', 'backupkey', 'k', '-o', 'jsonpath={.spec.recipients[0]}'])).toBe(recipients[0]);
});

test('one of a newer version is left alone, and it says so', async () => {
  await install(another(BACKUPS, '99.1.0', withLegacy));
  await waitFor(
    async () =>
      (await get(BACKUPS)).status?.conditions?.some(
        ({ type, status }) => type === 'Established' && status === 'True',
      ) === true,
    {
      timeoutMs: 10_000,
      otherwise: () => 'it never was Established',
    },
  );
  const before = await get(BACKUPS);
  await apply();
  expect((await get(BACKUPS)).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  expect(said).toContain(`${BACKUPS}: left as it is, of Holdfast 99.1.0, which is newer`);
  await install(another(BACKUPS, '0.0.1'));
});

test('a newer one that does not serve our version any more is a refusal that names the way on', async () => {
  await install(another(BACKUPS, '99.1.0', withoutOurVersion));
  expect(await failureOf(apply())).toMatchObject({
    reason: 'KindTooNew',
    message: expect.stringContaining('serves v1alpha1 no longer'),
    hint: 'Install the chart of Holdfast 99.1.0 or a later one.',
  });
  await install(another(BACKUPS, '0.0.1'));
});

test('a name that another kind has taken is told', async () => {
  const vaults = parse(another(BACKUPS, undefined));
  vaults.metadata.name = 'vaults.holdfast.dev';
  Object.assign(vaults.spec.names, { plural: 'vaults', singular: 'vault', kind: 'Vault', listKind: 'VaultList' });
  const { access } = proxy.credentials;
  expect(await failureOf(apply({ within: 1_000, wanted: [vaults], access }))).toMatchObject({
    reason: 'KindNotServed',
    message: expect.stringMatching(/vaults\.holdfast\.dev cannot be used: .*"hfb" is already in use/),
  });
});

test('an account without the rights is told who can do it, and how', async () => {
  expect(await failureOf(apply({ within: 1_000, access: speakingFor('somebody') }))).toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining("the hook's account may not do that"),
    hint: expect.stringContaining('kubectl apply --server-side --force-conflicts -f crds/'),
  });
});

test('what the API server refuses is told with its own words', async () => {
  const broken = WANTED.map((each) =>
    each.metadata.name === BACKUPS
      ? { ...each, spec: { ...each.spec, names: { ...each.spec.names, plural: 'archives' } } }
      : each,
  );
  expect(await failureOf(apply({ wanted: broken }))).toMatchObject({
    reason: 'Invalid',
    message: expect.stringMatching(/backups\.holdfast\.dev was refused: .*spec\.names\.plural/),
  });
});

test.each([
  'lose-answer',
  'refuse',
  { status: 503 },
  { status: 409, reason: 'Conflict' },
  { status: 403, reason: 'Forbidden' },
] as const)('a write that ends with %p is tried again', async (fault) => {
  let faults = 0;
  proxy.fault = (asked) => {
    faults += isWrite(asked) ? 1 : 0;
    return isWrite(asked) && faults <= 2 ? fault : undefined;
  };
  await install(another(BACKUPS, '0.0.1', withLegacy));
  await apply();
  expect(JSON.stringify(await get(BACKUPS))).not.toContain('legacy');
  expect(faults).toBeGreaterThan(2);
});

test('an API server that does not answer in time is told as that', async () => {
  proxy.fault = (asked) => (isWrite(asked) ? { status: 503 } : undefined);
  expect(await failureOf(apply({ within: 500 }))).toMatchObject({
    message: expect.stringContaining('the API server did not carry it out'),
    hint: expect.stringContaining('run the same helm command again'),
  });
});

test.each([
  ['change the kinds of others', ['patch', 'customresourcedefinitions', 'others.example.com']],
  ['delete ours', ['delete', 'customresourcedefinitions', BACKUPS]],
  ['list kinds', ['list', 'customresourcedefinitions']],
  ['read our objects', ['list', 'backups.holdfast.dev']],
  ['read a Secret', ['get', 'secrets']],
])("the hook's account may not %s", async (_what, question) => {
  const answer = await failureOf(kubectl(['auth', 'can-i', ...question, '-A', `--as=${account}`]));
  expect(String(answer)).toMatch(/ended with 1/);
});

test('one that is being deleted is waited for, with the reason when that takes too long, and then made anew', async () => {
  const restore = {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'Restore',
    metadata: { name: 'held', finalizers: ['example.com/theirs'] },
    spec: { from: { backupRef: { name: 'b' } } },
  };
  await kubectl(['create', '-f', '-'], stringify(restore));
  await kubectl(['delete', 'crd', 'restores.holdfast.dev', '--wait=false']);
  expect(await failureOf(apply({ within: 500 }))).toMatchObject({
    reason: 'KindLeaving',
    message: expect.stringContaining('restores.holdfast.dev is being deleted'),
    hint: expect.stringContaining('kubectl get restores.holdfast.dev --all-namespaces'),
  });
  const waiting = apply({ within: 100_000 });
  await kubectl(['patch', 'restore', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}']);
  await waiting;
  expect(said).toContain('restores.holdfast.dev: made');
}, 150_000);

/** Every file of examples/ as a real API server, Helm or kustomize sees it. Argo CD and Flux themselves are not here: of their own kinds, only what ours depend on is looked at. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';

const root = join(import.meta.dirname, '..', '..');
const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const files = readdirSync(join(root, 'examples'), { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.yaml'),
);
/** Of kinds that only Argo CD or Flux serve, or none. */
const theirs = files.filter((file) => /^gitops\/(argocd|flux)\/|kustomization\.yaml$/.test(file));
const values = files.filter((file) => file.endsWith('values.yaml'));
const ours = files.filter((file) => !theirs.includes(file) && !values.includes(file));

type Document = Readonly<Record<string, unknown>> & {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly syncPolicy?: { readonly syncOptions: string[]; readonly automated: { readonly prune: boolean } };
    readonly wait?: boolean;
  };
};
const documentsOf = (file: string) =>
  parseAllDocuments(readExample(file)).map((document) => document.toJS() as Document);

let server: ApiServer;

async function apply(text: string): Promise<string> {
  const flags = ['--kubeconfig', server.kubeconfig, 'apply', '--validate=strict', '-f', '-'];
  return run(await program('kubectl'), flags, { input: text });
}

const readExample = (file: string) => readFileSync(join(root, 'examples', file), 'utf8');

beforeAll(async () => {
  server = await upApiServer();
  const kubectl = await program('kubectl');
  await run(kubectl, ['--kubeconfig', server.kubeconfig, 'apply', '-f', join(root, 'crds')]);
  // Discovery lists a kind a moment after its CRD was taken.
  await waitFor(
    () =>
      apply(readExample('postgresql-restore.yaml')).then(
        () => true,
        () => false,
      ),
    {
      timeoutMs: 30_000,
      everyMs: 200,
      otherwise: () => 'the API server never served the kinds of crds/',
    },
  );
}, 120_000);

afterAll(() => server?.stop());

test('there are examples of each sort', () => {
  expect([ours.length, theirs.length, values.length].every((count) => count > 0)).toBe(true);
});

test.each(ours)('%s is accepted without a warning, once it is filled in', async (file) => {
  const objects = readExample(file).split(/^---$/m).length;
  const filledIn = readExample(file)
    .replaceAll('age1CHANGE-ME', RECIPIENT)
    .replaceAll(/\bname: CHANGE-ME/g, 'name: a');
  const answer = await apply(filledIn);
  expect(answer.trim().split('\n')).toHaveLength(objects);
});

test('an example whose key nobody filled in is refused, by the field', async () => {
  await expect(apply(readExample('postgresql.yaml'))).rejects.toThrow(/spec\.recipients/);
});

test('a field that does not exist is refused, by its path', async () => {
  const text = readExample('postgresql-restore.yaml').replace('onConflict:', 'onConflicts:');
  await expect(apply(text)).rejects.toThrow(/spec\.onConflicts/);
});

test.each(values)('%s makes a release, once it is filled in', async (file) => {
  const chart = join(root, 'helm', 'holdfast');
  const flags = [
    'template',
    'holdfast',
    chart,
    '--namespace',
    'key-manager',
    '--kube-version',
    '1.36.3',
    '--values',
    '-',
  ];
  const input = readExample(file).replaceAll('age1CHANGE-ME', RECIPIENT);
  const rendered = parseAllDocuments(await run(await program('helm'), flags, { input })).map(
    (document) => document.toJS() as Document | null,
  );
  const kinds = rendered.map((object) => object?.kind);
  expect(kinds).toEqual(expect.arrayContaining(['BackupStore', 'BackupKey', 'BackupSchedule']));
});

describe('GitOps', () => {
  test('the folder that a tool syncs is whole: kustomize finds every file of it', async () => {
    const built = await run(await program('kubectl'), ['kustomize', join(root, 'examples', 'gitops', 'backups')]);
    const kinds = parseAllDocuments(built).map((document) => (document.toJS() as Document).kind);
    expect(kinds.toSorted()).toEqual(['BackupKey', 'BackupSchedule', 'BackupStore']);
  });

  test('every Application applies on the server, where an unknown field is an error', () => {
    const applications = files
      .filter((file) => file.startsWith('gitops/argocd/'))
      .flatMap(documentsOf)
      .filter(({ kind }) => kind === 'Application');
    expect(applications).toHaveLength(2);
    for (const { spec } of applications) expect(spec.syncPolicy?.syncOptions).toContain('ServerSideApply=true');
  });

  test('the Application that has the kinds in it prunes nothing, since with a kind all of its objects go', () => {
    const [operator] = documentsOf('gitops/argocd/operator.yaml');
    expect(operator?.spec.syncPolicy?.automated.prune).toBe(false);
  });

  test('what is made first comes in an earlier wave', () => {
    const wave = (file: string) =>
      Number(documentsOf(`gitops/${file}.yaml`)[0]?.metadata.annotations?.['argocd.argoproj.io/sync-wave'] ?? '0');
    expect(wave('argocd/operator')).toBeLessThan(0);
    expect(wave('backups/store')).toBeLessThan(wave('backups/schedule'));
    expect(wave('backups/key')).toBeLessThan(wave('backups/schedule'));
  });

  test('no Restore and no Secret is in Git', () => {
    const kinds = files
      .filter((file) => file.startsWith('gitops/'))
      .flatMap(documentsOf)
      .map(({ kind }) => kind);
    expect(kinds).not.toContain('Restore');
    expect(kinds).not.toContain('Secret');
  });
});

/** Every file of examples/ as a real API server sees it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { run } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';

const root = join(import.meta.dirname, '..', '..');
const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const files = readdirSync(join(root, 'examples'));

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

test.each(files)('%s is accepted without a warning, once it is filled in', async (file) => {
  const objects = readExample(file).split(/^---$/m).length;
  const answer = await apply(readExample(file).replaceAll('age1CHANGE-ME', RECIPIENT));
  expect(answer.trim().split('\n')).toHaveLength(objects);
});

test('an example whose key nobody filled in is refused, by the field', async () => {
  await expect(apply(readExample('postgresql.yaml'))).rejects.toThrow(/spec\.recipients/);
});

test('a field that does not exist is refused, by its path', async () => {
  const text = readExample('postgresql-restore.yaml').replace('onConflict:', 'onConflicts:');
  await expect(apply(text)).rejects.toThrow(/spec\.onConflicts/);
});

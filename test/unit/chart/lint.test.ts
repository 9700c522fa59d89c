import { expect, test } from '@jest/globals';
import { run } from '../../cluster/command.ts';
import { program } from '../../cluster/programs.ts';
import { CHART } from './render.ts';

const SCHEDULE = {
  'keys.recipients[0]': 'age1qqqqqqqqqq',
  's3.endpoint': 's3.example.com',
  's3.bucket': 'backups',
  's3.credentialsSecretName': 'bucket',
  'database.host': 'pg',
  'database.name': 'shop',
  'database.credentialsSecretName': 'login',
  'restore.scaleDown[0]': 'deployment/web',
  'networkPolicy.enabled': 'true',
};

test.each([
  ['the operator alone', {}],
  ['a schedule', SCHEDULE],
])('Helm itself finds nothing to say against the chart: %s', async (_what, values) => {
  const set = Object.entries({ clusterName: 'north', ...values }).flatMap(([key, value]) => [
    '--set',
    `${key}=${value}`,
  ]);
  const text = await run(await program('helm'), ['lint', '--strict', '--kube-version', '1.36.3', CHART, ...set]);
  expect(text).toContain('1 chart(s) linted, 0 chart(s) failed');
  // An icon is for catalogues of charts, which this one is in none of.
  const findings = text.split('\n').filter((line) => /^\[/.test(line) && !line.includes('icon is recommended'));
  expect(findings).toEqual([]);
});

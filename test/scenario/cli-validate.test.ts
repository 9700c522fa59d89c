/** The plugin's validation and a real API server's, side by side: what either refuses, the other refuses too. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KINDS } from '../../src/api/crd.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { problemsOf } from '../../src/cli/validate/object.ts';
import { shownPath } from '../../src/cli/validate/problem.ts';
import { KubeError } from '../../src/kube/errors.ts';
import { casesOf } from '../support/admission-cases.ts';
import { CliWorld } from '../support/cli-world.ts';
import { boundCases } from '../support/schema-bounds.ts';

let world: CliWorld;

beforeAll(async () => {
  world = await CliWorld.up();
}, 120_000);

afterAll(async () => {
  await world?.down();
});

type Json = Record<string, unknown>;

const BACKUP_SPEC = {
  source: { postgresql: { host: 'pg', port: 5432, database: 'orders', credentials: { secretRef: { name: 'pg' } } } },
  storeRef: { name: 'cellar' },
};

/** A good spec of each kind; the cases put one value into its place. */
const GOOD: Readonly<Record<string, Json>> = {
  BackupStore: {
    s3: { endpoint: 's3.example.com', region: 'eu-1', bucket: 'acme', credentials: { secretRef: { name: 'bucket' } } },
  },
  BackupKey: { recipients: ['age1abcd'] },
  Backup: BACKUP_SPEC,
  BackupSchedule: { schedule: '0 2 * * *', template: { spec: BACKUP_SPEC } },
  Restore: { from: { backupRef: { name: 'nightly' } } },
};

function anObject(kind: string, spec: unknown, metadata: unknown = { name: 'tried' }): Json & { kind: string } {
  return { apiVersion: API_VERSION, kind, metadata, spec };
}

/** What the API server says to `kubectl apply`; undefined: it takes the object. */
async function refusal(object: Json & { kind: string }): Promise<string | undefined> {
  const { plural } = KINDS.find(({ kind }) => kind === object.kind)!;
  const path = `/apis/${API_VERSION}/namespaces/default/${plural}`;
  try {
    await world.http.json({ method: 'POST', path, query: { dryRun: 'All', fieldValidation: 'Strict' }, body: object });
    return undefined;
  } catch (caught) {
    if (caught instanceof KubeError && caught.status !== 0) return caught.message;
    throw caught;
  }
}

/** What each of the two says, where they differ about whether the object is good. */
async function disagreement(what: string, object: Json & { kind: string }): Promise<string | undefined> {
  const ours = problemsOf(object);
  const theirs = await refusal(object);
  if (ours.length > 0 === (theirs !== undefined)) return undefined;
  const said = ours.map(({ path, message }) => `${shownPath(path)}: ${message}`).join('; ');
  return `${what}: ours: ${said || 'good'}; theirs: ${theirs ?? 'good'}`;
}

async function disagreements(cases: readonly (readonly [string, Json & { kind: string }])[]): Promise<string[]> {
  const found: string[] = [];
  for (const [what, object] of cases) {
    const differs = await disagreement(what, object);
    if (differs !== undefined) found.push(differs);
  }
  return found;
}

/** The spec with one value in its place; objects on the way that are not there are made. */
function withValue(spec: unknown, [head, ...rest]: readonly string[], value: unknown): unknown {
  if (head === undefined) return value;
  const isList = head === '0';
  const copy: Json | unknown[] = isList ? [...((spec as unknown[] | undefined) ?? [])] : { ...(spec as Json) };
  (copy as Json)[head] = withValue((copy as Json)[head], rest, value);
  return copy;
}

const allPaths = (schema: Json, path: readonly string[] = []): string[][] => [
  ...(path.length > 0 ? [[...path]] : []),
  ...Object.entries((schema['properties'] ?? {}) as Json).flatMap(([name, inner]) =>
    allPaths(inner as Json, [...path, name]),
  ),
];

describe.each(KINDS.map(({ kind, spec }) => ({ kind, spec })))('$kind', ({ kind, spec }) => {
  const schema = JSON.parse(JSON.stringify(spec)) as Json;
  const good = GOOD[kind]!;

  test('is good for both when it is good', async () => {
    expect(problemsOf(anObject(kind, good))).toEqual([]);
    expect(await refusal(anObject(kind, good))).toBeUndefined();
  });

  test('both agree on either side of every bound of every field', async () => {
    const cases = boundCases(schema).map(
      ({ path, bound, value }) =>
        [`${path.join('.')}: ${bound}`, anObject(kind, withValue(good, path, value))] as const,
    );
    expect(cases.length).toBeGreaterThan(10);
    expect(await disagreements(cases)).toEqual([]);
  }, 60_000);

  test('both agree on every field left empty, and on an unknown field in every object', async () => {
    const cases = allPaths(schema).flatMap((path) => [
      [`${path.join('.')}: null`, anObject(kind, withValue(good, path, null))] as const,
      [`${path.join('.')}.nonesuch`, anObject(kind, withValue(good, [...path, 'nonesuch'], 'x'))] as const,
    ]);
    expect(await disagreements(cases)).toEqual([]);
  }, 60_000);
});

test('both agree on rules that look at more than one value', async () => {
  const postgresql = (more: Json) => ({
    ...BACKUP_SPEC,
    source: { postgresql: { ...BACKUP_SPEC.source.postgresql, ...more } },
  });
  const store = (prefix: string) => withValue(GOOD['BackupStore'], ['s3', 'prefix'], prefix);
  const cases = [
    ['mixed recipients', anObject('BackupKey', { recipients: ['age1abcd', 'age1pq1abc0'] })],
    ['post-quantum recipients', anObject('BackupKey', { recipients: ['age1pq1abc0', 'age1pq1abd0'] })],
    ['one recipient twice', anObject('BackupKey', { recipients: ['age1abcd', 'age1abcd'] })],
    ['prefix with ..', anObject('BackupStore', store('prod/../other'))],
    ['prefix .', anObject('BackupStore', store('.'))],
    ['prefix with dots in names', anObject('BackupStore', store('prod.v2/..x/eu'))],
    ['from inside itself', anObject('Backup', postgresql({ maintenanceDatabase: 'orders' }))],
    ['from inside itself, by default', anObject('Backup', postgresql({ database: 'postgres' }))],
    [
      'from inside itself, in a template',
      anObject('BackupSchedule', { schedule: '@daily', template: { spec: postgresql({ database: 'postgres' }) } }),
    ],
    ['empty retention', anObject('BackupSchedule', { ...GOOD['BackupSchedule'], retention: {} })],
  ] as const;
  expect(await disagreements(cases)).toEqual([]);
  const refused = await Promise.all(
    cases.map(async ([what, object]) => ((await refusal(object)) === undefined ? '' : what)),
  );
  expect(refused.filter((what) => what !== '')).toHaveLength(8);
});

test.each(KINDS.map(({ kind }) => kind))(
  'both agree on whatever is tried of a %s by the tests of admission',
  async (kind) => {
    const tried = casesOf(kind).flatMap(({ name, tried }) =>
      'make' in tried && !('change' in tried) && tried.make !== undefined
        ? [[name, anObject(kind, tried.make)] as const]
        : [],
    );
    expect(tried.length).toBeGreaterThan(20);
    expect(await disagreements(tried)).toEqual([]);
  },
);

test('both agree on metadata', async () => {
  const metadata: Json[] = [
    { name: 'a.b-c' },
    { name: 'A' },
    { name: 'a..b' },
    { name: '-a' },
    { name: 'a'.repeat(253) },
    { name: 'a'.repeat(254) },
    { generateName: 'a-' },
    {},
    { name: 'a', labels: { 'x.y/z': 'A_b.c' } },
    { name: 'a', labels: { 'x/y/z': 'a' } },
    { name: 'a', labels: { a: 'b c' } },
    { name: 'a', labels: { a: '' } },
    { name: 'a', labels: { a: true } },
    { name: 'a', labels: { a: 5 } },
    { name: 'a', labels: { ['l'.repeat(64)]: 'a' } },
    { name: 'a', annotations: { a: 5 } },
    { name: 'a', annotations: { a: 'b c\n' } },
    { name: 'a', lables: {} },
  ];
  const cases = metadata.map(
    (each) => [JSON.stringify(each).slice(0, 60), anObject('BackupKey', GOOD['BackupKey'], each)] as const,
  );
  expect(await disagreements(cases)).toEqual([]);
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { type JsonObject, valuesSchema } from '../../../scripts/generate/values-schema.ts';
import { KINDS } from '../../../src/api/crd.ts';
import { type BoundCase, boundCases } from '../../support/schema-bounds.ts';
import { CHART, refusal, renderText } from './render.ts';

const TEXT = readFileSync(join(CHART, 'values.schema.json'), 'utf8');
const SCHEMA = JSON.parse(TEXT) as Node;
const VALUES = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as JsonObject;

interface Node {
  readonly description?: string;
  readonly $comment?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly additionalProperties?: unknown;
  readonly else?: Node;
}

/** Every value of the schema that people wrote down, and what it says; not what is copied from a kind. */
function written(node: Node, path = ''): [string, Node][] {
  const children = Object.entries(node.properties ?? {}).filter(([, { $comment }]) => !$comment?.startsWith('copy of'));
  return [
    ...(path === '' ? [] : ([[path, node]] as [string, Node][])),
    ...children.flatMap(([name, child]) => written(child, path === '' ? name : `${path}.${name}`)),
  ];
}

describe('values.schema.json', () => {
  test('describes every value', () => {
    const silent = written(SCHEMA).filter(([, { description }]) => !description);
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  test('knows no object whose unknown fields pass, but for those of Kubernetes itself and of other charts', () => {
    const open = [['', SCHEMA] as const, ...written(SCHEMA)]
      .filter(([, node]) => node.properties !== undefined && node.additionalProperties !== false)
      .map(([path]) => path);
    expect(open).toEqual(['global', 'global.s3', 'global.S3']);
  });

  test('has every value of values.yaml', () => {
    const unknown = (value: unknown, node: Node | undefined, path: string): string[] => {
      if (node === undefined) return [path];
      if (typeof value !== 'object' || value === null || Array.isArray(value) || node.properties === undefined)
        return [];
      return Object.entries(value).flatMap(([key, inner]) => unknown(inner, node.properties?.[key], `${path}.${key}`));
    };
    expect(unknown(VALUES, SCHEMA, '')).toEqual([]);
  });

  test('says of the fields of our kinds what the kinds say (or: npm run generate)', () => {
    expect(valuesSchema(TEXT, KINDS)).toBe(TEXT);
  });

  test('leaves no field of store, key, schedule and backup out of reach, but for the names that the chart gives itself', () => {
    const sources = [...TEXT.matchAll(/"[$]comment": "(?:=|copy of) ([.A-Za-z0-9]+)/g)].map(([, field]) => field!);
    const fieldsOf = (path: string): string[] => {
      const [name, ...fields] = path.split('.');
      const spec = KINDS.find(({ kind }) => kind === name)?.spec as Node | undefined;
      const node = fields.slice(1).reduce<Node | undefined>((at, key) => at?.properties?.[key], spec);
      return Object.keys(node?.properties ?? {}).map((key) => `${path}.${key}`);
    };
    const template = 'BackupSchedule.spec.template.spec';
    const parents = ['BackupStore.spec', 'BackupStore.spec.s3', 'BackupKey.spec', 'BackupSchedule.spec', template];
    const fields = [...parents, `${template}.source.postgresql`].flatMap(fieldsOf);
    expect(fields.length).toBeGreaterThan(30);
    const reached = (field: string) => sources.some((source) => source === field || source.startsWith(`${field}.`));
    expect(fields.filter((field) => !reached(field))).toEqual([`${template}.storeRef`, `${template}.keyRef`]);
  });

  test('follows a kind that changes: a bound, a new field, a field that goes', () => {
    const kind = (fields: object) => [
      { kind: 'Toy', spec: { type: 'object', properties: { box: { properties: fields } } } },
    ];
    const hand = {
      properties: {
        toy: {
          $comment: '+ Toy.spec.box except size',
          properties: { big: { $comment: '= Toy.spec.box.size, or empty' } },
        },
      },
    };
    const size = { type: 'string', maxLength: 3, 'x-kubernetes-validations': [] };
    const first = valuesSchema(JSON.stringify(hand), kind({ size, colour: { type: 'string' } }));
    const second = valuesSchema(first, kind({ size: { ...size, maxLength: 4 }, shape: { type: 'string' } }));
    expect(JSON.parse(second).properties.toy.properties).toEqual({
      big: { $comment: '= Toy.spec.box.size, or empty', type: 'string', if: { maxLength: 0 }, else: { maxLength: 4 } },
      shape: { $comment: 'copy of Toy.spec.box.shape', type: 'string' },
    });
    expect(() => valuesSchema(first, kind({}))).toThrow('values.schema.json speaks of Toy.spec.box.size');
  });
});

/** Values of one leaf on both sides of each of its bounds, for Helm itself to judge. */
function judged(path: string): readonly BoundCase[] {
  const node = path.split('.').reduce<Node | undefined>((at, key) => at?.properties?.[key], SCHEMA);
  const bounds = node?.else === undefined ? node : { ...node.else, type: node.type };
  return boundCases(bounds as never, path.split('.')).filter(({ value }) => value !== '');
}

const nested = (path: readonly string[], value: unknown): object =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;

describe('Helm refuses what lies beyond a bound, by its place, and takes what lies within', () => {
  // A few of every sort; the bounds themselves are the kinds' own, as the tests above hold.
  const leaves = ['s3.bucket', 'database.port', 'backup.concurrencyPolicy', 'backup.timeZone', 'database.tls.mode'];

  test.each(leaves.flatMap(judged))('$path: $bound', async ({ path, value, valid }) => {
    const text = await refusal({ logLevel: 'none' }, { file: nested(path, value) });
    // The log level is refused in any case, so that nothing is rendered.
    expect(text).toContain("at '/logLevel'");
    if (valid) expect(text).not.toContain(`at '/${path.join('/')}'`);
    else expect(text).toContain(`at '/${path.join('/')}'`);
  });

  test('the empty text means "not given" where values.yaml has it', async () => {
    const { clusterName: _, ...rest } = VALUES;
    expect(await renderText({ clusterName: 'north' }, { file: rest })).toContain('kind: Deployment');
  });

  test.each([
    ['s3.bukket', 'x'],
    ['database.extra.tls.mode', 'require'],
    ['database.tls.moed', 'require'],
    ['backup.template.spec', 'x'],
    ['keys.recipient', 'x'],
    ['restore.workloads', 'x'],
    ['networkPolicy.enable', 'true'],
  ])('and what does not exist: %s', async (name, value) => {
    const text = await refusal({ clusterName: 'north', [name]: value });
    expect(text).toMatch(/additional properties '[a-z]+' not allowed/i);
  });
});

import { describe, expect, test } from '@jest/globals';
import type { Manifest } from '../../../src/archive/manifest.ts';
import { compareEngine, judgeApp, judgeSize } from '../../../src/runner/judge.ts';

const sealed = (nodes: string[] | undefined): Pick<Manifest, 'application'> => ({
  application: { requireSameNodes: true, ...(nodes === undefined ? {} : { nodes }) },
});
const refusals = (manifest: Pick<Manifest, 'application'>, nodes?: string[]) =>
  judgeApp(nodes === undefined ? {} : { nodes }, manifest).refusals;

describe('an app that is sealed to its nodes', () => {
  test.each([[['a']], [['a', 'b']]])('may be restored where it ran: on %j', (now) => {
    expect(refusals(sealed(['a', 'b', 'c']), now)).toEqual([]);
  });

  test.each<[string, string[] | undefined, string[] | undefined, string]>([
    ['to another node', ['a', 'b'], ['a', 'z'], 'it ran on a, b, and now it runs on z'],
    ['where no pod of it runs', ['a'], [], 'it ran on a, and no pod of spec.scaleDown.workloads runs now'],
    ['where nobody was asked', ['a'], undefined, 'no pod of spec.scaleDown.workloads runs now'],
    ['from an archive that was made while no pod ran', [], ['a'], 'the archive does not say on which'],
    ['from an archive without nodes', undefined, ['a'], 'the archive does not say on which'],
    ['from very many', [...Array(30).keys()].map((n) => `n${n}`), ['z'], 'n7 and 22 more, and now it runs on z'],
  ])('may not be restored %s', (_, then, now, why) => {
    expect(refusals(sealed(then), now)).toEqual([
      { reason: 'Nodes', message: expect.stringContaining(why), hint: expect.stringContaining('force: [Nodes]') },
    ]);
  });

  test.each([{}, { application: { nodes: ['a'] } }, { application: { requireSameNodes: false, nodes: ['a'] } }])(
    'is none unless the backup says so: %j',
    (manifest) => {
      expect(refusals(manifest, ['z'])).toEqual([]);
    },
  );
});

test('versions and nodes are judged at once', () => {
  const manifest = { application: { version: '1.4.0', requireSameNodes: true, nodes: ['a'] } };
  const { refusals, compatibility } = judgeApp({ application: { version: '1.3.9' }, nodes: ['b'] }, manifest);
  expect(refusals.map(({ reason }) => reason)).toEqual(['Version', 'Nodes']);
  expect(compatibility).toEqual([{ of: 'application', archive: '1.4.0', target: '1.3.9', verdict: 'Refused' }]);
});

test('where only the backup names a version, a note says that it was not judged', () => {
  const { refusals, notes, compatibility } = judgeApp({}, { application: { version: '1.4.0' } });
  expect(refusals).toEqual([]);
  expect(notes).toEqual([expect.stringContaining('was not judged')]);
  expect(compatibility).toEqual([{ of: 'application', archive: '1.4.0', verdict: 'NotJudged' }]);
  expect(judgeApp({}, {})).toEqual({ refusals: [], compatibility: [], notes: [] });
});

test('more bytes than allowed are refused, as many are not, and without a bound none are counted', () => {
  expect(judgeSize({}, 1e15)).toEqual([]);
  expect(judgeSize({ maxBytes: 1000 }, 1000)).toEqual([]);
  expect(judgeSize({ maxBytes: 1000 }, 1001)).toEqual([
    { reason: 'TooLarge', message: expect.stringMatching(/1001 bytes.*allows 1000 B/), hint: expect.any(String) },
  ]);
});

test('the server of the target is compared by its major version', () => {
  const manifest = { engine: 'postgresql', server: { version: '17.6', major: 17 } } as Manifest;
  expect(compareEngine(manifest, '18.1 (Debian 18.1-1)').verdict).toBe('Fits');
  expect(compareEngine(manifest, '16.10').verdict).toBe('Refused');
});

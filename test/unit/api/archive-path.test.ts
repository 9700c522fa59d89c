import { describe, expect, test } from '@jest/globals';
import { folderAt } from '../../../src/api/archive-path.ts';
import fc from '../../support/fast-check.ts';

const STORE = { bucket: 'acme', prefix: 'prod/eu' };
const RUN = 'prod/eu/v1/lodz/shop/nightly/20261124T020000Z-1a2b3c4d';

describe('an archive is found', () => {
  test.each([
    ['by its folder', RUN],
    ['by its folder with a slash', `${RUN}/`],
    ['by its manifest', `${RUN}/manifest.json`],
    ['by the URI of its folder', `s3://acme/${RUN}`],
    ['by the URI as a Backup has it', `s3://acme/${RUN}/`],
    ['by the URI of its manifest', `s3://acme/${RUN}/manifest.json`],
  ])('%s', (_how, path) => {
    expect(folderAt(path, STORE)).toEqual({ folder: `${RUN}/` });
  });

  test('in the root of a bucket', () => {
    expect(folderAt('v1/lodz', { bucket: 'acme', prefix: '' })).toEqual({ folder: 'v1/lodz/' });
  });
});

describe('a path is refused', () => {
  test.each([
    ['that is empty', ''],
    ['that is a slash', '/'],
    ['that is absolute', `/${RUN}`],
    ['that climbs', 'prod/eu/../../other/v1'],
    ['that climbs at its end', `${RUN}/..`],
    ['that climbs at once', '../prod/eu/v1'],
    ['that stands still', 'prod/eu/./v1'],
    ['that climbs in disguise', 'prod/eu/%2e%2e/other'],
    ['with a NUL', `${RUN}\u0000/x`],
    ['with a line of its own', `${RUN}\n`],
    ['with a backslash', 'prod\\eu\\v1'],
    ['with an empty part', 'prod/eu//v1'],
    ['with two slashes at its end', `${RUN}//`],
    ['of another bucket', `s3://other/${RUN}/`],
    ['of a bucket whose name only begins alike', `s3://acme-2/${RUN}/`],
    ['of another kind of place', `https://acme/${RUN}/`],
    ['of the prefix itself', 'prod/eu/'],
    ["of the prefix's own manifest", 'prod/eu/manifest.json'],
    ['beside the prefix', 'prod/us/v1/lodz'],
    ['that only begins like the prefix', 'prod/europe/v1/lodz'],
    ['of the manifest of the bucket', 'manifest.json'],
  ])('%s', (_what, path) => {
    expect(folderAt(path, STORE)).toEqual({ problem: expect.stringMatching(/^it /) });
  });

  test('that is nothing at all, where the store is the whole bucket', () => {
    for (const path of ['', '/', 'manifest.json', 's3://acme/', '..', '.'])
      expect(folderAt(path, { bucket: 'acme', prefix: '' })).toHaveProperty('problem');
  });
});

test('whatever is written, what is read lies below the prefix', () => {
  const piece = fc.constantFrom(
    'prod',
    'eu',
    '..',
    '.',
    '',
    'v1',
    '%2e',
    's3://acme',
    'manifest.json',
    'a b',
    '\u0000',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.string(), (pieces, noise) => {
      const found = folderAt(`${pieces.join('/')}${noise}`, STORE);
      if ('problem' in found) return;
      expect(found.folder).toMatch(/^prod\/eu\/([-\w.]+\/)+$/);
      expect(`/${found.folder}`).not.toMatch(/\/\.\.?\//);
    }),
    { numRuns: 2_000 },
  );
});

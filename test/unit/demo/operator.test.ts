import { expect, test } from '@jest/globals';
import { splitImage } from '../../../demo/steps/operator.ts';

test.each([
  ['localhost/holdfast:abc', 'localhost/holdfast', 'abc'],
  ['registry:5000/holdfast:1.2', 'registry:5000/holdfast', '1.2'],
  ['registry:5000/team/holdfast', 'registry:5000/team/holdfast', 'latest'],
  ['holdfast', 'holdfast', 'latest'],
])('the image %s is repository %s at tag %s', (reference, repository, tag) => {
  expect(splitImage(reference)).toEqual({ repository, tag });
});

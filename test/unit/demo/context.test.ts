import { expect, test } from '@jest/globals';
import { freshName } from '../../../demo/context.ts';

test('each run names its objects by the second, in a name that Kubernetes takes', () => {
  expect(freshName(new Date('2026-03-04T05:06:07.890Z'))).toBe('demo-0304-050607');
});

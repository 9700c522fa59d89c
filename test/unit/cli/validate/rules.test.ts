/** Every CEL rule of the CRDs can be read by the plugin's evaluator; one that it cannot read would be a false alarm for every user. */

import { expect, test } from '@jest/globals';
import { parse } from '@marcbachmann/cel-js';
import { KINDS } from '../../../../src/api/crd.ts';

function rulesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(rulesIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'x-kubernetes-validations' ? (inner as { rule: string }[]).map(({ rule }) => rule) : rulesIn(inner),
  );
}

const rules = [...new Set(rulesIn(JSON.parse(JSON.stringify(KINDS.map(({ spec }) => spec)))))];

test('there are rules', () => {
  expect(rules.length).toBeGreaterThan(4);
});

test.each(rules)('%s', (rule) => {
  expect(() => parse(rule)).not.toThrow();
});

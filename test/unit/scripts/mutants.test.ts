import { expect, test } from '@jest/globals';
import { mutantsOf, withoutOnePart } from '../../../scripts/prove-admission/mutants.ts';

const namesOf = (schema: Record<string, unknown>) => mutantsOf(schema).map(({ name }) => name);

test('each bound is deleted, and moved by one where that makes it narrower', () => {
  const text = { type: 'string', minLength: 1, maxLength: 9, pattern: '^a', default: 'a' };
  expect(namesOf({ type: 'object', properties: { text } })).toEqual([
    'text: maxLength deleted',
    'text: minLength deleted',
    'text: pattern deleted',
    'text: default deleted',
    'text: maxLength narrower by one',
    'text: minLength narrower by one',
  ]);
});

test('a field that must be there may be missing, one that may be missing must be there, and a choice has one value less', () => {
  const properties = { kind: { enum: ['a', 'b'] }, must: { type: 'string' }, may: { type: 'string' } };
  expect(
    namesOf({ type: 'object', required: ['must'], properties: { inner: { properties, required: ['must'] } } }),
  ).toEqual([
    ': must not required',
    ': inner required',
    'inner: must not required',
    'inner: may required',
    'inner.kind: enum deleted',
    'inner.kind: enum without a',
    'inner.kind: enum without b',
  ]);
});

test('the schema itself stays as it was', () => {
  const schema = { type: 'object', properties: { list: { type: 'array', maxItems: 3, items: { maximum: 4 } } } };
  const before = structuredClone(schema);
  const [list] = mutantsOf(schema).filter(({ name }) => name === 'list: maxItems deleted');
  expect(list?.schema).toEqual({ type: 'object', properties: { list: { type: 'array', items: { maximum: 4 } } } });
  expect(schema).toEqual(before);
});

test.each([
  ['a', []],
  ['a || b && c', ['b && c', 'a', 'a || c', 'a || b']],
  ["a == '||' && (b || c)", ['(b || c)', "a == '||'", "a == '||' && (c)", "a == '||' && (b)"]],
  ['a ? b && c : d', ['a ? c : d', 'a ? b : d']],
  ['(a || b) == (c || d)', []],
])('of the rule %s each part is left out in turn', (rule, rest) => {
  expect(withoutOnePart(rule).map((part) => part.rest)).toEqual(rest);
});

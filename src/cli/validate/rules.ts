/** The CEL rules of our kinds, evaluated as the API server does: the same text, so that they cannot drift apart. Pure. */
import { evaluate } from '@marcbachmann/cel-js';
import { messageOf } from '../../lib/errors.ts';
import type { FieldPath, Problem } from './problem.ts';
import type { Rule, Schema } from './schema.ts';

/**
 * The problems of a value whose defaults are filled in. Where `isSound` says that something below a path is wrong
 * already, its rules are left out, since they could only stumble over it.
 */
export function brokenRules(
  schema: Schema,
  value: unknown,
  isSound: (path: FieldPath) => boolean,
  path: FieldPath = [],
): Problem[] {
  if (value === undefined || value === null) return [];
  const own = isSound(path) ? rulesOf(schema).flatMap((rule) => broken(rule, schema, value, path)) : [];
  return [
    ...own,
    ...childrenOf(schema, value).flatMap((child) =>
      brokenRules(child.schema, child.value, isSound, [...path, child.key]),
    ),
  ];
}

/** A rule that looks at what was there before says nothing about a file: the API server alone can tell. */
function rulesOf(schema: Schema): Rule[] {
  return (schema['x-kubernetes-validations'] ?? []).filter(({ rule }) => !/\boldSelf\b/.test(rule));
}

function broken({ rule, message }: Rule, schema: Schema, value: unknown, path: FieldPath): Problem[] {
  let holds: unknown;
  try {
    holds = evaluate(rule, { self: celValue(schema, value) });
  } catch (caught) {
    // A test evaluates every rule, so this is no rule that we cannot read, but a value that it does not fit.
    return [{ path, message: `the rule ${JSON.stringify(rule)} cannot be evaluated: ${messageOf(caught)}` }];
  }
  return holds === true ? [] : [{ path, message: message ?? `must satisfy ${rule}` }];
}

interface Child {
  readonly key: string | number;
  readonly schema: Schema;
  readonly value: unknown;
}

function childrenOf(schema: Schema, value: unknown): Child[] {
  const { items, properties } = schema;
  if (Array.isArray(value)) {
    return items === undefined ? [] : value.map((each: unknown, key) => ({ key, schema: items, value: each }));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(properties ?? {}).map(([key, each]) => ({
    key,
    schema: each,
    value: (value as Record<string, unknown>)[key],
  }));
}

/** CEL tells whole numbers from others, JSON does not. */
function celValue(schema: Schema, value: unknown): unknown {
  if (typeof value === 'number') return schema.type === 'integer' && Number.isInteger(value) ? BigInt(value) : value;
  const children = childrenOf(schema, value);
  if (Array.isArray(value))
    return children.length === 0 ? value : children.map((child) => celValue(child.schema, child.value));
  if (typeof value !== 'object' || value === null) return value;
  const known = children.filter((child) => child.value !== undefined);
  return { ...value, ...Object.fromEntries(known.map((child) => [child.key, celValue(child.schema, child.value)])) };
}

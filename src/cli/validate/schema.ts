/** JSON schemas as strict as the API server is to `kubectl apply`: of the same source as the CRDs, and closed. Pure. */
import { KINDS } from '../../api/crd.ts';
import { API_VERSION } from '../../api/meta.ts';

/** The part of JSON Schema that our kinds use, with Kubernetes' additions. */
export interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly default?: unknown;
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-validations'?: readonly Rule[];
  readonly [keyword: string]: unknown;
}

/** A CEL rule. */
export interface Rule {
  readonly rule: string;
  readonly message?: string;
}

/** Kubernetes' own: what every kind has. `managedFields` and the like come with files that were exported. */
const METADATA: Schema = {
  type: 'object',
  properties: {
    name: {
      type: 'string',
      description: 'A name has a-z, 0-9, "-" and "." only.',
      maxLength: 253,
      pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
    },
    generateName: { type: 'string' },
    namespace: { type: 'string', maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' },
    labels: {
      type: 'object',
      propertyNames: {
        type: 'string',
        pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$',
      },
      patternProperties: {
        '^': { type: 'string', maxLength: 63, pattern: '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$' },
      },
    },
    annotations: { type: 'object', patternProperties: { '^': { type: 'string' } } },
    finalizers: { type: 'array', items: { type: 'string' } },
    ownerReferences: { type: 'array', items: { type: 'object' } },
    ...Object.fromEntries(
      ['uid', 'resourceVersion', 'creationTimestamp', 'deletionTimestamp', 'selfLink'].map((name) => [name, {}]),
    ),
    generation: {},
    deletionGracePeriodSeconds: {},
    managedFields: {},
  },
};

/** Of a whole object of this kind; undefined for a kind that is not ours. */
export function schemaOf(kind: string): Schema | undefined {
  const found = KINDS.find((each) => each.kind === kind);
  if (found === undefined) return undefined;
  return closed({
    type: 'object',
    required: ['metadata', 'spec'],
    properties: {
      apiVersion: { const: API_VERSION },
      kind: { const: kind },
      metadata: METADATA,
      // Plain JSON: TypeBox keeps things of its own on the object.
      spec: JSON.parse(JSON.stringify(found.spec)) as Schema,
      // The API server takes it from nobody but the operator, and drops it.
      status: {},
    },
  });
}

/** No object may have a field that is not named, and a set holds nothing twice. */
function closed(schema: Schema): Schema {
  if (schema['x-kubernetes-int-or-string'] === true) return intOrString(schema);
  const { properties, items } = schema;
  return {
    ...schema,
    ...(properties === undefined
      ? {}
      : {
          properties: Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, closed(each)])),
          additionalProperties: false,
        }),
    ...(items === undefined ? {} : { items: closed(items) }),
    ...(hasUniqueItems(schema) ? { uniqueItems: true } : {}),
  };
}

/** Bounds of numbers hold for a number, and those of texts for a text: said of each by itself. */
function intOrString(schema: Schema): Schema {
  const { anyOf: _, minimum, maximum, minLength, maxLength, pattern, ...rest } = schema;
  const given = (bounds: Schema) =>
    Object.fromEntries(Object.entries(bounds).filter(([, bound]) => bound !== undefined));
  return {
    ...rest,
    anyOf: [
      { type: 'integer', ...given({ minimum, maximum }) },
      { type: 'string', ...given({ minLength, maxLength, pattern }) },
    ],
  };
}

/** A list map tells its items apart by some of their fields; in a spec of ours, by all of them. */
function hasUniqueItems(schema: Schema): boolean {
  return ['set', 'map'].includes(schema['x-kubernetes-list-type'] ?? '');
}

/** What the API server would refuse of an object, before it is asked. Pure. */
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { nearest } from '../words.ts';
import { type FieldPath, type Problem, shownPath } from './problem.ts';
import { brokenRules } from './rules.ts';
import { type Schema, schemaOf } from './schema.ts';

interface Validator {
  readonly schema: Schema;
  readonly validate: ValidateFunction;
}

const validators = new Map<string, Validator>();

/** The formats that the API server checks and our kinds ask for; a pattern beside it says the shape, which the calendar must then fit. */
const FORMATS = { 'date-time': (text: string) => !Number.isNaN(Date.parse(text)) };

function validatorOf(kind: string): Validator | undefined {
  const known = validators.get(kind);
  if (known !== undefined) return known;
  const schema = schemaOf(kind);
  if (schema === undefined) return undefined;
  // Defaults are filled in as the API server does, before the rules are asked.
  const ajv = new Ajv({ strict: true, allErrors: true, verbose: true, useDefaults: true, formats: FORMATS });
  ajv.addVocabulary([
    'x-kubernetes-validations',
    'x-kubernetes-list-type',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-map-type',
    'x-kubernetes-int-or-string',
  ]);
  const validator = { schema, validate: ajv.compile(schema) };
  validators.set(kind, validator);
  return validator;
}

/** Of an object of one of our kinds. */
export function problemsOf(object: { readonly kind: string }): Problem[] {
  const validator = validatorOf(object.kind);
  if (validator === undefined) throw new Error(`no kind ${object.kind} of ours`);
  const { schema, validate } = validator;
  const filled = withoutNulls(schema, object) as Record<string, unknown>;
  validate(filled);
  const problems = [...(validate.errors ?? []).flatMap(problemOf), ...nameless(filled)];
  const isSound = (path: FieldPath) => !problems.some((problem) => startsWith(problem.path, path));
  return withoutRepeats([...problems, ...brokenRules(schema, filled, isSound)]);
}

/** A copy, without what the API server takes for absent: a field with an empty value that is not required, or has a default. */
function withoutNulls(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => withoutNulls(schema.items ?? {}, each));
  if (typeof value !== 'object' || value === null) return value;
  const { properties, required } = schema;
  const isAbsent = (name: string) =>
    properties?.[name] !== undefined && (required?.includes(name) !== true || properties[name].default !== undefined);
  const kept = Object.entries(value).filter(([name, each]) => each !== null || !isAbsent(name));
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutNulls(properties?.[name] ?? {}, each)]));
}

function nameless({ metadata }: Record<string, unknown>): Problem[] {
  if (typeof metadata !== 'object' || metadata === null) return [];
  return 'name' in metadata || 'generateName' in metadata
    ? []
    : [{ path: ['metadata', 'name'], message: 'is required (or generateName)' }];
}

function startsWith(path: FieldPath, head: FieldPath): boolean {
  return head.every((part, index) => path[index] === part);
}

/** One problem of a value is enough: what is of the wrong type fits no pattern either. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems.filter(({ path, message }) => {
    const key = `${shownPath(path)}: ${message}`;
    return !seen.has(key) && seen.add(key) !== undefined;
  });
}

type Params = Readonly<Record<string, unknown>>;

/** ajv's finding in words that say what to write instead. */
function problemOf(error: ErrorObject): Problem[] {
  const path = pathOf(error);
  const params = error.params as Params;
  switch (error.keyword) {
    case 'additionalProperties':
      return [unknownField(path, String(params['additionalProperty']), error.parentSchema as Schema)];
    case 'required':
      return [{ path: [...path, String(params['missingProperty'])], message: 'is required' }];
    case 'propertyNames':
      return [{ path: [...path, String(params['propertyName'])], message: 'is no valid name of a label' }];
    case 'type':
      return [{ path, message: `must be ${article(String(params['type']))}, not ${kindOf(error.data)}` }];
    case 'enum':
      return [{ path, message: `must be ${words(params['allowedValues'])}, not ${shown(error.data)}` }];
    case 'const':
      return [{ path, message: `must be ${shown(params['allowedValue'])}, not ${shown(error.data)}` }];
    case 'pattern':
      // The message of a name within propertyNames comes a second time from there.
      return error.propertyName === undefined
        ? [{ path, message: `${shown(error.data)} does not fit ${String(params['pattern'])}${meaning(error)}` }]
        : [];
    case 'format':
      return [{ path, message: `${shown(error.data)} is no ${params['format']}${meaning(error)}` }];
    case 'minLength':
      return [
        {
          path,
          message: params['limit'] === 1 ? 'may not be empty' : `must have at least ${params['limit']} characters`,
        },
      ];
    case 'maxLength':
      return [
        { path, message: `may have at most ${params['limit']} characters, not ${[...String(error.data)].length}` },
      ];
    case 'minimum':
    case 'maximum':
      return [{ path, message: `must be ${params['comparison']} ${params['limit']}, not ${shown(error.data)}` }];
    case 'minItems':
      return [{ path, message: `must have at least ${count(params['limit'], 'item')}` }];
    case 'maxItems':
      return [{ path, message: `may have at most ${count(params['limit'], 'item')}` }];
    case 'minProperties':
      return [{ path, message: `must say something: at least ${count(params['limit'], 'field')}` }];
    case 'uniqueItems':
      return [{ path, message: `holds the same value twice (items ${params['j']} and ${params['i']})` }];
    default:
      return [{ path, message: error.message ?? error.keyword }];
  }
}

/** ajv gives a JSON pointer. */
function pathOf({ instancePath }: ErrorObject): FieldPath {
  const parts = instancePath.split('/').slice(1);
  return parts.map((part) => {
    const text = part.replaceAll('~1', '/').replaceAll('~0', '~');
    return /^\d+$/.test(text) ? Number(text) : text;
  });
}

function unknownField(path: FieldPath, name: string, parent: Schema): Problem {
  const known = Object.keys(parent.properties ?? {});
  const near = nearest(name, known);
  const help = near === undefined ? `known here: ${known.join(', ')}` : `did you mean "${near}"?`;
  return { path: [...path, name], message: `unknown field; ${help}` };
}

/** A pattern alone tells few people what to write. */
function meaning({ parentSchema }: ErrorObject): string {
  const description: unknown = parentSchema?.['description'];
  return typeof description === 'string' ? `: ${description.replace(/[.]$/, '')}` : '';
}

function article(type: string): string {
  if (type === 'integer') return 'a whole number';
  if (type === 'array') return 'a list';
  return `${/^[aeiou]/.test(type) ? 'an' : 'a'} ${type}`;
}

/** YAML makes a boolean of `yes` and a number of `5432` where a text was meant. */
function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return `the string ${shown(value)}`;
  return `the ${typeof value} ${shown(value)}; in quotes it is a string`;
}

const SHOWN = 60;

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  // Never a secret on a screen or in the log of a pipeline.
  if (/AGE-SECRET-KEY-/i.test(text)) return 'a private key (AGE-SECRET-KEY-…), which belongs nowhere in an object,';
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

function words(values: unknown): string {
  const all = (values as readonly unknown[]).map(shown);
  return all.length === 1 ? (all[0] ?? '') : `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`;
}

function count(limit: unknown, what: string): string {
  return `${String(limit)} ${what}${limit === 1 ? '' : 's'}`;
}

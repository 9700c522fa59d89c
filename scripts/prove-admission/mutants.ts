/** The schema of a CRD with one of its rules taken away, or one of its bounds moved by one: each in turn. Pure. */

export type Node = Record<string, unknown>;

export interface Mutant {
  /** `spec.s3.bucket: maxLength deleted` */
  readonly name: string;
  /** The field that it is about. */
  readonly path: readonly string[];
  /** What its schema says unchanged. */
  readonly node: Node;
  /** What was changed in it. */
  readonly what: string;
  /** The whole, changed. */
  readonly schema: Node;
  /** Tried where the API server refuses the first: without a bound, a rule over the field may cost too much. */
  readonly milder?: Node;
}

interface Edit {
  readonly what: string;
  readonly change: (node: Node) => void;
  readonly milder?: (node: Node) => void;
}

/** Bounds that get wider the larger they are, and those that get narrower. */
const UPPER = ['maxLength', 'maximum', 'maxItems', 'maxProperties'];
const LOWER = ['minLength', 'minimum', 'minItems', 'minProperties'];
const OTHERS = ['pattern', 'format', 'enum', 'default', 'x-kubernetes-list-type'];

/** Every mutant of a schema: its fields are reached through `properties`, the items of a list through `0`, the values of a map through `any`. */
export function mutantsOf(schema: Node): Mutant[] {
  return nodesOf(schema, []).flatMap(({ keys, path }) =>
    editsOf(at(schema, keys)).map((edit): Mutant => {
      const { milder } = edit;
      return {
        name: `${path.join('.')}: ${edit.what}`,
        path,
        node: at(schema, keys),
        what: edit.what,
        schema: edited(schema, keys, edit.change),
        ...(milder === undefined ? {} : { milder: edited(schema, keys, milder) }),
      };
    }),
  );
}

interface Place {
  /** Within the schema. */
  readonly keys: readonly string[];
  /** Within an object that it describes. */
  readonly path: readonly string[];
}

function nodesOf(node: Node, path: readonly string[], keys: readonly string[] = []): Place[] {
  const inner = Object.entries((node['properties'] ?? {}) as Record<string, Node>).flatMap(([name, property]) =>
    nodesOf(property, [...path, name], [...keys, 'properties', name]),
  );
  const within = (key: string, step: string) =>
    node[key] === undefined ? [] : nodesOf(node[key] as Node, [...path, step], [...keys, key]);
  return [{ keys, path }, ...inner, ...within('items', '0'), ...within('additionalProperties', 'any')];
}

function at(schema: Node, keys: readonly string[]): Node {
  return keys.reduce((node, key) => node[key] as Node, schema);
}

function edited(schema: Node, keys: readonly string[], change: (node: Node) => void): Node {
  const copy = structuredClone(schema);
  change(at(copy, keys));
  return copy;
}

function editsOf(node: Node): Edit[] {
  return [...bounds(node), ...values(node), ...required(node), ...rules(node)];
}

function bounds(node: Node): Edit[] {
  const deletions = [...UPPER, ...LOWER, ...OTHERS]
    .filter((key) => node[key] !== undefined && node[key] !== 'atomic')
    .map((key): Edit => {
      const value = node[key] as number;
      const change = (copy: Node) => {
        delete copy[key];
        if (key === 'x-kubernetes-list-type') delete copy['x-kubernetes-list-map-keys'];
      };
      return UPPER.includes(key)
        ? { what: `${key} deleted`, change, milder: (copy) => Object.assign(copy, { [key]: value + 1 }) }
        : { what: `${key} deleted`, change };
    });
  const narrower = (keys: readonly string[], step: number) =>
    keys
      .filter((key) => node[key] !== undefined)
      .map(
        (key): Edit => ({
          what: `${key} narrower by one`,
          change: (copy) => Object.assign(copy, { [key]: (copy[key] as number) + step }),
        }),
      );
  return [...deletions, ...narrower(UPPER, -1), ...narrower(LOWER, 1)];
}

function values(node: Node): Edit[] {
  const all = (node['enum'] ?? []) as unknown[];
  if (all.length < 2) return [];
  return all.map((value) => ({
    what: `enum without ${value}`,
    change: (copy) => {
      copy['enum'] = all.filter((other) => other !== value);
      if (copy['default'] === value) delete copy['default'];
    },
  }));
}

function required(node: Node): Edit[] {
  const names = (node['required'] ?? []) as string[];
  const properties = (node['properties'] ?? {}) as Record<string, Node>;
  const dropped = names.map(
    (name): Edit => ({
      what: `${name} not required`,
      change: (copy) => {
        copy['required'] = names.filter((other) => other !== name);
      },
    }),
  );
  const added = Object.entries(properties)
    // A default is filled in before anybody looks whether the field is there.
    .filter(([name, property]) => !names.includes(name) && property['default'] === undefined)
    // Every object has them.
    .filter(([name]) => !['apiVersion', 'kind', 'metadata', 'status'].includes(name))
    .map(
      ([name]): Edit => ({
        what: `${name} required`,
        change: (copy) => Object.assign(copy, { required: [...names, name] }),
      }),
    );
  return [...dropped, ...added];
}

interface Rule {
  readonly rule: string;
}

function rules(node: Node): Edit[] {
  const all = (node['x-kubernetes-validations'] ?? []) as Rule[];
  return all.flatMap((rule, index) => {
    const replaced = (by: Rule[]) => (copy: Node) => {
      const others = all.filter((other) => other !== rule);
      copy['x-kubernetes-validations'] = [...others, ...by];
      if (others.length + by.length === 0) delete copy['x-kubernetes-validations'];
    };
    const parts = withoutOnePart(rule.rule).map(({ dropped, rest }) => ({
      what: `rule ${index + 1} without "${dropped}"`,
      change: replaced([{ ...rule, rule: rest }]),
    }));
    return [{ what: `rule ${index + 1} deleted`, change: replaced([]) }, ...parts];
  });
}

/** What a rule joins by `||`, or else by `&&`, each part left out in turn, within brackets and choices too. */
export function withoutOnePart(rule: string): { dropped: string; rest: string }[] {
  const choice = split(rule, '?', ':');
  if (choice.length === 3) {
    return choice.flatMap((part, index) =>
      withoutOnePart(part).map(({ dropped, rest }) => {
        const [condition, yes, no] = choice.with(index, rest);
        return { dropped, rest: `${condition} ? ${yes} : ${no}` };
      }),
    );
  }
  for (const operator of ['||', '&&']) {
    const parts = split(rule, operator);
    if (parts.length < 2) continue;
    return parts.flatMap((part, index) => {
      const others = parts.toSpliced(index, 1);
      const inner = within(part).map(({ dropped, rest }) => ({
        dropped,
        rest: parts.with(index, rest).join(` ${operator} `),
      }));
      return [{ dropped: part, rest: others.join(` ${operator} `) }, ...inner];
    });
  }
  return [];
}

/** A part may be joined of parts itself. */
function within(part: string): { dropped: string; rest: string }[] {
  const bracketed = /^\((.*)\)$/s.exec(part)?.[1];
  if (bracketed === undefined || !isBalanced(bracketed)) return withoutOnePart(part);
  return withoutOnePart(bracketed).map(({ dropped, rest }) => ({ dropped, rest: `(${rest})` }));
}

/** `a) || (b` is what stands between the first bracket and the last of two pairs. */
function isBalanced(text: string): boolean {
  let depth = 0;
  for (const char of text) {
    if (char === '(') depth += 1;
    if (char === ')') depth -= 1;
    if (depth < 0) return false;
  }
  return depth === 0;
}

/** By operators that stand outside of brackets and of texts. */
function split(text: string, ...operators: readonly string[]): string[] {
  const parts = [''];
  let depth = 0;
  let quote = '';
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index]!;
    const operator = depth === 0 && quote === '' ? operators.find((each) => text.startsWith(each, index)) : undefined;
    if (operator !== undefined) {
      parts.push('');
      index += operator.length - 1;
      continue;
    }
    if (quote !== '') quote = char === quote ? '' : quote;
    else if (char === "'" || char === '"') quote = char;
    else if ('([{'.includes(char)) depth += 1;
    else if (')]}'.includes(char)) depth -= 1;
    parts[parts.length - 1] += char;
  }
  return parts.map((part) => part.trim());
}

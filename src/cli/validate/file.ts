/** The objects of a YAML or JSON text, and where in it each field stands. Pure. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type ScalarTag,
} from 'yaml';
import { KINDS } from '../../api/crd.ts';
import { GROUP, VERSION } from '../../api/meta.ts';
import { nearest } from '../words.ts';
import { doubts, type Meant } from './meaning.ts';
import { problemsOf } from './object.ts';
import { type FieldPath, type Problem, shownPath } from './problem.ts';

export interface Finding {
  readonly line: number;
  /** Empty: the text itself. */
  readonly field: string;
  readonly message: string;
}

export interface Verdict {
  readonly findings: readonly Finding[];
  /** `BackupStore/cellar`, in order. */
  readonly checked: readonly string[];
  /** `v1 Secret/login`: of kinds that are not ours. */
  readonly others: readonly string[];
}

/** kubectl reads YAML 1.1: a bare `yes` or `off` is a boolean there. */
const OLD_BOOLEANS: ScalarTag = {
  tag: 'tag:yaml.org,2002:bool',
  default: true,
  test: /^(?:[Yy]|[Yy]es|YES|[Nn]|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$/,
  resolve: (text) => /^(y|on)/i.test(text),
};

export function validateText(text: string, now: Date): Verdict {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    merge: true,
    customTags: (tags) => [OLD_BOOLEANS, ...tags],
  });
  const findings: Finding[] = [];
  const checked: string[] = [];
  const others: string[] = [];
  for (const document of documents as readonly Document[]) {
    const [broken] = document.errors;
    if (broken !== undefined) {
      // What follows from the first one is noise.
      findings.push({ line: broken.linePos?.[0].line ?? 1, field: '', message: firstLine(broken.message) });
      continue;
    }
    for (const { object, path } of objectsOf(document.toJS() as unknown)) {
      const opinion = opinionOn(object, now);
      if (opinion.checked !== undefined) checked.push(opinion.checked);
      if (opinion.other !== undefined) others.push(opinion.other);
      for (const problem of opinion.problems) {
        const whole = [...path, ...problem.path];
        const { line } = lines.linePos(offsetOf(document, whole));
        findings.push({ line, field: shownPath(whole), message: problem.message });
      }
    }
  }
  return { findings: findings.sort((a, b) => a.line - b.line), checked, others };
}

interface Opinion {
  readonly problems: readonly Problem[];
  readonly checked?: string;
  readonly other?: string;
}

function opinionOn(object: unknown, now: Date): Opinion {
  if (!isObject(object)) return { problems: [{ path: [], message: 'is no Kubernetes object' }] };
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== 'string') return { problems: [{ path: ['apiVersion'], message: 'is required' }] };
  if (typeof kind !== 'string') return { problems: [{ path: ['kind'], message: 'is required' }] };
  const name = `${kind}/${nameOf(object)}`;
  const strange = strangeKind(apiVersion, kind);
  if (strange !== undefined) return { problems: [strange] };
  if (apiVersion !== `${GROUP}/${VERSION}`) return { problems: [], other: `${apiVersion} ${name}` };
  const problems = problemsOf({ ...object, kind });
  // What an object means is asked only once it has the right form.
  return { problems: problems.length > 0 ? problems : doubts(object as unknown as Meant, now), checked: name };
}

/** Of our group, but nothing that we know. */
function strangeKind(apiVersion: string, kind: string): Problem | undefined {
  const [group, version] = apiVersion.split('/');
  if (group !== GROUP) return undefined;
  if (version !== VERSION) {
    return { path: ['apiVersion'], message: `this plugin knows ${GROUP}/${VERSION} only, not "${apiVersion}"` };
  }
  const known = KINDS.map((each) => each.kind);
  if (known.includes(kind)) return undefined;
  const near = nearest(kind, known);
  const help = near === undefined ? `the kinds are ${known.join(', ')}` : `did you mean "${near}"?`;
  return { path: ['kind'], message: `there is no kind "${kind}" in ${GROUP}; ${help}` };
}

/** The document's object; of a List, its items. An empty document, as after a last `---`, has none. */
function objectsOf(value: unknown): { readonly object: unknown; readonly path: FieldPath }[] {
  if (value === null || value === undefined) return [];
  if (isObject(value) && value['kind'] === 'List' && Array.isArray(value['items'])) {
    return value['items'].map((object: unknown, index) => ({ object, path: ['items', index] }));
  }
  return [{ object: value, path: [] }];
}

function nameOf({ metadata }: Record<string, unknown>): string {
  if (!isObject(metadata)) return '?';
  const { name, generateName } = metadata;
  return String(name ?? (generateName === undefined ? '?' : `${String(generateName)}…`));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of the field's own name; of what is missing, of the field that should have it. */
function offsetOf(document: Document, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? document.range?.[0] ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    const step = stepInto(node, part);
    if (step === undefined) break;
    offset = startOf(step.mark) ?? offset;
    node = step.node;
  }
  return offset;
}

function stepInto(
  node: unknown,
  part: string | number,
): { readonly node: unknown; readonly mark: unknown } | undefined {
  if (isSeq(node) && typeof part === 'number') {
    const item = node.items[part];
    return item === undefined ? undefined : { node: item, mark: item };
  }
  if (!isMap(node)) return undefined;
  const pair = node.items.find((each) => isPair(each) && isScalar(each.key) && String(each.key.value) === String(part));
  return pair === undefined ? undefined : { node: pair.value, mark: pair.key };
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}

/** The parser adds the place and a picture of it. */
function firstLine(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}

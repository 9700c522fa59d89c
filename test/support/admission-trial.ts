/** Puts cases of admission to an API server. */
import { isDeepStrictEqual } from 'node:util';
import { KINDS } from '../../src/api/crd.ts';
import { API_VERSION } from '../../src/api/meta.ts';
import { KubeError } from '../../src/kube/errors.ts';
import type { Http } from '../../src/kube/http.ts';
import { type AdmissionCase, GOOD, type Json } from './admission-cases.ts';

const STANDING = 'standing';
const DRY = { dryRun: 'All', fieldValidation: 'Strict' } as const;
const MERGE = 'application/merge-patch+json';

export class Trial {
  private readonly http: Http;
  private counter = 0;

  constructor(http: Http) {
    this.http = http;
  }

  /** An object of each kind, whose status can be tried. */
  async begin(): Promise<void> {
    for (const { kind } of KINDS) await this.make(kind, STANDING, GOOD[kind]);
  }

  /** What is wrong with the API server's verdict; `undefined`: it is as the case says. */
  async fault({ kind, tried, refusal, becomes }: AdmissionCase): Promise<string | undefined> {
    const answer = await this.answer(kind, tried);
    if (typeof answer === 'string') {
      if (refusal === undefined) return `refused: ${answer}`;
      if (answer.includes('evaluating rule')) return `a rule broke instead of refusing: ${answer}`;
      return answer.includes(refusal) ? undefined : `refused without a word of "${refusal}": ${answer}`;
    }
    if (refusal !== undefined) return 'taken';
    if (becomes === undefined || isDeepStrictEqual(subset(answer, becomes), becomes)) return undefined;
    return `became ${JSON.stringify(answer)}`;
  }

  /** Whether the API server goes by a schema in which `mutation` may be this and nothing else. */
  async knows(kind: string, mutation: string): Promise<boolean> {
    const body = { apiVersion: API_VERSION, kind, metadata: { name: 'tried' }, mutation, spec: GOOD[kind] };
    return this.http.json({ method: 'POST', path: this.path(kind), query: DRY, body }).then(
      () => true,
      (caught: Error) => !caught.message.includes('mutation'),
    );
  }

  private async answer(kind: string, tried: AdmissionCase['tried']): Promise<Json | string> {
    try {
      if ('status' in tried) {
        const call = { method: 'PATCH', path: `${this.path(kind)}/${STANDING}/status`, query: DRY } as const;
        // In a merge patch what is not named stays; it has this one from the start.
        const status = { observedGeneration: null, ...(tried.status as object) };
        return await this.http.json({ ...call, body: { status }, contentType: MERGE });
      }
      if (!('change' in tried)) return await this.make(kind, 'tried', tried.make, DRY);
      const name = `changed-${++this.counter}`;
      await this.make(kind, name, tried.make);
      const call = { method: 'PATCH', path: `${this.path(kind)}/${name}`, query: DRY } as const;
      return await this.http.json({ ...call, body: tried.change, contentType: MERGE });
    } catch (caught) {
      // No answer is no verdict.
      if (caught instanceof KubeError && caught.status !== 0) return caught.message;
      throw caught;
    }
  }

  private make(kind: string, name: string, spec: unknown, query = {}): Promise<Json> {
    const body = { apiVersion: API_VERSION, kind, metadata: { name }, spec };
    return this.http.json({ method: 'POST', path: this.path(kind), query, body });
  }

  private path(kind: string): string {
    const { plural } = KINDS.find((each) => each.kind === kind)!;
    return `/apis/${API_VERSION}/namespaces/default/${plural}`;
  }
}

/** The fields of an object that another one has: the API server adds the defaults of the rest. */
function subset(object: unknown, like: unknown): unknown {
  if (Array.isArray(like) && Array.isArray(object)) return object.map((each, index) => subset(each, like[index]));
  if (like === null || typeof like !== 'object' || object === null || typeof object !== 'object') return object;
  return Object.fromEntries(Object.entries(like).map(([name, inner]) => [name, subset((object as Json)[name], inner)]));
}

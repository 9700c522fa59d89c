/**
 * Proves that the tests of admission are worth something: deletes every rule and every bound of every CRD in turn (and moves each
 * bound by one to the narrow side), and demands that at least one of the cases of test/scenario/admission.test.ts then fails on a
 * real API server. Fails when one survives.
 *
 * node scripts/with-node.mjs scripts/prove-admission.ts [Kind …]
 */
import { customResourceDefinition, KINDS } from '../src/api/crd.ts';
import { GROUP, VERSION } from '../src/api/meta.ts';
import { KubeError } from '../src/kube/errors.ts';
import { Http } from '../src/kube/http.ts';
import { upApiServer } from '../test/cluster/api-server.ts';
import { waitFor } from '../test/cluster/wait.ts';
import { type AdmissionCase, casesOf } from '../test/support/admission-cases.ts';
import { Trial } from '../test/support/admission-trial.ts';
import { startApiProxy } from '../test/support/api-proxy.ts';
import { installKinds } from '../test/support/kube-crds.ts';
import { type Mutant, mutantsOf, type Node } from './prove-admission/mutants.ts';

/** Changes that no object can tell from the original, by their reason. */
const EQUIVALENT: Readonly<Record<string, (mutant: Mutant) => boolean>> = {
  'the pattern refuses an empty text too; minLength stays for what it says to people': ({ what, node }) =>
    what === 'minLength deleted' && node['minLength'] === 1 && !matches(node['pattern'], ''),
  // Also where it is required, and where a rule says `!has(x) || …` or `has(x) && …`.
  'the field has a default, so it is never absent': ({ what, node }) => {
    const [, optional] = /^(\w+) not required$/.exec(what) ?? [];
    if (optional !== undefined) return hasDefault(node, optional);
    const part = partDropped(what);
    const [, not, field = ''] = /^(!?)has\(self\.(\w+)\)$/.exec(part) ?? [];
    const join = not === '!' ? '||' : '&&';
    return hasDefault(node, field) && ruleIn(what, node).includes(`${part} ${join}`);
  },
};

const partDropped = (what: string) => /^rule \d+ without "(.*)"$/s.exec(what)?.[1] ?? '';

function ruleIn(what: string, node: Node): string {
  const rules = (node['x-kubernetes-validations'] ?? []) as { rule: string }[];
  return rules[Number(/^rule (\d+)/.exec(what)?.[1]) - 1]?.rule ?? '';
}

function hasDefault(node: Node, field: string): boolean {
  const properties = (node['properties'] ?? {}) as Record<string, Node>;
  return properties[field]?.['default'] !== undefined;
}

function matches(pattern: unknown, text: string): boolean {
  return typeof pattern !== 'string' || new RegExp(pattern).test(text);
}

type Verdict = 'killed' | 'survived' | 'equivalent' | 'refused by the API server';

const MERGE = 'application/merge-patch+json';

class Prover {
  private readonly http: Http;
  private readonly kind: string;
  private readonly trial: Trial;
  private readonly cases: readonly AdmissionCase[];
  private readonly original: Node;
  private readonly crd: string;
  private count = 0;

  constructor(http: Http, kind: (typeof KINDS)[number]) {
    this.http = http;
    this.kind = kind.kind;
    this.trial = new Trial(http);
    this.cases = casesOf(kind.kind);
    const definition = JSON.parse(JSON.stringify(customResourceDefinition(kind, 'any')));
    this.original = definition.spec.versions[0];
    this.crd = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${kind.plural}.${GROUP}`;
  }

  get mutants(): Mutant[] {
    return mutantsOf((this.original['schema'] as Node)['openAPIV3Schema'] as Node);
  }

  async verdictOn(mutant: Mutant): Promise<Verdict> {
    if (Object.values(EQUIVALENT).some((applies) => applies(mutant))) return 'equivalent';
    const served =
      (await this.serve(mutant.schema)) || (mutant.milder !== undefined && (await this.serve(mutant.milder)));
    if (!served) return 'refused by the API server';
    for (const each of nearestFirst(this.cases, mutant.path)) {
      if ((await this.trial.fault(each)) !== undefined) return 'killed';
    }
    return 'survived';
  }

  /** Without a change every case must hold, or a fault would prove nothing. */
  async faultsOfTheOriginal(): Promise<string[]> {
    const faults: string[] = [];
    for (const each of this.cases) {
      const fault = await this.trial.fault(each);
      if (fault !== undefined) faults.push(`${this.kind} ${each.name}: ${fault}`);
    }
    return faults;
  }

  /** Whether the API server takes the schema; returns once it goes by it. */
  private async serve(schema: Node): Promise<boolean> {
    const mark = `mutant-${++this.count}`;
    const properties = { ...(schema['properties'] as Node), mutation: { type: 'string', enum: [mark] } };
    const version = { ...this.original, name: VERSION, schema: { openAPIV3Schema: { ...schema, properties } } };
    try {
      await this.http.json({
        method: 'PATCH',
        path: this.crd,
        body: { spec: { versions: [version] } },
        contentType: MERGE,
      });
    } catch (caught) {
      if (caught instanceof KubeError && caught.status === 422) return false;
      throw caught;
    }
    await waitFor(() => this.trial.knows(this.kind, mark), {
      timeoutMs: 30_000,
      everyMs: 20,
      otherwise: () => `${this.kind}: the changed CRD is not served`,
    });
    return true;
  }
}

/** The cases about the field itself, then those that are about several, then the rest. */
function nearestFirst(cases: readonly AdmissionCase[], path: readonly string[]): AdmissionCase[] {
  const distance = ({ path: other }: AdmissionCase) => {
    if (other === undefined) return 0;
    const common = other.findIndex((step, index) => step !== path[index]);
    const shared = common === -1 ? other.length : common;
    return path.length - shared + (other.length - shared);
  };
  return cases.toSorted((a, b) => distance(a) - distance(b));
}

async function prove(prover: Prover, kind: string): Promise<string[]> {
  const faults = await prover.faultsOfTheOriginal();
  if (faults.length > 0) throw new Error(`cases that fail before anything is changed:\n${faults.join('\n')}`);
  const start = performance.now();
  const verdicts = new Map<Verdict, string[]>();
  for (const mutant of prover.mutants) {
    const verdict = await prover.verdictOn(mutant);
    verdicts.set(verdict, [...(verdicts.get(verdict) ?? []), `${kind} ${mutant.name}`]);
    if (verdict === 'survived') console.log(`survived: ${kind} ${mutant.name}`);
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const counts = [...verdicts].map(([verdict, names]) => `${names.length} ${verdict}`).join(', ');
  console.log(`${kind}: ${prover.mutants.length} changes in ${seconds} s: ${counts}`);
  for (const name of verdicts.get('refused by the API server') ?? [])
    console.log(`  refused by the API server: ${name}`);
  return verdicts.get('survived') ?? [];
}

const wanted = process.argv.slice(2);
const kinds = KINDS.filter(({ kind }) => wanted.length === 0 || wanted.includes(kind));
const server = await upApiServer();
try {
  await installKinds(server.kubeconfig);
  const proxy = await startApiProxy(server.kubeconfig);
  const http = new Http(proxy.credentials);
  await new Trial(http).begin();
  // One after the other is no slower: what takes the time is the API server, which makes its schemas anew after each change.
  const survivors: string[] = [];
  for (const kind of kinds) survivors.push(...(await prove(new Prover(http, kind), kind.kind)));
  http.close();
  await proxy.stop();
  console.log(survivors.length === 0 ? 'no survivors' : `${survivors.length} survived`);
  process.exitCode = survivors.length === 0 ? 0 : 1;
} finally {
  await server.stop();
}

/**
 * Who may import whom. Each comment is what somebody reads whose import was refused. Types count as imports too.
 */
import type { ICruiseOptions, IForbiddenRuleType } from 'dependency-cruiser';

/** Decides from facts and now, and touches nothing. */
const PURE = [
  '^src/(lib|api|archive|keys|policy|manifests)/',
  '^src/controllers/[^/]+/(decide|status|states)[.]ts$',
  '^src/engines/(pods|[^/]+/pod)[.]ts$',
  '^src/hooks/[^/]+-plan[.]ts$',
];

/** Reads or changes the world. The rest of src/engines and src/controllers counts too, see the rule. */
const EFFECTS = '^src/(kube|platform|storage|runner|observability|main)/';

/** Parts of Node that compute only. */
const CORE_WITHOUT_EFFECTS = '^(node:)?(assert|buffer|crypto|events|stream|string_decoder|url|util|zlib)(/|$)';

/** Packages that talk to something. The Kubernetes client is not among them: its types describe objects, and a lint rule keeps its values out. */
const PACKAGES_WITH_EFFECTS = '(^|/)node_modules/(@aws-sdk/[^/]+|pg|pino|prom-client)/';

export const rules: (IForbiddenRuleType & { name: string; comment: string })[] = [
  {
    name: 'no-circular',
    severity: 'error',
    comment: 'Two files that need each other are one idea in two places: move what they share into a third.',
    from: {},
    to: { circular: true },
  },
  {
    name: 'lib-knows-nothing',
    severity: 'error',
    comment: 'src/lib holds helpers that would make sense in any program: what knows backups belongs elsewhere.',
    from: { path: '^src/lib/' },
    to: { path: '^src/', pathNot: '^src/lib/' },
  },
  {
    name: 'api-imports-lib-only',
    severity: 'error',
    comment: 'src/api says what users type and what we answer. It must not change because something behind it does.',
    from: { path: '^src/api/' },
    to: { path: '^src/', pathNot: '^src/(api|lib)/' },
  },
  {
    name: 'pure-is-pure',
    severity: 'error',
    comment:
      'What decides is a pure function of facts and now, so that each case is a line in a table of tests. Take what you need as an argument, and let observe, apply or main fetch it.',
    from: { path: PURE },
    to: { path: EFFECTS },
  },
  {
    name: 'pure-does-no-io',
    severity: 'error',
    comment: 'As pure-is-pure, for Node itself and for packages: no files, no sockets, no processes here.',
    from: { path: PURE },
    to: { dependencyTypes: ['core'], pathNot: CORE_WITHOUT_EFFECTS },
  },
  {
    name: 'pure-talks-to-nobody',
    severity: 'error',
    comment: 'As pure-is-pure, for packages that open connections or write somewhere.',
    from: { path: PURE },
    to: { path: PACKAGES_WITH_EFFECTS },
  },
  {
    name: 'decide-sees-no-acting-controller',
    severity: 'error',
    comment:
      'decide, status and states know facts and actions, not the code that gathers the ones and carries out the others.',
    from: { path: '^src/controllers/[^/]+/(decide|status|states)[.]ts$' },
    to: { path: '^src/controllers/(reconcile|apply|[^/]+/observe)[.]ts$' },
  },
  {
    name: 'operator-sees-engines-through-pods',
    severity: 'error',
    comment:
      'The operator knows of an engine what its pod needs, no more: a new engine cannot break reconciling, and no driver is loaded where all namespaces can be seen.',
    from: { path: '^src/(controllers|manifests|kube|policy|api)/|^src/main/controller[.]ts$' },
    to: { path: '^src/engines/', pathNot: '^src/engines/(pods|[^/]+/pod)[.]ts$' },
  },
  {
    name: 'plugins-are-strangers',
    severity: 'error',
    comment: 'An engine does not know another one. What two of them share is a named file directly in src/engines.',
    from: { path: '^src/engines/([^/]+)/' },
    to: { path: '^src/engines/[^/]+/', pathNot: '^src/engines/$1/' },
  },
  {
    name: 'runner-never-sees-the-cluster',
    severity: 'error',
    comment:
      'A Job has the passwords and no token of the cluster; nothing that runs in it may want to talk to the API server.',
    from: { path: '^src/(runner|engines|storage|keys|archive)/|^src/main/runner[.]ts$' },
    to: { path: '^src/(kube|controllers|manifests)/|@kubernetes/client-node' },
  },
  {
    name: 'cli-knows-the-cluster-only',
    severity: 'error',
    comment:
      "The plugin acts with a person's own rights, on objects. What the operator decides and what a Job does it reads in their status: a rule that it shares with them belongs in src/api or src/policy.",
    from: { path: '^src/cli/' },
    to: { path: '^src/', pathNot: '^src/(cli|api|kube|policy|keys|storage|lib)/' },
  },
  {
    name: 'only-people-use-the-cli',
    severity: 'error',
    comment:
      'src/cli is words for people. What another part needs of it is a rule that belongs in src/api, src/policy or src/lib.',
    from: { path: '^src/', pathNot: '^src/(cli|main)/' },
    to: { path: '^src/cli/' },
  },
  {
    name: 'only-main-wires',
    severity: 'error',
    comment: 'src/main is where everything meets, so nothing else needs to know how the parts are put together.',
    from: { path: '^src/', pathNot: '^src/main/' },
    to: { path: '^src/main/' },
  },
];

export const options: ICruiseOptions = {
  doNotFollow: { path: 'node_modules' },
  tsConfig: { fileName: 'tsconfig.json' },
  // The published TypeScript 7 has no parser for others to use.
  parser: 'swc',
  enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
};

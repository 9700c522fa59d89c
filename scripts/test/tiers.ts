/** The tiers of tests, from the fast to the real. */
export interface Tier {
  readonly name: string;
  /** Files at work at once. They wait more than they work: for servers of their own to start, or for the cluster that they share. */
  readonly workers: number;
  /** Seconds that one test may take, unless it says otherwise. */
  readonly testSeconds: number;
  /** Minutes after which the tier is ended: it hangs. Tools are built before this clock starts. */
  readonly limitMinutes: number;
  /** Says each test as it ends; where tests take milliseconds, the files are news enough. */
  readonly tellsTests: boolean;
  /** Runs in the cluster, which is taken down after the last such tier. */
  readonly inCluster?: boolean;
  /** The tier that it runs at the same time as: it waits for the cluster most of the time, while that one fills the machine. */
  readonly beside?: string;
}

export const TIERS: readonly Tier[] = [
  { name: 'unit', workers: 2, testSeconds: 30, limitMinutes: 5, tellsTests: false },
  { name: 'scenario', workers: 3, testSeconds: 60, limitMinutes: 20, tellsTests: true },
  { name: 'contract', workers: 2, testSeconds: 60, limitMinutes: 30, tellsTests: true },
  {
    ...{ name: 'release', workers: 1, testSeconds: 300, limitMinutes: 30, tellsTests: true },
    ...{ inCluster: true, beside: 'contract' },
  },
  { name: 'e2e', workers: 2, testSeconds: 300, limitMinutes: 40, tellsTests: true, inCluster: true },
];

/** Those that run at the same time, in the order in which they run. Pure. */
export function groupsOf(tiers: readonly Tier[]): readonly (readonly Tier[])[] {
  const leads = tiers.filter(({ beside }) => !tiers.some(({ name }) => name === beside));
  return leads.map((lead) => [lead, ...tiers.filter(({ beside }) => beside === lead.name)]);
}

export const USAGE = `npm test -- [tiers] [arguments of jest]
  tiers: ${TIERS.map(({ name }) => name).join(', ')}; without one, all of them
  for jest: from the first word on that begins with a dash or has a dot or a slash in it, such as a part of a path, or -t NAME
test/README.md tells more.`;

/** What was asked for on the command line. */
export interface Request {
  /** In the order in which they run. */
  readonly tiers: readonly Tier[];
  /** For jest: from the first word on that is an option or a part of a path. */
  readonly jestArguments: readonly string[];
}

/** Leading words are names of tiers; without one, all of them run. */
export function parseRequest(words: readonly string[]): Request {
  const end = words.findIndex((word) => word.startsWith('-') || /[/.]/.test(word));
  const names = end === -1 ? words : words.slice(0, end);
  const unknown = names.filter((name) => !TIERS.some((tier) => tier.name === name));
  if (unknown.length > 0) {
    throw new Error(`There is no tier ${unknown.join(', ')}: there are ${TIERS.map(({ name }) => name).join(', ')}.`);
  }
  return {
    tiers: names.length === 0 ? TIERS : TIERS.filter(({ name }) => names.includes(name)),
    jestArguments: end === -1 ? [] : words.slice(end),
  };
}

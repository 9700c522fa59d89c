/**
 * What may be restored where: which version of the engine and of the application may take the data of which. Pure; the
 * table is data, so that it can be read, argued about and changed without following code.
 */
import type { Comparison } from '../api/comparison.ts';
import type { Failure } from '../lib/errors.ts';
import { compareReleases, compareSeries, parseRelease, RELEASE_GRAMMAR, type Release } from '../lib/release.ts';

interface EngineRule {
  /** For messages. */
  readonly name: string;
  /** How many major versions newer than the archive's the server may be; older ones never. */
  readonly newerMajors: number;
}

interface ApplicationRule {
  /** How many minor releases newer than the backup's, within one major. */
  readonly newerMinors: number;
  /** Or how many long-term releases further, where those are named. */
  readonly newerLongTermReleases: number;
}

export const COMPATIBILITY = {
  engine: {
    // A dump is SQL: every later major has read that of an earlier one, an earlier one need not know what is in it.
    postgresql: { name: 'PostgreSQL', newerMajors: Number.POSITIVE_INFINITY },
  },
  // What an app that migrates its own tables promises as a rule; it never migrates them back.
  application: { newerMinors: 3, newerLongTermReleases: 2 },
} as const satisfies { engine: Record<string, EngineRule>; application: ApplicationRule };

export interface Judgement {
  readonly comparison: Comparison;
  readonly refusal?: Failure;
  /** What a person would want to know, where nothing could be judged. */
  readonly note?: string;
}

/** The reason of every refusal here, and its name in `spec.force`. */
const VERSION = 'Version';

interface EngineVersion {
  readonly version: string;
  readonly major: number;
}

export function judgeEngine(
  engine: keyof typeof COMPATIBILITY.engine,
  archive: EngineVersion,
  target: EngineVersion,
): Judgement {
  const { name, newerMajors }: EngineRule = COMPATIBILITY.engine[engine];
  const comparison = { of: name, archive: archive.version, target: target.version } as const;
  const steps = target.major - archive.major;
  if (steps >= 0 && steps <= newerMajors) return { comparison: { ...comparison, verdict: 'Fits' } };
  const range = newerMajors === Number.POSITIVE_INFINITY ? 'or newer' : `to ${archive.major + newerMajors}`;
  return {
    comparison: { ...comparison, verdict: 'Refused' },
    refusal: {
      reason: VERSION,
      message: `the archive is from ${name} ${archive.major}, the target is ${target.major}`,
      hint: `restore to a server of version ${archive.major} ${range}`,
    },
  };
}

export interface ApplicationVersions {
  /** That the backup was made of; absent: nobody said. */
  readonly archived?: string | undefined;
  /** That runs where the archive is restored. */
  readonly running?: string | undefined;
  readonly longTermReleases?: readonly string[] | undefined;
}

export function judgeApplication(versions: ApplicationVersions): Judgement {
  const { archived, running, longTermReleases = [] } = versions;
  const comparison = {
    of: 'application',
    ...(archived === undefined ? {} : { archive: archived }),
    ...(running === undefined ? {} : { target: running }),
  };
  if (archived === undefined || running === undefined) {
    return { comparison: { ...comparison, verdict: 'NotJudged' }, ...whyNotJudged(archived, running) };
  }
  const refusal =
    unreadable({ archived, running, longTermReleases }) ?? unfit(archived, running, releasesOf(longTermReleases));
  if (refusal === undefined) return { comparison: { ...comparison, verdict: 'Fits' } };
  return { comparison: { ...comparison, verdict: 'Refused' }, refusal };
}

/** Where neither side names a version, the person never meant to have it compared. */
function whyNotJudged(archived: string | undefined, running: string | undefined): { note?: string } {
  if (archived === undefined && running === undefined) return {};
  const missing =
    archived === undefined
      ? 'the archive does not say which one it is of (spec.application.version of its Backup)'
      : `this Restore does not say which one runs here (spec.application.version); the archive is of ${archived}`;
  return { note: `the version of the application was not judged: ${missing}` };
}

/** What cannot be read cannot be judged, and was meant to be. */
function unreadable({ archived, running, longTermReleases }: Required<ApplicationVersions>): Failure | undefined {
  const wrong = [
    { whose: 'the version of the application in the archive', text: archived ?? '' },
    { whose: 'the version in spec.application', text: running ?? '' },
    ...(longTermReleases ?? []).map((text) => ({ whose: 'of spec.application.longTermReleases', text })),
  ].find(({ text }) => parseRelease(text) === undefined);
  if (wrong === undefined) return undefined;
  return {
    reason: VERSION,
    message: `${wrong.whose}, "${wrong.text}", cannot be read, so nobody knows whether the archive fits`,
    hint: `versions are ${RELEASE_GRAMMAR}`,
  };
}

function releasesOf(texts: readonly string[]): readonly Release[] {
  return texts.flatMap((text) => parseRelease(text) ?? []);
}

function unfit(archived: string, running: string, longTerm: readonly Release[]): Failure | undefined {
  const [from, to] = [parseRelease(archived), parseRelease(running)];
  if (from === undefined || to === undefined) return undefined;
  if (compareReleases(to, from) < 0) {
    return {
      reason: VERSION,
      message: `the archive is of the application's version ${archived}, and the older ${running} runs here: it may not understand the data`,
      hint: `upgrade the application to ${archived} or newer, then restore`,
    };
  }
  if (isWithinMinors(from, to) || isWithinLongTermReleases(from, to, longTerm)) return undefined;
  const { newerMinors, newerLongTermReleases } = COMPATIBILITY.application;
  const known = longTerm.length > 0;
  const nor = known ? `, and more than ${newerLongTermReleases} long-term ones` : '';
  const or = known ? '' : '; or name spec.application.longTermReleases, if it has such';
  return {
    reason: VERSION,
    message: `the archive is of the application's version ${archived}, and ${running} runs here: more than ${newerMinors} minor releases further${nor}`,
    hint: `restore with a version of the application that is nearer to ${archived}, and upgrade from there${or}`,
  };
}

function isWithinMinors(from: Release, to: Release): boolean {
  const steps = to.numbers[1] - from.numbers[1];
  return to.numbers[0] === from.numbers[0] && steps <= COMPATIBILITY.application.newerMinors;
}

/**
 * Not beyond the second of the long-term releases that came after the backup's own. Past the last one that is named the
 * list says nothing.
 */
function isWithinLongTermReleases(from: Release, to: Release, longTerm: readonly Release[]): boolean {
  const series = longTerm
    .filter((release) => compareSeries(release, from) > 0)
    .sort(compareSeries)
    .filter((release, index, all) => index === 0 || compareSeries(release, all[index - 1] ?? release) !== 0);
  const last = series.slice(0, COMPATIBILITY.application.newerLongTermReleases).at(-1);
  return last !== undefined && compareSeries(to, last) <= 0;
}

import { describe, expect, test } from '@jest/globals';
import { compareReleases, parseRelease } from '../../../src/lib/release.ts';
import { COMPATIBILITY, judgeApplication, judgeEngine } from '../../../src/policy/compatibility.ts';
import fc from '../../support/fast-check.ts';

const application = (archived: string, running: string, longTermReleases: readonly string[] = []) =>
  judgeApplication({ archived, running, longTermReleases });

describe('the engine', () => {
  const postgres = (archive: number, target: number) =>
    judgeEngine('postgresql', { version: `${archive}.2`, major: archive }, { version: `${target}.9`, major: target });

  test.each([
    [17, 17],
    [15, 18],
  ])('an archive of %i goes to %i', (archive, target) => {
    expect(postgres(archive, target)).toEqual({
      comparison: { of: 'PostgreSQL', archive: `${archive}.2`, target: `${target}.9`, verdict: 'Fits' },
    });
  });

  test('an older one may not understand the archive', () => {
    expect(postgres(18, 17)).toEqual({
      comparison: { of: 'PostgreSQL', archive: '18.2', target: '17.9', verdict: 'Refused' },
      refusal: {
        reason: 'Version',
        message: 'the archive is from PostgreSQL 18, the target is 17',
        hint: 'restore to a server of version 18 or newer',
      },
    });
  });
});

describe('the application', () => {
  test.each<[string, string, string[]?]>([
    ['1.24.3', '1.24.3'],
    ['1.24.3', 'v1.24.4'],
    ['1.24.3', '1.27.0'],
    ['1.24.3', '1.27.99-rc.1'],
    ['1.24.3-rc.1', '1.24.3'],
    ['4.2.0.17', '4.2.0.18'],
    ['7', '7.3'],
    ['2026.04', '2026.07.1'],
    // Behind the plus is the same release.
    ['1.2.3+build.9', '1.2.3+build.1'],
    // The long-term releases that follow 1.24 are 1.30 and 2.4.
    ['1.24.3', '1.30.8', ['1.20', '1.30', '2.4', '2.10']],
    ['1.24.3', '2.1.0', ['1.20', '1.30', '2.4', '2.10']],
    ['1.24.3', '2.4.99', ['2.10', '2.4', '1.30.0', '1.30.1']],
  ])('data of %s may be given to %s (long-term: %j)', (archived, running, ...[longTerm]) => {
    expect(application(archived, running, longTerm)).toEqual({
      comparison: { of: 'application', archive: archived, target: running, verdict: 'Fits' },
    });
  });

  test.each<[string, string, string, string[]?]>([
    ['1.24.3', '1.24.2', 'the older 1.24.2 runs here'],
    ['1.24.3', '1.24.3-rc.1', 'the older'],
    ['1.24.3-rc.2', '1.24.3-rc.1', 'the older'],
    ['4.2.0.17', '4.2.0.16', 'the older'],
    ['2.0.0', '1.99.0', 'the older'],
    // Never older, whatever the list says.
    ['1.24.3', '1.20.0', 'the older', ['1.20', '1.24']],
  ])('data of %s may not be given to %s: %s (long-term: %j)', (archived, running, why, ...[longTerm]) => {
    const hint = `upgrade the application to ${archived} or newer, then restore`;
    expectRefused(application(archived, running, longTerm), why, hint);
  });

  test.each<[string, string, string, string[]?]>([
    ['1.24.3', '1.28.0', 'more than 3 minor releases'],
    ['1.24.3', '2.0.0', 'more than 3 minor releases'],
    ['1.24.3', '2.5.0', 'more than 2 long-term', ['1.20', '1.30', '2.4', '2.10']],
    // The list ends before what runs here: it says nothing about it.
    ['1.24.3', '3.0.0', 'more than 2 long-term', ['1.30']],
    ['1.24.3', '3.0.0', 'more than 2 long-term', ['1.10', '1.24']],
  ])('data of %s may not be given to %s yet: %s (long-term: %j)', (archived, running, why, ...[longTerm]) => {
    const or = longTerm === undefined ? '; or name spec.application.longTermReleases, if it has such' : '';
    const hint = `restore with a version of the application that is nearer to ${archived}, and upgrade from there${or}`;
    expectRefused(application(archived, running, longTerm), why, hint);
  });

  function expectRefused({ refusal, comparison }: ReturnType<typeof application>, why: string, hint: string): void {
    expect(comparison.verdict).toBe('Refused');
    expect(refusal).toEqual({ reason: 'Version', message: expect.stringContaining(why), hint });
  }

  test.each<[string, string, string[]?]>([
    ['latest', '1.2.3'],
    ['1.2.3', ''],
    ['1.2.3.4.5', '1.2.3'],
    ['1.2.3', '1.2.3-'],
    ['1.2.3', '1.2.3', ['2.x']],
    ['1.2.3', `1.${'9'.repeat(40)}`],
  ])('what cannot be read is refused with the grammar: %s, %s, %j', (archived, running, ...[longTerm]) => {
    expect(application(archived, running, longTerm).refusal).toEqual({
      reason: 'Version',
      message: expect.stringContaining('cannot be read'),
      hint: 'versions are one to four numbers with dots, such as 1.24.3 or v2.0.0-rc.1',
    });
  });

  test('a version that nobody named is not judged, and a note says so', () => {
    expect(judgeApplication({ archived: '1.2.3' })).toEqual({
      comparison: { of: 'application', archive: '1.2.3', verdict: 'NotJudged' },
      note: expect.stringContaining('does not say which one runs here'),
    });
    expect(judgeApplication({ running: '1.2.3' }).note).toContain('the archive does not say');
    expect(judgeApplication({})).toEqual({ comparison: { of: 'application', verdict: 'NotJudged' } });
  });
});

const number = fc.integer({ min: 0, max: 40 });
const prerelease = fc.constantFrom('', '-rc.1', '-rc.2', '-alpha', '-beta.11');
const version = fc
  .tuple(fc.array(number, { minLength: 1, maxLength: 4 }), prerelease, fc.constantFrom('', 'v'))
  .map(([numbers, tail, head]) => `${head}${numbers.join('.')}${tail}`);

describe('whatever the versions are', () => {
  const release = (text: string) => parseRelease(text)!;
  const refused = (archived: string, running: string, longTerm: readonly string[]) =>
    application(archived, running, longTerm).refusal !== undefined;

  test('an older application never gets the data of a newer one', () => {
    fc.assert(
      fc.property(version, version, fc.array(version), (archived, running, longTerm) => {
        if (compareReleases(release(running), release(archived)) < 0)
          expect(refused(archived, running, longTerm)).toBe(true);
      }),
    );
  });

  test('the same one always does', () => {
    fc.assert(
      fc.property(version, fc.array(version), (archived, longTerm) => {
        expect(refused(archived, archived, longTerm)).toBe(false);
      }),
    );
  });

  test('no list of long-term releases takes away what the minor releases allow', () => {
    fc.assert(
      fc.property(version, version, fc.array(version), (archived, running, longTerm) => {
        if (refused(archived, running, [])) return;
        expect(refused(archived, running, longTerm)).toBe(false);
      }),
    );
  });

  test('what lies between two that may have the data may have it too', () => {
    fc.assert(
      fc.property(version, version, version, fc.array(version), (archived, one, other, longTerm) => {
        const [nearer, further] = [one, other].sort((a, b) => compareReleases(release(a), release(b)));
        if (compareReleases(release(nearer!), release(archived)) < 0) return;
        if (!refused(archived, further!, longTerm)) expect(refused(archived, nearer!, longTerm)).toBe(false);
      }),
    );
  });

  test('a release of the same major that is one more than allowed, with no list, is refused', () => {
    fc.assert(
      fc.property(number, number, number, (major, minor, patch) => {
        const { newerMinors } = COMPATIBILITY.application;
        const from = `${major}.${minor}.${patch}`;
        expect(refused(from, `${major}.${minor + newerMinors}.0-rc.1`, [])).toBe(false);
        expect(refused(from, `${major}.${minor + newerMinors + 1}.0`, [])).toBe(true);
      }),
    );
  });

  test('versions are ordered: each pair one way, and any three in a line', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const by = (x: string, y: string) => Math.sign(compareReleases(release(x), release(y)));
        expect(by(a, b) + by(b, a)).toBe(0);
        if (by(a, b) <= 0 && by(b, c) <= 0) expect(by(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

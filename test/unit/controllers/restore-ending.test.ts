/** Which run an app waits for at the end of a restore, for how long, and what is said meanwhile. */
import { describe, expect, test } from '@jest/globals';
import type { Report } from '../../../src/api/task.ts';
import { decide } from '../../../src/controllers/restore/decide.ts';
import { FENCE_MARGIN, type RestoreFacts } from '../../../src/controllers/restore/facts.ts';
import { stateOf } from '../../../src/controllers/restore/states.ts';
import type { RunFacts } from '../../../src/controllers/run-facts.ts';
import { BACKED_UP, noonPlus } from '../../support/builders.ts';
import { CHECKED, LOADED, PLAN_REPORT, RestoreWorld } from '../../support/restore-world.ts';

const REPORTS: Readonly<Record<string, Report>> = {
  plan: PLAN_REPORT,
  backup: BACKED_UP,
  load: LOADED,
  check: CHECKED,
  swap: { command: 'swap', ok: true, result: {} },
};

/** What the operator sees while a Job of this purpose is at work, and the second it is. */
function atWork(purpose: 'load' | 'check' | 'swap'): { readonly facts: RestoreFacts; readonly now: number } {
  const world = new RestoreWorld((each) => REPORTS[each] ?? 'silence');
  for (let look = 0; look < 200; look += 1) {
    world.step();
    const active = [...world.jobs.values()].some(({ run }) => run.purpose === purpose && run.state === 'active');
    if (active) return { facts: world.facts(world.restore!), now: world.now };
  }
  throw new Error(`there was no ${purpose}`);
}

type Scene = ReturnType<typeof atWork>;

/** The run, otherwise than it is; `null`: nothing of it is left. */
function withRun({ facts, now }: Scene, purpose: string, change: Partial<RunFacts> | null): Scene {
  const runs = facts.runs.flatMap((run) =>
    run.purpose !== purpose ? [run] : change === null ? [] : [{ ...run, ...change }],
  );
  return { facts: { ...facts, runs }, now };
}

function concluded({ facts, now }: Scene): Scene {
  const outcome = { result: 'Unknown' as const, time: noonPlus(now).toISOString() };
  return { facts: { ...facts, restore: { ...facts.restore, status: { ...facts.restore.status, outcome } } }, now };
}

function deleted({ facts, now }: Scene): Scene {
  const { restore } = facts;
  const metadata = { ...restore.metadata, deletionTimestamp: noonPlus(now).toISOString() };
  return { facts: { ...facts, restore: { ...restore, metadata } }, now };
}

function look({ facts, now }: Scene, seconds = 0) {
  const { rows = [], actions, status } = decide(facts, noonPlus(now + seconds));
  return { words: [...rows.flat(), ...actions].map(({ action }) => action), status };
}

/** Its node was lost, and the pod was told to end. */
function stranded(scene: Scene, purpose: 'load' | 'check' | 'swap'): Scene {
  return withRun(scene, purpose, { leaving: { pod: `${purpose}-x`, node: 'node-7', due: noonPlus(scene.now) } });
}

const gone = { state: 'gone', livingPods: 1 } as const;
const BACK = ['scale', 'deleteLease'];

describe('a run beside the live database', () => {
  test.each(['load', 'check'] as const)('keeps no app at zero when its node is lost while it is a %s', (purpose) => {
    const scene = stranded(atWork(purpose), purpose);
    expect(stateOf(scene.facts, noonPlus(scene.now + 59))).not.toMatchObject({ state: 'concluded' });
    expect(stateOf(scene.facts, noonPlus(scene.now + 60))).toMatchObject({
      outcome: {
        result: 'Unknown',
        failure: {
          reason: 'NodeLost',
          message: `Pod ${purpose}-x is Terminating and does not end: its node node-7 does not answer.`,
          hint: expect.stringContaining('kubectl describe node node-7'),
        },
      },
    });
  });

  test.each([
    ['it was concluded', concluded],
    ['it is being deleted', deleted],
  ])('is not waited for when %s: its Job goes, the app comes back', (_why, ends) => {
    const scene = ends(atWork('load'));
    expect(look(scene).words).toEqual(['deleteJob']);
    const { job: _, ...run } = scene.facts.runs.find(({ purpose }) => purpose === 'load')!;
    const left = {
      ...scene.facts,
      runs: [...scene.facts.runs.filter((each) => each.purpose !== 'load'), { ...run, ...gone }],
    };
    expect(look({ ...scene, facts: left }).words).toEqual(BACK);
  });

  test('has two minutes to end by itself, then the clean-up ends its sessions; meanwhile its node is named', () => {
    const scene = concluded(stranded(atWork('load'), 'load'));
    const up = withRun(scene, 'load', gone).facts;
    const { job: _, ...run } = up.runs.find(({ purpose }) => purpose === 'load')!;
    const [app] = up.workloads;
    const { lease: __, ...awake } = { ...app!, found: { ...app!.found!, replicas: 3 } };
    const left: Scene = {
      now: scene.now,
      facts: { ...up, workloads: [awake], runs: [...up.runs.filter((each) => each.purpose !== 'load'), run] },
    };
    expect(look(left, 61)).toMatchObject({
      words: [],
      status: { phase: 'Resuming', failure: { reason: 'NodeLost', message: expect.stringContaining('node-7') } },
    });
    expect(look(left, 120).words).toEqual(['createJob']);
  });
});

describe('a run at the live database', () => {
  const swapFence = (scene: Scene) => {
    const { task } = scene.facts.runs.find(({ purpose }) => purpose === 'swap')!;
    return Date.parse((task as { notAfter: string }).notAfter) - noonPlus(scene.now).getTime();
  };

  test('has ten minutes', () => {
    const fence = swapFence(atWork('swap'));
    expect(fence).toBeGreaterThan(590_000);
    expect(fence).toBeLessThanOrEqual(600_000);
  });

  test('is waited for to its fence when its node is lost, and the status says so', () => {
    const scene = concluded(stranded(atWork('swap'), 'swap'));
    const end = (swapFence(scene) + FENCE_MARGIN) / 1000;
    const { words, status } = look(scene, 61);
    expect(words).toEqual(['deleteJob']);
    expect(status).toMatchObject({
      phase: 'Resuming',
      failure: {
        reason: 'NodeLost',
        message: expect.stringMatching(
          /node-7 does not answer\. It may still change .* until 2026-11-24T12:1.*: the app comes/,
        ),
      },
    });
    expect(look(scene, end - 1).words).toEqual(['deleteJob']);
    expect(look(scene, end).words).toEqual(BACK);
  });

  test.each<[string, Partial<RunFacts> | null]>([
    ['whose pod was deleted by force', { state: 'failed', livingPods: 0, unaccounted: true }],
    ['of which Job and pod are gone', null],
  ])('%s may be at work: the database is asked before the app comes back', (_how, change) => {
    const scene = concluded(withRun(atWork('swap'), 'swap', change));
    expect(look(scene).words).toEqual(['createJob']);
    const asked = (report?: Report): Scene => {
      const run: RunFacts = {
        ...{ purpose: 'cleanup', attempt: 1, name: 'c', state: 'succeeded', livingPods: 0, started: true },
        job: { uid: 'c', created: noonPlus(scene.now), leaving: false },
        ended: noonPlus(scene.now + 5),
        ...(report === undefined ? { state: 'active', livingPods: 1 } : { report }),
      };
      return { ...scene, facts: { ...scene.facts, runs: [...scene.facts.runs, run] } };
    };
    expect(look(asked(), 5).words).toEqual([]);
    const podless = asked();
    const held = podless.facts.runs.map((run) => (run.name === 'c' ? { ...run, livingPods: 0, started: false } : run));
    expect(look({ ...podless, facts: { ...podless.facts, runs: held } }, 20)).toMatchObject({
      words: [],
      status: { failure: { reason: 'RunnerLost', message: expect.stringContaining('Job c gets no pod') } },
    });
    const silent: Report = {
      ...{ command: 'cleanup', ok: false, retry: true },
      failure: { reason: 'DatabaseUnreachable', message: 'connection refused' },
    };
    expect(look(asked(silent), 6)).toMatchObject({
      words: [],
      status: { failure: { reason: 'RunnerLost', message: expect.stringContaining('connection refused') } },
    });
    expect(look(asked({ command: 'cleanup', ok: true, result: { restored: true } }), 6).words).toEqual(BACK);
    // Ten minutes, and a minute for clocks.
    expect(look(asked(silent), 650).words).not.toContain('scale');
    expect(look(asked(silent), 660).words).toEqual(BACK);
  });

  test('and is gone with its Job is waited for as long as the Lease of the app says', () => {
    const scene = concluded(withRun(atWork('swap'), 'swap', null));
    const [app] = scene.facts.workloads;
    const lease = { ...app!.lease!, fence: noonPlus(scene.now + 100) };
    const told = { ...scene, facts: { ...scene.facts, workloads: [{ ...app!, lease }] } };
    expect(look(told, 159).words).toEqual(['createJob']);
    expect(look(told, 160).words).toEqual(BACK);
  });

  test('that could not begin is tried again with ten minutes of its own', () => {
    const failure = { reason: 'DatabaseUnreachable', message: 'x' };
    const scene = atWork('swap');
    const report: Report = { command: 'swap', ok: false, retry: true, failure };
    const ended = { state: 'failed', livingPods: 0, report, ended: noonPlus(scene.now + 5) } as const;
    const again = stateOf(withRun(scene, 'swap', ended).facts, noonPlus(scene.now + 60));
    expect(again).toMatchObject({ state: 'swappable', attempt: 2 });
    const { actions } = decide(withRun(scene, 'swap', ended).facts, noonPlus(scene.now + 60));
    expect(JSON.stringify(actions)).toContain(noonPlus(scene.now + 660).toISOString());
  });

  test('whose container is known to have ended is not asked about before the app comes back', () => {
    const scene = concluded(withRun(atWork('swap'), 'swap', { state: 'failed', livingPods: 0 }));
    expect(look(scene).words).toEqual(BACK);
  });

  test('is noted in the status before its Job goes, whatever Job was noted before', () => {
    const { facts, now } = deleted(atWork('swap'));
    const jobName = facts.runs.find(({ purpose }) => purpose === 'load')!.name;
    const restore = { ...facts.restore, status: { ...facts.restore.status, jobName } };
    const { words, status } = look({ facts: { ...facts, restore }, now });
    expect({ words, noted: status?.jobName }).toEqual({ words: [], noted: expect.stringContaining('-swap-') });
  });
});

describe('a Restore that is being deleted', () => {
  test('says that the app is being brought back, and what keeps it from that', () => {
    const scene = deleted(withRun(atWork('load'), 'load', null));
    expect(look(scene)).toMatchObject({
      words: BACK,
      status: {
        phase: 'Resuming',
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: 'Reconciling', message: 'the app is being brought back' }),
        ]),
      },
    });
    const { statusOnFailure } = decide(scene.facts, noonPlus(scene.now));
    expect(statusOnFailure?.({ reason: 'Forbidden', message: 'a webhook denied it' })).toMatchObject({
      phase: 'Resuming',
      failure: { reason: 'Forbidden', message: 'a webhook denied it' },
    });
  });

  test('names the node that it waits for', () => {
    const scene = deleted(stranded(atWork('swap'), 'swap'));
    expect(look(scene, 61).status).toMatchObject({ phase: 'Resuming', failure: { reason: 'NodeLost' } });
  });
});

test('the app stays up when the store or its key goes after the plan: nothing could be loaded', () => {
  const world = new RestoreWorld((each) => REPORTS[each] ?? 'silence');
  const factsOf = world.facts.bind(world);
  world.facts = (restore) => {
    const { store, ...facts } = factsOf(restore);
    return { ...facts, store: world.saved?.status?.phase === 'Complete' ? undefined : store };
  };
  let least = world.replicas;
  for (let looks = 0; looks < 100; looks += 1) {
    world.step();
    least = Math.min(least, world.replicas);
  }
  expect({ least, status: world.restore?.status }).toMatchObject({
    least: 3,
    status: { phase: 'Failed', failure: { reason: 'SourceGone' } },
  });
});

import { describe, expect, test } from '@jest/globals';
import { type Again, FAILED_KEY_PAUSE, type Timers, WorkQueue } from '../../../src/kube/queue.ts';
import fc from '../../support/fast-check.ts';

/** Time that stands still until it is told to move. */
class FakeTimers implements Timers {
  private time = 0;
  private readonly pending = new Set<{ due: number; callback: () => void }>();

  now(): number {
    return this.time;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { due: this.time + milliseconds, callback };
    this.pending.add(timer);
    return () => void this.pending.delete(timer);
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    for (;;) {
      const next = [...this.pending].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
      if (next === undefined) break;
      this.time = next.due;
      this.pending.delete(next);
      next.callback();
      await settle();
    }
    this.time = end;
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

interface Turn {
  readonly key: string;
  end(again?: Again): Promise<void>;
  fail(error: Error): Promise<void>;
}

function queue(options: { concurrency?: number; random?: () => number } = {}) {
  const timers = new FakeTimers();
  const turns: Turn[] = [];
  const bugs: unknown[] = [];
  const made = new WorkQueue({
    concurrency: options.concurrency ?? 2,
    backoff: { base: 100, cap: 1_000 },
    random: options.random ?? (() => 1),
    timers,
    onFatal: (error) => bugs.push(error),
    work: (key) =>
      new Promise<Again>((resolve, reject) => {
        turns.push({
          key,
          end: (again) => {
            resolve(again);
            return settle().then(() => undefined);
          },
          fail: (error) => {
            reject(error);
            return settle().then(() => undefined);
          },
        });
      }),
  });
  const keys = () => turns.map(({ key }) => key);
  return { made, timers, turns, keys, bugs };
}

describe('a work queue', () => {
  test('collects keys before it is started and works on them in the order of their turn', async () => {
    const { made, keys } = queue({ concurrency: 3 });
    for (const key of ['a', 'b', 'a', 'c']) made.add(key);
    await settle();
    expect(keys()).toEqual([]);
    expect(made.depth).toBe(3);
    made.start();
    expect(keys()).toEqual(['a', 'b', 'c']);
  });

  test('works on no more keys at once than it may', async () => {
    const { made, keys, turns } = queue({ concurrency: 2 });
    made.start();
    for (const key of ['a', 'b', 'c']) made.add(key);
    expect(keys()).toEqual(['a', 'b']);
    await turns[0]?.end();
    expect(keys()).toEqual(['a', 'b', 'c']);
  });

  test('runs a key that is added while it runs once more afterwards, however often it was added', async () => {
    const { made, keys, turns } = queue();
    made.start();
    made.add('a');
    made.add('a');
    made.add('a');
    expect(keys()).toEqual(['a']);
    await turns[0]?.end();
    expect(keys()).toEqual(['a', 'a']);
    await turns[1]?.end();
    expect(keys()).toEqual(['a', 'a']);
  });

  test('of several times for one key the earliest wins, and news bring it at once', async () => {
    const { made, keys, timers, turns } = queue();
    made.start();
    made.addAfter('a', 500);
    made.addAfter('a', 100);
    made.addAfter('a', 900);
    await timers.advance(99);
    expect(keys()).toEqual([]);
    await timers.advance(1);
    expect(keys()).toEqual(['a']);
    await turns[0]?.end({ after: 1_000 });
    made.add('a');
    expect(keys()).toEqual(['a', 'a']);
    await turns[1]?.end();
    await timers.advance(10_000);
    expect(keys()).toEqual(['a', 'a']);
  });

  test('a key that fails waits longer each time, up to the cap, and starts over after a success', async () => {
    const { made, keys, timers, turns } = queue();
    made.start();
    made.add('a');
    for (const wait of [100, 200, 400, 800, 1_000, 1_000]) {
      const before = keys().length;
      await turns.at(-1)?.end({ failed: true });
      await timers.advance(wait - 1);
      expect(keys()).toHaveLength(before);
      await timers.advance(1);
      expect(keys()).toHaveLength(before + 1);
    }
    await turns.at(-1)?.end();
    made.add('a');
    const before = keys().length;
    await turns.at(-1)?.end({ failed: true });
    await timers.advance(100);
    expect(keys()).toHaveLength(before + 1);
  });

  test('a failed key waits at least as long as the server asked', async () => {
    const { made, keys, timers, turns } = queue();
    made.start();
    made.add('a');
    await turns[0]?.end({ failed: true, atLeast: 5_000 });
    await timers.advance(4_999);
    expect(keys()).toEqual(['a']);
    await timers.advance(1);
    expect(keys()).toEqual(['a', 'a']);
  });

  test('news of a failed key shorten its wait, but never to a hot loop', async () => {
    const { made, keys, timers, turns } = queue();
    made.start();
    made.add('a');
    await turns[0]?.end({ failed: true, atLeast: 60_000 });
    made.add('a');
    await timers.advance(FAILED_KEY_PAUSE - 1);
    expect(keys()).toEqual(['a']);
    await timers.advance(1);
    expect(keys()).toEqual(['a', 'a']);
    made.add('a');
    await turns[1]?.end({ failed: true, atLeast: 60_000 });
    expect(keys()).toEqual(['a', 'a']);
    await timers.advance(FAILED_KEY_PAUSE);
    expect(keys()).toEqual(['a', 'a', 'a']);
  });

  test('a key that always fails holds up nobody else', async () => {
    const { made, keys, turns } = queue({ concurrency: 1 });
    made.start();
    made.add('poison');
    await turns[0]?.end({ failed: true });
    for (const key of ['a', 'b', 'c']) {
      made.add(key);
      expect(keys().at(-1)).toBe(key);
      await turns.at(-1)?.end();
    }
  });

  test('work that throws is told as a bug, and the other keys go on', async () => {
    const { made, keys, turns, bugs } = queue({ concurrency: 1 });
    made.start();
    made.add('a');
    made.add('b');
    await turns[0]?.fail(new Error('bug'));
    expect(bugs).toEqual([new Error('bug')]);
    expect(keys()).toEqual(['a', 'b']);
  });

  test('draining begins nothing more and waits for what is under way', async () => {
    const { made, keys, turns, timers } = queue({ concurrency: 1 });
    made.start();
    made.add('a');
    made.add('b');
    made.addAfter('c', 10);
    let drained: boolean | undefined;
    const draining = made.drain(10_000).then((ended) => {
      drained = ended;
    });
    made.add('d');
    await timers.advance(100);
    expect(drained).toBeUndefined();
    await turns[0]?.end({ after: 1 });
    await draining;
    expect(drained).toBe(true);
    await timers.advance(10_000);
    expect(keys()).toEqual(['a']);
  });

  test('draining gives up on work that does not end', async () => {
    const { made, timers } = queue();
    made.start();
    made.add('a');
    const draining = made.drain(10_000);
    await timers.advance(10_000);
    expect(await draining).toBe(false);
  });

  test('never works on a key twice at once and forgets none, whatever happens in which order', async () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ later: fc.constantFrom('a', 'b', 'c'), wait: fc.integer({ min: 0, max: 300 }) }),
      fc.record({ end: fc.nat(3), again: fc.constantFrom<Again>(undefined, { after: 50 }, { failed: true }) }),
      fc.record({ advance: fc.integer({ min: 0, max: 500 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { made, timers, turns } = queue({ concurrency: 2 });
        const open: Turn[] = [];
        let seen = 0;
        const owed = new Set<string>();
        const look = () => {
          for (; seen < turns.length; seen += 1) {
            const turn = turns[seen] as Turn;
            expect(open.map(({ key }) => key)).not.toContain(turn.key);
            owed.delete(turn.key);
            open.push(turn);
            expect(open.length).toBeLessThanOrEqual(2);
          }
        };
        made.start();
        for (const s of steps) {
          if ('add' in s) {
            owed.add(s.add);
            made.add(s.add);
          } else if ('later' in s) made.addAfter(s.later, s.wait);
          else if ('end' in s) await open.splice(s.end % Math.max(open.length, 1), 1)[0]?.end(s.again);
          else await timers.advance(s.advance);
          look();
        }
        for (let i = 0; i < 200 && (open.length > 0 || owed.size > 0); i += 1) {
          await open.shift()?.end();
          look();
          await timers.advance(1_000);
          look();
        }
        expect([...owed]).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

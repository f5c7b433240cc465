/**
 * What every implementation of the Timers port promises. A maker gives timers and says how to wait: virtual time moves only when it
 * is run.
 */
import { describe, expect, test } from 'vitest';
import type { Timers } from '../shared/ports.ts';

export interface TimersUnderTest {
  readonly timers: Timers;
  /** Resolves when at least `ms` have passed on these timers, and everything that was due has run. */
  readonly pass: (ms: number) => Promise<void>;
}

/** Long enough to tell before from after on a busy machine, in ms. */
const A_WHILE_MS = 20;

export function timersContract(name: string, make: () => TimersUnderTest): void {
  describe(`Timers contract: ${name}`, () => {
    test('time never goes back, and passes', async () => {
      const { timers, pass } = make();
      const startMs = timers.nowMs();
      let lastMs = startMs;
      for (let i = 0; i < 1_000; i++) {
        const nowMs = timers.nowMs();
        expect(nowMs).toBeGreaterThanOrEqual(lastMs);
        lastMs = nowMs;
      }
      await pass(A_WHILE_MS);
      expect(timers.nowMs()).toBeGreaterThanOrEqual(startMs + A_WHILE_MS);
    });

    test('soon calls back once, each time it is asked, never from inside the call', async () => {
      const { timers, pass } = make();
      const calls: string[] = [];
      let inside = 'outside';
      const ask = (what: string): void => {
        inside = 'inside';
        timers.soon(() => calls.push(`${what} ${inside}`));
        inside = 'outside';
      };
      ask('first');
      ask('second');
      expect(calls).toEqual([]);
      await pass(A_WHILE_MS);
      await pass(A_WHILE_MS);
      expect(calls.sort()).toEqual(['first outside', 'second outside']);
    });

    test('soon comes after promises that can settle: the events at hand', async () => {
      const { timers, pass } = make();
      const calls: string[] = [];
      timers.soon(() => calls.push('soon'));
      void Promise.resolve()
        .then(() => undefined)
        .then(() => calls.push('promise'));
      await pass(A_WHILE_MS);
      expect(calls).toEqual(['promise', 'soon']);
    });

    test('soon asked for inside a callback comes after it', async () => {
      const { timers, pass } = make();
      const calls: string[] = [];
      timers.soon(() => {
        timers.soon(() => calls.push('inner'));
        calls.push('outer');
      });
      await pass(A_WHILE_MS);
      expect(calls).toEqual(['outer', 'inner']);
    });

    test('wake calls back once, not before its time', async () => {
      const { timers, pass } = make();
      const atMs = timers.nowMs() + A_WHILE_MS;
      const calledMs: number[] = [];
      timers.wake(atMs, () => calledMs.push(timers.nowMs()));
      expect(calledMs).toEqual([]);
      await pass(5 * A_WHILE_MS);
      await pass(5 * A_WHILE_MS);
      expect(calledMs).toHaveLength(1);
      expect(calledMs[0]).toBeGreaterThanOrEqual(atMs);
    });

    test('wake at a fraction of a millisecond is not early either', async () => {
      const { timers, pass } = make();
      for (let i = 0; i < 20; i++) {
        const atMs = timers.nowMs() + 1 + i / 20;
        let calledMs = Number.NaN;
        timers.wake(atMs, () => {
          calledMs = timers.nowMs();
        });
        await pass(A_WHILE_MS);
        expect(calledMs).toBeGreaterThanOrEqual(atMs);
      }
    });

    test.each(['now', 'in the past'])('wake %s calls back, and not from inside the call', async (when) => {
      const { timers, pass } = make();
      let calls = 0;
      timers.wake(timers.nowMs() - (when === 'now' ? 0 : 1_000), () => {
        calls += 1;
      });
      expect(calls).toBe(0);
      await pass(A_WHILE_MS);
      expect(calls).toBe(1);
    });

    test.each([
      ['an earlier one', 5 * A_WHILE_MS, A_WHILE_MS],
      ['a later one', A_WHILE_MS, 2 * A_WHILE_MS],
      ['one that is due', 0, A_WHILE_MS],
      ['one that is due by one that is due', 0, 0],
    ])('wake replaces what was set before: %s', async (_what, firstMs, secondMs) => {
      const { timers, pass } = make();
      const calls: string[] = [];
      const nowMs = timers.nowMs();
      timers.wake(nowMs + firstMs, () => calls.push('first'));
      timers.wake(nowMs + secondMs, () => calls.push('second'));
      await pass(8 * A_WHILE_MS);
      expect(calls).toEqual(['second']);
    });

    test('wake may be set again from its callback', async () => {
      const { timers, pass } = make();
      let calls = 0;
      const again = (): void => {
        calls += 1;
        if (calls < 3) timers.wake(timers.nowMs() + 1, again);
      };
      timers.wake(timers.nowMs() + 1, again);
      await pass(5 * A_WHILE_MS);
      expect(calls).toBe(3);
    });

    test.each([0, A_WHILE_MS])('cancel: what was to come after %i ms does not', async (ms) => {
      const { timers, pass } = make();
      let calls = 0;
      timers.wake(timers.nowMs() + ms, () => {
        calls += 1;
      });
      timers.cancel();
      timers.cancel();
      await pass(3 * A_WHILE_MS);
      expect(calls).toBe(0);
    });

    test('after cancel wake works as before', async () => {
      const { timers, pass } = make();
      let calls = 0;
      timers.cancel();
      timers.wake(timers.nowMs() + 1, () => {
        calls += 1;
      });
      await pass(3 * A_WHILE_MS);
      expect(calls).toBe(1);
    });

    test('timers of one owner know nothing of those of another', async () => {
      const one = make();
      const other = make();
      let calls = 0;
      one.timers.wake(one.timers.nowMs() + 1, () => {
        calls += 1;
      });
      other.timers.wake(other.timers.nowMs() + 1, () => {});
      other.timers.cancel();
      await one.pass(3 * A_WHILE_MS);
      expect(calls).toBe(1);
    });
  });
}

/** Goal: a line is opened again as often and as patiently as it should be. Time and chance are arguments: nothing here waits. */
import { describe, expect, test } from 'vitest';
import { RingmailError } from '../errors.ts';
import type { Line, LineListener } from '../ports.ts';
import { ABANDON_MS, GOOD_MS, type KeeperWorld, keepLine, OPEN_MS_MAX, WAIT_MS_MAX, WAIT_MS_MIN } from './keep-line.ts';

/** Time that stands still until it is moved on. */
class StillWorld implements KeeperWorld {
  chance = 0;
  /** Waits asked for, in their order. */
  readonly waits: number[] = [];
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  random(): number {
    return this.chance;
  }

  pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms !== OPEN_MS_MAX && ms !== ABANDON_MS) this.waits.push(ms);
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const leave = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const sleeper = { atMs: this.#nowMs + ms, wake: leave };
      this.#sleepers.push(sleeper);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  /** How many wait for time to pass. */
  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (;;) {
      const next = this.#sleepers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#nowMs = next.atMs;
      next.wake();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }
}

/** All that follows without time passing. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

class FakeLine implements Line {
  #listener: LineListener | undefined;
  closes = 0;
  write(): number {
    return 0;
  }
  close(): void {
    this.closes += 1;
    queueMicrotask(() => this.#listener?.onClosed('closed'));
  }
  listen(listener: LineListener): void {
    this.#listener = listener;
  }
  break(reason: string): void {
    this.#listener?.onClosed(reason);
  }
}

const untilClosed = (line: Line): Promise<string> =>
  new Promise((resolve) => line.listen({ onBytes: () => {}, onClosed: resolve }));

function keeper(open: () => Promise<Line>, more: { waitMsMax?: number; world?: StillWorld } = {}) {
  const world = more.world ?? new StillWorld();
  const stop = new AbortController();
  const logs: string[] = [];
  const { waitMsMax } = more;
  const kept = {
    ...{ name: 'port', open, use: untilClosed, log: (level: string, text: string) => void logs.push(`${level} ${text}`) },
    ...(waitMsMax !== undefined && { waitMsMax }),
  };
  let isOver = false;
  const over = keepLine(kept, stop.signal, world).then(() => {
    isOver = true;
  });
  return { world, stop, logs, over, isOver: () => isOver };
}

const unavailable = () => Promise.reject(new RingmailError('LINE_UNAVAILABLE', { line: 'port', reason: 'ENOENT' }));

describe('a port that is not there', () => {
  test.each([
    ['at the least', 0, [100, 200, 400, 800, 1600, 2500, 2500]],
    ['at the most', 1 - 2 ** -30, [200, 400, 800, 1600, 3200, 5000, 5000]],
  ])('is tried again after waits that double up to five seconds, %s', async (_name, chance, expected) => {
    const world = new StillWorld();
    world.chance = chance;
    const it = keeper(unavailable, { world });
    await world.pass(60_000);
    expect(world.waits.slice(0, expected.length).map(Math.round)).toEqual(expected);
    expect(Math.max(...world.waits)).toBeLessThanOrEqual(WAIT_MS_MAX);
    expect(Math.min(...world.waits)).toBeGreaterThanOrEqual(WAIT_MS_MIN / 2);
    it.stop.abort();
    await it.over;
  });

  test('fifty boxes do not knock at once', async () => {
    const waits = new Set<number>();
    for (let box = 0; box < 50; box++) {
      const world = new StillWorld();
      world.chance = box / 50;
      const it = keeper(unavailable, { world });
      await world.pass(0);
      waits.add(world.waits[0] ?? 0);
      it.stop.abort();
      await it.over;
    }
    expect(waits.size).toBe(50);
  });

  test('a shorter cap is kept to', async () => {
    const world = new StillWorld();
    world.chance = 0.999;
    const it = keeper(unavailable, { world, waitMsMax: 1_000 });
    await world.pass(20_000);
    expect(Math.max(...world.waits)).toBeLessThanOrEqual(1_000);
    it.stop.abort();
  });

  test('is spoken of once, until there is another reason or it worked in between', async () => {
    const lines: FakeLine[] = [];
    let reason = 'ENOENT';
    const open = (): Promise<Line> => {
      if (reason !== '') return Promise.reject(new Error(reason));
      const line = new FakeLine();
      lines.push(line);
      return Promise.resolve(line);
    };
    const it = keeper(open);
    await it.world.pass(30_000);
    reason = 'EACCES';
    await it.world.pass(30_000);
    expect(it.logs).toEqual(['warn port: ENOENT', 'warn port: EACCES']);
    reason = '';
    await it.world.pass(30_000);
    expect(lines).toHaveLength(1);
    reason = 'EACCES';
    lines[0]?.break('unplugged');
    await it.world.pass(30_000);
    expect(it.logs.slice(2)).toEqual(['warn port: unplugged', 'warn port: EACCES']);
    it.stop.abort();
  });
});

describe('a port that goes', () => {
  async function broken(aliveMs: number): Promise<number | undefined> {
    const world = new StillWorld();
    const opened: FakeLine[] = [];
    const it = keeper(() => Promise.resolve(opened[opened.push(new FakeLine()) - 1] as FakeLine), { world });
    for (let i = 0; i < 8; i++) {
      await world.pass(aliveMs);
      opened.at(-1)?.break('gone');
      await world.pass(0);
      if (i < 7) await world.pass(world.waits.at(-1) ?? 0);
    }
    it.stop.abort();
    await it.over;
    return world.waits.at(-1);
  }

  test('after it was good is tried again soon; one that breaks at once waits longer each time', async () => {
    expect(await broken(GOOD_MS + 1)).toBe(WAIT_MS_MIN / 2);
    expect(await broken(10)).toBe(WAIT_MS_MAX / 2);
  });
});

describe('what cannot succeed', () => {
  test('is said once and not tried again, and the keeper stays until the end', async () => {
    let tries = 0;
    const it = keeper(() => {
      tries += 1;
      return Promise.reject(new RingmailError('SERIALPORT_MISSING', { reason: 'not installed' }));
    });
    await it.world.pass(24 * 3_600_000);
    expect(tries).toBe(1);
    expect(it.logs).toEqual([
      expect.stringMatching(/^warn port: SERIALPORT_MISSING .*not tried again until the node starts anew$/),
    ]);
    expect([it.isOver(), it.world.sleeperCount]).toEqual([false, 0]);
    it.stop.abort();
    await it.over;
  });
});

describe('an attempt that never answers', () => {
  test('is spoken of once and waited for, without a second one', async () => {
    let tries = 0;
    const line = new FakeLine();
    let answer: (line: Line) => void = () => {};
    const it = keeper(() => {
      tries += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    await it.world.pass(OPEN_MS_MAX - 1);
    expect(it.logs).toEqual([]);
    await it.world.pass(3_600_000);
    expect([tries, it.logs.length]).toEqual([1, 1]);
    expect(it.logs[0]).toContain(`more than ${OPEN_MS_MAX} ms`);
    answer(line);
    await it.world.pass(0);
    it.stop.abort();
    await it.over;
    expect(line.closes).toBe(1);
  });

  test('does not hold up the end for more than a second, and is closed if it opens later', async () => {
    const line = new FakeLine();
    let answer: (line: Line) => void = () => {};
    const it = keeper(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await it.world.pass(5_000);
    it.stop.abort();
    await it.world.pass(ABANDON_MS - 1);
    expect(it.isOver()).toBe(false);
    await it.world.pass(1);
    await it.over;
    answer(line);
    await settle();
    expect([line.closes, it.logs, it.world.sleeperCount]).toEqual([1, [], 0]);
  });

  test('that opens within that second is used and closed in order', async () => {
    const line = new FakeLine();
    let answer: (line: Line) => void = () => {};
    const it = keeper(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await it.world.pass(10);
    it.stop.abort();
    await it.world.pass(ABANDON_MS / 2);
    answer(line);
    await it.over;
    expect(line.closes).toBe(1);
  });
});

test('says what state it is in: opening, open, or why not', async () => {
  const world = new StillWorld();
  const stop = new AbortController();
  const states: string[] = [];
  const opened: FakeLine[] = [];
  let answer: 'no' | 'yes' = 'no';
  const open = (): Promise<Line> =>
    answer === 'no' ? Promise.reject(new Error('ENOENT')) : Promise.resolve(opened[opened.push(new FakeLine()) - 1] as FakeLine);
  const kept = { name: 'port', open, use: untilClosed, log: () => {}, state: (text: string) => void states.push(text) };
  const over = keepLine(kept, stop.signal, world);
  await world.pass(0);
  answer = 'yes';
  await world.pass(WAIT_MS_MIN);
  opened[0]?.break('unplugged');
  await world.pass(0);
  expect(states).toEqual(['opening', 'ENOENT', 'opening', 'open', 'unplugged']);
  stop.abort();
  await over;
});

test('ends at once while it waits, and leaves nothing behind', async () => {
  const it = keeper(unavailable);
  await it.world.pass(30_000);
  it.stop.abort();
  await it.over;
  expect(it.world.sleeperCount).toBe(0);
});

test('one dead port never stops the others: one hangs while it opens, one fails, one works', async () => {
  const world = new StillWorld();
  const worked: FakeLine[] = [];
  const hangs = keeper(() => new Promise(() => {}), { world });
  const fails = keeper(unavailable, { world });
  const works = keeper(() => Promise.resolve(worked[worked.push(new FakeLine()) - 1] as FakeLine), { world });
  for (let i = 1; i <= 5; i++) {
    await world.pass(20_000);
    expect(worked).toHaveLength(i);
    worked.at(-1)?.break('gone');
  }
  expect([hangs.logs.length, fails.logs.length]).toEqual([1, 1]);
  for (const { stop } of [hangs, fails, works]) stop.abort();
  await world.pass(ABANDON_MS);
  await Promise.all([hangs.over, fails.over, works.over]);
});

import { describe, expect, test } from 'vitest';
import { stream } from '../random.ts';
import { World } from '../world.ts';
import { isTimeVirtual, VirtualClock } from './virtual-clock.ts';

function scene(seed = 1): { world: World; clock: VirtualClock } {
  const world = new World(stream(seed, 'world'), 'when-due');
  return { world, clock: new VirtualClock({ world, random: stream(seed, 'globals') }) };
}

/** What happened, and when. */
async function told(ms: number, act: (note: (what: string) => void) => void, seed = 1): Promise<string[]> {
  const { world, clock } = scene(seed);
  const notes: string[] = [];
  await clock.during(async () => {
    world.at(5, () => act((what) => notes.push(`${world.nowMs} ${what}`)));
    await world.run(ms);
  });
  return notes;
}

describe('timers', () => {
  test('happen in virtual time, once or again and again, until they are cleared', async () => {
    const notes = await told(1_000_000, (note) => {
      setTimeout(note, 600_000, 'late');
      const ticking = setInterval(() => note('tick'), 100);
      setTimeout(() => clearInterval(ticking), 250);
      clearTimeout(setTimeout(() => note('never'), 1));
      setTimeout(() => note('a millisecond'), 0);
    });
    expect(notes).toEqual(['6 a millisecond', '105 tick', '205 tick', '600005 late']);
  });

  test('of one instant keep their order, whatever the seed', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const notes = await told(
        100,
        (note) => {
          const second = setTimeout(() => note('cleared'), 10);
          for (const name of ['a', 'b', 'c']) setTimeout(() => note(name), 10);
          setTimeout(() => clearTimeout(second), 9);
        },
        seed,
      );
      expect(notes).toEqual(['15 a', '15 b', '15 c']);
    }
  });

  test('of one instant are all run, also when the first of them sets itself anew or clears another', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const counts = { a: 0, b: 0, c: 0, itself: 0 };
      await told(
        1_000,
        () => {
          setInterval(() => (counts.a += 1), 10);
          setInterval(() => (counts.b += 1), 10);
          const refreshed = setTimeout(() => {
            counts.c += 1;
            refreshed.refresh();
          }, 10);
          const itself = setInterval(() => {
            counts.itself += 1;
            clearInterval(itself);
          }, 10);
          clearInterval(setInterval(() => {}, 10));
        },
        seed,
      );
      expect(counts).toEqual({ a: 99, b: 99, c: 99, itself: 1 });
    }
  });

  test('refreshed, they count from now; closed, they are over; by number, they are found', async () => {
    const notes = await told(100, (note) => {
      const refreshed = setTimeout(() => note('refreshed'), 10);
      setTimeout(() => refreshed.refresh(), 7);
      const closed = setInterval(() => note('once'), 20);
      setTimeout(() => closed.close(), 30);
      const numbered = setTimeout(() => note('never'), 40);
      clearTimeout(+numbered);
      expect(refreshed.unref().ref().hasRef()).toBe(true);
    });
    expect(notes).toEqual(['22 refreshed', '25 once']);
  });

  test('immediates run in order, each after what settles, and time stands still', async () => {
    const notes = await told(100, (note) => {
      setImmediate(() => {
        note('first');
        process.nextTick(() => note('tick of the first'));
        setImmediate(note, 'third');
      });
      setImmediate(note, 'second');
      clearImmediate(setImmediate(note, 'never'));
    });
    expect(notes).toEqual(['5 first', '5 tick of the first', '5 second', '5 third']);
  });
});

test('clocks tell the time of the world, and chance is of the seed', async () => {
  const look = () => told(10, (note) => note([Date.now(), new Date().toISOString(), performance.now(), Math.random()].join(' ')));
  const [first] = await look();
  expect(first).toMatch(/^5 1704067200005 2024-01-01T00:00:00.005Z 5 0\.\d+$/);
  expect(await look()).toEqual([first]);
});

test('dates are dates', async () => {
  await told(10, () => {
    expect(new Date(0).toISOString()).toBe('1970-01-01T00:00:00.000Z');
    expect(new Date()).toBeInstanceOf(Date);
    expect(Date.UTC(1970, 0, 2)).toBe(86_400_000);
    expect(Date()).toBe(new Date().toString());
  });
});

test('afterwards all is real again, also after a failure, and what was planned never happens', async () => {
  const globals = () => [setTimeout, clearTimeout, setInterval, setImmediate, Date, Date.now, performance.now, Math.random];
  const before = globals();
  const { world, clock } = scene();
  const notes: string[] = [];
  const run = clock.during(async () => {
    setTimeout(() => notes.push('never'), 1);
    setImmediate(() => notes.push('never'));
    expect(isTimeVirtual()).toBe(true);
    throw new Error('no');
  });
  await expect(run).rejects.toThrow('no');
  expect(globals().map((value, at) => value === before[at])).toEqual(before.map(() => true));
  expect(isTimeVirtual()).toBe(false);
  await world.run(100);
  expect(notes).toEqual([]);
});

test('one at a time', async () => {
  const { clock } = scene();
  await expect(clock.during(() => scene(2).clock.during(async () => 1))).rejects.toThrow('one virtual time at once');
  expect(isTimeVirtual()).toBe(false);
});

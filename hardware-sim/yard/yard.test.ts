import { describe, expect, inject, test } from 'vitest';
import { drawPlan, type Plan } from './plan.ts';
import { runPlan } from './yard.ts';

function planOf(seed: string, change: Partial<Plan['world']> = {}): Plan {
  const plan = drawPlan(seed);
  return { ...plan, world: { ...plan.world, ...change } };
}

/** Nothing breaks, nobody gives anything back or up, and nothing has a time. */
function quiet(seed: string, broker: 'sim' | 'mqtt'): Plan {
  const plan = planOf(seed, { broker, dead: [] });
  const readers = plan.world.readers.map((reader) => ({ ...reader, crash: 0, giveBack: 0, giveUp: 0, dislike: 0 }));
  const sends = plan.sends.map(({ timeToBeReceivedMs: _ttl, deliverAfterMs: _after, ...send }) => ({ ...send, bytes: 100 }));
  return { ...plan, world: { ...plan.world, readers }, sends, faults: [], chores: [] };
}

describe.each(['sim', 'mqtt'] as const)('over the broker %s', (broker) => {
  test('without faults everything that is accepted has its effect, and no store stops', async () => {
    const { history, violations, delivered } = await runPlan(quiet('quiet', broker));
    const accepted = history.events.filter(({ kind }) => kind === 'accepted').length;
    expect(violations).toEqual([]);
    expect(accepted).toBeGreaterThanOrEqual(95);
    expect(delivered).toBe(accepted);
    expect(history.events.filter(({ kind }) => kind === 'stopped' || kind === 'refused')).toEqual([]);
  });

  test.each(inject('sweep') === 'whole' ? ['a', 'b', 'c'] : ['a'])(
    'plan %s: no promise broken, and the same again to the last event, of the plan alone',
    async (seed) => {
      const plan = planOf(seed, { broker });
      const first = await runPlan(plan, { forbid: 'guarded' });
      expect(first.violations).toEqual([]);
      expect((await runPlan(JSON.parse(JSON.stringify(plan)))).trace).toBe(first.trace);
    },
  );
});

test('what is taken out of a plan changes nothing that was drawn for the rest', () => {
  const plan = drawPlan('rest');
  expect(new Set(plan.sends.map(({ key }) => key)).size).toBe(plan.sends.length);
  expect(drawPlan('rest')).toEqual(plan);
});

test('another seed is another plan, and another story', async () => {
  const [one, other] = [await runPlan(quiet('one', 'sim')), await runPlan(quiet('other', 'sim'))];
  expect(one.trace).not.toBe(other.trace);
});

/** Of what is swept a telling part; `npm run test:system` sweeps all of it. */
const SEEDS_AT_A_TIME = inject('sweep') === 'whole' ? 10 : 5;

describe.each(inject('sweep') === 'whole' ? [0, 10] : [0])('from seed %i', (from) => {
  test('seeds of everything that breaks: no promise broken', async () => {
    for (let seed = from; seed < from + SEEDS_AT_A_TIME; seed++) {
      const { violations, vacuous } = await runPlan(drawPlan(`${seed}`));
      expect({ seed, violations, vacuous }).toEqual({ seed, violations: [], vacuous: false });
    }
  }, 120_000);
});

describe('a clone that runs beside its original', () => {
  const seeds = inject('sweep') === 'whole' ? ['c1', 'c2', 'c3', 'c4'] : ['c1', 'c2'];
  const plans = seeds.map((seed): Plan => {
    const plan = planOf(seed, { broker: 'sim', dead: [] });
    const endMs = Math.max(...plan.sends.map(({ atMs }) => atMs));
    const devices = plan.world.nodes.filter(({ name }) => name.startsWith('device'));
    const faults = [...devices, ...plan.world.nodes].map(({ name }, at) => {
      return { atMs: Math.floor((endMs * (at + 1)) / 12), fault: 'cloned', target: name, forMs: 5_000 };
    });
    return { ...plan, faults };
  });

  test('takes nothing with it but what only it had, and what it sent under numbers of the original is not swallowed', async () => {
    let forks = 0;
    let heardCount = 0;
    for (const plan of plans) {
      const { history, violations, faults } = await runPlan(plan);
      expect(violations).toEqual([]);
      expect(faults.cloned).toBeGreaterThan(1);
      forks += history.events.filter((event) => event.kind === 'stopped' && /forked/.test(event.text)).length;
      // Keys of messages that were sent at a clone.
      heardCount += history.events.filter((event) => event.kind === 'effect' && /:\d{5}$/.test(event.key)).length;
    }
    expect(forks).toBeGreaterThan(0);
    expect(heardCount).toBeGreaterThan(0);
  }, 60_000);
});

import { describe, expect, test } from 'vitest';
import { stream } from '../random.ts';
import type { Plan } from './plan.ts';
import { SHRINK_RUNS_MAX, type ShrinkProgress, shrink } from './shrink.ts';
import { drawPlan, toyPlan, toySend, toyViolations } from './toy-yard.ts';

const run = async (plan: Plan) => toyViolations(plan);

describe('a plan that fails', () => {
  test('is left with the one send, the one fault and the nodes between them', async () => {
    const { plan, ended, runs } = await shrink(drawPlan('bad-1'), { run, check: 'S1' });
    expect(ended).toBe('smallest');
    expect(runs).toBeLessThan(100);
    expect(plan.sends).toMatchObject([{ node: 'device-2', atMs: 5_010, bytes: 300, destination: 'central/bags', priority: 3 }]);
    expect(plan.faults).toEqual([{ atMs: 5_000, fault: 'lost write', target: 'device-2', forMs: 20 }]);
    expect(plan.world.nodes.map(({ name }) => name)).toEqual(['central', 'gateway-1', 'device-2']);
    expect(plan.world.readers).toMatchObject([{ node: 'central', queue: 'bags', crash: 0, giveUp: 0 }]);
  });

  test('keeps its seed, which draws everything that is not in the plan', async () => {
    expect((await shrink(drawPlan('bad-2'), { run, check: 'S1' })).plan.seed).toBe('bad-2');
  });

  test('loses what makes its world special', async () => {
    const { plan } = await shrink(drawPlan('bad-3'), { run, check: 'S1' });
    for (const node of plan.world.nodes) {
      expect(node).toMatchObject({ driftPpm: 0, lineDelayMs: 0, commitDelayMs: 0, syncMsMax: 1, baud: undefined });
    }
  });

  test('keeps a size, a time or a reader that it needs', async () => {
    const needs = async ({ sends, world }: Plan) => {
      const isThere = sends.some(({ bytes, timeToBeReceivedMs }) => bytes >= 300 && timeToBeReceivedMs !== undefined);
      return isThere && world.readers.some(({ crash }) => crash > 0) ? [{ check: 'S9' }] : [];
    };
    const { plan } = await shrink(drawPlan('bad-4'), { run: needs, check: 'S9' });
    expect(plan.sends).toEqual([toySend('device-2', 5_010, 300)]);
    expect(plan.world.readers).toHaveLength(1);
    expect(plan.faults).toEqual([]);
  });

  test('keeps one reader of each queue: one that nobody reads fails by itself', async () => {
    const plan = drawPlan('bad-12');
    const [reader] = plan.world.readers as [(typeof plan.world.readers)[number]];
    const readers = [reader, { ...reader, leaseMs: 1 }, { ...reader, queue: 'alarms' }];
    const { world } = (await shrink({ ...plan, world: { ...plan.world, readers } }, { run, check: 'S1' })).plan;
    expect(world.readers.map(({ queue }) => queue)).toEqual(['bags', 'alarms']);
  });

  test('loses what comes after its failure, and before it, in a few runs', async () => {
    const sends = Array.from({ length: 1_000 }, (_, at) => toySend('device-1', at, 20));
    const window = async (plan: Plan) => {
      const times = new Set(plan.sends.map(({ atMs }) => atMs));
      return Array.from({ length: 10 }, (_, at) => 700 + at).every((ms) => times.has(ms)) ? [{ check: 'S3' }] : [];
    };
    const { plan } = await shrink(toyPlan('1', sends, []), { run: window, check: 'S3', runsMax: 25 });
    expect(plan.sends.map(({ atMs }) => atMs)).toEqual([700, 701, 702, 703, 704, 705, 706, 707, 708, 709]);
  });

  test('is tried with other luck where it stays large by chance', async () => {
    const moody = async (plan: Plan) => {
      const isNeeded = plan.sends.some(({ bytes }) => bytes === 300);
      return isNeeded && stream(JSON.stringify(plan), 'luck').chance(0.3) ? [{ check: 'S1' }] : [];
    };
    const seeds = Array.from({ length: 20 }, (_, at) => `bad-${at}`);
    const first = seeds.find((seed) => stream(JSON.stringify(drawPlan(seed)), 'luck').chance(0.3)) ?? '';
    const { plan } = await shrink(drawPlan(first), { run: moody, check: 'S1' });
    expect(plan.sends.length + plan.faults.length).toBeLessThanOrEqual(6);
    expect(plan.seed.startsWith(first)).toBe(true);
    expect(await moody(plan)).toHaveLength(1);
  });

  test('keeps all parts that only together make it fail', async () => {
    const sends = Array.from({ length: 40 }, (_, at) => toySend('device-1', at, 20 + at));
    const needed = [23, 37, 38, 51];
    const all = async (plan: Plan) =>
      needed.every((size) => plan.sends.some(({ bytes }) => bytes === size)) ? [{ check: 'S3' }] : [];
    const { plan, ended } = await shrink(toyPlan('1', sends, []), { run: all, check: 'S3' });
    expect(plan.sends.map(({ bytes }) => bytes)).toEqual(needed);
    expect(ended).toBe('smallest');
  });

  test('gets as small by each run of it', async () => {
    const first = await shrink(drawPlan('bad-5'), { run, check: 'S1' });
    expect(await shrink(drawPlan('bad-5'), { run, check: 'S1' })).toEqual(first);
  });

  test('is not changed itself', async () => {
    const plan = drawPlan('bad-6');
    await shrink(plan, { run, check: 'S1' });
    expect(plan).toEqual(drawPlan('bad-6'));
  });
});

describe('another failure', () => {
  test('does not count: the same check must fail', async () => {
    const both = toyPlan('1', [...drawPlan('bad-7').sends, toySend('device-1', 1, 404)], drawPlan('bad-7').faults);
    const { plan } = await shrink(both, { run, check: 'S1' });
    expect(toyViolations(plan).map(({ check }) => check)).toEqual(['S1']);
    expect(plan.sends.map(({ bytes }) => bytes)).toEqual([300]);
  });

  test('does not count: a plan that cannot be run is not kept', async () => {
    const picky = async (plan: Plan) => {
      if (plan.faults.length < 2) throw new Error('too quiet');
      return toyViolations(plan);
    };
    expect((await shrink(drawPlan('bad-8'), { run: picky, check: 'S1' })).plan.faults).toHaveLength(2);
  });

  test('that does not come again leaves the plan alone', async () => {
    const plan = drawPlan('1');
    expect(await shrink(plan, { run, check: 'S1' })).toEqual({ plan, runs: 1, ended: 'did-not-fail-again' });
  });
});

describe('the number of runs', () => {
  test('is bounded, and the smallest plan so far is kept', async () => {
    let runs = 0;
    const counted = (plan: Plan) => {
      runs += 1;
      return run(plan);
    };
    const shrunk = await shrink(drawPlan('bad-9'), { run: counted, check: 'S1', runsMax: 10 });
    expect(runs).toBe(10);
    expect(shrunk).toMatchObject({ runs: 10, ended: 'out-of-runs' });
    expect(toyViolations(shrunk.plan)).toHaveLength(1);
    expect(shrunk.plan.faults.length).toBeLessThan(drawPlan('bad-9').faults.length);
  });

  test('is told after each run, with what is tried and what is left', async () => {
    const said: ShrinkProgress[] = [];
    const { plan, runs } = await shrink(drawPlan('bad-10'), { run, check: 'S1', say: (progress) => said.push(progress) });
    expect(said.map((progress) => progress.runs)).toEqual(Array.from({ length: runs }, (_, at) => at + 1));
    expect(said[0]).toMatchObject({ step: 'the plan itself', runsMax: SHRINK_RUNS_MAX });
    expect(new Set(said.map(({ step }) => step))).toContain('sends');
    expect(said.at(-1)?.plan).toEqual(plan);
  });

  test('is not spent on a plan that was tried', async () => {
    const tried: string[] = [];
    const watched = (plan: Plan) => {
      tried.push(JSON.stringify(plan));
      return run(plan);
    };
    await shrink(drawPlan('bad-11'), { run: watched, check: 'S1' });
    expect(new Set(tried).size).toBe(tried.length);
  });
});

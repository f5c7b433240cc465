import { describe, expect, test } from 'vitest';
import { Liveness, type UnderWay } from './liveness.ts';

const NOTHING: UnderWay = { packets: 0, items: 'none', probeMs: 100 };
const PACKETS: UnderWay = { packets: 2, items: 'some', probeMs: 100 };
const ITEMS: UnderWay = { packets: 0, items: 'some', probeMs: 100 };

function fresh(awake: 'always' | 'at-times' = 'always'): Liveness {
  return new Liveness({ keepaliveMs: 5_000, pingMs: 5_000, progressMs: 30_000, awake, nowMs: 0 });
}

/** Everything that is due up to a time, as text; each question is sent at once. */
function play(liveness: Liveness, underWay: UnderWay, untilMs: number): string[] {
  const seen: string[] = [];
  for (let nowMs = liveness.wakeAtMs(underWay) ?? untilMs; nowMs < untilMs; ) {
    const due = liveness.due(underWay, nowMs);
    seen.push(`${nowMs} ${due}`);
    if (due === 'silent' || due === 'stuck') break;
    if (due !== 'nothing') liveness.asked(nowMs);
    const wakeAtMs = liveness.wakeAtMs(underWay) ?? untilMs;
    expect(wakeAtMs).toBeGreaterThan(nowMs);
    nowMs = wakeAtMs;
  }
  return seen;
}

describe('with nothing under way', () => {
  test('a ping after the keepalive, and silence after three', () => {
    const liveness = fresh();
    expect(liveness.due(NOTHING, 4_999)).toBe('nothing');
    expect(liveness.due(NOTHING, 5_000)).toBe('ask');
    liveness.asked(5_000);
    expect(liveness.due({ ...NOTHING, packets: 1, probeMs: 100_000 }, 14_999)).toBe('nothing');
    expect(liveness.due({ ...NOTHING, packets: 1, probeMs: 100_000 }, 15_000)).toBe('silent');
  });

  test('a ping that the line does not take yet is not asked for again', () => {
    const liveness = fresh();
    expect(liveness.due(NOTHING, 5_000)).toBe('ask');
    expect(liveness.due(NOTHING, 5_001)).toBe('nothing');
    expect(liveness.wakeAtMs(NOTHING)).toBe(15_000);
  });

  test('a word puts it all off', () => {
    const liveness = fresh();
    liveness.heard(4_000);
    expect(liveness.wakeAtMs(NOTHING)).toBe(9_000);
    expect(liveness.silentAtMs).toBe(19_000);
  });

  test('somebody who sleeps is never called silent, and not woken', () => {
    expect(play(fresh('at-times'), NOTHING, 1e9)).toEqual([]);
  });
});

describe('with packets under way', () => {
  test('probes, then silence', () => {
    const seen = play(fresh(), PACKETS, 1e9);
    expect(seen.slice(0, 3)).toEqual(['100 probe', '200 probe', '300 probe']);
    expect(seen.at(-1)).toBe('15000 silent');
  });

  test('a probe counts from the last bit, and from the last news', () => {
    const liveness = fresh();
    liveness.asked(500);
    expect(liveness.due(PACKETS, 599)).toBe('nothing');
    liveness.told(550);
    expect(liveness.due(PACKETS, 649)).toBe('nothing');
    expect(liveness.due(PACKETS, 650)).toBe('probe');
  });
});

describe('with everything arrived and nothing durable', () => {
  test('asks after 1, 2, 4 s, then each keepalive', () => {
    const liveness = fresh('at-times');
    expect(play(liveness, ITEMS, 20_000)).toEqual(['1000 ask', '3000 ask', '7000 ask', '12000 ask', '17000 ask']);
  });

  test('a cursor that moves makes it patient again', () => {
    const liveness = fresh('at-times');
    play(liveness, ITEMS, 10_000);
    liveness.moved(10_000);
    expect(play(liveness, ITEMS, 12_500)).toEqual(['11000 ask']);
  });

  test('and no cursor moves: stuck', () => {
    expect(play(fresh('at-times'), ITEMS, 1e9).at(-1)).toBe('30000 stuck');
    const liveness = fresh('at-times');
    liveness.excused(20_000);
    expect(liveness.due(ITEMS, 49_999)).not.toBe('stuck');
  });
});

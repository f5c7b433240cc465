import { describe, expect, test } from 'vitest';
import { comesBackInTime, everythingDrains, noStorm, theDeadHoldUpNobody } from './check-liveness.ts';
import type { History } from './history.ts';
import { atRest, changed, inserted, quietRun, Tale, the, troubledRun, without } from './quiet-run.ts';

const quiet = quietRun();
const nodes = [atRest('central'), atRest('device-1')];

/** The trouble is over, and the message takes so long from then on. */
function taking(ms: number, how: Parameters<Tale['send']>[1] = {}): History {
  const tale = new Tale().send('device-1:1', how).accept('device-1:1').tell({ kind: 'healed', dead: [] }).wait(ms);
  return tale.carry('device-1:1').deliver('device-1:1').effect('device-1:1').ack('device-1:1').end(nodes);
}

describe('L1, everything drains', () => {
  test('in the time that the backlog takes, and the longest waits', () => {
    expect(everythingDrains(taking(400_000))).toEqual({ violations: [], looked: 1 });
    expect(everythingDrains(taking(500_000)).violations).toHaveLength(1);
  });

  test('with more time for more on a slower line', () => {
    const { facts, events } = taking(500_000);
    expect(everythingDrains({ facts: { ...facts, backlogBytesMax: 400_000 }, events }).violations).toEqual([]);
    expect(everythingDrains({ facts: { ...facts, lineBytesPerSecond: 100 }, events }).violations).toEqual([]);
    expect(everythingDrains({ facts: { ...facts, lineBytesPerSecond: 0 }, events }).violations).toHaveLength(1);
  });

  test('with the delay that its application wished', () => {
    expect(everythingDrains(taking(500_000, { deliverAfterMs: 300_000 })).violations).toEqual([]);
  });

  test('and nothing is left over', () => {
    const left = without(taking(0), (event) => ['freed', 'delivered', 'effect', 'acked'].includes(event.kind));
    expect(everythingDrains(left).violations).toEqual(['1 of 1 never ended: device-1:1']);
  });

  test('and no node keeps what it should hand over, whatever happened to it', () => {
    const held = (waitMs: number) => {
      const tale = new Tale().tell({ kind: 'healed', dead: [] }).wait(waitMs);
      const { stats, ...one } = atRest('device-1');
      const outgoing = [{ stream: 's', held: 1, lo: 3, next: 4 }];
      return everythingDrains(tale.end([{ ...one, stats: { ...stats, outgoing } }])).violations;
    };
    expect(held(600_000)).toEqual(['device-1 holds 1 of s (3 to 4), and hands nothing over']);
    expect(held(0)).toEqual([]);
  });

  test('does not take the reading of a dead letter for its end', () => {
    const tale = new Tale().send('device-1:1').accept('device-1:1').tell({ kind: 'healed', dead: [] }).wait(900_000);
    expect(everythingDrains(tale.letter('device-1:1').end(nodes)).violations).toEqual([]);
  });

  test('is not looked at where everything had ended before, or the trouble never did', () => {
    expect(everythingDrains(new Tale().whole('device-1:1').tell({ kind: 'healed', dead: [] }).end(nodes)).looked).toBe(0);
    expect(everythingDrains(without(taking(0), the('healed')))).toEqual({ violations: [], looked: 0 });
  });
});

describe('L2, the dead hold up nobody', () => {
  const ends = ['freed', 'delivered', 'effect', 'acked'];
  const heldUp = without(troubledRun(), (event) => 'key' in event && event.key === 'device-1:3' && ends.includes(event.kind));

  test('notices somebody else who waits', () => {
    expect(theDeadHoldUpNobody(heldUp).violations).toEqual(['1 of 6 never ended: device-1:3']);
    expect(everythingDrains(heldUp).violations).toEqual([]);
  });

  test('lets what lies on the dead lie there', () => {
    expect(theDeadHoldUpNobody(troubledRun()).violations).toEqual([]);
  });

  test('is not looked at where nobody is dead', () => {
    expect(theDeadHoldUpNobody(quiet)).toEqual({ violations: [], looked: 0 });
  });
});

describe('L3, no storm', () => {
  const withFacts = (facts: Partial<History['facts']>): History => ({ ...quiet, facts: { ...quiet.facts, ...facts } });

  test('notices bytes, and publishes, out of proportion', () => {
    expect(noStorm(withFacts({ lineBytes: 5_000_000 })).violations).toHaveLength(1);
    expect(noStorm(withFacts({ publishes: 20_000 })).violations).toHaveLength(1);
  });

  test('allows for faults, and for time in which nothing is said', () => {
    const busy = withFacts({ lineBytes: 250_000 });
    expect(noStorm(busy).violations).toHaveLength(1);
    const fault = { kind: 'fault', fault: 'line cut', target: 'device-1', untilMs: 0 };
    expect(noStorm(inserted(inserted(busy, the('acked'), fault), the('acked'), fault)).violations).toEqual([]);
    expect(noStorm(changed(busy, the('end'), { atMs: 3_600_000 })).violations).toEqual([]);
  });
});

describe('L4, nodes come back', () => {
  test('in a time that their ring and their disk take', () => {
    expect(comesBackInTime(changed(quiet, the('serving', 'gateway'), { tookMs: 10_000 })).violations).toEqual([]);
    expect(comesBackInTime(changed(quiet, the('serving', 'gateway'), { tookMs: 30_000 })).violations).toHaveLength(1);
    const quick: History = { ...quiet, facts: { ...quiet.facts, diskMsMax: 1 } };
    expect(comesBackInTime(changed(quick, the('serving', 'gateway'), { tookMs: 10_000 })).violations).toHaveLength(1);
  });

  test('except while something is done to them', () => {
    const slow = changed(quiet, the('serving', 'gateway'), { tookMs: 30_000, atMs: 30_000 });
    const fault = { kind: 'fault', fault: 'disk slow', target: 'gateway', atMs: 10, untilMs: 20_000 };
    expect(comesBackInTime(inserted(slow, the('opening', 'gateway'), fault)).violations).toEqual([]);
    expect(comesBackInTime(inserted(slow, the('opening', 'gateway'), { ...fault, target: 'central' })).violations).toHaveLength(
      1,
    );
  });

  test('and not never', () => {
    const tale = new Tale()
      .boot('central')
      .tell({ kind: 'healed', dead: ['device-2'] })
      .tell({ kind: 'opening', node: 'device-1' });
    const history = tale.tell({ kind: 'opening', node: 'device-2' }).end([atRest('central')]);
    expect(comesBackInTime(history).violations).toEqual(['device-1 opens, and never serves']);
  });
});

describe('L2, who is away', () => {
  /** A place is away for an hour, and the message takes so long meanwhile. */
  function meanwhile(ms: number, destination = 'central/bags'): History {
    const tale = new Tale();
    tale.tell({ kind: 'fault', fault: 'place of a route away', target: 'archive', untilMs: 3_600_000 });
    tale.send('device-1:1', { destination }).accept('device-1:1').wait(ms);
    return tale.carry('device-1:1').deliver('device-1:1').effect('device-1:1').ack('device-1:1').end(nodes);
  }

  test('holds up nobody but what goes there', () => {
    expect(theDeadHoldUpNobody(meanwhile(400_000))).toEqual({ violations: [], looked: 1 });
    expect(theDeadHoldUpNobody(meanwhile(500_000)).violations).toHaveLength(1);
    expect(theDeadHoldUpNobody(meanwhile(500_000, 'archive/bags'))).toEqual({ violations: [], looked: 0 });
  });
});

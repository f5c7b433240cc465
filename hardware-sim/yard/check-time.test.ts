import { describe, expect, test } from 'vitest';
import { timesAreKept } from './check-time.ts';
import { atRest, inserted, quietRun, Tale, the, without } from './quiet-run.ts';

const quiet = quietRun();
const nodes = [atRest('central'), atRest('device-1')];

function judged(tale: Tale): readonly string[] {
  return timesAreKept(tale.end(nodes)).violations;
}

describe('S8, times', () => {
  test('look at every message with a timer, and every delay; at nothing where there is none', () => {
    expect(timesAreKept(quiet)).toEqual({ violations: [], looked: 3 });
    expect(timesAreKept(new Tale().whole('device-1:1').end(nodes)).looked).toBe(0);
  });

  test('let nothing expire before its time', () => {
    const inTime = (ms: number) =>
      judged(new Tale().send('device-1:1', { timeToBeReceivedMs: 1_000 }).wait(ms).free('device-1:1', 'central', 'expired'));
    expect(inTime(900)).toEqual(['device-1:1 expired after 910 ms of 1000 ms']);
    expect(inTime(1_000)).toEqual([]);
  });

  test('bear with a clock that runs a little fast', () => {
    const tale = new Tale()
      .send('device-1:1', { timeToBeReceivedMs: 1_000_000 })
      .wait(999_500)
      .free('device-1:1', 'central', 'expired');
    expect(judged(tale)).toEqual([]);
  });

  test('let nothing expire that has no time to', () => {
    expect(judged(new Tale().send('device-1:1').free('device-1:1', 'central', 'expired'))).toHaveLength(1);
  });

  test('let nothing be delivered once it has expired', () => {
    const tale = new Tale()
      .send('device-1:1', { timeToBeReceivedMs: 5 })
      .accept('device-1:1')
      .free('device-1:1', 'central', 'expired');
    expect(judged(tale.deliver('device-1:1'))).toEqual(['device-1:1 delivered after it had expired at central']);
  });

  test('let it expire that was delivered before, and came back', () => {
    const tale = new Tale().send('device-1:1', { timeToBeReceivedMs: 5 }).accept('device-1:1').deliver('device-1:1');
    expect(judged(tale.free('device-1:1', 'central', 'expired'))).toEqual([]);
  });

  test('let a message end in one way only', () => {
    const tale = new Tale()
      .send('device-1:1', { timeToBeReceivedMs: 5 })
      .accept('device-1:1')
      .deliver('device-1:1')
      .effect('device-1:1');
    expect(judged(tale.ack('device-1:1').free('device-1:1', 'central', 'expired'))).toEqual([
      'device-1:1 expired, and was received',
    ]);
  });

  test('bear with what an exchanged disk brings back', () => {
    const tale = new Tale()
      .send('device-1:1', { timeToBeReceivedMs: 5 })
      .accept('device-1:1')
      .free('device-1:1', 'central', 'expired');
    tale.tell({ kind: 'destroyed', node: 'central', cause: 'old image', keys: [], doubtful: ['device-1:1'] });
    expect(judged(tale.deliver('device-1:1').effect('device-1:1').ack('device-1:1'))).toEqual([]);
  });

  test('deliver nothing long after its time, where the clock of its node cannot have stood still', () => {
    const late = (between: (tale: Tale) => Tale) => {
      const tale = new Tale().send('device-1:1', { timeToBeReceivedMs: 1_000 }).accept('device-1:1');
      tale.free('device-1:1', 'device-1', 'handed-over', ['central']);
      return judged(between(tale).wait(120_000).deliver('device-1:1'));
    };
    expect(late((tale) => tale)).toHaveLength(1);
    expect(late((tale) => tale.boot('central'))).toEqual([]);
    expect(late((tale) => tale.tell({ kind: 'fault', fault: 'paused', target: 'central', untilMs: 120_000 }))).toEqual([]);
  });

  test('deliver nothing before it is to be delivered', () => {
    const inTime = (ms: number) =>
      judged(new Tale().send('device-1:1', { deliverAfterMs: 1_000 }).accept('device-1:1').wait(ms).deliver('device-1:1'));
    expect(inTime(900)).toEqual(['device-1:1 delivered after 920 ms, not before 1000 ms']);
    expect(inTime(1_000)).toEqual([]);
  });

  test('keep a delay with which a message was given back, unless its node may not have heard of it', () => {
    const back = (between: (tale: Tale) => Tale) =>
      judged(
        between(new Tale().send('device-1:1').accept('device-1:1').deliver('device-1:1').giveBack('device-1:1', 400)).deliver(
          'device-1:1',
          2,
        ),
      );
    expect(back((tale) => tale)).toEqual(['device-1:1 delivered 20 ms after it was given back for 400 ms']);
    expect(back((tale) => tale.wait(400))).toEqual([]);
    expect(back((tale) => tale.boot('central'))).toEqual([]);
    expect(back((tale) => tale.tell({ kind: 'fault', fault: 'paused', target: 'central', untilMs: tale.nowMs }))).toEqual([]);
  });

  test('notice an expiry that was put into a quiet run', () => {
    const expired = { kind: 'freed', node: 'central', key: 'device-1:1', reason: 'expired', heldBy: [] };
    expect(timesAreKept(inserted(quiet, the('acked', 'device-1:1'), expired)).violations).toHaveLength(2);
    expect(timesAreKept(without(quiet, the('freed', 'device-1:3', 'central'))).violations).toEqual([]);
  });
});

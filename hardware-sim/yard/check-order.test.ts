import { describe, expect, test } from 'vitest';
import { inOrder } from './check-order.ts';
import type { History } from './history.ts';
import { atRest, Tale } from './quiet-run.ts';

const nodes = [atRest('central'), atRest('gateway'), atRest('device-1')];

/** Two messages of one lane, accepted in order. */
function two(how: Parameters<Tale['send']>[1] = {}): Tale {
  const tale = new Tale().boot('central').send('device-1:1', how).accept('device-1:1').send('device-1:2').accept('device-1:2');
  return tale.carry('device-1:1').carry('device-1:2');
}

function done(tale: Tale, key: string, count = 1): Tale {
  return tale.deliver(key, count).effect(key).ack(key);
}

function judged(tale: Tale): readonly string[] {
  return inOrder(tale.end(nodes)).violations;
}

describe('S4, order', () => {
  test('notices the second before the first', () => {
    expect(judged(done(done(two(), 'device-1:2'), 'device-1:1'))).toEqual([
      'device-1:1 (number 1) first delivered after device-1:2 (number 2) was done with',
    ]);
  });

  test('passes the first before the second', () => {
    expect(inOrder(done(done(two(), 'device-1:1'), 'device-1:2').end(nodes))).toEqual({ violations: [], looked: 2 });
  });

  test('notices numbers that are not in the order of acceptance', () => {
    const tale = new Tale().send('device-1:1').send('device-1:2').accept('device-1:2');
    const history = tale.send('device-1:3').accept('device-1:3').end(nodes);
    const identity = history.events.flatMap((event) => (event.kind === 'accepted' ? [event.identity] : []))[0] ?? '';
    const doctored: History = {
      ...history,
      events: history.events.map((event) =>
        event.kind === 'accepted' && event.key === 'device-1:3' ? { ...event, identity: identity.replace(/2$/, '1') } : event,
      ),
    };
    expect(inOrder(history).violations).toEqual([]);
    expect(inOrder(doctored).violations).toEqual(['device-1:3 has number 1, and was sent after device-1:2 had 2']);
  });

  test('lets sends that overlap be numbered either way', () => {
    const tale = new Tale().send('device-1:1').send('device-1:2').accept('device-1:2').accept('device-1:1');
    expect(judged(tale)).toEqual([]);
  });

  test('says nothing about different priorities', () => {
    const tale = new Tale().send('device-1:1').accept('device-1:1').send('device-1:2', { priority: 5 }).accept('device-1:2');
    expect(judged(done(done(tale.carry('device-1:1'), 'device-1:2'), 'device-1:1'))).toEqual([]);
  });

  test('lets the first come later that was to be delivered later', () => {
    expect(judged(done(done(two({ deliverAfterMs: 10 }), 'device-1:2'), 'device-1:1'))).toEqual([]);
  });

  test('lets the first come later that was given back', () => {
    expect(judged(done(done(two().giveBack('device-1:1', 0), 'device-1:2'), 'device-1:1'))).toEqual([]);
  });

  test('lets the first come later that a reader had who died: its count tells', () => {
    expect(judged(done(done(two(), 'device-1:2'), 'device-1:1', 2))).toEqual([]);
  });

  test('lets the first come later when the node died in between, and its count with it', () => {
    expect(judged(done(done(two(), 'device-1:2').boot('central'), 'device-1:1'))).toEqual([]);
  });

  test('lets a lane be out of order whose origin was rolled back', () => {
    const tale = two().tell({ kind: 'destroyed', node: 'device-1', cause: 'old image', keys: [], doubtful: [] });
    expect(judged(done(done(tale, 'device-1:2'), 'device-1:1'))).toEqual([]);
  });

  test('says nothing about two readers who have one message each', () => {
    const tale = two().deliver('device-1:2').deliver('device-1:1').effect('device-1:1').ack('device-1:1');
    expect(judged(tale.effect('device-1:2').ack('device-1:2'))).toEqual([]);
  });

  test('judges each reader by itself where readers are told apart', () => {
    const between = (other: string) => {
      const history = done(done(two(), 'device-1:2'), 'device-1:1').end(nodes);
      const events = history.events.map((event) =>
        event.kind === 'delivered' ? { ...event, reader: event.key === 'device-1:1' ? other : 'a' } : event,
      );
      return inOrder({ ...history, events }).violations.length;
    };
    expect([between('a'), between('b')]).toEqual([1, 0]);
  });
});

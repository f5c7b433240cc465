import { describe, expect, test } from 'vitest';
import { transactionsAreWhole } from './check-transactions.ts';
import type { History } from './history.ts';
import { atRest, changed, endChanged, inserted, quietRun, Tale, the, troubledRun, without } from './quiet-run.ts';

const BILL = { node: 'central', destination: 'central/bills' };
const SENT = ['central:a', 'central:b'] as const;

/** A message that a transaction ended, and the two that it sent. */
function whole(): History {
  const tale = new Tale().boot('central').boot('device-1');
  tale.send('device-1:1').accept('device-1:1').carry('device-1:1').deliver('device-1:1').effect('device-1:1');
  const event = tale.events.find(the('delivered', 'device-1:1'));
  const identity = event?.kind === 'delivered' ? event.identity : '';
  tale.tell({ kind: 'committing', node: 'central', key: 'device-1:1', identity, sent: SENT });
  for (const key of SENT) tale.send(key, BILL);
  for (const key of SENT) tale.accept(key);
  tale.ack('device-1:1');
  for (const key of SENT) tale.deliver(key).effect(key).ack(key);
  return tale.end([atRest('central'), atRest('device-1')]);
}

const isOf =
  (key: string, ...kinds: string[]) =>
  (event: History['events'][number]): boolean =>
    'key' in event && event.key === key && (kinds.length === 0 || kinds.includes(event.kind));
const isTold = (event: History['events'][number]): boolean => SENT.some((key) => isOf(key)(event) && event.kind !== 'send');
const isEnd = isOf('device-1:1', 'freed', 'acked');
const texts = (history: History) => transactionsAreWhole(history).violations.map((text) => text.replace(/^.*?\)[:,] /, ''));

describe('S10, transactions', () => {
  test('looks at each, whether it was answered or not', () => {
    expect(transactionsAreWhole(whole())).toEqual({ violations: [], looked: 1 });
    const unanswered = without(whole(), (event) => event.kind === 'accepted' && event.node === 'central');
    expect(transactionsAreWhole(without(unanswered, the('acked', 'device-1:1'))).violations).toEqual([]);
    for (const history of [quietRun(), troubledRun()])
      expect(transactionsAreWhole(history)).toEqual({ violations: [], looked: 0 });
  });

  test('lets one come to nothing: the message comes again', () => {
    const nothing = without(without(whole(), isTold), isEnd);
    const end = endChanged(nothing, 'central', () => ({ live: ['device-1:1'] }));
    expect(transactionsAreWhole(end)).toEqual({ violations: [], looked: 1 });
  });

  test('notices half of what was sent', () => {
    expect(texts(without(whole(), (event) => isTold(event) && isOf('central:b')(event)))).toContain(
      'central:a is there, and central:b is not',
    );
  });

  test('notices a message that is received, and nothing sent, whether somebody was told or not', () => {
    const lost = without(whole(), isTold);
    const text = 'received, and central:a, central:b was never sent';
    expect(texts(lost)).toEqual([text]);
    expect(texts(without(lost, isOf('device-1:1', 'acked')))).toEqual([text]);
  });

  test('notices that it was sent, and the message comes again, stays, or ends otherwise', () => {
    const again = whole().events.find(the('delivered', 'device-1:1'));
    const sent = 'central:a, central:b was sent';
    expect(texts(inserted(whole(), the('accepted', 'central:b'), { ...again, deliveryCount: 2 }))).toEqual([
      `delivered again, though ${sent}`,
    ]);
    const stays = endChanged(without(whole(), isEnd), 'central', () => ({ live: ['device-1:1'] }));
    expect(texts(stays)).toEqual([`still there, though ${sent}`]);
    expect(texts(changed(without(whole(), the('acked', 'device-1:1')), isEndAtCentral, { reason: 'dropped' }))).toEqual([
      `dropped, though ${sent}`,
    ]);
  });

  test('notices what was sent twice', () => {
    const twice = changed(whole(), the('delivered', 'central:a'), { identity: 'central:0f3a51c2aa017e44:central/bills:3:9' });
    expect(texts(twice).some((text) => text.startsWith('central:a was sent 2 times'))).toBe(true);
  });

  test('judges each frame, and each disk after a crash: all of it, and the message gone', () => {
    const told = (how: object) => {
      const together = { kind: 'together', node: 'central', key: 'device-1:1', identity: 'x', sent: SENT, ...how };
      return texts(inserted(whole(), the('acked', 'device-1:1'), { by: 'transaction', ...together }));
    };
    expect(told({ there: SENT, source: 'ended', seen: 'frame' })).toEqual([]);
    expect(told({ there: SENT, source: 'not on the disk', seen: 'recovery' })).toEqual([]);
    expect(told({ there: SENT, source: 'stays', seen: 'frame', by: 'redrive' })).toEqual([
      'redrive: all of 2 in one frame, and the message stays',
    ]);
    expect(told({ there: ['central:a'], source: 'stays', seen: 'recovery' })).toEqual([
      'transaction: 1 of 2 on a disk after a crash, and the message stays',
    ]);
    expect(told({ there: [], source: 'ended', seen: 'frame' })).toEqual([
      'transaction: 0 of 2 in one frame, and the message ended',
    ]);
  });

  test('does not ask a node whose disk was harmed', () => {
    const harm = { kind: 'destroyed', node: 'central', cause: 'old image', keys: [], doubtful: [] };
    expect(transactionsAreWhole(inserted(without(whole(), isTold), isEndAtCentral, harm)).looked).toBe(0);
  });
});

function isEndAtCentral(event: History['events'][number]): boolean {
  return event.kind === 'freed' && event.key === 'device-1:1' && event.reason === 'acknowledged';
}

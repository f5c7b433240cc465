/** On a medium that lied an id may stand in the log twice. The message that came later has it; the other is lost, and counted. */
import { expect, test } from 'vitest';
import type { PutEntry } from './entry-layout.ts';
import type { Frame } from './frame-layout.ts';
import { LiveSet } from './live-set.ts';

function put(id: number, number: number, copy = false): PutEntry {
  const rest = { queue: 1, priority: 3, stream: 1, epochCounter: 1, epochRandom: 1, deliveryCount: 0, moveCount: 0 };
  const times = { storedAtMs: 0, expiresAtMs: 0, notBeforeMs: 0 };
  return { kind: 'put', id, number, copy, damaged: false, ...rest, ...times, bodyBytes: 10, bodyCrc: 0, bodyOffset: 128 };
}

function frame(lsn: number, ...entries: PutEntry[]): Frame {
  const header = {
    kind: 'data',
    epoch: 1,
    lsn,
    seq: lsn,
    prevCrc: 0,
    tailLsn: 100,
    nextId: 50,
    relogged: 0,
    queueTimeMs: 0,
  } as const;
  return { ...header, crc: 1, blocks: 1, entries };
}

test('an id that is given twice belongs to the later message; the earlier one is counted', () => {
  const live = new LiveSet(400, 100);
  live.apply(frame(100, put(7, 1), put(8, 2)));
  live.apply(frame(101, put(7, 30)));
  expect([...live.index.slots()].map((slot) => [live.index.id(slot), live.index.number(slot)]).sort()).toEqual([
    [7, 30],
    [8, 2],
  ]);
  expect([live.displacedCount, live.log.liveAt(100), live.log.liveAt(101)]).toEqual([1, 1, 1]);
});

test('what is said again is the same message, moved', () => {
  const live = new LiveSet(400, 100);
  live.apply(frame(100, put(7, 1)));
  live.apply(frame(101, put(7, 1, true)));
  expect([live.index.count, live.displacedCount, live.log.liveAt(100)]).toEqual([1, 0, 0]);
});

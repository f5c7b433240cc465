import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { openRing } from '../../hardware-sim/ring-driver.ts';
import { freshHarness, modelBody, type RingHarness, readBody, ringLines } from '../../hardware-sim/ring-harness.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { geometryFor, liveBytesMaxOf, segmentsOf } from './geometry.ts';
import { NO_SLOT } from './message-index.ts';
import { type BodyResult, EPOCH_KEY, type RingOptions } from './ring.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const { blockBytes, blockCount } = SMALLEST;

function fresh(seed: string, ring: Partial<RingOptions> = {}, completion: 'at-once' | 'stepped' = 'at-once'): RingHarness {
  const h = freshHarness({ geometry: SMALLEST, random: stream(seed, 'disk'), ring, completion });
  h.settle();
  return h;
}

function idOf(h: RingHarness, number: number): number {
  const { index } = h.ring;
  for (const slot of index.slots()) if (index.number(slot) === number) return index.id(slot);
  return 0;
}

function lsnOf(h: RingHarness, number: number): number {
  return h.ring.index.lsn(h.ring.index.find(idOf(h, number)));
}

function offsetOf(lsn: number): number {
  return segmentsOf(SMALLEST, { lsn, skip: 0, bytes: blockBytes })[0]?.offset ?? 0;
}

/** Frames of one block, until the ring has gone round so often. */
function idle(h: RingHarness, laps: number): void {
  const end = h.disk.counters.bytesWritten + laps * h.disk.bytes;
  for (let i = 0; h.disk.counters.bytesWritten < end; i++) h.commit({ metas: [{ key: 'tick', value: `${10 + (i % 90)}` }] });
}

describe('commits', () => {
  test('what is appended while a write is on its way rides the next frame, all of it', () => {
    const h = fresh('group', {}, 'stepped');
    h.append({ puts: [{ number: 1, bytes: 10 }] });
    h.play();
    for (let number = 2; number <= 20; number++) h.append({ puts: [{ number, bytes: 10 }] });
    h.play();
    expect(h.disk.pending).toHaveLength(1);
    h.disk.step();
    h.play();
    expect(h.numbers()).toEqual([1]);
    const frames = h.ring.framesWritten;
    h.disk.step();
    h.play();
    expect(h.numbers()).toHaveLength(20);
    expect(h.ring.framesWritten).toBe(frames + 1);
  });

  test('nothing is called durable before its write is', () => {
    const h = fresh('order', {}, 'stepped');
    h.append({ puts: [{ number: 1, bytes: 3000 }] });
    h.play();
    expect(h.outstandingCount).toBe(1);
    expect(h.ring.index.count).toBe(0);
    h.disk.step();
    expect(h.outstandingCount).toBe(1);
    h.play();
    expect(h.outstandingCount).toBe(0);
  });

  test('a commit delay makes the acknowledgement wait, not lie', () => {
    const h = fresh('delay', { commitDelayMs: 50 });
    h.append({ puts: [{ number: 1, bytes: 10 }] });
    h.nowMs += 30;
    h.append({ puts: [{ number: 2, bytes: 10 }] });
    expect(h.ring.wakeAtMs).toBe(1050);
    h.nowMs = 1049;
    h.settle();
    expect(h.numbers()).toEqual([]);
    const frames = h.ring.framesWritten;
    h.nowMs = 1050;
    h.settle();
    expect(h.numbers()).toEqual([1, 2]);
    expect(h.ring.framesWritten).toBe(frames + 1);
  });

  test('a lazy acknowledgement rides the frame that comes first, or goes by itself in time', () => {
    const h = fresh('lazy');
    h.commit({ puts: [1, 2].map((number) => ({ number, bytes: 10 })) });
    h.append({ acks: [1] }, 250);
    h.settle();
    expect(h.numbers()).toEqual([1, 2]);
    h.commit({ puts: [{ number: 3, bytes: 10 }] });
    expect(h.numbers()).toEqual([2, 3]);
    h.append({ acks: [2] }, 250);
    expect(h.ring.wakeAtMs).toBe(h.nowMs + 250);
    h.nowMs += 250;
    h.settle();
    expect(h.numbers()).toEqual([3]);
  });

  test('a batch that changes nothing is answered too, also while cleaning waits for the medium', () => {
    const h = fresh('nothing');
    h.commit({ puts: [{ number: 1, bytes: 100 }] });
    idle(h, 0.9);
    h.driver.reads = 'held';
    for (let i = 0; i < 5; i++) {
      h.append({});
      h.append({ states: [{ number: 999, deliveryCount: 1, notBeforeMs: 1 }] });
      h.settle();
      expect(h.outstandingCount).toBe(0);
    }
  });

  test('may be appended, and pumped, from inside an answer', () => {
    const h = fresh('inside');
    const order: string[] = [];
    const say = (name: string) => () => void order.push(name);
    const when = { nowMs: h.nowMs, delayMs: 0 };
    const put = { queue: 1, priority: 0, stream: 1, number: 1, epochCounter: 1, epochRandom: 1, deliveryCount: 0 };
    const message = { ...put, expiresAtMs: 0, notBeforeMs: 0, body: new Uint8Array(5) };
    h.ring.append({ puts: [message] }, when, (_, slots) => {
      order.push('first');
      h.ring.append({ acks: [{ id: h.ring.index.id(slots[0] ?? 0), reason: 'dropped' }] }, when, say('third'));
      h.ring.pump(h.nowMs);
    });
    h.ring.append({ puts: [message] }, when, (_, slots) => {
      order.push('second');
      expect(h.ring.index.id(slots[0] ?? 0)).toBeGreaterThan(0);
    });
    h.settle();
    expect(order).toEqual(['first', 'second', 'third']);
    expect(h.ring.index.count).toBe(1);
  });

  test('counts beyond what their fields hold stay at the largest', () => {
    const h = fresh('counts');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.ring.append(
      { states: [{ id: idOf(h, 1), deliveryCount: 70_000, notBeforeMs: 5 }] },
      { nowMs: h.nowMs, delayMs: 0 },
      () => {},
    );
    h.settle();
    h.disk.powerCut();
    h.beginReopen();
    h.settle();
    expect(ringLines(h.ring)).toEqual([expect.stringContaining('deliveries 65535 notBefore 5')]);
  });
});

describe('cleaning', () => {
  test('META survives a drained queue, three idle laps and a power cut, every value unchanged', () => {
    const h = fresh('meta');
    h.commit({ puts: [1, 2, 3].map((number) => ({ number, bytes: 500 })) });
    h.commit({ metas: [1, 2, 3, 4, 5].map((i) => ({ key: `counter ${i}`, value: `0${i}`.repeat(9) })) });
    h.commit({ acks: [1, 2, 3], metas: [{ key: 'counter 3', value: 'ff' }] });
    h.commit({ metas: [{ key: 'counter 4', value: undefined }] });
    idle(h, 3.2);
    const before = ringLines(h.ring);
    expect(before).toHaveLength(5);
    h.powerCut();
    h.reopen();
    expect(ringLines(h.ring)).toEqual(before);
    expect(h.ring.metas.get('counter 4')).toBeUndefined();
    expect(h.ring.metas.get(EPOCH_KEY)).toHaveLength(8);
  });

  test('a message keeps count and delay though the entry that set them is long gone', () => {
    const h = fresh('state');
    h.commit({ puts: [{ number: 1, bytes: 50 }] });
    h.commit({ states: [{ number: 1, deliveryCount: 4, notBeforeMs: 77_777 }] });
    idle(h, 3.2);
    h.powerCut();
    h.reopen();
    expect(ringLines(h.ring)[0]).toContain('deliveries 4 notBefore 77777');
  });

  test('a count that changes in the very frame that moves the message is the new one', () => {
    const h = fresh('moving');
    h.commit({ puts: [{ number: 1, bytes: 50 }] });
    for (let i = 1; h.disk.counters.bytesWritten < 4 * h.disk.bytes; i++) {
      h.commit({ states: [{ number: 1, deliveryCount: i % 1000, notBeforeMs: i }] });
      h.check();
      if (i % 40 !== 0) continue;
      h.powerCut();
      h.reopen();
      h.check();
    }
    expect(lsnOf(h, 1)).toBeGreaterThan(2 * blockCount);
  });

  test('a frame that opening made fuller than any other can be moved all the same', () => {
    const h = fresh('brim');
    h.commit({ puts: [1, 2].map((number) => ({ number, bytes: (16 * blockBytes - 64 - 128) / 2 - 64 })) });
    h.disk.kill();
    h.reopen();
    expect(h.ring.blocksWritten).toBe(16);
    const before = lsnOf(h, 1);
    idle(h, 2.2);
    expect(lsnOf(h, 1)).toBeGreaterThan(before + blockCount);
    h.check();
    h.checkBodies();
  });

  test('sixty laps with messages that stay, come and go', () => {
    const h = fresh('laps');
    const random = stream('laps', 'life');
    let number = 1;
    for (let i = 0; i < 12; i++) h.commit({ puts: [{ number: number++, bytes: 900 }] });
    while (h.disk.counters.bytesWritten < 60 * h.disk.bytes) {
      h.append({ puts: [{ number: number++, bytes: 3000 + random.int(3000) }] });
      const live = h.numbers();
      if (live.length > 16) h.append({ acks: [live[12 + random.int(live.length - 12)] ?? 0] });
      h.settle();
    }
    h.check();
    h.checkBodies();
    h.powerCut();
    h.reopen();
    expect(h.numbers().slice(0, 12)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    h.checkBodies();
  });

  test('waits quietly for the medium: nobody is asked to pump until the answer is there', () => {
    const h = fresh('waits');
    const full = { metas: [0, 1, 2, 3, 4, 5, 6].map((k) => ({ key: `k${k}`, value: `0${k}`.repeat(1000) })) };
    h.commit({ puts: [{ number: 1, bytes: 2000 }] });
    h.driver.reads = 'held';
    for (let i = 0; i < 60; i++) {
      h.append(full);
      h.settle();
      if (h.outstandingCount > 0) break;
    }
    expect(h.outstandingCount).toBe(1);
    expect(h.ring.wakeAtMs).toBeUndefined();
    expect(h.driver.heldReads).toBeGreaterThan(0);
    expect(h.ring.freeBlocks).toBeGreaterThanOrEqual(2 * SMALLEST.frameBlocksMax);
    h.driver.reads = 'answered';
    h.driver.answerReads();
    h.settle();
    expect(h.outstandingCount).toBe(0);
    h.check();
    h.checkBodies();
  });

  test('a block at the tail that cannot be read costs its own messages, which are called corrupt, and no others', () => {
    const h = fresh('bad block');
    for (let number = 1; number <= 20; number++)
      h.commit({ puts: [{ number, bytes: 300 }], metas: [{ key: `m${number}`, value: '0a0b' }] });
    h.disk.failReads(offsetOf(lsnOf(h, 5)), blockBytes);
    const where = lsnOf(h, 5);
    idle(h, 1.5);
    h.check(); // index and META know it still: nothing was dropped behind the queue's back
    expect(lsnOf(h, 5)).toBeGreaterThan(where);
    const bodies = h.numbers().map((number) => readBody(h.driver, idOf(h, number), h.nowMs));
    expect(bodies.flatMap((body, i) => (body === undefined ? [i + 1] : []))).toEqual([5]);
    expect(h.ring.corruptCount).toBe(1);
    h.disk.healReads();
    const last = h.fork(stream('bad block', 'fork')); // its last frame may hold the damaged copy, and is whole all the same
    last.powerCut();
    last.reopen();
    h.powerCut();
    h.reopen();
    expect(readBody(h.driver, idOf(h, 5), h.nowMs)).toBeUndefined();
    h.commit({ acks: [5] });
    h.checkBodies();
  });
});

describe('reading', () => {
  test('a body is read again when cleaning moved it meanwhile', () => {
    const h = fresh('moved');
    h.commit({ puts: [{ number: 1, bytes: 1500 }] });
    const results: BodyResult[] = [];
    const before = lsnOf(h, 1);
    h.driver.reads = 'held';
    h.ring.fetchBody(idOf(h, 1), (result) => results.push(result));
    h.play();
    h.driver.reads = 'answered';
    idle(h, 2.5);
    expect(lsnOf(h, 1)).toBeGreaterThan(before + blockCount);
    expect(results).toEqual([]);
    h.driver.answerReads();
    h.play();
    expect(results).toEqual([{ kind: 'body', body: modelBody({ number: 1, bytes: 1500 }) }]);
    expect(h.ring.corruptCount).toBe(0);
  });

  test('a message acknowledged while it is read is gone', () => {
    const h = fresh('gone');
    h.commit({ puts: [{ number: 1, bytes: 100 }] });
    const results: BodyResult[] = [];
    h.driver.reads = 'held';
    h.ring.fetchBody(idOf(h, 1), (result) => results.push(result));
    h.play();
    h.commit({ acks: [1] });
    h.driver.answerReads();
    h.play();
    expect(results).toEqual([{ kind: 'gone' }]);
  });

  test('a body that is damaged is called corrupt, counted, and never given out', () => {
    const h = fresh('corrupt');
    h.commit({ puts: [{ number: 1, bytes: 100 }] });
    h.disk.rot(offsetOf(lsnOf(h, 1)) + 150, 1, 'one-bit');
    const results: BodyResult[] = [];
    h.ring.fetchBody(idOf(h, 1), (result) => results.push(result));
    expect(results).toEqual([]); // never from inside the call
    h.play();
    expect(results).toEqual([{ kind: 'corrupt' }]);
    expect(h.ring.corruptCount).toBe(1);
  });

  test('a read that fails once is tried again', () => {
    const h = fresh('eio');
    h.commit({ puts: [{ number: 1, bytes: 100 }] });
    const results: BodyResult[] = [];
    h.disk.failReads(offsetOf(lsnOf(h, 1)), blockBytes);
    h.driver.reads = 'held';
    h.ring.fetchBody(idOf(h, 1), (result) => results.push(result));
    h.play();
    h.driver.answerReads();
    h.play();
    h.disk.healReads();
    h.driver.answerReads();
    h.play();
    expect(results).toEqual([{ kind: 'body', body: modelBody({ number: 1, bytes: 100 }) }]);
  });

  test('what was written or read lately comes from memory', () => {
    const h = fresh('cache', { cacheBytesMax: 250 });
    h.commit({ puts: [1, 2, 3].map((number) => ({ number, bytes: 100 })) });
    const cached = (number: number) => h.ring.cachedBody(h.ring.index.find(idOf(h, number)));
    expect([1, 2, 3].map((number) => cached(number)?.length)).toEqual([undefined, 100, 100]);
    expect(readBody(h.driver, idOf(h, 1), h.nowMs)).toHaveLength(100);
    expect(cached(1)).toEqual(modelBody({ number: 1, bytes: 100 }));
  });
});

describe('opening and closing', () => {
  test('a clean close writes what is pending; the next opening has nothing to say again', () => {
    const h = fresh('close');
    h.append({ puts: [{ number: 1, bytes: 3000 }] });
    let closed = 0;
    h.ring.close(() => closed++);
    h.settle();
    expect([closed, h.ring.state]).toEqual([1, 'closed']);
    h.reopen();
    h.check();
    expect(h.ring.blocksWritten).toBe(1);
    expect(h.ring.report).toEqual({ gaps: [], tornBlocks: 0, messages: 1 });
  });

  test('after a kill the opening says the last frame again', () => {
    const h = fresh('kill');
    h.commit({ puts: [{ number: 1, bytes: 3000 }] });
    h.disk.kill();
    h.reopen();
    h.check();
    expect(h.ring.blocksWritten).toBe(7);
  });

  test('every opening has an epoch of its own, told by META', () => {
    const h = fresh('epoch');
    for (let opening = 2; opening < 5; opening++) {
      h.disk.kill();
      h.reopen();
      expect(h.ring.epoch).toEqual({ counter: opening, random: opening });
      const epoch = new DataView((h.ring.metas.get(EPOCH_KEY) ?? new Uint8Array()).slice().buffer);
      expect([epoch.getUint32(0, true), epoch.getUint32(4, true)]).toEqual([opening, opening]);
    }
  });

  test('a torn frame at the end is reported as what it is', () => {
    const h = fresh('torn', {}, 'stepped');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.append({ puts: [{ number: 2, bytes: 2000 }] });
    h.play();
    h.powerCut((position) => (position === 0 ? 'new' : 'old'));
    h.reopen();
    expect(h.numbers()).toEqual([1]);
    expect(h.ring.report).toEqual({ gaps: [], tornBlocks: 5, messages: 1 });
  });

  test('queue time goes on where it was, whatever the clock says', () => {
    const h = fresh('time');
    h.nowMs = 5000;
    h.commit({ metas: [{ key: 'a', value: '01' }] });
    const before = h.ring.queueTime(h.nowMs);
    expect(h.ring.queueTime(2000)).toBe(before);
    h.disk.kill();
    h.nowMs = 10; // another boot
    h.reopen();
    expect(h.ring.queueTime(10)).toBe(before);
    expect(h.ring.queueTime(110)).toBe(before + 100);
  });

  describe('queue time of a machine that tells its boots apart', () => {
    const boot = (id: number, bootMs: number) => ({ clock: { bootId: new Uint8Array(16).fill(id), bootMs } });

    /** A ring opened at `bootMs` after boot 1, used for a second, and left as `end` says. Returns its disk and its queue time then. */
    function used(end: 'closed' | 'killed') {
      const first = freshHarness({ geometry: SMALLEST, random: stream('boot', end), ring: boot(1, 50_000) });
      first.settle();
      first.ring.queueTime(0);
      first.nowMs = 1000;
      first.commit({ metas: [{ key: 'a', value: '01' }] });
      if (end === 'closed') first.ring.close(() => {});
      first.settle();
      first.disk.kill();
      return { disk: first.disk, leftMs: first.ring.queueTime(1000) };
    }
    const timeAtOpening = (disk: SimDisk, clock: Partial<RingOptions>) => {
      const driver = openRing(disk, { epochRandom: 2, ...clock });
      driver.play(0);
      return driver.ring.queueTime(0);
    };

    test.each(['closed', 'killed'] as const)('goes on while a ring that was %s lies still, in the same boot', (end) => {
      const { disk, leftMs } = used(end);
      expect(timeAtOpening(disk, boot(1, 50_000 + 1000 + 60_000))).toBe(leftMs + 60_000);
    });

    test('stands still over a boot, over an unknown one, and where the clock went back', () => {
      for (const clock of [boot(2, 90_000_000), {}, boot(1, 10)]) {
        const { disk, leftMs } = used('closed');
        expect(timeAtOpening(disk, clock)).toBe(leftMs);
      }
    });

    test('and never counts the same minute twice, however often it is opened', () => {
      const { disk, leftMs } = used('killed');
      for (const laterMs of [1000, 5000, 5000, 9000]) {
        expect(timeAtOpening(disk, boot(1, 51_000 + laterMs))).toBe(leftMs + laterMs);
        disk.kill();
      }
    });
  });

  test('what may live, and what a body may have, follow from the geometry', () => {
    const h = fresh('limits');
    expect(h.ring.bytesMax).toBe(liveBytesMaxOf(SMALLEST));
    expect(h.ring.bodyBytesMax).toBe(0.75 * 16 * 512);
    expect(h.ring.freeBlocks).toBe(blockCount - 1);
  });

  test('BUSY when more waits for the disk than may', () => {
    const h = fresh('busy', { pendingBytesMax: 3000 }, 'stepped');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    h.append({ metas: [{ key: 'on its way', value: '01' }] });
    h.play();
    h.append({ puts: [{ number: 2, bytes: 2900 }] });
    h.append({ puts: [{ number: 3, bytes: 2900 }] });
    expect(() => h.append({ puts: [{ number: 4, bytes: 10 }] })).toThrow(/BUSY/);
    h.append({ acks: [1] });
    h.settle();
    h.check();
  });
});

describe('two owners of one file', () => {
  /** Blocks that differ between two moments of a disk, but for superblocks. */
  const changed = (disk: SimDisk, before: Uint8Array) => {
    const now = disk.platter();
    return Array.from({ length: blockCount }, (_, block) => block).filter((block) => {
      const at = (2 + block) * blockBytes;
      return now.subarray(at, at + blockBytes).some((byte, i) => byte !== before[at + i]);
    });
  };

  test('the second one fences off the first, which writes nothing any more', () => {
    const h = fresh('fence');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    const second = openRing(h.disk, { epochRandom: 77 });
    second.play(h.nowMs);
    expect(second.ring.state).toBe('serving');
    const before = h.disk.platter();
    h.append({ puts: [{ number: 2, bytes: 10 }] });
    h.settle();
    expect(h.ring.state).toBe('stopped');
    expect(h.refused).toEqual(['in-doubt']);
    expect(changed(h.disk, before)).toEqual([]);
    expect(second.ring.index.count).toBe(1);
  });

  test.each([1, 2, 3])('when both open at once, only one goes on, and never both (after %i writes)', (writes) => {
    const h = fresh(`race ${writes}`, {}, 'stepped');
    h.commit({ puts: [{ number: 1, bytes: 10 }] });
    const rivals = [1, 2].map((epochRandom) => openRing(h.disk, { epochRandom }));
    for (const rival of rivals) rival.play(h.nowMs);
    for (let i = 0; i < writes; i++) {
      h.disk.step();
      for (const rival of rivals) rival.play(h.nowMs);
    }
    while (h.disk.step()) for (const rival of rivals) rival.play(h.nowMs);
    const serving = rivals.filter((rival) => rival.ring.state === 'serving');
    for (const { ring } of serving) {
      ring.append({ metas: [{ key: 'mine', value: new Uint8Array(1) }] }, { nowMs: h.nowMs, delayMs: 0 }, () => {});
    }
    do for (const rival of rivals) rival.play(h.nowMs);
    while (h.disk.step());
    expect(rivals.filter((rival) => rival.ring.state === 'serving').length).toBeLessThanOrEqual(1);
  });

  test('an opener that is overtaken while it still reads gives up, whenever that is', () => {
    for (let rounds = 0; ; rounds++) {
      const h = fresh(`overtaken ${rounds}`);
      h.commit({ puts: [{ number: 1, bytes: 10 }] });
      const slow = openRing(h.disk, { epochRandom: 5 });
      slow.reads = 'held';
      slow.play(h.nowMs);
      for (let i = 0; i < rounds; i++) {
        slow.answerReads();
        slow.play(h.nowMs);
      }
      if (slow.ring.state === 'serving') {
        expect(rounds).toBeGreaterThan(20);
        return;
      }
      const quick = openRing(h.disk, { epochRandom: 6 });
      quick.play(h.nowMs);
      expect(quick.ring.state).toBe('serving');
      const before = h.disk.platter();
      slow.reads = 'answered';
      slow.answerReads();
      slow.play(h.nowMs);
      // Before it read the superblocks it is simply the next owner.
      if (slow.ring.state === 'stopped') expect(changed(h.disk, before), `after ${rounds} rounds`).toEqual([]);
      else expect(rounds).toBeLessThan(4);
    }
  });
});

test('slots of messages that left are used again, and say so', () => {
  const h = fresh('slots');
  h.commit({ puts: [{ number: 1, bytes: 1 }] });
  const id = idOf(h, 1);
  h.commit({ acks: [1] });
  expect(h.ring.index.find(id)).toBe(NO_SLOT);
  expect(h.ring.index.count).toBe(0);
});

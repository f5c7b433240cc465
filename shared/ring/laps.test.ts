/** Three hundred times around the file: what nobody touched is as it was on the first day, and counters only ever grow. */
import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness } from '../../hardware-sim/ring-harness.ts';
import { toHex } from '../bytes.ts';
import { geometryFor } from './geometry.ts';

const SMALLEST = geometryFor(388 * 512, 512);
const LAPS = 300;
const REOPEN_EVERY_LAPS = 3;
const PINNED = 24;

/** Everything a ring knows of a message but where it lies. */
function pinnedOf(h: RingHarness): Map<number, string> {
  const { index } = h.ring;
  const pinned = new Map<number, string>();
  for (const slot of index.slots()) {
    const number = index.number(slot);
    if (number > PINNED) continue;
    const fields = [index.id(slot), index.queue(slot), index.stream(slot), index.priority(slot), index.deliveryCount(slot)];
    const times = [index.storedAtMs(slot), index.expiresAtMs(slot), index.notBeforeMs(slot)];
    pinned.set(number, [...fields, ...times, index.moveCount(slot), index.bodyBytes(slot), index.bodyCrc(slot)].join(' '));
  }
  return pinned;
}

function newestId(h: RingHarness): number {
  return Math.max(...[...h.ring.index.slots()].map((slot) => h.ring.index.id(slot)));
}

test('300 laps, with META, pinned messages of every priority, closes, kills and power cuts', () => {
  const random = stream('laps', 'life');
  const h = freshHarness({ geometry: SMALLEST, random: stream('laps', 'disk'), completion: 'stepped' });
  h.settle();
  for (let number = 1; number <= PINNED; number++) {
    h.nowMs += 10;
    h.commit({ puts: [{ number, bytes: 37 * number, priority: number % 8 }] });
    if (number % 3 === 0) h.commit({ states: [{ number, deliveryCount: number, notBeforeMs: 1000 * number }] });
    if (number % 4 === 0) h.commit({ states: [{ number, queue: 9, moveCount: number }] });
  }
  for (let key = 0; key < 12; key++) h.commit({ metas: [{ key: `account ${key}`, value: toHex(random.bytes(1 + 9 * key)) }] });
  const atFirst = pinnedOf(h);
  const metasAtFirst = [...h.durable.metas];
  expect(atFirst.size).toBe(PINNED);

  let number = PINNED + 1;
  let blocksBefore = 0;
  let counter = 0;
  let openings = 1;
  let last = { id: newestId(h), queueTimeMs: h.ring.queueTime(h.nowMs), epoch: h.ring.epoch.counter };
  const laps = () => (blocksBefore + h.ring.blocksWritten) / SMALLEST.blockCount;
  let reopenAt = REOPEN_EVERY_LAPS;
  while (laps() < LAPS) {
    h.nowMs += random.int(50);
    counter += 1;
    const value = counter.toString(16).padStart(8, '0');
    const passing = h.numbers().filter((one) => one > PINNED);
    const acks = passing.length > 4 ? passing.slice(0, 1 + random.int(passing.length)) : [];
    const bytes = random.chance(0.2) ? random.int(300) : 3000 + random.int(3000);
    h.append({ puts: [{ number: number++, bytes, priority: random.int(8) }], acks, metas: [{ key: 'counter', value }] });
    h.play();
    if (laps() >= reopenAt) {
      reopenAt += REOPEN_EVERY_LAPS;
      blocksBefore += h.ring.blocksWritten;
      const how = random.pick(['close', 'kill', 'power cut']);
      if (how === 'close') {
        h.ring.close(() => {});
        h.settle();
      }
      if (how === 'kill') h.disk.kill();
      if (how === 'power cut') h.powerCut();
      h.nowMs = random.int(1000); // a new process, whose clock begins anew
      h.reopen();
      openings += 1;
      expect(h.ring.report.gaps).toEqual([]);
      expect(pinnedOf(h)).toEqual(atFirst);
      const now = { id: last.id, queueTimeMs: h.ring.queueTime(h.nowMs), epoch: h.ring.epoch.counter };
      expect(now.queueTimeMs).toBeGreaterThanOrEqual(last.queueTimeMs);
      expect(now.epoch).toBeGreaterThan(last.epoch);
      last = { ...now, id: last.id };
    }
    h.settle();
    // Only a message whose write the power cut interrupted may be missing, and then there is no newer one.
    if (h.durable.messages.has(number - 1)) expect(newestId(h)).toBeGreaterThan(last.id);
    else expect(newestId(h)).toBe(last.id);
    last = { ...last, id: newestId(h), queueTimeMs: h.ring.queueTime(h.nowMs) };
  }

  expect(openings).toBeGreaterThanOrEqual(LAPS / REOPEN_EVERY_LAPS);
  h.check();
  h.checkBodies();
  expect(pinnedOf(h)).toEqual(atFirst);
  for (const [key, value] of metasAtFirst) expect(toHex(h.ring.metas.get(key) ?? new Uint8Array())).toBe(value);
  expect(h.ring.metas.get('counter')).toBeDefined();
  expect(h.ring.losses).toEqual({ gaps: 0, frames: 0, ids: 0 });
  expect(h.refused).toEqual([]);
});

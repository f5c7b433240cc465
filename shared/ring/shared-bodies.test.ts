/**
 * Goal: a body that several messages share is there as long as one of them is, and no longer, whatever happens. Method: random programs that
 * share, end, and replace places, in a ring so small that it comes round, with power cuts in the middle of writes; beside them a map.
 */
import { expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { freshHarness, type RingHarness, readBody } from '../../hardware-sim/ring-harness.ts';
import { crc32 } from '../crc32.ts';
import { hasCode } from '../errors.ts';
import { PUT_BYTES } from './entry-layout.ts';
import { geometryFor } from './geometry.ts';
import { NO_SLOT } from './message-index.ts';
import type { Batch, NewMessage } from './ring.ts';

const GEOMETRY = geometryFor(388 * 512, 512);
const PLACES_MAX = 6;

/** Places by number: the checksum of the body that each has. */
type Model = Map<number, number>;

function message(number: number, body: Uint8Array, holder?: NewMessage['holder']): NewMessage {
  const nobody = { epochCounter: 1, epochRandom: 1, deliveryCount: 0, expiresAtMs: 0, notBeforeMs: 0 };
  const [queue, streamHandle] = holder === 'itself' ? [0, 0] : [7, 9];
  return { queue, priority: 3, stream: streamHandle, number, ...nobody, holder, body };
}

class Run {
  readonly h: RingHarness;
  readonly #random: Prng;
  model: Model = new Map();
  #next = 1;

  constructor(seed: number) {
    this.#random = stream(seed, 'shared bodies');
    this.h = freshHarness({ geometry: GEOMETRY, random: stream(seed, 'disk'), completion: 'stepped' });
    this.h.settle();
  }

  /** One batch, and the model after it. */
  #draw(): { batch: Batch; after: Model } {
    const random = this.#random;
    const { index } = this.h.ring;
    const after = new Map(this.model);
    const places = [...index.slots()].filter((slot) => !index.isHolder(slot));
    const place = places[random.int(Math.max(1, places.length))] ?? NO_SLOT;
    const isFull = places.length > 40;
    if (!isFull && random.chance(0.4)) {
      const body = random.bytes(random.pick([300, 1_000, 4_000]));
      const count = 1 + random.int(PLACES_MAX);
      const puts = [message(0, body, 'itself')];
      for (let i = 0; i < count; i++) {
        after.set(this.#next, crc32(body, 0));
        puts.push(message(this.#next++, random.bytes(random.int(80)), 'above'));
      }
      return { batch: { puts }, after };
    }
    if (place !== NO_SLOT && random.chance(0.3)) {
      // Another place in the stead of one: as a message is that goes on under another name.
      const crc = after.get(index.number(place));
      after.delete(index.number(place));
      if (crc !== undefined) after.set(this.#next, crc);
      const put = message(this.#next++, random.bytes(random.int(80)), index.holder(place));
      return { batch: { puts: [put], acks: [{ id: index.id(place), reason: 'replaced' }] }, after };
    }
    const from = random.int(Math.max(1, places.length));
    const ended = places.slice(from, from + random.int(isFull ? 20 : 4));
    for (const slot of ended) after.delete(index.number(slot));
    return { batch: { acks: ended.map((slot) => ({ id: index.id(slot), reason: 'acknowledged' })) }, after };
  }

  step(): void {
    const { h } = this;
    const { batch, after } = this.#draw();
    let isDurable = false;
    try {
      h.ring.append(batch, { nowMs: h.nowMs, delayMs: 0 }, (outcome) => {
        isDurable = outcome === 'durable';
      });
    } catch (error) {
      if (!hasCode(error, 'QUEUE_FULL')) throw error;
      return;
    }
    if (this.#random.chance(0.85)) {
      h.settle();
    } else {
      h.play();
      if (this.#random.chance(0.5)) h.disk.step();
      h.play();
      h.powerCut();
      h.beginReopen();
      h.settle();
    }
    const isThere = isDurable || this.#numbers().join() === [...after.keys()].sort((a, b) => a - b).join();
    if (isThere) this.model = after;
    this.check();
  }

  #numbers(): number[] {
    const { index } = this.h.ring;
    const places = [...index.slots()].filter((slot) => !index.isHolder(slot));
    return places.map((slot) => index.number(slot)).sort((a, b) => a - b);
  }

  check(): void {
    const { ring, driver, nowMs } = this.h;
    const { index } = ring;
    expect(this.#numbers()).toEqual([...this.model.keys()].sort((a, b) => a - b));
    const holders = new Set<number>();
    let bytes = ring.metas.bytes;
    for (const slot of index.slots()) {
      bytes += PUT_BYTES + index.bodyBytes(slot);
      if (index.isHolder(slot)) continue;
      const holder = index.holder(slot);
      const held = index.find(holder);
      expect(index.isHolder(held)).toBe(true);
      holders.add(holder);
      expect(crc32(readBody(driver, holder, nowMs) ?? new Uint8Array(), 0)).toBe(this.model.get(index.number(slot)));
      expect(index.wholeBytes(slot)).toBe(index.bodyBytes(slot) + index.bodyBytes(held));
    }
    const all = [...index.slots()].filter((slot) => index.isHolder(slot)).map((slot) => index.id(slot));
    expect(new Set(all)).toEqual(holders);
    for (const id of all) expect(index.placesOf(id)).toBe([...index.slots()].filter((slot) => index.holder(slot) === id).length);
    expect(ring.bytesUsed).toBe(bytes);
  }
}

test.each([1, 2, 3, 4])('is there as long as one of its places is, and no longer: program %i', (seed) => {
  const run = new Run(seed);
  for (let i = 0; i < 180; i++) run.step();
  expect(run.h.disk.counters.bytesWritten / run.h.disk.bytes).toBeGreaterThan(1);
});

test('a batch of acknowledgements that ends many bodies still fits its frame', () => {
  const run = new Run(7);
  const { h } = run;
  const ids: number[] = [];
  for (let i = 0; i < 100; i++) {
    const puts = [message(0, new Uint8Array(20), 'itself'), message(i + 1, new Uint8Array(0), 'above')];
    h.ring.append({ puts }, { nowMs: h.nowMs, delayMs: 0 }, (_outcome, slots) => ids.push(h.ring.index.id(slots[1] ?? 0)));
    h.settle();
  }
  const acks = ids.map((id) => ({ id, reason: 'acknowledged' as const }));
  const [all, few] = [acks.concat(acks).slice(0, 100), acks.slice(0, 1)];
  expect([h.ring.admits({ acks: all }), h.ring.admits({ acks: few })]).toEqual([true, true]);
  h.ring.append({ acks: all }, { nowMs: h.nowMs, delayMs: 0 }, () => {});
  h.settle();
  expect(h.ring.index.count).toBe(0);
});

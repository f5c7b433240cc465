/** The index says of every message exactly what it was told, in few bytes, whatever came and went before. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import type { PutEntry } from './entry-layout.ts';
import { MessageIndex, NO_SLOT } from './message-index.ts';

const UINT48_MAX = 2 ** 48 - 1;
/** Body offset and length have 20 bits: more than any frame has (geometry.ts). */
const IN_FRAME_MAX = 512 * 1024;

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const uint48 = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: UINT48_MAX }));
const few = fc.integer({ min: 0, max: 3 });

const entryOf = (id: fc.Arbitrary<number>): fc.Arbitrary<PutEntry> =>
  fc.record({
    kind: fc.constant('put' as const),
    copy: fc.boolean(),
    damaged: fc.boolean(),
    id,
    queue: few,
    priority: fc.integer({ min: 0, max: 7 }),
    deliveryCount: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 65_535 })),
    moveCount: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 65_535 })),
    attended: fc.constantFrom(undefined, true as const),
    holder: fc.constant(undefined),
    stream: fc.oneof(few, uint32),
    number: uint48,
    epochCounter: few,
    epochRandom: fc.oneof(few, uint32),
    storedAtMs: uint48,
    expiresAtMs: fc.oneof(fc.constant(0), uint48),
    notBeforeMs: fc.oneof(fc.constant(0), uint48),
    bodyBytes: fc.integer({ min: 0, max: IN_FRAME_MAX }),
    bodyCrc: uint32,
    bodyOffset: fc.integer({ min: 0, max: IN_FRAME_MAX }),
  });

function told(index: MessageIndex, slot: number): Omit<PutEntry, 'kind' | 'copy'> & { lsn: number } {
  return {
    damaged: index.isDamaged(slot),
    id: index.id(slot),
    queue: index.queue(slot),
    priority: index.priority(slot),
    deliveryCount: index.deliveryCount(slot),
    moveCount: index.moveCount(slot),
    attended: index.isAttended(slot) ? true : undefined,
    holder: index.copyOf(slot).holder,
    stream: index.stream(slot),
    number: index.number(slot),
    epochCounter: index.epochCounter(slot),
    epochRandom: index.epochRandom(slot),
    storedAtMs: index.storedAtMs(slot),
    expiresAtMs: index.expiresAtMs(slot),
    notBeforeMs: index.notBeforeMs(slot),
    bodyBytes: index.bodyBytes(slot),
    bodyCrc: index.bodyCrc(slot),
    bodyOffset: index.bodyOffset(slot),
    lsn: index.lsn(slot),
  };
}

describe('the index', () => {
  test('tells what it was told, through inserts, copies, states and removals', () => {
    const id = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: UINT48_MAX - 5, max: UINT48_MAX }));
    const steps = fc.array(fc.record({ what: fc.constantFrom('put', 'state', 'remove'), entry: entryOf(id), lsn: uint48 }), {
      maxLength: 400,
    });
    fc.assert(
      fc.property(steps, (script) => {
        const index = new MessageIndex();
        const model = new Map<number, Omit<PutEntry, 'kind' | 'copy'> & { lsn: number }>();
        for (const { what, entry, lsn } of script) {
          const { kind: _kind, copy: _copy, ...said } = entry;
          const slot = index.find(entry.id);
          expect(slot === NO_SLOT).toBe(!model.has(entry.id));
          if (what === 'put') {
            if (slot === NO_SLOT) index.insert(entry, lsn);
            else index.replace(slot, entry, lsn);
            model.set(entry.id, { ...said, lsn });
          } else if (slot !== NO_SLOT && what === 'remove') {
            index.remove(slot);
            model.delete(entry.id);
          } else if (slot !== NO_SLOT) {
            index.setState(slot, entry);
            const { deliveryCount, notBeforeMs, moveCount } = entry;
            const before = model.get(entry.id)!;
            // What passes through, in queue 0, neither enters a queue nor leaves one.
            const queue = before.queue === 0 || entry.queue === 0 ? before.queue : entry.queue;
            model.set(entry.id, { ...before, deliveryCount, notBeforeMs, moveCount, queue });
          }
        }
        expect(index.count).toBe(model.size);
        const all = [...index.slots()].map((slot) => told(index, slot)).sort((a, b) => a.id - b.id);
        expect(all).toEqual([...model.values()].sort((a, b) => a.id - b.id));
      }),
    );
  });

  test('finds every message and no other, while thousands come and go in any order', () => {
    const random = stream('thousands', 'index');
    const [entry] = fc.sample(entryOf(fc.constant(1)), { numRuns: 1, seed: 2 });
    const index = new MessageIndex();
    const there: number[] = [];
    let nextId = 1;
    for (let step = 0; step < 40_000; step++) {
      const grows = there.length < (step < 20_000 ? 9000 : 500);
      if (random.chance(grows ? 0.7 : 0.3)) {
        nextId += random.chance(0.1) ? random.int(50) : 1;
        index.insert({ ...entry!, id: nextId }, step);
        there.push(nextId);
        nextId += 1;
      } else if (there.length > 0) {
        const at = random.int(there.length);
        const id = there[at] ?? 0;
        there[at] = there.at(-1) ?? 0;
        there.pop();
        index.remove(index.find(id));
        if (index.find(id) !== NO_SLOT) expect.fail(`${id} was removed, and is found`);
      }
      if (step % 1000 !== 0) continue;
      expect(there.filter((id) => index.id(index.find(id)) !== id)).toEqual([]);
      expect([...index.slots()]).toHaveLength(there.length);
    }
    expect(there.length).toBeGreaterThan(300);
  });

  test('knows no message in a slot that never was one', () => {
    expect([new MessageIndex().id(0), new MessageIndex().id(100_000)]).toEqual([0, 0]);
  });

  test('takes at most 64 bytes a message, at any count from twenty thousand on', () => {
    const index = new MessageIndex();
    const [entry] = fc.sample(entryOf(fc.constant(1)), { numRuns: 1, seed: 1 });
    let worst = 0;
    for (let id = 1; id <= 60_000; id++) {
      index.insert({ ...entry!, id, expiresAtMs: 0, notBeforeMs: 0, deliveryCount: 0, moveCount: 0 }, id);
      if (id >= 20_000) worst = Math.max(worst, index.bytes / id);
    }
    expect(worst).toBeLessThanOrEqual(64);
    expect(index.bytes).toBeGreaterThan(54 * index.count); // it is not made up: a slot has 48 bytes, and 6 to be found
    const { bytes } = index;
    index.setState(index.find(1), { deliveryCount: 0, notBeforeMs: 0, moveCount: 1 });
    expect(index.bytes, 'who is moved pays').toBeGreaterThan(bytes);
    for (const slot of index.slots()) index.setState(slot, { deliveryCount: 0, notBeforeMs: 0, moveCount: 1 });
    expect(index.bytes / index.count, 'with every one of them moved').toBeLessThanOrEqual(64);
  });
});

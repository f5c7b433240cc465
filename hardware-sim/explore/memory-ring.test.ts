/** The ring in memory against the real one on a simulated disk: what it leaves out makes no difference to whoever only sees a ring. */
import { expect, test } from 'vitest';
import { toUtf8 } from '../../shared/bytes.ts';
import type { Batch } from '../../shared/ring/batch.ts';
import { geometryFor } from '../../shared/ring/geometry.ts';
import type { MessageIndex } from '../../shared/ring/message-index.ts';
import type { MetaTable } from '../../shared/ring/meta-table.ts';
import { stream } from '../random.ts';
import { formattedDisk, openRing, type RingDriver } from '../ring-driver.ts';
import { BLANK, MemoryRing } from './memory-ring.ts';

const NOW = { nowMs: 0, delayMs: 0 };
const KEYS = ['x', 'y', 'z'];

/** Messages and values of a ring, as custody reads them. */
function seen({ index, metas }: { index: MessageIndex; metas: MetaTable }): unknown {
  const messages = [...index.slots()].map((slot) => [index.id(slot), index.number(slot), index.queue(slot)].join()).sort();
  return { messages, metas: KEYS.map((key) => String(metas.get(key))) };
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  'the same batches, writes and power cuts leave the same: seed %i',
  (seed) => {
    const random = stream(seed, 'memory-ring');
    const disk = formattedDisk(geometryFor(388 * 4096), random, 'stepped');
    const settle = (driver: RingDriver): void => {
      for (driver.play(0); disk.step(); driver.play(0));
    };
    let real = openRing(disk);
    settle(real);
    let ring = new MemoryRing(BLANK, 1);
    let [number, told] = [0, ['', '']];
    const append = (batch: Batch): void => {
      real.ring.append(batch, NOW, (outcome, slots) => {
        told[0] += ` ${outcome} ${slots.map((slot) => real.ring.index.id(slot))}`;
      });
      ring.append(batch, NOW, (outcome, slots) => {
        told[1] += ` ${outcome} ${slots.map((slot) => ring.index.id(slot))}`;
      });
    };
    for (let step = 0; step < 60; step++) {
      const what = random.int(10);
      const ids = [...ring.index.slots()].map((slot) => ring.index.id(slot));
      const [id] = ids;
      if (what < 4) append({ puts: [messageOf(++number)], metas: [{ key: KEYS[number % 3] ?? '', value: random.bytes(3) }] });
      else if (what < 5 && id !== undefined)
        append({ acks: [{ id, reason: 'handed-over' }], metas: [{ key: 'x', value: undefined }] });
      else if (what < 9) {
        if (ring.isWriting) ring.flush();
        disk.step();
      } else {
        const kept = random.chance(0.5);
        ring = new MemoryRing(kept ? ring.durableIfKept : ring.durable, 1);
        disk.powerCut(() => (kept ? 'new' : 'old'));
        real = openRing(disk);
        settle(real);
      }
      real.play(0);
      ring.begin(0);
      expect(seen(ring)).toEqual(seen(real.ring));
      expect(told[1]).toBe(told[0]);
      expect(ring.epoch.counter).toBe(real.ring.epoch.counter);
    }
    expect(number).toBeGreaterThan(5);
  },
);

function messageOf(number: number) {
  const epoch = { epochCounter: 1, epochRandom: 1 };
  const times = { deliveryCount: 0, expiresAtMs: 0, notBeforeMs: 0 };
  return { queue: 0, priority: 3, stream: 1, number, ...epoch, ...times, body: toUtf8(`m${number}`) };
}

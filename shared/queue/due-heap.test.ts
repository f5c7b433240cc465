import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DueHeap } from './due-heap.ts';

test('gives what is due in order of time, whatever the order it was put in', () => {
  const steps = fc.array(fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.constant('pop' as const)), { maxLength: 400 });
  fc.assert(
    fc.property(steps, (script) => {
      const heap = new DueHeap();
      const model: number[] = [];
      let id = 0;
      for (const step of script) {
        if (step === 'pop') {
          model.sort((a, b) => a - b);
          expect(heap.pop()?.atMs).toBe(model.shift());
        } else {
          heap.push({ atMs: step, id: ++id, slot: id % 7 });
          model.push(step);
        }
        expect([heap.count, heap.nextMs]).toEqual([model.length, model.length === 0 ? undefined : Math.min(...model)]);
      }
    }),
  );
});

test('an entry comes back as it was, up to the largest numbers there are', () => {
  const heap = new DueHeap();
  const due = { atMs: 2 ** 48 - 1, id: 2 ** 48 - 2, slot: 2 ** 31 - 1 };
  heap.push(due);
  expect([heap.pop(), heap.pop()]).toEqual([due, undefined]);
});

test('twenty bytes an entry, and room that goes again with what was swept', () => {
  const heap = new DueHeap();
  for (let id = 1; id <= 100_000; id++) heap.push({ atMs: (id * 7919) % 100_000, id, slot: id });
  expect(heap.bytes / heap.count).toBeLessThan(20 * 1.5);
  heap.sweep(99_999, () => false);
  expect(heap.count).toBe(100_000);
  heap.sweep(10, ({ id }) => id <= 10);
  expect(heap.count).toBe(10);
  expect(heap.bytes).toBeLessThan(4096);
  const ids = Array.from({ length: 10 }, () => heap.pop()?.id);
  expect(ids.sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

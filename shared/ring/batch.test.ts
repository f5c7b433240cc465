import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Pending, PendingBatches } from './batch.ts';

const pendingOf = fc.record({ bytes: fc.integer({ min: 1, max: 50 }), dueMs: fc.integer({ min: 0, max: 20 }) });

test('pending batches leave in the order they came, and the most urgent one is always known', () => {
  const steps = fc.array(fc.oneof(pendingOf, fc.record({ takeBytes: fc.integer({ min: 0, max: 400 }) })), { maxLength: 500 });
  fc.assert(
    fc.property(steps, (script) => {
      const batches = new PendingBatches();
      let model: Pending[] = [];
      for (const step of script) {
        if ('takeBytes' in step) {
          const expected: Pending[] = [];
          let bytes = 0;
          for (const one of model) {
            bytes += one.bytes;
            if (bytes > step.takeBytes) break;
            expected.push(one);
          }
          expect(batches.take('all', step.takeBytes)).toEqual(expected);
          model = model.slice(expected.length);
        } else {
          const pending: Pending = { ...step, batch: {}, grows: { messages: 0, meta: 0 }, done: () => {} };
          batches.push(pending);
          model.push(pending);
        }
        expect(batches.count).toBe(model.length);
        expect(batches.bytes).toBe(model.reduce((sum, { bytes }) => sum + bytes, 0));
        expect(batches.dueMs).toBe(Math.min(Number.POSITIVE_INFINITY, ...model.map(({ dueMs }) => dueMs)));
      }
      expect(batches.takeAll()).toEqual(model);
    }),
  );
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OpenCalls, type Then } from './open-calls.ts';

test('whoever waits is found under his token, once, however many came after him', () => {
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ what: fc.constant('add' as const), count: fc.integer({ min: 1, max: 700 }) }) },
    { weight: 5, arbitrary: fc.record({ what: fc.constant('take' as const), count: fc.integer({ min: 1, max: 700 }) }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('takeAll' as const), count: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.nat(), (script, seed) => {
      const open = new OpenCalls();
      const model = new Map<number, Then>();
      let chance = seed;
      for (const { what, count } of script) {
        if (what === 'takeAll') {
          if (open.takeAll().some((then, i) => then !== [...model.values()][i])) throw new Error('others, or in another order');
          model.clear();
        }
        for (let i = 0; i < count; i++) {
          if (what === 'add') {
            const then = () => {};
            const token = open.add(then);
            if (model.has(token)) throw new Error('a token that another call has');
            model.set(token, then);
            continue;
          }
          const tokens = [...model.keys()].slice(0, 50);
          chance = (Math.imul(chance, 1_103_515_245) + 12_345) >>> 0;
          const token = tokens[chance % tokens.length] ?? 0;
          if (open.has(token) !== model.has(token) || open.take(token) !== model.get(token)) throw new Error('somebody else');
          model.delete(token);
          if (open.has(token) || open.take(token) !== undefined) throw new Error('found twice');
        }
      }
      expect(open.takeAll()).toEqual([...model.values()]);
    }),
    { numRuns: 30 },
  );
});

test('a call whose answer nobody waits for has a token of its own', () => {
  const open = new OpenCalls();
  const token = open.takeToken();
  expect([open.has(token), open.take(token), open.add(() => {})]).toEqual([false, undefined, token + 1]);
});

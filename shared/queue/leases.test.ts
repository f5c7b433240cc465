import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Lease, Leases } from './leases.ts';

const message = { slot: 1, messageId: 10 };

test('a lease of another opening is not known', () => {
  const leases = new Leases('7.a');
  const { id } = leases.grant(message, 100);
  expect(leases.find(id)).toMatchObject(message);
  for (const other of ['', '7.b-1', '7.a-', '7.a-2', '7.a-01', `${id} `]) expect(leases.find(other)).toBeUndefined();
  expect(new Leases('8.a').find(id)).toBeUndefined();
});

test('one that is being ended can neither be ended again nor run out, and holds as before when that is refused', () => {
  const leases = new Leases('e');
  const lease = leases.grant(message, 100);
  leases.end(lease);
  expect([leases.find(lease.id), leases.expire(200), leases.nextDeadlineMs]).toEqual([undefined, [], undefined]);
  leases.restore(lease);
  expect(leases.find(lease.id)).toBe(lease);
  expect(leases.expire(200)).toEqual([lease]);
});

test('an extended lease runs out at its new time, be it later or sooner', () => {
  const leases = new Leases('e');
  const [longer, shorter] = [leases.grant(message, 100), leases.grant({ slot: 2, messageId: 11 }, 100)];
  leases.extend(longer, 300);
  leases.extend(shorter, 50);
  expect(leases.nextDeadlineMs).toBe(50);
  expect(leases.expire(299).map(({ id }) => id)).toEqual([shorter.id]);
  expect(leases.nextDeadlineMs).toBe(300);
  expect(leases.expire(300).map(({ id }) => id)).toEqual([longer.id]);
});

test('any program: those run out whose time is up, and the next time is the earliest', () => {
  const act = fc.record({ do: fc.constantFrom('grant', 'grant', 'end', 'extend', 'restore', 'expire'), n: fc.nat(1_000) });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 300 }), (program) => {
      const leases = new Leases('p');
      const model = new Map<string, number>();
      const ended: Lease[] = [];
      let nowMs = 0;
      for (const { do: what, n } of program) {
        const [id = ''] = [...model.keys()].slice(n % Math.max(1, model.size));
        const lease = leases.find(id);
        if (what === 'grant') {
          const { id: granted, deadlineMs } = leases.grant({ slot: n, messageId: n }, nowMs + (n % 50));
          model.set(granted, deadlineMs);
        } else if (what === 'expire') {
          nowMs += n % 30;
          const over = leases.expire(nowMs).map((one) => one.id);
          const expected = [...model].filter(([, atMs]) => atMs <= nowMs).map(([one]) => one);
          expect(over.sort()).toEqual(expected.sort());
          for (const one of over) model.delete(one);
        } else if (what === 'restore') {
          const back = ended.pop();
          if (back === undefined) continue;
          leases.restore(back);
          model.set(back.id, back.deadlineMs);
        } else if (lease !== undefined && what === 'end') {
          leases.end(lease);
          ended.push(lease);
          model.delete(id);
        } else if (lease !== undefined && what === 'extend') {
          leases.extend(lease, nowMs + (n % 70));
          model.set(id, nowMs + (n % 70));
        }
        const next = model.size === 0 ? undefined : Math.min(...model.values());
        expect([leases.nextDeadlineMs, leases.count]).toEqual([next, model.size]);
      }
    }),
    { numRuns: 100 },
  );
});

test('leases that are extended again and again run out once, at their last time', () => {
  const leases = new Leases('m');
  const held = Array.from({ length: 1_000 }, (_, n) => leases.grant({ slot: n, messageId: n }, 1_000));
  for (let round = 0; round < 50; round++) for (const lease of held) leases.extend(lease, 1_000 + round);
  expect(leases.expire(1_048)).toEqual([]);
  expect(leases.expire(1_049)).toHaveLength(1_000);
});

import { expect, test } from 'vitest';
import { invariant } from '../../assert.ts';
import type { Call, CallResult, Received } from '../../core/calls.ts';
import type { NodeCalls } from '../node-calls.ts';
import { messagesOf } from './messages.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;

const RECEIVED: Received = {
  lease: 'l',
  leaseMs: 1_000_000,
  deliveryCount: 1,
  moveCount: 0,
  lookupId: 1,
  hop: { count: 0, elapsedMs: 0 },
  message: {
    identity: { origin: 'a', incarnation: '00c0ffee00c0ffee', destination: 'a/b', priority: 3, number: 1 },
    epoch: { counter: 1, random: 1 },
    priority: 3,
    body: new Uint8Array(0),
  },
};

test('a loop with prefetch costs the same for a late message as for an early one', async () => {
  let deliver: (answer: Success) => void = () => {};
  const node: NodeCalls = {
    call: ({ verb }: Call) => {
      if (verb !== 'receive') return Promise.resolve({ kind: 'done' });
      return new Promise((resolve) => {
        deliver = resolve;
      });
    },
  };
  const loop = messagesOf(node, { queue: 'b' }, { prefetch: 10 });
  const { then } = Promise.prototype;
  const costs: number[] = [];
  try {
    for (let i = 0; i < 300; i++) {
      let cost = 0;
      Reflect.set(Promise.prototype, 'then', function (this: Promise<unknown>, ...how: Parameters<typeof then>) {
        cost += 1;
        return then.apply(this, how);
      });
      const next = loop.next();
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
      deliver({ kind: 'received', received: RECEIVED });
      await next;
      Reflect.set(Promise.prototype, 'then', then);
      costs.push(cost);
    }
  } finally {
    Reflect.set(Promise.prototype, 'then', then);
  }
  const [early, late] = [costs[5], costs[299]];
  invariant(early !== undefined && late !== undefined, 'all were counted');
  expect(late).toBeLessThan(2 * early + 10);
});

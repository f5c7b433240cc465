/** An end that is refused: nothing is lost, and nobody runs hot. */
import { expect, test } from 'vitest';
import type { NodeStore } from '../custody/node-store.ts';
import type { Planned } from '../custody/planned.ts';
import { RingmailError } from '../errors.ts';
import { LETTER_RETRY_MS_MAX } from '../limits.ts';
import { Leases } from '../queue/leases.ts';
import type { Outcome } from '../ring/ring.ts';
import type { DeliveryCounts } from './delivery-counts.ts';
import type { DeskShell } from './desk-shell.ts';
import type { Endings } from './endings.ts';
import { LeaseEndings } from './lease-endings.ts';

const FULL = new RingmailError('QUEUE_FULL', { queue: '$dead', bytesLimit: 1, bytesUsed: 1, bytesNeeded: 1 });
const PLANNED: Planned = { puts: [], acks: [{ id: 10, reason: 'replaced' }], changes: [], settle: () => {} };
const MESSAGE = { slot: 1, messageId: 10 };

function desk() {
  const said: string[] = [];
  const state = { plan: 'full' as 'full' | 'loading' | 'planned', plans: 0, finished: 0, nowMs: 0 };
  const leases = new Leases('e');
  const store = {
    get nowMs() {
      return state.nowMs;
    },
    commit: (_batch: unknown, done: (outcome: Outcome) => void) => done('durable'),
    queues: {
      finish: () => {
        state.finished += 1;
      },
    },
    ring: {},
  };
  const endings = {
    plan: () => {
      state.plans += 1;
      if (state.plan === 'full') throw FULL;
      return state.plan === 'loading' ? 'loading' : PLANNED;
    },
  };
  const shell = {
    answer: (token: number, { kind }: { kind: string }) => {
      said.push(`${token} ${kind}`);
    },
  };
  const ends = new LeaseEndings({
    store: store as unknown as NodeStore,
    shell: shell as unknown as DeskShell,
    leases,
    counts: { forget: () => {} } as unknown as DeliveryCounts,
    endings: endings as unknown as Endings,
  });
  return { ends, leases, said, state };
}

test("a poisoned message without room for its letter stays in nobody's hands, is tried again later each time, and goes when there is room", () => {
  const { ends, said, state } = desk();
  ends.giveUp(MESSAGE, { class: 'POISON', reason: 'r' }, 7);
  expect([said, state.finished]).toEqual([['7 done'], 0]);
  const waits: number[] = [];
  for (let i = 0; i < 9; i++) {
    const atMs = ends.wakeAtMs ?? 0;
    waits.push((atMs - state.nowMs) / 1000);
    state.nowMs = atMs - 1;
    ends.pump();
    expect(state.plans).toBe(i + 1);
    state.nowMs = atMs;
    ends.pump();
  }
  expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, LETTER_RETRY_MS_MAX / 1000]);
  state.plan = 'planned';
  state.nowMs = ends.wakeAtMs ?? 0;
  ends.pump();
  expect([said, state.finished, ends.wakeAtMs]).toEqual([['7 done'], 1, undefined]);
});

test('an ack that is refused after its message was read leaves the lease as it was; it may be asked again', () => {
  const { ends, leases, said, state } = desk();
  const lease = leases.grant(MESSAGE, 1_000);
  state.plan = 'loading';
  ends.end(1, lease, { class: 'received' });
  expect([leases.find(lease.id), said]).toEqual([undefined, []]);
  expect(leases.expire(5_000)).toEqual([]);
  ends.pump();
  state.plan = 'full';
  ends.pump();
  expect([leases.find(lease.id), said, state.finished]).toEqual([lease, ['1 error'], 0]);
  state.plan = 'planned';
  ends.end(2, lease, { class: 'received' });
  expect([leases.find(lease.id), said, state.finished]).toEqual([undefined, ['1 error', '2 done'], 1]);
});

test('one that is refused at once throws, and the lease holds', () => {
  const { ends, leases, said } = desk();
  const lease = leases.grant(MESSAGE, 1_000);
  expect(() => ends.end(1, lease, { class: 'received' })).toThrow(FULL);
  expect([leases.find(lease.id), said]).toEqual([lease, []]);
});

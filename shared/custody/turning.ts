/**
 * What would go back to the neighbour it came from. A neighbour takes each number of a stream once: of what it handed over and gets back
 * it says that it had that, and nobody has it any more. So it never gets it back in its place. It is carried (carrying.ts): it goes on in a
 * stream of this node, to the same destination, and that one decides.
 *
 *   old gateway   holds commands for a device that is detached: what came from above would go up again ──▶ carried up
 *   central       holds what a gateway carried up, for a device that returned to that gateway          ──▶ carried down
 *
 * Until it is, the sender on that way does not see it (`CustodySender.returned`).
 */
import { RingmailError } from '../errors.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { lossOf } from './accounts.ts';
import { Bodies } from './bodies.ts';
import { planAway } from './carrying.ts';
import type { Hop } from './hops.ts';
import type { Intake } from './intake.ts';
import type { NodeStore } from './node-store.ts';
import { endNumbers, type OutStream } from './outgoing.ts';
import { batchOf } from './planned.ts';
import type { CustodyReceiver } from './receiver.ts';
import type { CustodySender } from './sender.ts';

/** Messages that are carried in one step, over all streams. */
const CARRIED_COUNT_PER_STEP = 64;
/** Until what found no room is tried again. */
const RETRY_MS = 1_000;

export interface TurningOptions {
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly receiver: CustodyReceiver;
  readonly senders: () => readonly CustodySender[];
}

export class Turning {
  /** Since this opening. */
  carriedCount = 0;
  readonly #options: TurningOptions;
  readonly #bodies: Bodies;
  #workSeen = -1;
  #isReading = false;
  #retryAtMs: number | undefined;

  constructor(options: TurningOptions) {
    this.#options = options;
    this.#bodies = new Bodies(options.store.ring);
  }

  /** Goes on as far as the ring takes it. Called after every step. */
  pump(): void {
    const { store } = this.#options;
    const { workCount } = store;
    const isDue = this.#retryAtMs !== undefined && store.nowMs >= this.#retryAtMs;
    if (store.ring.state !== 'serving' || (workCount === this.#workSeen && !this.#isReading && !isDue)) return;
    this.#workSeen = workCount;
    this.#isReading = false;
    this.#retryAtMs = undefined;
    const senders = new Map(this.#options.senders().map((sender) => [sender.hop, sender]));
    let left = CARRIED_COUNT_PER_STEP;
    for (const out of store.outgoing) {
      while (left > 0 && this.#isToCarry(out, senders) && this.#carry(out)) left -= 1;
      if (left === 0) this.#isReading = true; // and on with the next step
    }
  }

  /** In milliseconds of the core; what reads or writes wakes the node anyway. */
  get wakeAtMs(): number | undefined {
    return this.#retryAtMs;
  }

  /** The first of what is held of it came from the neighbour to which it would go. */
  #isToCarry(out: OutStream, senders: ReadonlyMap<Hop, CustodySender>): boolean {
    const { store } = this.#options;
    if (out.list.count === 0 && out.gaps.length === 0) return false;
    const hop = store.hops.of(out);
    const sender = hop && senders.get(hop);
    return sender !== undefined && headOf(store, out) < sender.returned(out);
  }

  /** False where it cannot go on now. */
  #carry(out: OutStream): boolean {
    const { store, intake } = this.#options;
    try {
      const planned = planAway({ store, intake }, out, (slot) => this.#bodies.get(slot));
      if (planned === 'done') return false;
      if (planned === 'corrupt') {
        this.#endCorrupt(out);
        return true;
      }
      if (planned === 'loading') {
        this.#isReading = true;
        return false;
      }
      store.commit(batchOf(planned), () => {});
      planned.settle();
      this.carriedCount += 1;
      return true;
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#retryAtMs = store.nowMs + RETRY_MS;
      return false;
    }
  }

  /** It ends here, and what is left of it, a gap, is carried. */
  #endCorrupt(out: OutStream): void {
    const { store } = this.#options;
    const slot = out.list.head;
    const number = store.ring.index.number(slot);
    const acks = [{ id: store.ring.index.id(slot), reason: 'corrupt' as const }];
    out.list.remove(slot);
    const noted = endNumbers(out, { from: number, to: number, class: 'CORRUPT', node: store.self.name });
    const account = store.account(lossOf(out.handle, 'CORRUPT', [{ from: number, to: number }]));
    store.commit({ acks, metas: [noted, account] }, () => {});
  }
}

/** The lowest number that is held. */
function headOf({ ring }: NodeStore, { list, gaps }: OutStream): number {
  const slot = list.head;
  const message = slot === NO_SLOT ? Number.POSITIVE_INFINITY : ring.index.number(slot);
  return Math.min(message, gaps[0]?.from ?? Number.POSITIVE_INFINITY);
}

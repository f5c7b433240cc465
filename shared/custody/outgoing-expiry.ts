/**
 * Messages whose time is over before they left this node: REACH_QUEUE_TIMEOUT. Each ends in one frame, and its gap goes on in its place.
 *
 *   held ──time is over──▶ due ──may have been handed over──▶ left alone: how it ends is decided where it goes
 *                           │
 *                           └──body read──▶ planned ──durable──▶ ended: account, letter, word to the sender, gap
 *
 * Nothing of the gap is seen before it is durable, and the message is not handed over meanwhile.
 */
import { hasCode } from '../errors.ts';
import { DUE_COUNT_PER_STEP, EXPIRED_READ_COUNT } from '../limits.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { Due } from '../queue/due-heap.ts';
import { lossOf } from './accounts.ts';
import { Bodies } from './bodies.ts';
import { gapWord, identityAt } from './carrying.ts';
import type { Intake } from './intake.ts';
import { contentOf } from './letter-content.ts';
import type { NodeStore } from './node-store.ts';
import { gapChange, gapDelete, type HeldGap, holdGap, type OutStream } from './outgoing.ts';
import { batchOf, type Planned, withBeside } from './planned.ts';
import type { CustodySender } from './sender.ts';

const ENDING = 'REACH_QUEUE_TIMEOUT';
/** Ends on their way to the disk at once. */
const IN_FLIGHT_COUNT_MAX = 64;

export class OutgoingExpiry {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #senders: () => readonly CustodySender[];
  readonly #bodies: Bodies;
  /** Their bodies are being read. */
  #reading: Due[] = [];
  #inFlight = 0;
  /** The last one of each stream, on the disk or on its way there. */
  readonly #planned = new Map<OutStream, HeldGap>();

  constructor(store: NodeStore, intake: Intake, senders: () => readonly CustodySender[]) {
    this.#store = store;
    this.#intake = intake;
    this.#senders = senders;
    this.#bodies = new Bodies(store.ring);
  }

  pump(): void {
    if (this.#store.ring.state !== 'serving') return;
    const { timed } = this.#store.outgoing;
    const nowMs = this.#store.queueTimeMs;
    const before = this.#reading;
    this.#reading = [];
    for (const due of before) this.#end(due);
    for (let left = DUE_COUNT_PER_STEP; left > 0 && this.#hasRoom; left--) {
      const due = (timed.nextMs ?? Number.POSITIVE_INFINITY) > nowMs ? undefined : timed.pop();
      if (due === undefined) return;
      this.#end(due);
    }
  }

  /** In milliseconds of the core; undefined while what reads or writes wakes the node anyway. */
  get wakeAtMs(): number | undefined {
    const { outgoing, nowMs, queueTimeMs } = this.#store;
    const dueMs = outgoing.timed.nextMs;
    return dueMs === undefined || !this.#hasRoom ? undefined : nowMs + Math.max(0, dueMs - queueTimeMs);
  }

  get #hasRoom(): boolean {
    return this.#reading.length < EXPIRED_READ_COUNT && this.#inFlight < IN_FLIGHT_COUNT_MAX;
  }

  #end(due: Due): void {
    const { ring, streams, outgoing } = this.#store;
    const { slot } = due;
    if (!outgoing.waits(due)) return;
    const out = outgoing.find(streams.standing(ring.index.stream(slot)));
    const number = ring.index.number(slot);
    if (out === undefined || this.#senders().some((sender) => sender.mayHaveHandedOver(out, number))) return;
    const body = this.#bodies.get(slot);
    if (body === 'loading') return void this.#reading.push(due);
    // What cannot be read ends as corrupt when its turn comes.
    if (body !== 'corrupt') this.#plan(out, due, body);
  }

  #plan(out: OutStream, { id, slot }: Due, body: Uint8Array): void {
    const number = this.#store.ring.index.number(slot);
    const known = identityAt(out, number, body);
    const identity = known?.identity ?? { ...out.key, number };
    // The number of one that is carried is nobody's: how the message ended is told in a word.
    const isCarried = known?.isCarried === true;
    const node = this.#store.self.name;
    const gap: HeldGap = isCarried ? { from: number, to: number, class: 'UNUSED', node } : this.#gapOf(out, number);
    const account = this.#store.planLosses([lossOf(out.handle, ENDING, [{ from: number, to: number }])]);
    const acks = [{ id, reason: 'expired' as const }];
    const bare: Planned = { puts: [], acks, changes: [...account.changes, gapChange(out, gap)], settle: account.settle };
    const end = isCarried ? this.#withWord(bare, identity) : bare;
    const content = contentOf(body);
    const letter =
      content.properties.deadLetter === 'off' ? end : this.#withLetter(end, { ...content, previous: identityText(identity) });
    const asked = { ...content.properties, identity };
    const planned = this.#intake.told(letter, asked, { class: ENDING, where: 'before its queue' });
    this.#store.commit(batchOf(planned), (outcome) => {
      this.#inFlight -= 1;
      if (outcome === 'durable') this.#ended(out, gap);
    });
    planned.settle();
    this.#inFlight += 1;
    this.#planned.set(out, gap);
    out.list.remove(slot);
  }

  /** The gap with this number in it: one that grows where the number before ended so, too, since META is for few of them. */
  #gapOf(out: OutStream, number: number): HeldGap {
    const node = this.#store.self.name;
    const isBefore = (gap: HeldGap) => gap.to === number - 1 && gap.class === ENDING && gap.node === node;
    const last = this.#planned.get(out);
    const before = last !== undefined && isBefore(last) ? last : out.gaps.find(isBefore);
    return { from: before?.from ?? number, to: number, class: ENDING, node };
  }

  /** Without room for it, the number is missing at its destination. */
  #withWord(end: Planned, identity: Identity): Planned {
    const { number, ...stream } = identity;
    const gap = { stream, ranges: [{ from: number, to: number }], class: ENDING, node: this.#store.self.name } as const;
    return withBeside(this.#store.ring, end, () => gapWord(this.#intake, gap)) ?? end;
  }

  /** What `$dead` cannot take is accounted for only. */
  #withLetter(end: Planned, letter: Parameters<Intake['beginDead']>[0]): Planned {
    const ending = { class: ENDING, node: this.#store.self.name, reason: 'its time was over before it left this node' } as const;
    const both = withBeside(this.#store.ring, end, () => this.#intake.beginDead(letter, ending, 'replacing'));
    if (both === undefined) this.#store.leftOut.letters += 1;
    return both ?? end;
  }

  #ended(out: OutStream, gap: HeldGap): void {
    if (gap.to >= out.lo) {
      const at = out.gaps.findIndex(({ from }) => from === gap.from);
      if (at >= 0) out.gaps.splice(at, 1);
      return holdGap(out, gap);
    }
    if (this.#planned.get(out) !== gap) return;
    try {
      // A receiver that had it all the same: nobody will ask for the gap.
      this.#store.commit({ metas: [gapDelete(out, gap.from)] }, () => {});
    } catch (error) {
      // A ring that closes keeps it: one value that says what is no longer asked for.
      if (!hasCode(error, 'NODE_STOPPED')) throw error;
    }
  }
}

/**
 * Messages that their receiver refuses for good, on the sending side of a hop: a message ends here, in one frame, and its gap goes on in
 * its place.
 *
 *   held ──refused──▶ reading ──body──▶ planned ──durable──▶ ended: a gap, handed over like any other
 *                                          │ letter into `$dead`, end of the message, gap: one batch
 *                                          └ a power cut before that: held, and refused again
 *
 * Nothing of the gap is seen before it is durable, and the message is not handed over again meanwhile. The gap is the account
 * (docs/custody.md, section 3): it says REJECTED and the name of this node, the letter says for which reason. A body that `$dead` cannot
 * take is gone, and the gap the same.
 */

import { hasCode, RingmailError } from '../errors.ts';
import type { EndingClass } from '../message/classes.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { Ending } from '../message/message.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Batch } from '../ring/ring.ts';
import { Bodies } from './bodies.ts';
import { gapWord, identityAt } from './carrying.ts';
import { Intake } from './intake.ts';
import { contentOf } from './letter-content.ts';
import type { NodeStore } from './node-store.ts';
import { gapChange, gapDelete, type HeldGap, holdGap, type OutStream } from './outgoing.ts';
import type { Planned } from './planned.ts';
import { NOTHING, withBeside } from './planned.ts';

/** What is said of a message that can never be handed over. */
export interface Rejection {
  readonly number: number;
  readonly class: EndingClass;
  /** For people: who refused it, and why. */
  readonly reason: string;
}

/**
 * `reading`, `planned`, `later` (the ring takes nothing now): ask again after the next step. `ended`: a gap has its place. `corrupt`: its
 * body is gone already. `unknown`: nothing is held under that number.
 */
export type Refused = 'reading' | 'planned' | 'later' | 'ended' | 'corrupt' | 'unknown';

export class Refusals {
  /** Messages whose body found no place in `$dead`. */
  bodilessCount = 0;
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #bodies: Bodies;
  /** Numbers whose end is on its way to the disk, per stream. */
  readonly #planned = new Map<OutStream, Set<number>>();

  constructor(store: NodeStore) {
    this.#store = store;
    // A letter stays on this node; the word to the sender goes where there is a way.
    const canReach = (node: string) => store.hops.leadsTo(node);
    this.#intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 0, canReach });
    this.#bodies = new Bodies(store.ring);
  }

  /** Ends the message. The same again only says how far that is. */
  end(out: OutStream, rejection: Rejection): Refused {
    const { number } = rejection;
    if (this.#planned.get(out)?.has(number) === true) return 'planned';
    const slot = this.slotOf(out, number);
    if (slot === NO_SLOT) return out.gaps.some(({ from, to }) => from <= number && number <= to) ? 'ended' : 'unknown';
    const envelope = this.#bodies.get(slot);
    if (envelope === 'loading') return 'reading';
    if (envelope === 'corrupt') return 'corrupt';
    const content = contentOf(envelope);
    const isWanted = content.properties.deadLetter !== 'off';
    const known = identityAt(out, number, envelope);
    const identity = known?.identity ?? { ...out.key, number };
    const letter = isWanted ? this.#letterOf(identity, rejection, content) : NOTHING;
    const asked = { ...content.properties, identity };
    const told = letter && this.#intake.told(letter, asked, { class: rejection.class, where: 'before its queue' });
    const whole = told && known?.isCarried === true ? this.#withWord(told, identity) : told;
    const gap = this.#gapOf(number, known?.isCarried === true ? 'UNUSED' : 'REJECTED');
    const ended = whole === undefined ? 'no-room' : this.#plan(out, slot, { gap, letter: whole });
    if (ended !== 'no-room') return ended;
    // What is on its way to the disk makes room, in the ring and in `$dead`.
    if (this.#planned.size > 0) return 'later';
    return this.#plan(out, slot, { gap, letter: undefined }) === 'planned' ? 'planned' : 'later';
  }

  #gapOf(number: number, ending: EndingClass): HeldGap {
    return { from: number, to: number, class: ending, node: this.#store.self.name };
  }

  /** How one that is carried ended; without room for the word it is missing at its destination. */
  #withWord(end: Planned, { number, ...stream }: Identity): Planned {
    const gap = { stream, ranges: [{ from: number, to: number }], class: 'REJECTED', node: this.#store.self.name } as const;
    return withBeside(this.#store.ring, end, () => gapWord(this.#intake, gap)) ?? end;
  }

  /** The message held under a number, or NO_SLOT. */
  slotOf({ list }: OutStream, number: number): number {
    const { index } = this.#store.ring;
    let slot = list.head;
    while (slot !== NO_SLOT && index.number(slot) < number) slot = list.next(slot);
    return slot !== NO_SLOT && index.number(slot) === number ? slot : NO_SLOT;
  }

  /** The session is over: what was read for it is forgotten. What is on its way to the disk stays. */
  lost(): void {
    this.#bodies.clear();
  }

  /** Undefined when `$dead` cannot take it. */
  #letterOf(identity: Identity, rejection: Rejection, content: ReturnType<typeof contentOf>): Planned | undefined {
    const previous = identityText(identity);
    const ending: Ending = { class: rejection.class, node: this.#store.self.name, reason: rejection.reason };
    try {
      return this.#intake.beginDead({ ...content, previous }, ending, 'replacing');
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      return undefined;
    }
  }

  #plan(
    out: OutStream,
    slot: number,
    { gap, letter }: { readonly gap: HeldGap; readonly letter: Planned | undefined },
  ): 'planned' | 'later' | 'no-room' {
    const { ring } = this.#store;
    const number = ring.index.number(slot);
    const end = { id: ring.index.id(slot), reason: 'replaced' as const };
    const batch: Batch = {
      puts: letter?.puts ?? [],
      acks: [...(letter?.acks ?? []), end],
      metas: [...(letter?.changes ?? []), gapChange(out, gap)],
    };
    try {
      this.#store.commit(batch, (outcome) => this.#settled(out, gap, outcome));
    } catch (error) {
      if (hasCode(error, 'BUSY') || hasCode(error, 'NODE_STOPPED')) return 'later';
      if (!(error instanceof RingmailError)) throw error;
      return 'no-room';
    }
    letter?.settle();
    out.list.remove(slot);
    const planned = this.#planned.get(out) ?? new Set();
    this.#planned.set(out, planned.add(number));
    if (letter === undefined) this.bodilessCount += 1;
    return 'planned';
  }

  #settled(out: OutStream, gap: HeldGap, outcome: string): void {
    const planned = this.#planned.get(out);
    planned?.delete(gap.from);
    if (planned?.size === 0) this.#planned.delete(out);
    if (outcome !== 'durable') return;
    if (gap.to >= out.lo) holdGap(out, gap);
    else this.#forget(out, gap);
  }

  /** The message was taken after all, in another session: nobody will ask for the gap. */
  #forget(out: OutStream, gap: HeldGap): void {
    try {
      this.#store.commit({ metas: [gapDelete(out, gap.from)] }, () => {});
    } catch (error) {
      // A ring that closes keeps it: one value that says what is no longer asked for.
      if (!hasCode(error, 'NODE_STOPPED')) throw error;
    }
  }
}

/**
 * The end of a message that is stored in a queue here, and all that goes with it in the same frame (docs/queues.md, "The end of a
 * message"): its account, its letter in the dead letter queue, its copy in the journal, the word to its sender.
 *
 *   ends as                 account   letter   told   journal
 *   received                                   yes    where the queue keeps one
 *   POISON                  *         yes      yes
 *   CORRUPT, CLONED         yes       yes
 *   Q_PURGED, Q_DELETED     yes                yes
 *   DROPPED                 yes
 *   anything else           yes       yes      yes
 *
 *   * where there is no letter: the message wants none, or it cannot be made
 *
 * What goes with an end never stops it: a letter, copy or word without room is left out, and counted.
 */
import { lossAt } from '../custody/accounts.ts';
import { Bodies } from '../custody/bodies.ts';
import type { Intake } from '../custody/intake.ts';
import { contentOf } from '../custody/letter-content.ts';
import { DEAD_QUEUE, SYSTEM_QUEUES } from '../custody/message-room.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { joined, NOTHING, type Planned, withBeside } from '../custody/planned.ts';
import type { EndingClass } from '../message/classes.ts';
import { type Identity, identityText } from '../message/identity.ts';
import type { Queue } from '../queue/queues.ts';
import type { AckReason } from '../ring/entry-layout.ts';

/** `received`: by an application. Anything else is told in words too. */
export type Cause = { readonly class: 'received' } | { readonly class: EndingClass; readonly reason: string };
type Ended = Exclude<Cause, { readonly class: 'received' }>;

/** A message, looked into. */
interface Known {
  readonly slot: number;
  readonly identity: Identity;
  readonly queue: Queue | undefined;
  readonly content: ReturnType<typeof contentOf>;
}

export class Endings {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #bodies: Bodies;

  constructor(store: NodeStore, intake: Intake) {
    this.#store = store;
    this.#intake = intake;
    this.#bodies = new Bodies(store.ring);
  }

  /**
   * The end of one message, to be committed by the caller, who takes it out of its queue too. `loading`: what has to be known of it is
   * being read; ask again after the next step. Nothing is changed before `settle`. It is fit to be committed alone, in this step. Several
   * are planned and committed one after the other, each `settle` before the next plan: batches of one step share a frame anyway. For
   * several in one batch the same holds, and the caller sees to it beforehand that the batch is taken (`Ring.admits`).
   */
  plan(slot: number, cause: Cause): Planned | 'loading' {
    if (!this.#mustLook(slot, cause)) return this.#bare(slot, cause);
    const body = this.#bodies.get(slot);
    if (body === 'loading') return 'loading';
    if (body === 'corrupt') return this.#bare(slot, cause.class === 'POISON' ? { ...cause, class: 'CORRUPT' } : cause);
    const { ring, streams, queues } = this.#store;
    const identity = { ...streams.key(ring.index.stream(slot)), number: ring.index.number(slot) };
    const known = { slot, identity, queue: queues.byId(ring.index.queue(slot)), content: contentOf(body) };
    return cause.class === 'received' ? this.#received(known) : this.#ended(known, cause);
  }

  /** Its body says whether there is a letter, and whom to tell. */
  #mustLook(slot: number, cause: Cause): boolean {
    const { index } = this.#store.ring;
    if (cause.class === 'received') return index.isAttended(slot) || this.#isJournalled(slot);
    return hasLetter(cause.class) || (isTold(cause.class) && index.isAttended(slot));
  }

  #isJournalled(slot: number): boolean {
    const queue = this.#store.queues.byId(this.#store.ring.index.queue(slot));
    return queue !== undefined && queue.options.journal === 'on' && !SYSTEM_QUEUES.includes(queue.name);
  }

  /** The end and its account. */
  #bare(slot: number, cause: Cause): Planned {
    const { index } = this.#store.ring;
    const end: Planned = { ...NOTHING, acks: [{ id: index.id(slot), reason: ackReason(cause.class) }] };
    if (cause.class === 'received') return end;
    const account = this.#store.planLosses([lossAt(index, slot, cause.class)]);
    return joined(end, { ...NOTHING, ...account });
  }

  #received(known: Known): Planned {
    const { slot, identity, content } = known;
    const end = this.#bare(slot, { class: 'received' });
    const copy = this.#isJournalled(slot)
      ? withBeside(this.#store.ring, end, () =>
          this.#intake.beginCopy({ ...content, previous: identityText(identity) }, 'replacing'),
        )
      : end;
    if (copy === undefined) this.#store.leftOut.copies += 1;
    return this.#told(known, copy ?? end, 'ACK_RECEIVE');
  }

  #ended(known: Known, cause: Ended): Planned {
    const bare = this.#bare(known.slot, cause);
    const isWanted = hasLetter(cause.class) && known.content.properties.deadLetter !== 'off';
    const letter = isWanted ? this.#lettered(known, cause) : undefined;
    if (isWanted && letter === undefined) this.#store.leftOut.letters += 1;
    const planned = letter ?? bare;
    if (!isTold(cause.class)) return planned;
    // The words of who received it, or why nobody could.
    const reason = cause.class === 'POISON' ? { reason: cause.reason } : {};
    return this.#told(known, planned, { class: cause.class, where: 'in its queue', ...reason });
  }

  #lettered(known: Known, cause: Ended): Planned | undefined {
    const { slot, identity, queue, content } = known;
    const acks = [{ id: this.#store.ring.index.id(slot), reason: ackReason(cause.class) }];
    const end = cause.class === 'POISON' ? { ...NOTHING, acks } : this.#bare(slot, cause);
    const own = queue?.options.deadLetterQueue ?? DEAD_QUEUE;
    const ending = { class: cause.class, node: this.#store.self.name, reason: cause.reason };
    const letter = { ...content, previous: identityText(identity) };
    // A queue that is its own: what its receivers give up would come to them again.
    const to = own === queue?.name ? DEAD_QUEUE : own;
    return withBeside(this.#store.ring, end, () => this.#intake.beginDead(letter, ending, 'replacing', to));
  }

  #told({ slot, identity, content }: Known, planned: Planned, what: Parameters<Intake['told']>[2]): Planned {
    if (!this.#store.ring.index.isAttended(slot)) return planned;
    return this.#intake.told(planned, { ...content.properties, identity }, what);
  }
}

function hasLetter(ending: EndingClass): boolean {
  return ending !== 'DROPPED' && ending !== 'SUPERSEDED' && ending !== 'Q_PURGED' && ending !== 'Q_DELETED';
}

function isTold(ending: EndingClass): boolean {
  return ending !== 'DROPPED' && ending !== 'CORRUPT' && ending !== 'CLONED';
}

function ackReason(ending: Cause['class']): AckReason {
  switch (ending) {
    case 'received':
      return 'acknowledged';
    case 'RECEIVE_TIMEOUT':
      return 'expired';
    case 'Q_PURGED':
    case 'Q_DELETED':
      return 'purged';
    case 'DROPPED':
    case 'SUPERSEDED':
      return 'dropped';
    case 'CORRUPT':
      return 'corrupt';
    default:
      return 'replaced';
  }
}

/**
 * The end of a message that is stored in a queue here, and all that goes with it in the same frame: its account, its letter in the
 * dead letter queue, its copy in the journal, the word to its sender.
 */
import { Bodies } from '../custody/bodies.ts';
import { contentOf, type Intake } from '../custody/intake.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { Planned } from '../custody/planned.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import { identityText } from '../message/identity.ts';

/** `received`: by an application. Anything else is told in words too. */
export type Cause = { readonly class: 'received' } | { readonly class: EndingClass; readonly reason: string };

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
   * being read; ask again after the next step. Nothing is changed before `settle`.
   * @throws as `Intake.beginDead`
   */
  plan(slot: number, cause: Cause): Planned | 'loading' {
    const { ring, self } = this.#store;
    const id = ring.index.id(slot);
    if (cause.class === 'received') return { puts: [], acks: [{ id, reason: 'acknowledged' }], changes: [], settle: () => {} };
    const envelope = this.#bodies.get(slot);
    if (envelope === 'loading') return 'loading';
    const raw = envelope === 'corrupt' ? new Uint8Array(0) : envelope;
    const previous = identityText(decodeEnvelope(raw).message.identity);
    const ending = { class: cause.class, node: self.name, reason: cause.reason };
    const letter = this.#intake.beginDead({ ...contentOf(raw), previous }, ending, 'replacing');
    return { ...letter, acks: [...letter.acks, { id, reason: 'replaced' }] };
  }
}

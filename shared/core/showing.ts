/** Messages that somebody looks at: read, shown, and left where they are. */
import { Bodies } from '../custody/bodies.ts';
import { type HandingParts, openedEnvelope } from './handing-out.ts';
import type { Waiting } from './waiting-receives.ts';

interface Looked {
  readonly waiting: Waiting;
  readonly bodies: 'with' | 'without';
  readonly slot: number;
  readonly messageId: number;
}

const NO_BYTES = new Uint8Array(0);

export class Showing {
  readonly #parts: HandingParts;
  readonly #bodies: Bodies;
  #looked: Looked[] = [];

  constructor(parts: HandingParts) {
    this.#parts = parts;
    this.#bodies = new Bodies(parts.store.ring);
  }

  get count(): number {
    return this.#looked.length;
  }

  begin(waiting: Waiting, bodies: 'with' | 'without', slot: number): void {
    const looked = { waiting, bodies, slot, messageId: this.#parts.store.ring.index.id(slot) };
    if (!this.#show(looked)) this.#looked.push(looked);
  }

  pump(): void {
    const looked = this.#looked;
    this.#looked = [];
    for (const one of looked) if (!this.#show(one)) this.#looked.push(one);
  }

  cancel(token: number): void {
    this.#drop(({ waiting }) => waiting.token === token);
  }

  /** The queue is being deleted: those who looked into it are returned. */
  drop(queue: string): Waiting[] {
    return this.#drop(({ waiting }) => waiting.queue === queue);
  }

  #drop(which: (looked: Looked) => boolean): Waiting[] {
    const dropped = this.#looked.filter(which);
    this.#looked = this.#looked.filter((one) => !dropped.includes(one));
    for (const { messageId } of dropped) this.#bodies.forget(messageId);
    return dropped.map(({ waiting }) => waiting);
  }

  /** False while it is being read. One that ended meanwhile, or is unreadable, was not seen: who looked waits on. */
  #show({ waiting, bodies, slot, messageId }: Looked): boolean {
    const { store, shell, counts, returned, unreadable } = this.#parts;
    if (store.ring.index.id(slot) !== messageId) {
      this.#bodies.forget(messageId);
      returned(waiting);
      return true;
    }
    const body = this.#bodies.get(slot);
    if (body === 'loading') return false;
    const envelope = body === 'corrupt' ? undefined : openedEnvelope(body);
    if (envelope === undefined) {
      if (store.ring.index.isListed(slot)) unreadable(slot);
      returned(passedOver(waiting, messageId));
      return true;
    }
    const { message, hop } = envelope;
    const peeked = {
      queue: waiting.queue,
      message: bodies === 'with' ? message : { ...message, body: NO_BYTES },
      bodyBytes: message.body.length,
      hop,
      deliveryCount: counts.of({ slot, messageId }),
      moveCount: store.ring.index.moveCount(slot),
      lookupId: messageId,
    };
    shell.answer(waiting.token, { kind: 'peeked', peeked });
    return true;
  }
}

/** Who follows arrivals is shown what is in somebody's hands, too. One of those that cannot be read would be met again and again. */
function passedOver(waiting: Waiting, messageId: number): Waiting {
  return waiting.select.by === 'arrivedAfter' ? { ...waiting, select: { by: 'arrivedAfter', lookupId: messageId } } : waiting;
}

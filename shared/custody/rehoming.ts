/**
 * A new incarnation, and what becomes of messages under the old one: each that has not been handed over goes on as `maybeDuplicate`
 * in a stream of the new incarnation, new PUT and ACK of the old one in the same frame. What is carried stays what it is. Runs before the node serves, so that nothing
 * new overtakes it, and goes on where a crash interrupted it: whatever lies in a stream of an old incarnation of ours is still to do.
 */
import { RingmailError } from '../errors.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import { identityText } from '../message/identity.ts';
import { standInFor } from '../message/shared-envelope.ts';
import type { Random } from '../ports.ts';
import { HOLDER_DISTANCE_MAX } from '../ring/entry-layout.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { lossOf } from './accounts.ts';
import { Bodies } from './bodies.ts';
import { carry, identityAt } from './carrying.ts';
import type { Intake } from './intake.ts';
import { metaDelete } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { freeBelow, type OutStream } from './outgoing.ts';

export class Rehoming {
  /** True when everything is durable and in its new place. */
  isDone = false;
  movedCount = 0;
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #reason: 'none' | 'new-incarnation';
  readonly #bodies: Bodies;
  #outstanding = 0;
  #phase: 'identity' | 'moving' | 'forgetting' = 'identity';

  constructor(options: { store: NodeStore; intake: Intake; random: Random; reason: 'none' | 'new-incarnation' }) {
    this.#store = options.store;
    this.#bodies = new Bodies(options.store.ring);
    this.#intake = options.intake;
    this.#reason = options.reason;
    if (options.reason === 'new-incarnation') this.#wait((done) => this.#store.newIncarnation(options.random, done));
    else this.#wait((done) => this.#store.commit({}, done));
  }

  /** Goes on as far as the disk allows. Called after every step until done. */
  pump(): void {
    if (this.isDone || this.#outstanding > 0) return;
    if (this.#phase === 'identity') this.#phase = 'moving';
    const old = this.#phase === 'moving' ? this.#nextOld() : undefined;
    if (old !== undefined) return this.#move(old);
    if (this.#phase === 'moving' && this.#reason === 'new-incarnation') {
      this.#phase = 'forgetting';
      return this.#wait((done) => this.#store.commit({ metas: [metaDelete('forked')] }, done));
    }
    this.isDone = true;
  }

  /** A step that must be durable before the next. */
  #wait(begin: (done: (outcome: string) => void) => void): void {
    this.#outstanding += 1;
    begin((outcome) => {
      if (outcome === 'durable') this.#outstanding -= 1;
    });
  }

  #nextOld(): OutStream | undefined {
    const { self, outgoing } = this.#store;
    for (const stream of outgoing) {
      const isOurs = stream.key.origin === self.name && stream.key.incarnation !== self.incarnation;
      if (isOurs && (stream.list.count > 0 || stream.gaps.length > 0)) return stream;
    }
    return undefined;
  }

  #move(stream: OutStream): void {
    const { index } = this.#store.ring;
    const slot = stream.list.head;
    if (slot === NO_SLOT) return this.#drop(stream);
    const envelope = this.#bodies.get(slot);
    if (envelope === 'loading') return;
    if (envelope === 'corrupt') return this.#drop(stream);
    try {
      const { message } = decodeEnvelope(envelope);
      const isCarried = identityAt(stream, index.number(slot), envelope)?.isCarried === true;
      const { identity, epoch: _epoch, body, history, previous: _previous, maybeDuplicate: _maybe, ...properties } = message;
      // It goes on sharing its body: it takes no more room than it did.
      const holder = index.holder(slot);
      const mayShare = holder > 0 && this.#store.ring.messagesStored - holder < HOLDER_DISTANCE_MAX / 2;
      const shared = mayShare ? { shared: { holder, standIn: standInFor(body), bodyBytes: body.length, ringBytes: 0 } } : {};
      const content = { body, properties, maybeDuplicate: 'maybe' as const, ...(history && { history }), ...shared };
      // It takes the place of the old one. In a full ring the name of that one is what there is no room for.
      const named = this.#store.ring.hasRoomFor(envelope.length) ? { ...content, previous: identityText(identity) } : content;
      const planned = isCarried
        ? carry({ store: this.#store, intake: this.#intake }, envelope, 'replacing')
        : this.#intake.begin(identity.destination, named, 'replacing');
      const freed = freeBelow(stream, index.number(slot) + 1, index);
      const acks = freed.ids.map((freedId) => ({ id: freedId, reason: 'replaced' as const }));
      const metas = [...planned.changes, ...freed.changes];
      this.#wait((done) => this.#store.commit({ puts: planned.puts, acks, metas }, done));
      planned.settle();
      this.movedCount += 1;
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      if (error.code !== 'BUSY') this.#drop(stream);
    }
  }

  /** What cannot be moved ends here as CORRUPT, counted; what is left of the old stream is only gaps nobody asks for. */
  #drop(stream: OutStream): void {
    const { ring } = this.#store;
    const slot = stream.list.head;
    const upTo = slot === NO_SLOT ? stream.next : ring.index.number(slot) + 1;
    const freed = freeBelow(stream, upTo, ring.index);
    const acks = freed.ids.map((id) => ({ id, reason: 'corrupt' as const }));
    const last = { from: upTo - 1, to: upTo - 1 };
    const account = acks.length > 0 ? [this.#store.account(lossOf(stream.handle, 'CORRUPT', [last]))] : [];
    this.#wait((done) => this.#store.commit({ acks, metas: [...freed.changes, ...account] }, done));
  }
}

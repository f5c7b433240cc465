/**
 * Where dead letters become messages again: in one frame a letter ends and a new message begins, linked to it.
 *
 *   letter in its queue ──read──▶ new message to where it was going, or to `to`     durable
 *                          │      its letter ends as `replaced`
 *                          └ somebody has it under lease by then: MESSAGE_NOT_FOUND
 *
 * The new one has body and properties of the letter, its history, and the identity of the letter as `previous`. Its times are not those
 * that the old one had: they are over, or nearly. It is let in as any other message is: it may ask for acknowledgements, a copy, a letter.
 */
import { Bodies } from '../custody/bodies.ts';
import { RingmailError } from '../errors.ts';
import { isSystemQueue, parseAddress } from '../message/address.ts';
import { decodeEnvelope, type Envelope } from '../message/envelope.ts';
import { identityText, parseIdentity } from '../message/identity.ts';
import { isTopicDestination } from '../message/topic-destination.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Call } from './calls.ts';
import { type DeskParts, outcomeResult } from './desk-shell.ts';
import { WaitingCalls } from './waiting-calls.ts';

/** Redrives whose letter is being read. Beyond it BUSY. */
const REDRIVE_COUNT_MAX = 64;

type Redrive = Call & { readonly verb: 'redrive' };

export class LetterDesk {
  readonly #parts: DeskParts;
  readonly #bodies: Bodies;
  readonly #reading: WaitingCalls<Redrive>;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#bodies = new Bodies(parts.store.ring);
    this.#reading = new WaitingCalls(parts.shell, (token, call) => this.#isDone(token, call));
  }

  /**
   * @throws QUEUE_NOT_FOUND, SHARING_VIOLATION, MESSAGE_NOT_FOUND, PROPERTY_INVALID for what is no letter, ACCESS_MODE_INVALID for a
   * system queue as its goal, and as `Intake.begin`; then nothing was changed
   */
  redrive(token: number, call: Redrive): void {
    const { intake, handles } = this.#parts;
    intake.queue(call.queue);
    handles.check(call.queue, 'receive', undefined);
    const pending = this.#reading.count;
    if (pending >= REDRIVE_COUNT_MAX) throw new RingmailError('BUSY', { pending, pendingMax: REDRIVE_COUNT_MAX });
    this.#reading.begin(token, call, () => {});
  }

  /** Goes on with letters that have been read by now. */
  pump(): void {
    if (this.#reading.count === 0) return;
    this.#reading.pump();
    if (this.#reading.count === 0) this.#bodies.clear();
  }

  /** Nobody waits for this answer any more: what is still being read stays a letter. */
  cancel(token: number): void {
    this.#reading.cancel(token);
  }

  /** Answers those whose letter is being read: nothing of them was done. */
  close(): void {
    this.#reading.close();
  }

  /** False while the letter is read. */
  #isDone(token: number, call: Redrive): boolean {
    const { store, intake, shell } = this.#parts;
    const slot = this.#slotOf(call);
    const body = this.#bodies.get(slot);
    if (body === 'loading') return false;
    const id = store.ring.index.id(slot);
    const { message } = body === 'corrupt' ? notALetter('its bytes are lost') : opened(body);
    const { identity, epoch: _epoch, body: content, history, previous, transaction: _transaction, ...rest } = message;
    const {
      maybeDuplicate: _maybe,
      timeToReachQueueMs: _reach,
      timeToBeReceivedMs: _received,
      deliverAfterMs: _after,
      ...properties
    } = rest;
    if (previous === undefined) return notALetter('it was made from no other message');
    const destination = this.#goalOf(call, previous);
    const again = { body: content, properties, previous: identityText(identity), ...(history && { history }) };
    const planned = intake.begin(destination, again, 'replacing');
    const acks = [...planned.acks, { id, reason: 'replaced' as const }];
    const sent = { kind: 'sent' as const, identity: identityText(planned.identity), durability: shell.durability() };
    store.commit({ puts: planned.puts, acks, metas: planned.changes }, (outcome) =>
      shell.answer(token, outcomeResult(store.ring, outcome, sent)),
    );
    planned.settle();
    store.queues.end(slot);
    return true;
  }

  /** Ready, in its queue. */
  #slotOf({ queue, lookupId }: Redrive): number {
    const { index } = this.#parts.store.ring;
    const slot = index.find(lookupId);
    const isThere = slot !== NO_SLOT && index.queue(slot) === this.#parts.intake.queue(queue).id && index.isListed(slot);
    if (!isThere) throw new RingmailError('MESSAGE_NOT_FOUND', { queue, wanted: `lookup id ${lookupId}` });
    return slot;
  }

  #goalOf({ queue, to }: Redrive, previous: string): string {
    const { name } = this.#parts.store.self;
    const destination = to ?? parseIdentity(previous)?.destination ?? notALetter('where it was going is not known: say `to`');
    const goal = parseAddress(destination, name);
    // One that a route sent to a topic may go there again; nobody else sends to one.
    const isTopic = to === undefined && isTopicDestination(destination);
    if (isSystemQueue(goal.queue) && !isTopic) {
      const reason =
        to === undefined ? 'it was going to a system queue: say `to`' : 'a system queue takes no letters: say another `to`';
      throw new RingmailError('ACCESS_MODE_INVALID', { queue: goal.queue, needed: 'send', reason });
    }
    if (goal.node === name && goal.queue === queue)
      throw new RingmailError('PROPERTY_INVALID', { property: 'to', reason: 'the letter is there already' });
    return destination;
  }
}

function opened(body: Uint8Array): Envelope {
  try {
    return decodeEnvelope(body);
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    return notALetter('it does not decode');
  }
}

function notALetter(reason: string): never {
  throw new RingmailError('PROPERTY_INVALID', { property: 'lookupId', reason: `no dead letter: ${reason}` });
}

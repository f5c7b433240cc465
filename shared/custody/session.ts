/**
 * What two neighbours say to each other, whatever carries it: HELLO and WELCOME on a link, sync and receipt over MQTT.
 *
 *   sender                                             receiver
 *     offer(nonce, epoch, ticket, per stream lo, next) ──▶
 *     ◀── answer(same nonce, new ticket, per stream cursor, credit)
 *     [new ticket durable here]
 *     item, item, item ──▶                             [stored, cursor moved: one frame]
 *     ◀── cursors (durable ones only)
 *
 * The receiver's cursor decides where the sender goes on. Words of an older session carry an older nonce and mean nothing.
 */
import type { EndingClass } from '../message/classes.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import type { PlainEnvelope } from '../message/plain-envelope.ts';

export const NONCE_BYTES = 8;
export const TICKET_BYTES = 8;
/** Shown by a sender that never had a ticket, and taken as the current one of a sender never seen. */
export const NO_TICKET: Uint8Array = new Uint8Array(TICKET_BYTES);

export interface MessageItem {
  readonly kind: 'message';
  readonly number: number;
  readonly envelope: Uint8Array;
  /** What the envelope says, where this node wrote it itself (link/compact.ts): it need not be read. */
  readonly plain?: PlainEnvelope | undefined;
  /** It waited at the sender for the session in which it comes. The receiver's own word: no carrier tells it. */
  readonly waited?: true;
}

/** One element of a stream. Items are accepted only in sequence: `number` must be the receiver's cursor. */
export type Item =
  | MessageItem
  /** Numbers `number` to `to` will never come: they ended, and this is their account. */
  | { readonly kind: 'gap'; readonly number: number; readonly to: number; readonly class: EndingClass; readonly node: string }
  /** Numbers `number` to `to` are not here (any more): another neighbour has them, or had them. Never an ending. */
  | { readonly kind: 'elsewhere'; readonly number: number; readonly to: number };

/** The number after an item. */
export function afterItem(item: Item): number {
  return item.kind === 'message' ? item.number + 1 : item.to + 1;
}

export interface OfferedStream {
  readonly stream: StreamKey;
  /** Lowest number this sender answers for; below it the answer is `elsewhere`. */
  readonly lo: number;
  /** The number the next message of the stream will get. */
  readonly next: number;
}

export interface Offer {
  readonly sender: string;
  readonly incarnation: string;
  readonly epoch: Epoch;
  readonly nonce: Uint8Array;
  /** The newest ticket of this receiver that is durable here, and the nonce that made it. */
  readonly ticket: Uint8Array;
  readonly ticketNonce: Uint8Array;
  readonly streams: readonly OfferedStream[];
  /**
   * `whole`: every stream that begins at the sender, and under which it ever stored a number, is among `streams`. Of a receiver that
   * knows one more the sender's store was rolled back (docs/custody.md, section 4).
   */
  readonly own: 'whole' | 'in-part';
  /** `live`: what it names came since the two are connected. Otherwise it waited for that. */
  readonly age?: 'live';
}

export interface AnsweredStream {
  readonly stream: StreamKey;
  readonly cursor: number;
  /** Bytes of bodies the sender may have outstanding beyond the cursor. 0: wait. */
  readonly credit: number;
}

export interface Answer {
  /** `fork`: the ticket shown is none of ours. A store was rolled back or cloned, or its disk lied. */
  readonly kind: 'welcome' | 'fork';
  readonly receiver: string;
  readonly incarnation: string;
  readonly epoch: Epoch;
  readonly nonce: Uint8Array;
  readonly ticket: Uint8Array;
  readonly cursors: readonly AnsweredStream[];
}

/**
 * Tickets: how a receiver notices that a sender's store is not the one it spoke with last (docs/custody.md, section 4). A ticket is
 * SipHash-2-4(secret, ticket before ‖ nonce of the offer); only the current one is kept, the others are recognised by computing.
 */
import { concatBytes, equalBytes } from '../bytes.ts';
import { sipHash } from '../siphash.ts';
import type { Offer } from './session.ts';

/** `repeat`: the offer that made the current ticket, heard again. `fork`: a ticket we never gave, or gave before others took over. */
export type TicketJudgement = { readonly kind: 'accepted' | 'repeat'; readonly ticket: Uint8Array } | { readonly kind: 'fork' };

export function judgeTicket(secret: Uint8Array, current: Uint8Array, offer: Offer): TicketJudgement {
  const derive = (from: Uint8Array, nonce: Uint8Array) => sipHash(secret, concatBytes([from, nonce]));
  if (equalBytes(derive(offer.ticket, offer.nonce), current)) return { kind: 'repeat', ticket: current };
  const shown = equalBytes(offer.ticket, current) || equalBytes(offer.ticket, derive(current, offer.ticketNonce));
  return shown ? { kind: 'accepted', ticket: derive(current, offer.nonce) } : { kind: 'fork' };
}

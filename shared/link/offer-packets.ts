/** Offers and answers of custody in the words of the link: HELLO and WELCOME, there and back. */
import type { Answer, AnsweredStream, Offer } from '../custody/session.ts';
import type { HelloPacket, ReceiveLimits, WelcomePacket } from './handshake-packets.ts';
import type { LineProfile } from './line-profile.ts';
import type { StreamCursor } from './packet-fields.ts';
import { FEATURE_BATCHES, FEATURE_COMPACT, FEATURE_FRAGMENTS, HELLO_WHOLE, RML_VERSION, TICKET_BYTES } from './packet-layout.ts';
import { streamKeyOf } from './stream-key.ts';
import type { Tlv } from './tlv.ts';

/** Silence after which a side says something, in seconds. */
export const KEEPALIVE_S = 5;

/** What this side takes on a line. */
export function limitsOf(profile: LineProfile): ReceiveLimits {
  const { packetBytesTaken: packetBytesMax, window, ackDelayMs } = profile;
  return { packetBytesMax, window, features: FEATURE_FRAGMENTS | FEATURE_BATCHES | FEATURE_COMPACT, ackDelayMs };
}

/** A HELLO has room for some streams: it says whether those that begin here are all among them. */
export function helloOf(offer: Offer, limits: ReceiveLimits, tlvs: readonly Tlv[]): HelloPacket {
  const { sender: node, incarnation, epoch, nonce, ticket, ticketNonce } = offer;
  const versions = { versionMax: RML_VERSION, versionMin: RML_VERSION };
  const listed = tlvs.filter((tlv) => tlv.kind === 'stream' && tlv.origin === undefined).length;
  const own = offer.streams.filter(({ stream }) => stream.origin === node && stream.incarnation === incarnation).length;
  const flags = offer.own === 'whole' && listed === own ? HELLO_WHOLE : 0;
  return { kind: 'hello', ...versions, flags, nonce, incarnation, epoch, ticket, ticketNonce, limits, node, tlvs };
}

/** The bytes are copies: a HELLO is a view of what came in. */
export function offerOf(hello: HelloPacket): Offer {
  const { node: sender, incarnation, epoch } = hello;
  const streams = hello.tlvs.flatMap((tlv) =>
    tlv.kind === 'stream' ? [{ stream: streamKeyOf(tlv, hello), lo: tlv.lo, next: tlv.next }] : [],
  );
  const secrets = { nonce: hello.nonce.slice(), ticket: hello.ticket.slice(), ticketNonce: hello.ticketNonce.slice() };
  const own = (hello.flags & HELLO_WHOLE) === 0 ? 'in-part' : 'whole';
  return { sender, incarnation, epoch, ...secrets, streams, own };
}

export function welcomeOf(
  answer: Answer,
  acceptor: { readonly nonce: Uint8Array; readonly limits: ReceiveLimits; readonly unixTimeUs: number },
  cursors: readonly StreamCursor[],
): WelcomePacket {
  const { kind: verdict, receiver: node, incarnation, epoch, nonce: nonceEcho } = answer;
  const ticket = verdict === 'fork' ? new Uint8Array(TICKET_BYTES) : answer.ticket;
  const tlvs = cursors.map((cursor): Tlv => ({ kind: 'cursor', ...cursor }));
  const own = { ...acceptor, keepaliveS: KEEPALIVE_S };
  return { kind: 'welcome', version: RML_VERSION, verdict, nonceEcho, incarnation, epoch, ticket, node, tlvs, ...own };
}

/** What a WELCOME says of streams. */
export function cursorsOf(welcome: WelcomePacket): StreamCursor[] {
  return welcome.tlvs.flatMap((tlv) => (tlv.kind === 'cursor' ? [tlv] : []));
}

export function answerOf(welcome: WelcomePacket, cursors: readonly AnsweredStream[]): Answer {
  const { verdict: kind, node: receiver, incarnation, epoch } = welcome;
  return { kind, receiver, incarnation, epoch, nonce: welcome.nonceEcho.slice(), ticket: welcome.ticket.slice(), cursors };
}

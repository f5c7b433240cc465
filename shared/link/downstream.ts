/**
 * The other direction of a session: from the acceptor to the dialler, with the roles of custody swapped. Its nonce is the acceptor's.
 *
 *   acceptor   idle ──something waits──▶ offering ──DOWN_ANSWER──▶ ticketing ──ticket durable──▶ open: an Outbound
 *                └── NOTE: DOWN_OFFER, STREAM …, again when it is lost      another line has the custody sender: over
 *
 *   dialler    idle ──DOWN_OFFER──▶ asked, until the receiver can answer ──▶ answered: an Inbound
 *                └── NOTE: DOWN_ANSWER, CURSOR …, again when it is lost, and to every repeat of the offer
 */
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodyReceiver } from '../custody/receiver.ts';
import type { CustodySender } from '../custody/sender.ts';
import type { Offer } from '../custody/session.ts';
import type { Peer } from './agreed.ts';
import { Inbound } from './inbound.ts';
import type { LineProfile } from './line-profile.ts';
import { Outbound } from './outbound.ts';
import type { StreamCursor } from './packet-fields.ts';
import { NOTE_BYTES } from './packet-layout.ts';
import type { PacketSize } from './packet-size.ts';
import { streamKeyOf } from './stream-key.ts';
import { type Tlv, tlvBytes } from './tlv.ts';

/** What an exchange knows of the other direction, on either side. */
export interface Downstream {
  readonly outbound: Outbound | undefined;
  readonly inbound: Inbound | undefined;
  readonly dataSize: PacketSize | undefined;
  /** Nothing can have changed but by an input. */
  readonly isQuiet: boolean;
  /** Goes on with what disk and memory allow. Called after every step of the node. */
  pump(nowMs: number): void;
  /** What a NOTE is to say now; undefined: nothing. */
  takeNote(): readonly Tlv[] | undefined;
  /** That NOTE did not arrive. */
  lost(): void;
  /** TLVs of a NOTE, or of a WELCOME: takes what is about the other direction, and returns the rest. */
  heard(tlvs: readonly Tlv[]): readonly Tlv[];
  /** The session is over. */
  end(): void;
}

type DownOfferTlv = Tlv & { readonly kind: 'down-offer' };
type DownAnswerTlv = Tlv & { readonly kind: 'down-answer' };
type StreamTlv = Tlv & { readonly kind: 'stream' };

export interface DownOfferOptions {
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly peer: Peer;
  /** The acceptor's, of this session. */
  readonly nonce: Uint8Array;
  readonly dataSize: PacketSize;
  readonly profile: LineProfile;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** The acceptor's part: offers as soon as something waits for the dialler, once in a session. */
export class DownOffer implements Downstream {
  readonly inbound = undefined;
  readonly #options: DownOfferOptions;
  #state: 'idle' | 'offering' | 'ticketing' | 'open' | 'over' = 'idle';
  #workSeen = -1;
  /** Nothing waited for the dialler when it was looked at first: what is offered later came since. */
  #age: 'live' | undefined;
  #streams: Outbound | undefined;
  #note: readonly Tlv[] = [];
  #isToSay = false;
  #cursors: readonly StreamCursor[] = [];

  constructor(options: DownOfferOptions) {
    this.#options = options;
  }

  get outbound(): Outbound | undefined {
    return this.#state === 'open' ? this.#streams : undefined;
  }

  get dataSize(): PacketSize | undefined {
    return this.#state === 'open' ? this.#options.dataSize : undefined;
  }

  get isQuiet(): boolean {
    const { sender, store } = this.#options;
    if (this.#state === 'idle') return store.workCount === this.#workSeen;
    return this.#state !== 'ticketing' || sender.state === 'ticketing';
  }

  pump(nowMs: number): void {
    const { sender } = this.#options;
    if (this.#state === 'idle') return this.#offer(nowMs);
    if (this.#state === 'over') return;
    if (!this.#isOurs) this.#state = 'over';
    else if (this.#state === 'ticketing' && sender.state === 'ready') this.#open();
  }

  takeNote(): readonly Tlv[] | undefined {
    if (!this.#isToSay || this.#state !== 'offering') return undefined;
    this.#isToSay = false;
    return this.#note;
  }

  lost(): void {
    this.#isToSay = this.#state === 'offering';
  }

  heard(tlvs: readonly Tlv[]): readonly Tlv[] {
    const answer = tlvs.find((tlv): tlv is DownAnswerTlv => tlv.kind === 'down-answer');
    if (answer === undefined) return tlvs;
    const cursors = tlvs.filter((tlv) => tlv.kind === 'cursor');
    // Said again, it says nothing new; its cursors may.
    if (this.#state !== 'offering') return tlvs.filter((tlv) => tlv !== answer);
    this.#answered(answer, cursors);
    return tlvs.filter((tlv) => tlv !== answer && tlv.kind !== 'cursor');
  }

  end(): void {
    if (this.#state !== 'idle' && this.#state !== 'over' && this.#isOurs) this.#options.sender.lost();
    this.#state = 'over';
  }

  get #isOurs(): boolean {
    const { sender, nonce } = this.#options;
    return sender.isCurrent(nonce);
  }

  #offer(nowMs: number): void {
    const { store, sender, nonce, peer, profile, log } = this.#options;
    const { workCount } = store;
    if (workCount === this.#workSeen || sender.state !== 'idle') return;
    this.#workSeen = workCount;
    if (sender.streamsWithWork().length === 0) {
      this.#age = 'live';
      return;
    }
    const offer = sender.offer(nonce);
    const { ticket, ticketNonce, streams: offered } = offer;
    const whole: DownOfferTlv = { kind: 'down-offer', ticket, ticketNonce, own: 'whole' };
    this.#streams = new Outbound({ store, sender, log });
    const bytesMax = Math.min(peer.limits.packetBytesMax, profile.packetBytesSent) - NOTE_BYTES - tlvBytes(whole);
    const streams = this.#streams.hello(bytesMax, nowMs);
    const listed = streams.filter((tlv) => tlv.kind === 'stream' && tlv.origin === undefined).length;
    const own = offered.filter(
      ({ stream }) => stream.origin === store.self.name && stream.incarnation === store.self.incarnation,
    );
    const age = this.#age && { age: this.#age };
    this.#note = [{ ...whole, own: listed === own.length ? 'whole' : 'in-part', ...age }, ...streams];
    this.#isToSay = true;
    this.#state = 'offering';
  }

  #answered({ verdict: kind, ticket }: DownAnswerTlv, cursors: readonly StreamCursor[]): void {
    const { sender, peer, nonce, log } = this.#options;
    const { node: receiver, incarnation, epoch } = peer;
    const answered = this.#streams?.answered(cursors) ?? [];
    sender.answered({ kind, receiver, incarnation, epoch, nonce, ticket: ticket.slice(), cursors: answered });
    this.#cursors = cursors;
    this.#state = sender.state === 'ticketing' ? 'ticketing' : 'over';
    if (sender.state === 'forked') log('warn', `forked: ${receiver} knows more of this store than it ever sent`);
  }

  #open(): void {
    const { dataSize, peer, profile } = this.#options;
    const { packetBytesSent, messageForm } = profile;
    const { packetBytesMax, features } = peer.limits;
    dataSize.limit(Math.min(packetBytesMax, packetBytesSent));
    this.#streams?.begin({ dataSize, packetBytesMax, features, messageForm }, this.#cursors);
    this.#state = 'open';
  }
}

export interface DownAnswerOptions {
  readonly store: NodeStore;
  readonly receiver: CustodyReceiver;
  readonly peer: Peer;
  /** The acceptor's, of this session. */
  readonly nonce: Uint8Array;
  readonly packetBytesSent: number;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** The dialler's part: answers an offer as the receiver does, and takes what follows. */
export class DownAnswer implements Downstream {
  readonly outbound = undefined;
  readonly dataSize = undefined;
  inbound: Inbound | undefined;
  readonly #options: DownAnswerOptions;
  #asked: { readonly offer: DownOfferTlv; readonly streams: readonly StreamTlv[] } | undefined;
  #note: readonly Tlv[] | undefined;
  #isToSay = false;

  constructor(options: DownAnswerOptions) {
    this.#options = options;
  }

  get isQuiet(): boolean {
    return this.#asked === undefined;
  }

  pump(_nowMs: number): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    const { receiver } = this.#options;
    const offered = receiver.offered(this.#offerOf(asked.offer, asked.streams));
    if (offered === undefined) return; // not now: a ticket is on its way to the disk
    this.#asked = undefined;
    this.#isToSay = true;
    const { answer, session } = offered;
    const said: DownAnswerTlv = { kind: 'down-answer', verdict: answer.kind, ticket: answer.ticket };
    this.#note = [said];
    if (session === undefined)
      return this.#options.log('warn', `${this.#options.peer.node} shows a ticket it was never given: fork`);
    const messageBytesMax = this.#options.store.ring.bodyBytesMax;
    const { epoch } = this.#options.peer;
    this.inbound = new Inbound({ receiver, session, epoch, messageBytesMax });
    for (const tlv of asked.streams) this.inbound.open(tlv.handle, streamKeyOf(tlv, this.#options.peer));
    const bytesMax = Math.min(this.#options.peer.limits.packetBytesMax, this.#options.packetBytesSent);
    const cursors = this.inbound.takeRecords(bytesMax - NOTE_BYTES - tlvBytes(said), TLV_HEAD_BYTES);
    this.#note = [said, ...cursors.map((cursor): Tlv => ({ kind: 'cursor', ...cursor }))];
  }

  takeNote(): readonly Tlv[] | undefined {
    if (!this.#isToSay) return undefined;
    this.#isToSay = false;
    return this.#note;
  }

  lost(): void {
    this.#isToSay = true;
  }

  heard(tlvs: readonly Tlv[]): readonly Tlv[] {
    const offer = tlvs.find((tlv): tlv is DownOfferTlv => tlv.kind === 'down-offer');
    if (offer === undefined) return tlvs;
    const streams = tlvs.filter((tlv): tlv is StreamTlv => tlv.kind === 'stream');
    if (this.#note !== undefined) this.#isToSay = true;
    else this.#asked ??= { offer, streams };
    return tlvs.filter((tlv) => tlv !== offer && tlv.kind !== 'stream');
  }

  end(): void {
    this.#asked = undefined;
  }

  #offerOf({ ticket, ticketNonce, own, age }: DownOfferTlv, streams: readonly StreamTlv[]): Offer {
    const { peer, nonce } = this.#options;
    const { node: sender, incarnation, epoch } = peer;
    const offered = streams.map((tlv) => ({ stream: streamKeyOf(tlv, peer), lo: tlv.lo, next: tlv.next }));
    const secrets = { ticket: ticket.slice(), ticketNonce: ticketNonce.slice() };
    return { sender, incarnation, epoch, nonce, ...secrets, streams: offered, own, ...(age && { age }) };
  }
}

/** Type and length of a CURSOR. */
const TLV_HEAD_BYTES = 2;

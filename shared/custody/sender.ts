/**
 * The sending side of custody on one hop: the offer, what may be transmitted, and what the receiver's cursor frees.
 *
 *            offer()            answer: welcome          ticket durable
 *   idle ──────────▶ offered ───────────────▶ ticketing ──────────────▶ ready
 *     ▲                 │ answer: fork, or a cursor beyond `sent`          │
 *     └── lost() ◀──────┴──▶ forked                       lost() ◀─────────┘
 *
 * Nothing is transmitted before it is durable here, and before the new ticket is. What was transmitted stays until the receiver's
 * durable cursor passes it. `sent` is the highest number + 1 handed over in this opening of the store, or `base` at its begin:
 * a cursor beyond it cannot be honest (docs/custody.md, section 4).
 */
import { equalBytes, fromHex, NO_BYTES } from '../bytes.ts';
import type { EndingClass } from '../message/classes.ts';
import { withHop } from '../message/envelope.ts';
import { type Epoch, type StreamKey, streamText } from '../message/identity.ts';
import type { Random } from '../ports.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { lossOf } from './accounts.ts';
import { Bodies } from './bodies.ts';
import { type Hop, isUp } from './hops.ts';
import { KeptTickets, type Ticket } from './kept-tickets.ts';
import { type MetaChange, MetaFields, metaChange, metaValue, metaValues } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { endedAt, endNumbers, freeBelow, isDrained, type OutStream } from './outgoing.ts';
import { Refusals, type Refused, type Rejection } from './refusals.ts';
import { type Answer, afterItem, type Item, NO_TICKET, NONCE_BYTES, type Offer } from './session.ts';

/** Freed messages leave the ring with the next frame, or with one of their own after this long. */
export const FREE_DELAY_MS = 50;

/** A stream as one session sees it. */
export interface SendingStream {
  readonly out: OutStream;
  readonly key: StreamKey;
  /** Durable at the receiver. */
  cursor: number;
  /** Next number to hand over. */
  send: number;
  /** Bytes allowed beyond the cursor; from the receiver. */
  credit: number;
  /** The message handed over last: where the search for the next one begins. */
  last: { slot: number; id: number };
}

/** `backlog`: it waited for this session. */
export type Age = 'live' | 'backlog';

export type SenderState = 'idle' | 'offered' | 'ticketing' | 'ready' | 'forked';

/** `loading`: it is being read from the ring; ask again after the next step. */
export type Taken = { readonly kind: 'item'; readonly item: Item } | { readonly kind: 'loading' } | { readonly kind: 'nothing' };

export class CustodySender {
  state: SenderState = 'idle';
  /** Cursors of forwarded streams beyond `sent`: this store was rolled back, the messages are safe beyond it. */
  rolledBackCount = 0;
  /** Words of older sessions, or impossible ones. */
  staleCount = 0;
  freedCount = 0;
  /** Numbers asked for that were freed here long ago: the receiver lost them, or never had them. */
  elsewhereCount = 0;
  receiver = '';
  /** Of its store. */
  receiverIncarnation = '';
  /** Of its store, as it was when this session began. */
  receiverEpoch: Epoch = { counter: 0, random: 0 };
  /** The node at the other end is the one that another way of this node leads to, and its ticket is that one's: nothing goes here. */
  isRival = false;
  /** What waits would go by now, and the cap of its uplink holds it back (meter.ts). */
  isHeldBack = false;
  /** The number after those of a stream that the receiver handed over here: it never gets them back in their place (turning.ts). */
  returned: (out: OutStream) => number = () => 1;
  /** Senders of the other ways. */
  others: () => Iterable<CustodySender> = () => [];
  readonly hop: Hop;
  /** What the broker on this way last said against it, since something moved; for people. */
  trouble: string | undefined;
  /** When last two stores answered one offer, and their incarnations: only one of them can be who is meant. */
  twins: { readonly atMs: number; readonly incarnations: readonly [string, string] } | undefined;
  readonly #store: NodeStore;
  readonly #random: Random;
  readonly #streams = new Map<number, SendingStream>();
  readonly #sent = new Map<number, number>();
  /** Numbers below may have been handed over in an opening before, of streams that have no base yet. */
  readonly #before = new Map<number, number>();
  readonly #bodies: Bodies;
  readonly #refusals: Refusals;
  readonly #kept: KeptTickets;
  #ticket: Uint8Array = NO_TICKET;
  #ticketNonce: Uint8Array = new Uint8Array(NONCE_BYTES);
  #nonce: Uint8Array = NO_BYTES;
  /** Queue time. */
  #offeredAtMs = 0;

  constructor(store: NodeStore, hop: Hop, random: Random) {
    this.#store = store;
    this.#bodies = new Bodies(store.ring);
    this.#refusals = new Refusals(store);
    this.hop = hop;
    this.#kept = new KeptTickets(hop);
    this.#random = random;
  }

  /** Reads the ticket, and fixes `base` at the first opening after it was stored. */
  load(): void {
    const { hops } = this.#store;
    const { metas } = this.#store.ring;
    const fields = new MetaFields(metaValue(metas, `t/${this.hop}`));
    if (fields.bytes(2).length === 0) return;
    this.#kept.load(this.#store);
    this.receiver = fields.text(0);
    this.receiverIncarnation = fields.hex(1);
    this.#ticket = fields.bytes(2);
    this.#ticketNonce = fields.bytes(3);
    for (const [handle, base] of metaValues(metas, `b/${this.hop}/`))
      this.#sent.set(Number(handle), new MetaFields(base).number(0));
    for (const out of this.#store.outgoing) this.#before.set(out.handle, out.next);
    if (isUp(this.hop)) this.#knowStrays();
    if (fields.number(4) === 1) return;
    const changes: MetaChange[] = [];
    for (const out of this.#store.outgoing) {
      const isStray = isUp(this.hop) && hops.isBelow(out.node);
      if (isStray || this.#sent.get(out.handle) === out.next || !this.#goesHere(out)) continue;
      this.#sent.set(out.handle, out.next);
      changes.push(metaChange(`b/${this.hop}/${out.handle}`, out.next));
    }
    changes.push(this.#ticketChange(fields.text(0), fields.bytes(1), 1));
    for (const change of changes) this.#store.commit({ metas: [change] }, () => {});
  }

  /** A fresh offer; whatever session there was is over. `nonce`: of a session that has one already. */
  offer(nonce = this.#random.bytes(NONCE_BYTES)): Offer {
    this.lost();
    this.state = 'offered';
    this.#nonce = nonce;
    this.#offeredAtMs = this.#store.queueTimeMs;
    const { self, ring } = this.#store;
    const streams = this.offeredStreams().map((out) => ({ stream: out.key, lo: out.lo, next: out.next }));
    const { name: sender, incarnation } = self;
    const ticket = { ticket: this.#ticket, ticketNonce: this.#ticketNonce };
    return { sender, incarnation, epoch: ring.epoch, nonce, ...ticket, streams, own: 'whole' };
  }

  /** The session is over. What was handed over and not freed will be handed over again. */
  lost(): void {
    if (this.state !== 'forked') this.state = 'idle';
    this.#streams.clear();
    this.#bodies.clear();
    this.#refusals.lost();
    this.#nonce = NO_BYTES;
    this.isHeldBack = false;
  }

  /** True when the present session has this nonce. */
  owns(nonce: Uint8Array): boolean {
    return this.#nonce.length > 0 && equalBytes(nonce, this.#nonce);
  }

  /** True for words of the present session; others are counted. */
  isCurrent(nonce: Uint8Array): boolean {
    const current = this.owns(nonce);
    if (!current) this.staleCount += 1;
    return current;
  }

  /** The answer to our offer; others are counted and ignored. Transmission may start once `state` is `ready`. */
  answered(answer: Answer): void {
    if (this.state !== 'offered' || !this.isCurrent(answer.nonce)) return;
    this.isRival = answer.kind === 'fork' && this.#isOthers(answer);
    if (this.isRival || (answer.kind === 'fork' && this.#recalls(answer))) return this.lost();
    if (answer.kind === 'fork' || answer.cursors.some((cursor) => this.#isImpossible(cursor.stream, cursor.cursor))) {
      this.state = 'forked';
      return;
    }
    for (const { stream, cursor, credit } of answer.cursors) this.declared(stream, cursor, credit);
    const isAnother = this.receiver !== answer.receiver;
    const kept = isAnother && this.receiver !== '' ? this.#kept.keep(this.#shown) : [];
    this.receiver = answer.receiver;
    this.receiverIncarnation = answer.incarnation;
    this.receiverEpoch = answer.epoch;
    this.#ticket = answer.ticket;
    this.#ticketNonce = this.#nonce;
    this.state = 'ticketing';
    const incarnation = fromHex(answer.incarnation) ?? NO_BYTES;
    const nonce = this.#nonce;
    this.#store.commit({ metas: [this.#ticketChange(answer.receiver, incarnation, 0), ...kept] }, (outcome) => {
      if (outcome === 'durable' && this.state === 'ticketing' && nonce === this.#nonce) this.state = 'ready';
    });
  }

  /** Where the receiver stands in a stream: from its answer, or to a stream declared later. */
  declared(key: StreamKey, cursor: number, credit: number): void {
    const out = this.#find(key);
    if (out === undefined) return;
    this.#streams.set(out.handle, { out, key, cursor, send: cursor, credit, last: NOWHERE });
    this.#free(out, cursor);
  }

  /** Streams that hold something for the receiver, most urgent first. Those the receiver never spoke of begin at 1. */
  streamsWithWork(): SendingStream[] {
    const work: SendingStream[] = [];
    const { outgoing, hops } = this.#store;
    for (const out of outgoing) {
      if (isDrained(out) || hops.of(out) !== this.hop) continue;
      const stream = this.stream(out);
      if (stream.send < Math.min(out.next, this.#limitOf(out)) || stream.send < out.lo) work.push(stream);
    }
    return work.sort((a, b) => b.key.priority - a.key.priority || a.out.handle - b.out.handle);
  }

  stream(out: OutStream): SendingStream {
    let stream = this.#streams.get(out.handle);
    if (stream === undefined) {
      stream = { out, key: out.key, cursor: 1, send: 1, credit: Number.MAX_SAFE_INTEGER, last: NOWHERE };
      this.#streams.set(out.handle, stream);
    }
    return stream;
  }

  /** The item at the stream's place, and the place moves on. Messages not yet durable here are `nothing`. */
  take(stream: SendingStream): Taken {
    const { out } = stream;
    if (stream.send >= this.#limitOf(out)) return { kind: 'nothing' };
    if (stream.send >= out.lo && stream.send < this.returned(out)) return { kind: 'nothing' };
    const { index } = this.#store.ring;
    const slot = this.#slotFrom(out, stream.send, stream.last);
    const number = slot === NO_SLOT ? 0 : index.number(slot);
    if (number !== stream.send) {
      const ended = endedAt(out, stream.send);
      return ended === undefined ? { kind: 'nothing' } : this.#handOver(stream, ended);
    }
    const envelope = this.#bodies.get(slot);
    if (envelope === 'corrupt') this.#endCorrupt(out, slot);
    if (typeof envelope === 'string') return { kind: 'loading' };
    stream.last = { slot, id: index.id(slot) };
    return this.#handOver(stream, { kind: 'message', number, envelope: this.#timed(slot, envelope) });
  }

  /** Whether the message at the stream's place waited for this session, or came since. */
  ageOf({ out, send, last }: SendingStream): Age {
    const { index } = this.#store.ring;
    const slot = this.#slotFrom(out, send, last);
    return slot !== NO_SLOT && index.storedAtMs(slot) < this.#offeredAtMs ? 'backlog' : 'live';
  }

  /** The first message held of this number or a higher one. `last`: handed over last. */
  #slotFrom(out: OutStream, number: number, last: SendingStream['last']): number {
    const { index } = this.#store.ring;
    const isListed = index.id(last.slot) === last.id && index.isListed(last.slot);
    let slot = isListed && index.number(last.slot) < number ? last.slot : out.list.head;
    while (slot !== NO_SLOT && index.number(slot) < number) slot = out.list.next(slot);
    return slot;
  }

  /** Hand over again from `number` on, or from the cursor if that is higher. */
  rewind(stream: SendingStream, number: number): void {
    stream.send = Math.max(stream.cursor, number);
  }

  /** The receiver has everything below `cursor` on its disk. A cursor beyond what was handed over is counted and ignored. */
  acknowledged(key: StreamKey, cursor: number, credit: number): void {
    const out = this.#find(key);
    if (out === undefined) return;
    if (this.#isImpossible(key, cursor)) {
      this.staleCount += 1;
      return;
    }
    const stream = this.stream(out);
    stream.credit = credit;
    if (cursor <= stream.cursor) return;
    stream.cursor = cursor;
    stream.send = Math.max(stream.send, cursor);
    this.#free(out, cursor);
  }

  /**
   * The receiver refuses a message for good: it goes into `$dead` here, and a gap takes its place once both are durable. Numbers that were
   * not handed over in this session, or are done with, are `unknown`: nothing is changed. What is `ended` is handed over again by `rewind`.
   */
  refused(key: StreamKey, rejection: { readonly number: number; readonly class: EndingClass }): Exclude<Refused, 'corrupt'> {
    const out = this.#find(key);
    if (this.state !== 'ready' || out === undefined) return 'unknown';
    const stream = this.stream(out);
    if (rejection.number >= stream.send) return 'unknown';
    return this.#endHere(out, { ...rejection, reason: `refused by ${this.receiver}` });
  }

  /**
   * Whatever lies between here and the receiver never lets the message pass that is next in its stream: it ends like one that is refused.
   * `unknown` too where something else is next by now, and while there is no session: the receiver may have it.
   */
  impassable(key: StreamKey, rejection: Rejection): Exclude<Refused, 'corrupt'> {
    const out = this.#find(key);
    if (this.state !== 'ready' || out === undefined || this.stream(out).send !== rejection.number) return 'unknown';
    return this.#endHere(out, rejection);
  }

  #endHere(out: OutStream, rejection: Rejection): Exclude<Refused, 'corrupt'> {
    const refused = this.#refusals.end(out, rejection);
    if (refused !== 'corrupt') return refused;
    this.#endCorrupt(out, this.#refusals.slotOf(out, rejection.number));
    return 'ended';
  }

  /** True when the receiver may have got it from here: then how it ends is decided where it goes. */
  mayHaveHandedOver({ handle }: OutStream, number: number): boolean {
    return number < (this.#sent.get(handle) ?? this.#before.get(handle) ?? 1);
  }

  /** Messages the receiver refused whose bodies found no place in `$dead`: their gap is all that is left. */
  get bodilessCount(): number {
    return this.#refusals.bodilessCount;
  }

  #free(out: OutStream, cursor: number): void {
    if (cursor <= out.lo) return;
    const { ids, changes } = freeBelow(out, cursor, this.#store.ring.index);
    this.freedCount += ids.length;
    const acks = ids.map((id) => ({ id, reason: 'handed-over' as const }));
    for (let at = 0; at === 0 || at < acks.length; at += FREE_BATCH_COUNT) {
      const last = at + FREE_BATCH_COUNT >= acks.length;
      const batch = { acks: acks.slice(at, at + FREE_BATCH_COUNT), metas: last ? changes : [] };
      this.#store.commit(batch, () => {}, FREE_DELAY_MS);
    }
  }

  /** With the time it spent here, where it has timers. Up to the begin of the session: within one a repeat has the same bytes. */
  #timed(slot: number, envelope: Uint8Array): Uint8Array {
    const { index } = this.#store.ring;
    const spentMs = Math.floor(this.#offeredAtMs - index.storedAtMs(slot));
    if (spentMs <= 0 || (index.expiresAtMs(slot) === 0 && index.notBeforeMs(slot) === 0)) return envelope;
    return withHop(envelope, (hop) => ({ ...hop, elapsedMs: hop.elapsedMs + spentMs }));
  }

  #handOver(stream: SendingStream, item: Item): Taken {
    stream.send = afterItem(item);
    if (item.kind === 'elsewhere') this.elsewhereCount += item.to - item.number + 1;
    this.#sent.set(stream.out.handle, Math.max(this.#sent.get(stream.out.handle) ?? 1, stream.send));
    return { kind: 'item', item };
  }

  /** An own stream's cursor beyond `sent` is a fork; a forwarded one's only says that we were rolled back. */
  #isImpossible(key: StreamKey, cursor: number): boolean {
    const out = this.#find(key);
    if (out === undefined || cursor <= Math.max(this.#sent.get(out.handle) ?? 1, out.lo)) return false;
    if (key.origin === this.#store.self.name) return true;
    this.rolledBackCount += 1;
    return false;
  }

  /** A body that fails its checksum ends here: the stream goes on over a gap. */
  #endCorrupt(out: OutStream, slot: number): void {
    const { ring, self } = this.#store;
    const number = ring.index.number(slot);
    out.list.remove(slot);
    const noted = endNumbers(out, { from: number, to: number, class: 'CORRUPT', node: self.name });
    const acks = [{ id: ring.index.id(slot), reason: 'corrupt' as const }];
    this.#store.commit(
      { acks, metas: [noted, this.#store.account(lossOf(out.handle, 'CORRUPT', [{ from: number, to: number }]))] },
      () => {},
    );
  }

  get #shown(): Ticket {
    const { receiver, receiverIncarnation: incarnation } = this;
    return { receiver, incarnation, ticket: this.#ticket, nonce: this.#ticketNonce };
  }

  /** Not a fork: the way leads to a neighbour of before, and was shown the ticket of another one. The next offer has the right one. */
  #recalls(answer: Answer): boolean {
    const kept = this.#kept.of(answer);
    if (kept === undefined || (this.receiver === answer.receiver && this.receiverIncarnation === answer.incarnation))
      return false;
    const changes = this.#kept.keep(this.#shown);
    this.receiver = kept.receiver;
    this.receiverIncarnation = kept.incarnation;
    this.#ticket = kept.ticket;
    this.#ticketNonce = kept.nonce;
    const change = this.#ticketChange(kept.receiver, fromHex(kept.incarnation) ?? NO_BYTES, 0);
    this.#store.commit({ metas: [change, ...changes] }, () => {});
    return true;
  }

  /** Not a fork: whoever answers gave its newest ticket to this store all the same, on another way. */
  #isOthers({ receiver, incarnation }: Answer): boolean {
    if (this.receiver === receiver && this.receiverIncarnation === incarnation) return false;
    for (const other of this.others())
      if (other !== this && other.receiver === receiver && other.receiverIncarnation === incarnation) return true;
    return false;
  }

  #find(key: StreamKey): OutStream | undefined {
    const handle = this.#store.streams.find(key);
    return handle === undefined ? undefined : this.#store.outgoing.find(handle);
  }

  #ticketChange(receiver: string, incarnation: Uint8Array, based: 0 | 1): MetaChange {
    return metaChange(`t/${this.hop}`, [receiver, incarnation, this.#ticket, this.#ticketNonce, based]);
  }

  /**
   * A node is below that was not until now: what is for it and was handed over here stays here. What must be stored with that.
   */
  strays(node: string): MetaChange[] {
    const changes: MetaChange[] = [];
    for (const out of this.#store.outgoing) {
      const sent = Math.max(this.#sent.get(out.handle) ?? 1, this.#before.get(out.handle) ?? 1);
      // Also when all of it has ended: the receiver knows the stream, and must not miss it in our offers.
      if (out.node !== node || sent === 1) continue;
      out.upTo = Math.max(out.upTo, sent);
      changes.push(metaChange(`b/${this.hop}/${out.handle}`, sent));
    }
    return changes;
  }

  /** A node is reached by another way from now on: the receiver here knows our streams for it, and must not miss them in our offers. */
  leaves(node: string): MetaChange[] {
    const changes: MetaChange[] = [];
    for (const { node: to, key, handle } of this.#store.outgoing) {
      const sent = this.#sent.get(handle) ?? 1;
      if (to === node && key.origin === this.#store.self.name && sent > 1)
        changes.push(metaChange(`b/${this.hop}/${handle}`, sent));
    }
    return changes;
  }

  #knowStrays(): void {
    const { outgoing, hops } = this.#store;
    for (const out of outgoing) if (hops.isBelow(out.node)) out.upTo = Math.max(out.upTo, this.#sent.get(out.handle) ?? 1);
  }

  /** Messages that wait for this hop's receiver. */
  get heldCount(): number {
    const { outgoing, hops } = this.#store;
    let count = 0;
    for (const out of outgoing) if (out.list.count > 0 && hops.of(out) === this.hop) count += out.list.count;
    return count;
  }

  /** Streams that an offer names, as many as it has room for. */
  offeredStreams(): OutStream[] {
    return [...this.#store.outgoing].filter((out) => out.next > 1 && this.#goesHere(out));
  }

  /** Numbers from here on are not handed over on this hop. What has another way now is only repeated. */
  #limitOf(out: OutStream): number {
    const { hops } = this.#store;
    if (hops.of(out) !== this.hop) return this.#sent.get(out.handle) ?? 1;
    return isUp(this.hop) && hops.isBelow(out.node) ? out.upTo : Number.MAX_SAFE_INTEGER;
  }

  /**
   * Offered: what goes this way or may some day, and what once did: a receiver that knows a stream of ours we do not name takes us for
   * rolled back.
   */
  #goesHere(out: OutStream): boolean {
    const { hops } = this.#store;
    if (this.#sent.has(out.handle)) return true;
    return isUp(this.hop) ? !hops.isBelow(out.node) || out.lo < out.upTo : hops.of(out) === this.hop;
  }

  /** For people: what this hop stands at. */
  describe(): string {
    return `${this.hop}: ${this.state}, ${[...this.#streams.values()].map((s) => `${streamText(s.key)} ${s.cursor}`).join(', ')}`;
  }
}

const NOWHERE = { slot: 0, id: -1 };
/** Messages freed per batch: their entries stay well within a small frame. */
const FREE_BATCH_COUNT = 1000;

/**
 * One sender as a receiver over MQTT sees it: its session, what it must be told, and what is on its way to the disk for it.
 * What it must be told is a set of streams, not a list of messages: memory is bounded by the streams that exist.
 */
import type { CustodyReceiver, ReceiverSession } from '../custody/receiver.ts';
import type { Offer } from '../custody/session.ts';
import { SYNC_STREAM_COUNT_MAX } from '../limits.ts';
import { type Epoch, isSameEpoch, type StreamKey, streamText } from '../message/identity.ts';
import type { ProgressedStream } from './receipt-layout.ts';
import type { Sync } from './sync-layout.ts';

/** A stream whose next item there was no room for. */
interface Blocked {
  readonly key: StreamKey;
  /** Credit that it takes to go on. */
  readonly bytesNeeded: number;
  /** Items of this sender that had become durable when it was blocked: as long as others are on their way, it takes one more. */
  readonly durableCount: number;
}

export class RelayPeer {
  session: ReceiverSession | undefined;
  /** The newest offer, while it waits for the disk to have what was taken before. */
  heldOffer: Offer | undefined;
  /** Items planned for the disk and not there yet. */
  inFlight = 0;
  #durableCount = 0;
  readonly #toTell = new Map<string, StreamKey>();
  /** Streams of which something was let fall in this session, and nothing taken since. */
  readonly #holed = new Set<string>();
  readonly #blocked = new Map<string, Blocked>();
  /** Streams that were told credit 0: when there is some again, they must hear it. */
  readonly #starved = new Map<string, StreamKey>();
  #newest: { readonly epoch: Epoch; readonly attempt: number } | undefined;

  /** True for an offer that a newer one of the same epoch has replaced. Between epochs there is no order: a rollback has an old one. */
  isOutdated({ offer, attempt }: Sync): boolean {
    const newest = this.#newest;
    return newest !== undefined && isSameEpoch(newest.epoch, offer.epoch) && attempt < newest.attempt;
  }

  hold({ offer, attempt }: Sync): void {
    this.#newest = { epoch: offer.epoch, attempt };
    this.heldOffer = offer;
  }

  /** A new session: what the old one had to tell is told by the answer. */
  begin(session: ReceiverSession): void {
    if (this.session === session) return;
    this.session = session;
    this.#toTell.clear();
    this.#holed.clear();
  }

  /** An item is on its way to the disk. */
  planned(key: StreamKey): void {
    this.inFlight += 1;
    this.#holed.delete(streamText(key));
  }

  /** It is there. */
  durable(key: StreamKey): void {
    this.inFlight -= 1;
    this.#durableCount += 1;
    this.tell(key);
  }

  /** The sender must hear where this stream stands. */
  tell(key: StreamKey): void {
    this.#toTell.set(streamText(key), key);
  }

  /** Something of the stream came that was not taken. */
  missed(key: StreamKey): void {
    this.#holed.add(streamText(key));
    this.tell(key);
  }

  /** There was no room for an item of this size: the stream has no credit until there is. */
  blocked(key: StreamKey, bytesNeeded: number): void {
    this.missed(key);
    this.#blocked.set(streamText(key), { key, bytesNeeded, durableCount: this.#durableCount });
  }

  /** Looks whether streams without credit have some again. Call after every step. */
  refresh(receiver: CustodyReceiver): void {
    const { session } = this;
    if (session === undefined) return;
    for (const key of this.#starved.values()) if (this.#creditOf(receiver, session, key) > 0) this.tell(key);
  }

  get hasToTell(): boolean {
    return this.#toTell.size > 0;
  }

  /** Nothing to say, and nothing that will bring something to say by itself. */
  get isIdle(): boolean {
    return !this.hasToTell && this.#starved.size === 0 && this.heldOffer === undefined && this.inFlight === 0;
  }

  /** What to tell in one receipt; what is too much for it stays for the next. */
  takeWords(receiver: CustodyReceiver, session: ReceiverSession): ProgressedStream[] {
    const words: ProgressedStream[] = [];
    for (const [text, key] of this.#toTell) {
      if (words.length === SYNC_STREAM_COUNT_MAX) break;
      this.#toTell.delete(text);
      const { cursor } = receiver.cursorOf(session, key);
      const credit = this.toldCredit(receiver, session, key);
      words.push({ stream: key, cursor, credit, hasMissed: this.#holed.has(text) });
    }
    return words;
  }

  /** The credit of a stream, about to be told. */
  toldCredit(receiver: CustodyReceiver, session: ReceiverSession, key: StreamKey): number {
    const credit = this.#creditOf(receiver, session, key);
    if (credit === 0) this.#starved.set(streamText(key), key);
    else this.#starved.delete(streamText(key));
    return credit;
  }

  #creditOf(receiver: CustodyReceiver, session: ReceiverSession, key: StreamKey): number {
    const text = streamText(key);
    const { credit } = receiver.cursorOf(session, key);
    const blocked = this.#blocked.get(text);
    if (blocked === undefined) return credit;
    const hasMoved = this.#durableCount > blocked.durableCount || this.inFlight === 0;
    if (credit < blocked.bytesNeeded || !hasMoved) return 0;
    this.#blocked.delete(text);
    return credit;
  }
}

/**
 * The receiving side of custody over MQTT: answers offers, takes items, and says what is on the disk (docs/mqtt.md).
 *
 *   sync ───▶ held until everything taken before is durable ───▶ answer: the session, and where its streams stand
 *   publish ─▶ item by item into the intake ───▶ durable ───▶ one receipt for all that moved
 *                │ ahead, or no room: the rest of the batch is let fall, and the receipt says so
 *                └ of no session known here: hello, once
 *
 * An offer is held because an answer may only be made from what is durable: a ticket or a cursor that a power cut takes back would
 * make an honest sender look like a fork. Nothing is kept in memory but what the ring has in flight; what it has no room for is not
 * taken. No timer: the sender is the one who waits.
 */
import { invariant, unreachable } from '../assert.ts';
import { equalBytes } from '../bytes.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { Acceptance, CustodyReceiver, ReceiverSession } from '../custody/receiver.ts';
import type { Item, Offer } from '../custody/session.ts';
import { RELAY_PEER_COUNT_MAX } from '../limits.ts';
import { NODE_QUEUE } from '../message/address.ts';
import type { StreamKey } from '../message/identity.ts';
import { costOf } from './batch.ts';
import { decodePublish, type PublishedItem, type Speaker } from './publish-layout.ts';
import { encodeAnswer, encodeHello, encodeProgress } from './receipt-layout.ts';
import { RelayPeer } from './relay-peer.ts';
import type { Arrived, RelayOutput } from './relay-sender.ts';
import { decodeStatus, statusPublish } from './status-layout.ts';
import { decodeSync } from './sync-layout.ts';
import { formatTopic, parseTopic, queueFilter, SYNC_FILTER } from './topics.ts';

export interface RelayReceiverOptions {
  readonly receiver: CustodyReceiver;
  readonly store: NodeStore;
  /** Name of this node. */
  readonly node: string;
  readonly takes: Taking;
}

/**
 * `up`: what senders publish for queues of a logical central that this node serves, and its partitions; `+`, the default, is every one.
 * `down`: what a central publishes for this node.
 */
export type Taking =
  | {
      readonly kind: 'up';
      readonly central: string;
      readonly queues?: '+' | readonly string[];
      readonly partitions?: '+' | readonly number[];
    }
  | { readonly kind: 'down'; readonly central: string };

export class RelayReceiver {
  /** It waits for nothing by itself. */
  readonly wakeAtMs = undefined;
  readonly #receiver: CustodyReceiver;
  readonly #store: NodeStore;
  readonly #node: string;
  readonly #takes: Taking;
  /** Whom syncs mean, and the name in its status. */
  readonly #name: string;
  readonly #filters: readonly string[];
  readonly #outputs: RelayOutput[] = [];
  readonly #peers = new Map<string, RelayPeer>();
  /** Peers that something is or will be to be said to. */
  readonly #active = new Set<RelayPeer>();
  /** The last nonce each sender was told hello about; bounded, oldest out. */
  readonly #helloed = new Map<string, Uint8Array>();
  readonly #counts = {
    taken: 0,
    receipts: 0,
    answers: 0,
    hellos: 0,
    stale: 0,
    malformed: 0,
    unknownVersion: 0,
    corrupt: 0,
    tooLarge: 0,
  };
  #isUp = false;
  #hellos = 0;

  constructor(options: RelayReceiverOptions) {
    const { node, takes } = options;
    this.#receiver = options.receiver;
    this.#store = options.store;
    this.#node = node;
    this.#takes = takes;
    this.#name = takes.kind === 'up' ? takes.central : node;
    this.#filters = takes.kind === 'up' ? upFilters(takes) : downFilters(node, takes.central);
  }

  /** The broker is there, with nothing of earlier. */
  up(_nowMs: number): void {
    this.#isUp = true;
    this.#hellos += 1;
    const ownStatus = formatTopic({ kind: 'status', node: this.#name });
    this.#outputs.push({ kind: 'subscribe', topics: [...this.#filters, ownStatus] });
    this.#sayOnline();
  }

  /** The broker is gone. What is on its way to the disk goes on; senders hear of it in the next session. */
  down(_nowMs: number): void {
    this.#isUp = false;
    this.#outputs.length = 0;
  }

  /** Hears a message; those that are not for a receiver are none of its business. */
  message({ topic, payload }: Arrived, _nowMs: number): void {
    if (!this.#isUp) return;
    const parsed = parseTopic(topic);
    switch (parsed?.kind) {
      case 'sync':
        return this.#isSender(parsed.node) ? this.#heardSync(parsed.node, payload) : undefined;
      case 'queue':
        if (this.#takes.kind !== 'up' || parsed.central !== this.#takes.central) return;
        return this.#heardPublish(payload, parsed.queue);
      case 'down':
        if (this.#takes.kind !== 'down' || parsed.node !== this.#node) return;
        return this.#heardPublish(payload, undefined);
      case 'status':
        return parsed.node === this.#name ? this.#heardOwnStatus(payload) : undefined;
    }
  }

  /** Whose offers these may be: a central hears those of all, its own too; who is below hears its central's. */
  #isSender(node: string): boolean {
    return this.#takes.kind === 'up' ? node !== this.#node : node === this.#takes.central;
  }

  /** Says what is to be said: an answer where an offer waits, and to each sender at most one receipt. Call after every step. */
  pump(_nowMs: number): void {
    if (!this.#isUp) return;
    for (const peer of this.#active) {
      if (peer.heldOffer !== undefined && peer.inFlight === 0) this.#answer(peer, peer.heldOffer);
      peer.refresh(this.#receiver);
      const { session } = peer;
      if (session !== undefined && session.state !== 'fenced' && peer.hasToTell) this.#tell(peer, session);
      if (peer.isIdle) this.#active.delete(peer);
    }
  }

  /** What to do next, in this order. Empties the list. */
  takeOutputs(): RelayOutput[] {
    return this.#outputs.splice(0);
  }

  counters(): Record<string, number> {
    const { taken, receipts, answers, hellos, stale, malformed, unknownVersion, corrupt, tooLarge } = this.#counts;
    return {
      relayTaken: taken,
      relayReceipts: receipts,
      relayAnswers: answers,
      relayHellos: hellos,
      relayStale: stale,
      relayMalformed: malformed,
      relayUnknownVersion: unknownVersion,
      relayCorrupt: corrupt,
      relayTooLarge: tooLarge,
    };
  }

  #heardSync(from: string, payload: Uint8Array): void {
    const sync = decodeSync(payload);
    if (sync === 'unknown-version') {
      this.#counts.unknownVersion += 1;
      return;
    }
    if (sync === undefined || sync.offer.sender !== from) {
      this.#counts.malformed += 1;
      return;
    }
    if (sync.receiver !== this.#name) return;
    const { offer } = sync;
    const key = peerKey(offer);
    const peer = this.#peers.get(key) ?? new RelayPeer();
    const isTooMany = !this.#peers.has(key) && this.#peers.size >= RELAY_PEER_COUNT_MAX;
    if (isTooMany || peer.isOutdated(sync)) {
      this.#counts.stale += 1;
      return;
    }
    this.#peers.set(key, peer);
    peer.hold(sync);
    this.#active.add(peer);
  }

  #answer(peer: RelayPeer, offer: Offer): void {
    const offered = this.#receiver.offered(offer);
    if (offered === undefined) return; // it stays held
    peer.heldOffer = undefined;
    const { answer, session } = offered;
    const cursors = answer.cursors.map((cursor) =>
      session === undefined ? cursor : { ...cursor, credit: peer.toldCredit(this.#receiver, session, cursor.stream) },
    );
    if (session !== undefined) peer.begin(session);
    this.#counts.answers += 1;
    this.#say(offer.sender, encodeAnswer({ ...answer, cursors }));
  }

  #tell(peer: RelayPeer, session: ReceiverSession): void {
    const { self } = this.#store;
    const head = { receiver: this.#node, incarnation: self.incarnation, nonce: session.nonce };
    this.#counts.receipts += 1;
    this.#say(session.sender, encodeProgress(head, peer.takeWords(this.#receiver, session)));
  }

  /** `queue`: all of its items are for. */
  #heardPublish(payload: Uint8Array, queue: string | undefined): void {
    const decoded = decodePublish(payload);
    if (decoded === undefined) {
      this.#counts.malformed += 1;
      return;
    }
    if (decoded.kind === 'unknown-version') {
      this.#counts.unknownVersion += 1;
      return;
    }
    const { header, items } = decoded;
    const peer = this.#peers.get(peerKey(header));
    const session = peer?.session;
    // An offer that waits ends this session: the answer to it says where to go on.
    const isOver = session === undefined || session.state === 'fenced' || peer?.heldOffer !== undefined;
    if (peer === undefined || isOver || !equalBytes(session.nonce, header.nonce)) {
      this.#counts.stale += 1;
      if (peer?.heldOffer === undefined) this.#sayHello(header);
      return;
    }
    this.#active.add(peer);
    for (const item of items) this.#take({ peer, session, queue, item });
  }

  /** Takes one item. Where one is let fall, those behind it in its stream are ahead of the cursor and fall too. */
  #take(what: { peer: RelayPeer; session: ReceiverSession; queue: string | undefined; item: PublishedItem }): void {
    const { peer, session, queue, item: published } = what;
    const { stream } = published;
    const item = published.kind === 'item' ? published.item : corruptItem(published);
    const isAstray = queue !== undefined && stream?.destination.endsWith(`/${queue}`) === false;
    if (stream === undefined || item === undefined || isAstray) {
      this.#counts.malformed += 1;
      return;
    }
    if (published.kind === 'bad') this.#counts.corrupt += 1;
    const acceptance = this.#accept({ peer, session, stream, item });
    switch (acceptance) {
      case 'new':
        this.#counts.taken += 1;
        return peer.planned(stream);
      case 'repeat':
        return peer.tell(stream);
      case 'ahead':
        return peer.missed(stream);
      case 'no-room':
        return peer.blocked(stream, costOf(item));
      case 'stale':
        this.#counts.stale += 1;
        return;
      default:
        return unreachable(acceptance);
    }
  }

  /** What this node refuses ends here, counted: a stream is not held up for ever by one message. */
  #accept(what: { peer: RelayPeer; session: ReceiverSession; stream: StreamKey; item: Item }): Acceptance {
    const { peer, session, stream, item } = what;
    const whenDurable = () => peer.durable(stream);
    const accepted = this.#receiver.item(session, { stream, item }, whenDurable);
    if (typeof accepted === 'string') return accepted;
    this.#counts.tooLarge += 1;
    const { number } = item;
    const gap: Item = { kind: 'gap', number, to: number, class: accepted.refused, node: this.#node };
    const ended = this.#receiver.item(session, { stream, item: gap }, whenDurable);
    invariant(typeof ended === 'string', 'a gap is never refused');
    return ended;
  }

  /** Once per session of a sender: if it is lost, the sender notices by itself that nothing moves. */
  #sayHello({ sender, nonce }: Speaker): void {
    const told = this.#helloed.get(sender);
    if (told !== undefined && equalBytes(told, nonce)) return;
    this.#helloed.delete(sender);
    this.#helloed.set(sender, nonce);
    const [oldest] = this.#helloed.keys();
    if (this.#helloed.size > RELAY_PEER_COUNT_MAX && oldest !== undefined) this.#helloed.delete(oldest);
    this.#counts.hellos += 1;
    this.#say(sender, encodeHello({ receiver: this.#node, incarnation: this.#store.self.incarnation, nonce }));
  }

  /** The will of a connection long gone may come late; whoever hears it must hear that we are here. */
  #heardOwnStatus(payload: Uint8Array): void {
    const status = decodeStatus(payload);
    if (status !== undefined && status !== 'unknown-version' && status.kind === 'offline') this.#sayOnline();
  }

  #sayOnline(): void {
    const { self, ring } = this.#store;
    const status = {
      kind: 'online',
      node: this.#name,
      incarnation: self.incarnation,
      epoch: ring.epoch,
      hello: this.#hellos,
    } as const;
    this.#outputs.push({ kind: 'publish', publish: statusPublish(status) });
  }

  #say(sender: string, payload: Uint8Array): void {
    const topic = formatTopic({ kind: 'receipt', node: sender });
    this.#outputs.push({ kind: 'publish', publish: { topic, payload, qos: 1, retain: 'transient' } });
  }
}

/** What nodes write to one another comes whichever queues are taken. */
function upFilters({ central, queues = '+', partitions = '+' }: Taking & { kind: 'up' }): string[] {
  const names = queues === '+' ? ['+'] : [...new Set([...queues, NODE_QUEUE])];
  const numbers = partitions === '+' ? (['+'] as const) : partitions;
  const filters = names.flatMap((queue) => numbers.map((partition) => queueFilter(central, queue, partition)));
  return [...filters, SYNC_FILTER];
}

function downFilters(node: string, central: string): string[] {
  return [formatTopic({ kind: 'down', node }), formatTopic({ kind: 'sync', node: central })];
}

function peerKey({ sender, incarnation }: { readonly sender: string; readonly incarnation: string }): string {
  return `${sender}:${incarnation}`;
}

/** What does not decode is taken as a message whose envelope is all of it: the intake dead-letters such, and the cursor moves. */
function corruptItem(bad: PublishedItem & { kind: 'bad' }): Item | undefined {
  return bad.number === undefined ? undefined : { kind: 'message', number: bad.number, envelope: bad.bytes };
}

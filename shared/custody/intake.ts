/**
 * Where messages enter a node that begin here: from its applications, from adapters, and its own: letters, copies, words. One becomes one
 * part of a batch: the message in its queue or among what goes out, and the stream's counter. What comes by custody: arrivals.ts.
 */
import { hasCode, RingmailError } from '../errors.ts';
import { type Address, isSystemQueue, NODE_QUEUE, parseAddress } from '../message/address.ts';
import { encodeNew, FIRST_HOP, type Hop } from '../message/envelope.ts';
import { type Identity, identityText, type StreamKey } from '../message/identity.ts';
import { type Ending, PRIORITY_DEFAULT, type Properties, type TransactionMark } from '../message/message.ts';
import { checkOptions } from '../queue/check-options.ts';
import { QUEUE_DEFAULTS, type QueueOptions, sameOptions } from '../queue/queue-options.ts';
import type { Queue } from '../queue/queues.ts';
import type { Routed, RouteTable } from '../queue/routes.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import { entering, nextNumber, passing, type Shared, wholeBytes } from './entering.ts';
import { expressIncarnation } from './express-streams.ts';
import type { Forwarding } from './forwarding.ts';
import { DEAD_QUEUE, JOURNAL_QUEUE, type Newcomer } from './message-room.ts';
import { type MetaChange, metaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { OwnStreams } from './own-streams.ts';
import { batchOf, type Planned, withBeside, withRoom } from './planned.ts';
import type { Policy } from './policy.ts';
import { type Asked, type Told, wants, wordTo } from './words.ts';

export interface NewBody {
  readonly body: Uint8Array;
  readonly properties: Properties;
  readonly history?: readonly Ending[];
  readonly previous?: string;
  readonly maybeDuplicate?: 'maybe';
  readonly transaction?: TransactionMark;
  /** How far it has come, where it is made from one that came. */
  readonly hop?: Hop;
  /** `body` lies in the ring by itself, and others have it too. */
  readonly shared?: Shared;
}

type Delivery = 'recoverable' | 'express';

/** What hops may add to an envelope on its way: a message accepted here must fit a ring like this one everywhere. */
export const HOP_BYTES_MAX = 16;

/** Routes, and what carries them out: of a node that has any. */
export interface Routing {
  readonly table: RouteTable;
  forwarding(store: NodeStore, intake: Intake): Forwarding;
}

/** What a node does with a queue it does not know: refuse it, or make it (a development node). */
export type UnknownQueue = 'refuse' | 'create';

export class Intake {
  readonly #own = new OwnStreams();
  readonly #store: NodeStore;
  readonly unknownQueue: UnknownQueue;
  readonly #queueBytesLimit: number;
  /** True when a message for this node can leave it. */
  readonly canReach: (node: string) => boolean;
  readonly policy: Policy | undefined;
  readonly routes: RouteTable | undefined;
  readonly forwarding: Forwarding | undefined;

  constructor(
    store: NodeStore,
    options: {
      readonly unknownQueue: UnknownQueue;
      readonly queueBytesLimit: number;
      readonly canReach: (node: string) => boolean;
      readonly policy?: Policy | undefined;
      readonly routing?: Routing | undefined;
    },
  ) {
    this.#store = store;
    this.unknownQueue = options.unknownQueue;
    this.#queueBytesLimit = options.queueBytesLimit;
    this.canReach = options.canReach;
    this.policy = options.policy;
    this.routes = options.routing?.table;
    this.forwarding = options.routing?.forwarding(store, this);
  }

  /**
   * A message that begins here: gets the next number of its stream. Where its queue makes room by dropping, what goes is part of it, and
   * so are its copy in `$journal` and the word that it is in its queue, where they are asked for: it may be several messages, itself
   * the first. `replacing`: the caller ends a message of this ring in the same batch. Where a route fits, what that makes of it stands in
   * its place, and the identity is still the one that its sender is told.
   * @throws NAME_INVALID, QUEUE_NOT_FOUND, ROUTE_NOT_FOUND, QUEUE_FULL, MESSAGE_TOO_LARGE, MESSAGE_REFUSED
   */
  begin(
    destination: string,
    content: NewBody,
    place: Newcomer['place'] = 'new',
    delivery: Delivery = 'recoverable',
  ): Planned & { identity: Identity } {
    const { properties, maybeDuplicate } = content;
    // One that is moved to another stream was let in before, and has its copy.
    if (maybeDuplicate === undefined) this.#checkPolicy(destination, content);
    const routed = maybeDuplicate === undefined ? this.routedOf(destination, properties) : undefined;
    if (routed !== undefined && this.forwarding !== undefined)
      return this.forwarding.sent(destination, content, { place, routed });
    const begun = this.beginAlone(destination, content, { place, what: 'message', delivery });
    if (maybeDuplicate !== undefined) return begun;
    let planned: Planned = begun;
    if (properties.journal === 'on') planned = this.#withCopy(planned, content, begun.identity);
    if (properties.acknowledge !== undefined && this.#store.isLocal(begun.identity.destination))
      planned = this.told(planned, { ...properties, identity: begun.identity }, 'ACK_REACH_QUEUE');
    return planned === begun ? begun : { ...planned, identity: begun.identity };
  }

  /** What a route makes of a message that is sent to a queue here; undefined where none fits. */
  routedOf(destination: string, properties: Properties): Routed | undefined {
    const { self } = this.#store;
    if (this.routes === undefined || this.routes.isEmpty) return undefined;
    const { node, queue } = this.#own.destination(destination, self.name).address;
    if (node !== self.name || isSystemQueue(queue)) return undefined;
    return this.routes.of({ queue, source: self.name, properties });
  }

  /** The stream of what begins here. @throws NAME_INVALID, BUSY */
  streamTo(destination: string, priority: number): { key: StreamKey; handle: number; changes: MetaChange[] } {
    const { name: origin, incarnation } = this.#store.self;
    const key = this.#own.key(this.#own.destination(destination, origin), { origin, incarnation, priority });
    return { key, ...this.#openStream(key) };
  }

  /** A copy for `$journal`. @throws as `begin`, but that it is full */
  beginCopy(content: NewBody, place: Newcomer['place']): Planned {
    return this.beginAlone(`${this.#store.self.name}/${JOURNAL_QUEUE}`, content, { place, what: 'record' });
  }

  /**
   * A message given up here and now: into `$dead`, with its history. `$dead` is bounded and never stops anything: when it is full
   * its oldest bodies go, counted as DROPPED. `to`: another queue of this node, which is not there or has no room: then `$dead` all
   * the same. @throws as `begin`; then nothing went.
   */
  beginDead(
    content: NewBody,
    ending: Ending,
    place: Newcomer['place'] = 'new',
    to: string = DEAD_QUEUE,
  ): Planned & { identity: Identity } {
    const letter = { ...content, history: [...(content.history ?? []), ending] };
    const begin = (queue: string) => this.beginAlone(`${this.#store.self.name}/${queue}`, letter, { place, what: 'record' });
    if (to === DEAD_QUEUE || this.#store.queues.find(to) === undefined) return begin(DEAD_QUEUE);
    try {
      return begin(to);
    } catch (error) {
      if (hasCode(error, 'QUEUE_FULL') || hasCode(error, 'MESSAGE_TOO_LARGE')) return begin(DEAD_QUEUE);
      throw error;
    }
  }

  /**
   * `planned`, and with it the word to the sender of a message, if that one asked. Never an error: where there is no way to it, or no
   * room, the word is left out and counted.
   */
  told(planned: Planned, asked: Asked, what: Told): Planned {
    if (!wants(asked.acknowledge, what)) return planned;
    const { destination, content } = wordTo(asked, what, this.#store.self.name);
    const place = planned.acks.length > 0 ? 'replacing' : 'new';
    const both = this.#beside(planned, () => this.beginAlone(destination, content, { place, what: 'record' }));
    // What is refused itself comes again.
    if (both === undefined && this.#store.ring.admits(batchOf(planned))) this.#store.leftOut.words += 1;
    return both ?? planned;
  }

  #checkWay(node: string, address: string): void {
    const { hops } = this.#store;
    const { belowCountMax } = hops;
    if (hops.isTurnedAway(node)) throw new RingmailError('BUSY', { pending: belowCountMax, pendingMax: belowCountMax });
    if (!this.canReach(node)) throw new RingmailError('ROUTE_NOT_FOUND', { address });
  }

  #checkPolicy(destination: string, { properties, transaction }: NewBody): void {
    if (this.policy === undefined) return;
    const { self } = this.#store;
    const { text } = this.#own.destination(destination, self.name);
    const arrival = { destination: text, origin: self.name, properties, hops: 0 };
    const refused = this.policy({ ...arrival, ...(transaction && { transaction }) });
    if (refused !== undefined) throw new RingmailError('MESSAGE_REFUSED', { queue: arrival.destination, class: refused });
  }

  #withCopy(planned: Planned, content: NewBody, identity: Identity): Planned {
    const both = this.#beside(planned, () => this.beginCopy({ ...content, previous: identityText(identity) }, 'new'));
    if (both === undefined) this.#store.leftOut.copies += 1;
    return both ?? planned;
  }

  /** Both, or undefined when only the first has room. */
  #beside(planned: Planned, begin: () => Planned): Planned | undefined {
    const { ring, room } = this.#store;
    const both = withBeside(ring, planned, begin);
    if (both === undefined || planned.acks.length > 0) return both;
    const bytes = both.puts.reduce((sum, { body }) => sum + PUT_BYTES + body.length, 0);
    return bytes <= room.inRing(undefined) ? both : undefined;
  }

  /** The message and nothing that goes along with it. `keeps`: it goes on from its queue at once. @throws as `begin` */
  beginAlone(
    destination: string,
    content: NewBody,
    how: Pick<Newcomer, 'place' | 'what'> & { delivery?: Delivery; keeps?: 'its number' },
  ): Planned & { identity: Identity } {
    const { self, ring } = this.#store;
    const to = this.#own.destination(destination, self.name);
    const { address } = to;
    const priority = content.properties.priority ?? PRIORITY_DEFAULT;
    const incarnation = how.delivery === 'express' ? expressIncarnation(ring.epoch) : self.incarnation;
    const key = this.#own.key(to, { origin: self.name, incarnation, priority });
    const queue = address.node === self.name ? this.queue(address.queue) : undefined;
    if (queue === undefined) this.#checkWay(address.node, key.destination);
    const { handle, changes } = this.#openStream(key);
    const number = nextNumber(this.#store, { handle, key, endsHere: queue !== undefined });
    const identity: Identity = { origin: key.origin, incarnation, destination: key.destination, priority, number };
    const { properties, shared, hop } = content;
    const told = shared === undefined ? content : { ...content, body: shared.standIn };
    const envelope = encodeNew(key, { number, epoch: ring.epoch, hop }, told);
    const bytes = wholeBytes({ envelope, shared });
    const queueBytesMax = how.keeps === undefined ? queue?.options.bytesLimit : undefined;
    const bytesMax = Math.min(ring.bodyBytesMax - HOP_BYTES_MAX, queueBytesMax ?? ring.bodyBytesMax);
    if (bytes > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes, bytesMax });
    const { epoch } = ring;
    if (how.keeps !== undefined) {
      const passed = passing(this.#store, { handle, identity, epoch }, changes);
      return { ...this.withEpoch(passed, handle, number), identity };
    }
    const entered = { handle, identity, epoch, queue, envelope, shared, properties, hop: hop ?? FIRST_HOP, what: how.what };
    const own = entering(this.#store, entered, changes);
    // What is in memory only has its counters there, too.
    const planned = how.delivery === 'express' ? { ...own, changes: [] } : this.withEpoch(own, handle, identity.number);
    const { place, what } = how;
    const ringBytes = PUT_BYTES + envelope.length + (shared?.ringBytes ?? 0);
    const {
      puts,
      acks,
      changes: all,
      settle,
    } = withRoom(this.#store, planned, queue, { place, what, bytes, ringBytes, priority });
    return { puts, acks, changes: all, settle, identity };
  }

  /** A destination of an application, in its parts. @throws NAME_INVALID */
  addressOf(destination: string): Address {
    return this.#own.destination(destination, this.#store.self.name).address;
  }

  /** True when a body of this size is sure to have no chance yet. */
  isFullFor(destination: string, bytes: number): boolean {
    const address = parseAddress(destination, this.#store.self.name);
    const queue = address.node === this.#store.self.name ? this.#store.queues.find(address.queue) : undefined;
    return !this.#store.room.fits(queue, bytes);
  }

  /** An adapter's place in its source, for the frame of the message it brought. */
  position(position: { name: string; value: Uint8Array }): MetaChange {
    return metaChange(`p/${position.name}`, position.value);
  }

  /** A queue of this node, made if this node makes what it does not know. @throws QUEUE_NOT_FOUND, NAME_INVALID */
  queue(name: string): Queue {
    const { queues } = this.#store;
    const known = queues.find(name);
    if (known !== undefined) return known;
    if (name === NODE_QUEUE || (this.unknownQueue === 'refuse' && queues.subqueue(name) === undefined))
      throw new RingmailError('QUEUE_NOT_FOUND', { queue: name });
    return (
      this.#store.queues.subqueue(name) ?? this.#store.defineQueue(name, { bytesLimit: this.#queueBytesLimit, source: 'use' })
    );
  }

  /** Limit of a queue that is made without one, in bytes. */
  get queueBytesLimit(): number {
    return this.#queueBytesLimit;
  }

  /**
   * A queue of the configuration, durable with the next frame. Messages for it ride the same frame or a later one. What is set while
   * the node runs stays: it is paused if it was, and its ordering never changes.
   */
  define(name: string, bytesLimit: number, others: Partial<QueueOptions> = {}): Queue {
    const before = this.#store.queues.find(name);
    const { ordering, state } = before?.options ?? { ...QUEUE_DEFAULTS, ...others };
    const options = { ...QUEUE_DEFAULTS, ...others, bytesLimit: bytesLimit ?? this.#queueBytesLimit, ordering, state };
    checkOptions(name, options);
    const isKept = before?.source !== 'call' && before !== undefined && sameOptions(before.options, options);
    const queue = isKept ? before : this.#store.defineQueue(name, { ...options, source: 'config' });
    queue.source = 'config';
    return queue;
  }

  #openStream(key: StreamKey): { handle: number; changes: MetaChange[] } {
    const opened = this.#store.streams.open(key);
    if (opened === undefined) throw new RingmailError('BUSY', { pending: 0, pendingMax: 0 });
    return opened;
  }

  /** The first of its stream in this opening says so, for who asks what became of it (first-numbers.ts). */
  withEpoch(planned: Planned, handle: number, number: number): Planned {
    const { firstNumbers, ring, draft } = this.#store;
    const first = firstNumbers.plan(handle, number, ring.epoch.counter);
    if (first === undefined) return planned;
    const settle = (): void => {
      planned.settle();
      draft.note(first.settle());
    };
    return { ...planned, changes: [...planned.changes, first.change], settle };
  }
}

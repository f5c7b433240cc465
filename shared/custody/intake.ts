/**
 * Where items enter a node: from applications here, from adapters, and by custody from a neighbour. One item becomes one part of a
 * batch: the message in its queue or among what goes out, the stream's counter, and (by custody) the neighbour's cursor.
 */

import { invariant } from '../assert.ts';
import { equalBytes, NO_BYTES } from '../bytes.ts';
import { hasCode, RingmailError } from '../errors.ts';
import { HOP_COUNT_MAX } from '../limits.ts';
import { type Address, isSystemQueue, NODE_QUEUE, parseAddress } from '../message/address.ts';
import type { CborInput } from '../message/cbor.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope, encodeEnvelope, FIRST_HOP, type Hop, withHop } from '../message/envelope.ts';
import { type Epoch, type Identity, identityText, type StreamKey } from '../message/identity.ts';
import { type Ending, type Message, PRIORITY_DEFAULT, type Properties, type TransactionMark } from '../message/message.ts';
import { PlainForm, withPlainHop } from '../message/plain-envelope.ts';
import { COVER_SLACK_BYTES, coverOf, uncovered } from '../message/shared-envelope.ts';
import { checkOptions } from '../queue/check-options.ts';
import { QUEUE_DEFAULTS, type QueueOptions, sameOptions } from '../queue/queue-options.ts';
import { bytesUsed, type Queue } from '../queue/queues.ts';
import type { Routed, RouteTable } from '../queue/routes.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import type { NewMessage } from '../ring/ring.ts';
import { expressIncarnation } from './express-streams.ts';
import { Forwarding, type Original, type Shared } from './forwarding.ts';
import { ADMIN_QUEUE, DEAD_QUEUE, JOURNAL_QUEUE, type Newcomer } from './message-room.ts';
import { type MetaChange, metaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { wordFor, wordIn } from './node-words.ts';
import { counterChange, endNumber, endNumbers, isDrained } from './outgoing.ts';
import { OwnStreams } from './own-streams.ts';
import { batchOf, joined, NOTHING, type Planned, withBeside, withRoom } from './planned.ts';
import type { Policy } from './policy.ts';
import { entryTimes, NO_TIMES, passingTimes } from './queue-timers.ts';
import { afterItem, type Item } from './session.ts';
import { contradicts, spanFields, withNumber } from './stream-epochs.ts';
import { type Asked, isAttended, type Told, wants, wordTo } from './words.ts';

export interface NewBody {
  readonly body: Uint8Array;
  readonly properties: Properties;
  readonly history?: readonly Ending[];
  readonly previous?: string;
  readonly maybeDuplicate?: 'maybe';
  readonly transaction?: TransactionMark;
  /** Of a message that is made here from one that came: `body` is whole, and what it says of its way is told on. */
  readonly hop?: Hop;
  /** `body` lies in the ring by itself, and others have it too. */
  readonly shared?: Shared;
}

type Delivery = 'recoverable' | 'express';

/** What hops may add to an envelope on its way: a message accepted here must fit a ring like this one everywhere. */
const HOP_BYTES_MAX = 16;

/** Where a message goes, who sent it, and what it is. */
interface Arrived {
  readonly handle: number;
  readonly identity: Identity;
  readonly epoch: Epoch;
  readonly queue: Queue | undefined;
  readonly envelope: Uint8Array;
  /** Where only its cover is here. */
  readonly shared?: Shared | undefined;
  /** In its queue, with all that belongs to it. */
  readonly bytes?: number;
  readonly properties: Properties;
  readonly hop: Hop;
  /** What a node keeps for people: its timers are over, and nobody is told how it ends. */
  readonly what: Newcomer['what'];
}

/** What this node cannot take, now or ever, not even as a dead letter: it never moves a cursor. */
export interface Refusal {
  readonly refused: EndingClass;
}

/** What a node does with a queue it does not know: refuse it, or make it (a development node). */
export type UnknownQueue = 'refuse' | 'create';

const NO_PROPERTIES: Properties = {};

export class Intake {
  readonly #forms = new WeakMap<StreamKey, PlainForm>();
  readonly #addresses = new WeakMap<StreamKey, Address>();
  readonly #own = new OwnStreams();
  readonly #store: NodeStore;
  readonly #unknownQueue: UnknownQueue;
  readonly #queueBytesLimit: number;
  /** True when a message for this node can leave it. */
  readonly #canReach: (node: string) => boolean;
  readonly #policy: Policy | undefined;
  /** Undefined: none. */
  readonly routes: RouteTable | undefined;
  readonly #forwarding: Forwarding;

  constructor(
    store: NodeStore,
    options: {
      readonly unknownQueue: UnknownQueue;
      readonly queueBytesLimit: number;
      readonly canReach: (node: string) => boolean;
      readonly policy?: Policy | undefined;
      readonly routes?: RouteTable | undefined;
    },
  ) {
    this.#store = store;
    this.#unknownQueue = options.unknownQueue;
    this.#queueBytesLimit = options.queueBytesLimit;
    this.#canReach = options.canReach;
    this.#policy = options.policy;
    this.routes = options.routes;
    this.#forwarding = new Forwarding(store, {
      obstacle: (to, content, original) => this.#obstacle(to, content, original),
      forwarded: (to, content, place) => this.#begin(to, content, { place, what: 'message' }),
      lost: (to, content, ending) => this.#lost(to, content, ending),
      word: ({ identity, content, place }, what) => {
        const word = wordTo({ ...content.properties, identity }, what, store.self.name);
        return this.#begin(word.destination, word.content, { place, what: 'record' });
      },
      copy: ({ identity, content, place }) => this.beginCopy({ ...content, previous: identityText(identity) }, place),
    });
  }

  /** True when a message that is sent here does not just lie where it is addressed. */
  isRouted(destination: string, properties: Properties): boolean {
    return this.#routedOf(destination, properties) !== undefined;
  }

  #routedOf(destination: string, properties: Properties): Routed | undefined {
    const { self } = this.#store;
    if (this.routes === undefined || this.routes.routes.length === 0) return undefined;
    const { node, queue } = this.#own.destination(destination, self.name).address;
    if (node !== self.name || isSystemQueue(queue)) return undefined;
    return this.routes.of({ queue, source: self.name, properties });
  }

  /**
   * A message that begins here: gets the next number of its stream. Where its queue makes room by dropping, what goes is part of it, and
   * so are its copy in `$journal` and the word that it is in its queue, where they are asked for: it may be several messages, itself
   * the first. `replacing`: the caller ends a message of this ring in the same batch. Where a route fits, what that makes of it stands in
   * its place, and the identity is still the one that the sender is told.
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
    const routed = maybeDuplicate === undefined ? this.#routedOf(destination, properties) : undefined;
    if (routed !== undefined) return this.#beginRouted(destination, content, { place, routed });
    const begun = this.#begin(destination, content, { place, what: 'message', delivery });
    if (maybeDuplicate !== undefined) return begun;
    let planned: Planned = begun;
    if (properties.journal === 'on') planned = this.#withCopy(planned, content, begun.identity);
    if (properties.acknowledge !== undefined && this.#store.isLocal(begun.identity.destination))
      planned = this.told(planned, { ...properties, identity: begun.identity }, 'ACK_REACH_QUEUE');
    return planned === begun ? begun : { ...planned, identity: begun.identity };
  }

  /** A copy for `$journal`. @throws as `begin`, but that it is full */
  beginCopy(content: NewBody, place: Newcomer['place']): Planned {
    return this.#begin(`${this.#store.self.name}/${JOURNAL_QUEUE}`, content, { place, what: 'record' });
  }

  /**
   * `planned`, and with it the word to the sender of a message, if that one asked. Never an error: where there is no way to it, or no
   * room, the word is left out and counted.
   */
  told(planned: Planned, asked: Asked, what: Told): Planned {
    if (!wants(asked.acknowledge, what)) return planned;
    const { destination, content } = wordTo(asked, what, this.#store.self.name);
    const place = planned.acks.length > 0 ? 'replacing' : 'new';
    const both = this.#beside(planned, () => this.#begin(destination, content, { place, what: 'record' }));
    // What is refused itself comes again.
    if (both === undefined && this.#store.ring.admits(batchOf(planned))) this.#store.leftOut.words += 1;
    return both ?? planned;
  }

  #checkPolicy(destination: string, { properties, transaction }: NewBody): void {
    if (this.#policy === undefined) return;
    const { self } = this.#store;
    const { text } = this.#own.destination(destination, self.name);
    const arrival = { destination: text, origin: self.name, properties, hops: 0 };
    const refused = this.#policy({ ...arrival, ...(transaction && { transaction }) });
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

  /**
   * A message for a queue here, in memory only: `message` is to be taken by `NodeStore.takeExpress` once `beside` is committed, which is
   * what goes for it and the words and copies that were asked for. `settle` of `beside` is for both.
   * @throws as `begin`; then nothing went
   */
  beginExpress(destination: string, content: NewBody): { message: NewMessage; identity: Identity; beside: Planned } {
    const planned = this.begin(destination, content, 'new', 'express');
    const [message, ...puts] = planned.puts;
    invariant(message !== undefined, 'a message is the first of its own batch');
    return { message, identity: planned.identity, beside: { ...planned, puts } };
  }

  #begin(
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
    if (queue === undefined && !this.#canReach(address.node))
      throw new RingmailError('ROUTE_NOT_FOUND', { address: key.destination });
    const { handle, changes } = this.#openStream(key);
    const number = this.#nextNumber(handle, key, queue);
    const identity: Identity = { origin: key.origin, incarnation, destination: key.destination, priority, number };
    const { properties, shared, hop = FIRST_HOP } = content;
    const message = messageOf(content, identity, ring.epoch);
    const envelope = shared === undefined ? encodeEnvelope(message, hop) : coverOf(message, hop);
    const bytes = shared === undefined ? envelope.length : envelope.length + message.body.length;
    const isGoing = how.keeps === 'its number';
    const queueBytesMax = isGoing ? undefined : queue?.options.bytesLimit;
    const bytesMax = Math.min(ring.bodyBytesMax - HOP_BYTES_MAX, queueBytesMax ?? ring.bodyBytesMax);
    const bytesTold = shared === undefined ? bytes : bytes + COVER_SLACK_BYTES;
    if (bytesTold > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: bytesTold, bytesMax });
    const arrived = { handle, identity, epoch: ring.epoch, queue, envelope, shared, bytes, properties, hop, what: how.what };
    if (isGoing) return { ...this.#withEpoch(this.#numbered(arrived, changes), handle, number), identity };
    const own = this.#planned(arrived, changes);
    // What is in memory only has its counters there, too.
    const planned = how.delivery === 'express' ? { ...own, changes: [] } : this.#withEpoch(own, handle, identity.number);
    const { place, what } = how;
    const {
      puts,
      acks,
      changes: all,
      settle,
    } = withRoom(this.#store, planned, queue, {
      place,
      what,
      bytes,
      ringBytes: PUT_BYTES + envelope.length + (shared?.ringBytes ?? 0),
      priority,
    });
    return { puts, acks, changes: all, settle, identity };
  }

  /** A message that begins here, and that a route fits. */
  #beginRouted(
    destination: string,
    content: NewBody,
    { place, routed }: { place: Newcomer['place']; routed: Routed },
  ): Planned & { identity: Identity } {
    const how = { place, what: 'message' } as const;
    const kept = routed.original === 'stays' ? how : ({ ...how, keeps: 'its number' } as const);
    const { identity } = this.#begin(destination, content, { ...how, keeps: 'its number' });
    const original = { identity, content, hop: FIRST_HOP, place };
    const plan = (shared: Shared | undefined) => this.#begin(destination, shared ? { ...content, shared } : content, kept);
    const keep = { fate: routed.original, mayShare: true, plan };
    return { ...this.#forwarding.plan(original, routed, keep), identity };
  }

  /** One of another node, and a route fits. @throws QUEUE_FULL */
  #acceptRouted(
    { handle, key, item }: { handle: number; key: StreamKey; item: Item & { kind: 'message' } },
    { queue, routed, ...arrived }: Pick<Arrived, 'queue' | 'envelope' | 'epoch' | 'hop' | 'properties'> & { routed: Routed },
    changes: readonly MetaChange[],
  ): Planned {
    const identity = { ...key, number: item.number };
    const { message, hop } = decodeEnvelope(arrived.envelope);
    const content = contentOf(arrived.envelope);
    const original = { identity, content, hop, place: 'new' } as const;
    const whole = { handle, identity, queue, ...arrived, properties: content.properties, what: 'message' } as const;
    const bytes = arrived.envelope.length;
    const mayStay = routed.original === 'stays' && queue !== undefined;
    const fate = mayStay && this.#endsAsFull(queue, bytes) ? 'ends' : routed.original;
    // It stays as it came, byte for byte: it may share its body only if that is what comes out.
    const cover = coverOf(message, hop);
    const mayShare = equalBytes(uncovered(cover, message.body) ?? NO_BYTES, arrived.envelope);
    const plan = (shared: Shared | undefined): Planned => {
      if (fate === 'ends') return this.#ended(this.#deadLetter({ handle, key, item }, 'Q_EXCEED_QUOTA', changes), bytes);
      if (!mayStay) return this.#numbered(whole, changes);
      if (!this.#hasRoom(queue, bytes)) throw queueFull(queue, { bytesUsed: bytesUsed(queue), bytesNeeded: bytes });
      const stored =
        shared === undefined ? whole : { ...whole, envelope: cover, shared, bytes: cover.length + message.body.length };
      return this.#planned(stored, changes);
    };
    return this.#forwarding.plan(original, routed, { fate, mayShare, plan });
  }

  #endsAsFull(queue: Queue, bytes: number): boolean {
    return queue.options.remoteWhenFull === 'dead-letter' && bytes > this.#store.room.inQueue(queue);
  }

  /** @throws QUEUE_FULL when there is no room for the letter */
  #ended(dead: Planned | Refusal | undefined, bytes: number): Planned {
    if (dead !== undefined && !('refused' in dead)) return dead;
    const { messageBytesMax: bytesLimit, bytesUsed: used } = this.#store.ring;
    throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit, bytesUsed: used, bytesNeeded: PUT_BYTES + bytes });
  }

  /** Why nothing can be forwarded there. What is full is no obstacle, but where the queue lets nobody of another node wait. */
  #obstacle(to: string, content: NewBody, { identity }: Original): EndingClass | undefined {
    const { self, ring } = this.#store;
    const { node, queue: name } = this.#own.destination(to, self.name).address;
    const bytes = this.#bytesAt(to, content);
    if (bytes > ring.bodyBytesMax - HOP_BYTES_MAX) return 'TOO_LARGE';
    if (node !== self.name) return this.#canReach(node) ? undefined : 'BAD_DST_Q';
    const queue = this.#store.queues.find(name) ?? (this.#unknownQueue === 'create' ? this.queue(name) : undefined);
    if (queue === undefined) return 'BAD_DST_Q';
    if (bytes > queue.options.bytesLimit) return 'TOO_LARGE';
    return identity.origin !== self.name && this.#endsAsFull(queue, bytes) ? 'Q_EXCEED_QUOTA' : undefined;
  }

  /** What it will take there, at most. */
  #bytesAt(to: string, { body, ...content }: NewBody): number {
    const { self, ring } = this.#store;
    const { text } = this.#own.destination(to, self.name);
    const { incarnation, name: origin } = self;
    const identity = { origin, incarnation, destination: text, priority: 0, number: Number.MAX_SAFE_INTEGER };
    const cover = coverOf(messageOf({ ...content, body }, identity, ring.epoch), content.hop ?? FIRST_HOP);
    return cover.length + body.length + COVER_SLACK_BYTES;
  }

  /** One that was made here ends before it is in its queue: its number is given, and a letter says why, or the account where there is none. */
  #lost(to: string, content: NewBody, ending: EndingClass): Planned {
    const { self, ring } = this.#store;
    const { incarnation, name: origin } = self;
    const priority = content.properties.priority ?? PRIORITY_DEFAULT;
    const key = this.#own.key(this.#own.destination(to, origin), { origin, incarnation, priority });
    const { handle, changes } = this.#openStream(key);
    const isLocal = this.#store.isLocal(key.destination);
    const number = this.#nextNumber(handle, key, undefined, isLocal);
    const envelope = encodeEnvelope(messageOf(content, { ...key, number }, ring.epoch), content.hop);
    const dead = this.#deadLetter({ handle, key, item: { kind: 'message', number, envelope } }, ending, changes);
    if (dead === undefined || !('refused' in dead)) return this.#withEpoch(this.#ended(dead, envelope.length), handle, number);
    const account = this.#store.planLosses([{ handle, class: ending, count: 1 }]);
    const gap = isLocal ? undefined : this.#gap(handle, key, { number, class: ending });
    const counted = this.#counted(handle, key, { endsHere: isLocal, next: number + 1 });
    const settle = (): void => {
      account.settle();
      if (gap !== undefined) this.#store.draft.note(gap.settle());
      counted.settle();
    };
    const all = [...changes, ...account.changes, ...(gap ? [gap.change] : []), counted.change];
    return this.#withEpoch({ puts: [], acks: [], changes: all, settle }, handle, number);
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

  /**
   * An item that comes by custody; `item.number` is known to be the next one of its stream from this neighbour. What this node has
   * already (by another way) moves the cursor and nothing else. Undefined: no room now, say credit 0 and take it later. A refusal: never.
   * `from`: the neighbour that hands it over.
   */
  accept(key: StreamKey, item: Item, from: string): Planned | Refusal | undefined {
    const destination = this.#destinationOf(key);
    const opened = this.#store.streams.open(key);
    if (opened === undefined) return undefined;
    const { handle, changes } = opened;
    const queue = destination === 'elsewhere' || destination === 'nodes' ? undefined : destination;
    if (afterItem(item) <= this.#nextNumber(handle, key, queue === 'unknown' ? undefined : queue, destination !== 'elsewhere')) {
      if (item.kind === 'message' && this.#isCloned(handle, key, item))
        return this.#deadLetter({ handle, key, item }, 'CLONED', changes);
      return { puts: [], acks: [], changes, settle: () => {} };
    }
    if (item.kind !== 'message') return this.#acceptGap({ handle, key, item }, destination, changes);
    if (queue === 'unknown') return this.#deadLetter({ handle, key, item }, 'BAD_DST_Q', changes);
    if (this.#addressOf(key).queue === NODE_QUEUE) return this.#nodeWord({ handle, key, item }, from, changes);
    if (destination === 'elsewhere' && !this.#canReach(parseAddress(key.destination, '').node)) {
      return this.#deadLetter({ handle, key, item }, 'BAD_DST_Q', changes);
    }
    const arrived = this.#arrived(key, item);
    if (arrived === undefined) return this.#deadLetter({ handle, key, item }, 'CORRUPT', changes);
    if (arrived.envelope.length > this.#store.ring.bodyBytesMax) return { refused: 'TOO_LARGE' };
    const bytes = arrived.envelope.length;
    const routed = queue && this.#routedArrival(queue, key, arrived);
    // It would never fit, and nothing behind it would ever pass.
    if (queue !== undefined && bytes > queue.options.bytesLimit && routed?.original !== 'goes')
      return this.#deadLetter({ handle, key, item }, 'TOO_LARGE', changes);
    const refused = this.#refusalOf(key, arrived);
    if (refused !== undefined) return this.#deadLetter({ handle, key, item }, refused, changes);
    if (queue?.name === ADMIN_QUEUE) return this.#word({ handle, key, number: item.number }, { queue, ...arrived }, changes);
    if (routed !== undefined) return this.#acceptRouted({ handle, key, item }, { queue, routed, ...arrived }, changes);
    if (queue !== undefined && this.#endsAsFull(queue, bytes))
      return this.#deadLetter({ handle, key, item }, 'Q_EXCEED_QUOTA', changes);
    if (!this.#hasRoom(queue, bytes)) return undefined;
    const identity = { ...key, number: item.number };
    const planned = this.#planned({ handle, identity, queue, ...arrived, what: 'message' }, changes);
    if (queue === undefined) return planned;
    return this.told(planned, { ...arrived.properties, identity }, 'ACK_REACH_QUEUE');
  }

  #routedArrival(queue: Queue, key: StreamKey, { properties }: { properties: Properties }): Routed | undefined {
    if (this.routes === undefined || isSystemQueue(queue.name)) return undefined;
    return this.routes.of({ queue: queue.name, source: key.origin, properties: { priority: key.priority, ...properties } });
  }

  /** A word between nodes: of this one it is consumed, others it passes, and where its way ends it ends. */
  #nodeWord(
    what: { handle: number; key: StreamKey; item: Item & { kind: 'message' } },
    from: string,
    changes: readonly MetaChange[],
  ): Planned | Refusal | undefined {
    const { handle, key, item } = what;
    const { node } = this.#addressOf(key);
    const isHere = node === this.#store.self.name;
    const arrived = this.#arrived(key, item);
    if (arrived === undefined) return this.#deadLetter(what, 'CORRUPT', changes);
    const fields = wordIn(decodeEnvelope(item.envelope).message);
    if (fields === undefined) return this.#deadLetter(what, 'ACCESS_DENIED', changes);
    if (arrived.hop.count >= HOP_COUNT_MAX) return this.#deadLetter(what, 'HOP_COUNT_EXCEEDED', changes);
    const identity = { ...key, number: item.number };
    const word = { fields, identity, from };
    const { words } = this.#store;
    if (isHere) return joined(this.#consumed(what, arrived.epoch, changes), words.heard(word));
    if (!this.#canReach(node)) return joined(this.#consumed(what, undefined, changes), words.passing(word));
    if (!this.#hasRoom(undefined, arrived.envelope.length)) return undefined;
    const passed = this.#planned({ handle, identity, queue: undefined, ...arrived, what: 'record' }, changes);
    return joined(passed, words.passing(word));
  }

  /** The stream goes on, and nothing of the item stays. `epoch`: under which its number was given out, where it ends here. */
  #consumed(
    { handle, key, item }: { handle: number; key: StreamKey; item: Item },
    epoch: Epoch | undefined,
    changes: readonly MetaChange[],
  ): Planned {
    const next = item.number + 1;
    if (epoch !== undefined) {
      const counted = this.#counted(handle, key, { endsHere: true, next, epoch });
      return { puts: [], acks: [], changes: [...changes, counted.change], settle: counted.settle };
    }
    const stream = this.#store.outgoing.open(handle, key);
    // What waits before it still has its way to go.
    const noted = isDrained(stream)
      ? []
      : [endNumbers(stream, { from: item.number, to: item.number, class: undefined, node: '' })];
    const lo = noted.length === 0 ? next : stream.lo;
    const settle = (): void => {
      stream.lo = lo;
      stream.next = next;
    };
    return { puts: [], acks: [], changes: [...changes, ...noted, counterChange({ ...stream, lo, next })], settle };
  }

  /**
   * A word of this node to another one, as part of a batch; who writes several to one node in a batch opens a draft for them.
   * @throws ROUTE_NOT_FOUND, QUEUE_FULL, BUSY, MESSAGE_TOO_LARGE; then nothing was planned
   */
  beginWord(node: string, kind: string, fields: Readonly<Record<string, CborInput>>): Planned {
    const { destination, content } = wordFor(node, kind, fields);
    return this.#begin(destination, content, { place: 'new', what: 'record' });
  }

  /** Why a message of another node is not let in, though there is a place for it. */
  #refusalOf(
    key: StreamKey,
    { properties, hop }: Pick<Arrived, 'hop'> & { properties: Partial<Message> },
  ): EndingClass | undefined {
    if (hop.count >= HOP_COUNT_MAX) return 'HOP_COUNT_EXCEEDED';
    const { node, queue } = this.#addressOf(key);
    const isHere = node === this.#store.self.name;
    // Records of this node are its own.
    if (isHere && (queue === DEAD_QUEUE || queue === JOURNAL_QUEUE)) return 'ACCESS_DENIED';
    if (isHere && (properties.timeToReachQueueMs ?? Number.POSITIVE_INFINITY) <= hop.elapsedMs) return 'REACH_QUEUE_TIMEOUT';
    const { transaction } = properties;
    const arrival = { destination: key.destination, origin: key.origin, properties: { priority: key.priority, ...properties } };
    return this.#policy?.({ ...arrival, hops: hop.count, ...(transaction && { transaction }) });
  }

  /** A word of another node: `$admin` makes room for it. @throws QUEUE_FULL when the ring has none */
  #word(
    { handle, key, number }: { handle: number; key: StreamKey; number: number },
    arrived: Omit<Arrived, 'handle' | 'identity' | 'what'>,
    changes: readonly MetaChange[],
  ): Planned {
    const identity = { ...key, number };
    const planned = this.#planned({ handle, identity, ...arrived, what: 'record' }, changes);
    const newcomer = { bytes: arrived.envelope.length, priority: key.priority, place: 'new', what: 'record' } as const;
    return withRoom(this.#store, planned, arrived.queue, newcomer);
  }

  /**
   * Bytes a neighbour may send for this stream beyond what it knows to be durable here: a quarter of what the ring has left, so that
   * several may ask at once, or what is left of the queue's own reserve.
   */
  creditFor(key: StreamKey, bytesMax: number): number {
    const { room, queues } = this.#store;
    const isLocal = this.#store.isLocal(key.destination);
    const { queue: name } = parseAddress(key.destination, '');
    // Nothing of a word stays here.
    if (isLocal && name === NODE_QUEUE) return bytesMax;
    const queue = isLocal ? queues.find(name) : undefined;
    let queueRoom = queue !== undefined && keepsWaiting(queue) ? room.inQueue(queue) : bytesMax;
    // Who is refused for the sake of a queue that a route leads to asks again when that has room.
    for (const behind of queue === undefined ? [] : (this.routes?.queuesBehind(queue.name) ?? [])) {
      const other = queues.find(behind);
      if (other !== undefined && keepsWaiting(other)) queueRoom = Math.min(queueRoom, room.inQueue(other));
    }
    const inRing = room.inRing(queue);
    const ownRoom = queue === undefined ? 0 : Math.min(inRing, room.unusedReserve(queue));
    return Math.max(0, Math.min(bytesMax, queueRoom, Math.max(ownRoom, Math.floor(inRing / 4))));
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
    const begin = (queue: string) => this.#begin(`${this.#store.self.name}/${queue}`, letter, { place, what: 'record' });
    if (to === DEAD_QUEUE || this.#store.queues.find(to) === undefined) return begin(DEAD_QUEUE);
    try {
      return begin(to);
    } catch (error) {
      if (hasCode(error, 'QUEUE_FULL') || hasCode(error, 'MESSAGE_TOO_LARGE')) return begin(DEAD_QUEUE);
      throw error;
    }
  }

  /** An adapter's place in its source, for the frame of the message it brought. */
  position(position: { name: string; value: Uint8Array }): MetaChange {
    return metaChange(`p/${position.name}`, position.value);
  }

  #destinationOf(key: StreamKey): Queue | 'unknown' | 'elsewhere' | 'nodes' {
    const { node, queue: name } = this.#addressOf(key);
    if (node !== this.#store.self.name) return 'elsewhere';
    if (name === NODE_QUEUE) return 'nodes';
    const queue = this.#store.queues.find(name);
    if (queue !== undefined) return queue;
    return this.#unknownQueue === 'create' ? this.queue(name) : 'unknown';
  }

  /** A queue of this node, made if this node makes what it does not know. @throws QUEUE_NOT_FOUND, NAME_INVALID */
  queue(name: string): Queue {
    const { queues } = this.#store;
    const known = queues.find(name);
    if (known !== undefined) return known;
    if (name === NODE_QUEUE || (this.#unknownQueue === 'refuse' && queues.subqueue(name) === undefined))
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

  #nextNumber(handle: number, key: StreamKey, queue: Queue | undefined, endsHere = queue !== undefined): number {
    const { destinations, outgoing } = this.#store;
    return endsHere ? (destinations.get(handle)?.next ?? 1) : outgoing.open(handle, key).next;
  }

  /** Also for what waits for the disk already: an item that is refused comes again. */
  #hasRoom(queue: Queue | undefined, bytes: number): boolean {
    return this.#store.ring.hasRoomFor(bytes) && this.#store.room.fits(queue, bytes);
  }

  /** The envelope with one hop more, or undefined when it is not the message its item says it is. */
  #arrived(
    key: StreamKey,
    item: Item & { kind: 'message' },
  ): (Pick<Arrived, 'envelope' | 'epoch' | 'hop'> & { readonly properties: Partial<Message> }) | undefined {
    const plain = this.#formOf(key).read(item.envelope);
    if (plain !== undefined && plain.number === item.number) {
      const { hopOffset, hop, epoch } = plain;
      const envelope = withPlainHop(item.envelope, hopOffset, { ...hop, count: hop.count + 1 });
      return { envelope, epoch, properties: NO_PROPERTIES, hop };
    }
    try {
      const { message, hop } = decodeEnvelope(item.envelope);
      if (identityText(message.identity) !== identityText({ ...key, number: item.number })) return undefined;
      const envelope = withHop(item.envelope, (before) => ({ ...before, count: before.count + 1 }));
      return { envelope, epoch: message.epoch, properties: message, hop };
    } catch (error) {
      if (error instanceof RingmailError) return undefined;
      throw error;
    }
  }

  /** A destination in its parts, read once for each stream of a session. */
  #addressOf(key: StreamKey): Address {
    let address = this.#addresses.get(key);
    if (address === undefined) {
      address = parseAddress(key.destination, this.#store.self.name);
      this.#addresses.set(key, address);
    }
    return address;
  }

  #formOf(key: StreamKey): PlainForm {
    let form = this.#forms.get(key);
    if (form === undefined) {
      form = new PlainForm(key);
      this.#forms.set(key, form);
    }
    return form;
  }

  /** The first of its stream in this opening says so, for who asks what became of it (first-numbers.ts). */
  #withEpoch(planned: Planned, handle: number, number: number): Planned {
    const { firstNumbers, ring, draft } = this.#store;
    const first = firstNumbers.plan(handle, number, ring.epoch.counter);
    if (first === undefined) return planned;
    const settle = (): void => {
      planned.settle();
      draft.note(first.settle());
    };
    return { ...planned, changes: [...planned.changes, first.change], settle };
  }

  /** Its number is given, and nothing of it stays. */
  #numbered(
    { handle, identity, epoch }: Pick<Arrived, 'handle' | 'identity' | 'epoch'>,
    changes: readonly MetaChange[],
  ): Planned {
    const isOwn = identity.origin === this.#store.self.name;
    const counted = this.#counted(handle, identity, { endsHere: true, next: identity.number + 1, ...(!isOwn && { epoch }) });
    return { puts: [], acks: [], changes: [...changes, counted.change], settle: counted.settle };
  }

  #planned(arrived: Arrived, changes: readonly MetaChange[]): Planned {
    const { handle, identity, epoch, queue, envelope, shared, properties, hop, what } = arrived;
    const { bytes = envelope.length } = arrived;
    const isMessage = what === 'message';
    const { queueTimeMs } = this.#store;
    const queueMs = queue?.options.timeToBeReceivedMs ?? 0;
    const { elapsedMs } = hop;
    const message = queue === undefined ? passingTimes : entryTimes;
    const times = isMessage ? message(properties, { elapsedMs, queueTimeMs, queueMs }) : NO_TIMES;
    const put: NewMessage = {
      queue: queue?.id ?? 0,
      priority: identity.priority,
      stream: handle,
      number: identity.number,
      epochCounter: epoch.counter,
      epochRandom: epoch.random,
      deliveryCount: 0,
      attended: isMessage && isAttended(properties, queue === undefined ? 'on its way' : 'in its queue') ? true : undefined,
      expiresAtMs: times.expiresAtMs,
      notBeforeMs: times.notBeforeMs,
      holder: shared?.holder,
      body: envelope,
    };
    const isOwn = identity.origin === this.#store.self.name;
    const counted = this.#counted(handle, identity, {
      endsHere: queue !== undefined,
      next: identity.number + 1,
      ...(!isOwn && { epoch }),
    });
    const settle = () => {
      counted.settle();
      if (queue === undefined) return;
      queue.plannedCount += 1;
      queue.plannedBytes += bytes;
      if (!this.#store.draft.isOpen) return;
      this.#store.draft.note(() => {
        queue.plannedCount -= 1;
        queue.plannedBytes -= bytes;
      });
    };
    return { puts: [put], acks: [], changes: [...changes, counted.change], settle };
  }

  /** A number that this destination has, under an epoch that cannot be: two messages bear it. */
  #isCloned(handle: number, key: StreamKey, item: Item & { kind: 'message' }): boolean {
    const spans = this.#store.destinations.get(handle)?.spans ?? [];
    if (spans.length === 0 || !this.#store.isLocal(key.destination)) return false;
    const arrived = this.#arrived(key, item);
    return arrived !== undefined && contradicts(spans, item.number, arrived.epoch);
  }

  /** The stream's counter at `next`: what to store, and how to move it once that is planned. `epoch`: of the message before it. */
  #counted(
    handle: number,
    key: StreamKey,
    { endsHere, next, epoch }: { endsHere: boolean; next: number; epoch?: Epoch },
  ): { change: MetaChange; settle: () => void } {
    const { destinations, outgoing, draft } = this.#store;
    if (endsHere) {
      const known = destinations.get(handle);
      const before = known?.spans ?? [];
      const spans = epoch === undefined ? before : withNumber(before, next - 1, epoch);
      const value = spans.length === 0 ? next : [next, ...spanFields(spans)];
      const settle = (): void => {
        if (draft.isOpen) draft.note(() => (known === undefined ? destinations.delete(handle) : destinations.set(handle, known)));
        destinations.set(handle, { next, spans });
      };
      return { change: metaChange(`d/${handle}`, value), settle };
    }
    const stream = outgoing.open(handle, key);
    const settle = (): void => {
      const before = stream.next;
      draft.note(() => {
        stream.next = before;
      });
      stream.next = next;
    };
    return { change: counterChange({ ...stream, next }), settle };
  }

  #acceptGap(
    what: { handle: number; key: StreamKey; item: Exclude<Item, { kind: 'message' }> },
    destination: Queue | 'unknown' | 'elsewhere' | 'nodes',
    changes: readonly MetaChange[],
  ): Planned {
    const { handle, key, item } = what;
    const counted = this.#counted(handle, key, { endsHere: destination !== 'elsewhere', next: item.to + 1 });
    const ending = item.kind === 'gap' ? item.class : undefined;
    const node = item.kind === 'gap' ? item.node : '';
    if (destination === 'elsewhere') {
      const stream = this.#store.outgoing.open(handle, key);
      const from = Math.max(item.number, stream.next);
      const noted = endNumbers(stream, { from, to: item.to, class: ending, node });
      return { puts: [], acks: [], changes: [...changes, noted, counted.change], settle: counted.settle };
    }
    const from = Math.max(item.number, this.#store.destinations.get(handle)?.next ?? 1);
    const account = this.#store.planLosses([{ handle, class: ending ?? 'UNUSED', count: item.to - from + 1 }]);
    const settle = (): void => {
      account.settle();
      counted.settle();
    };
    return { puts: [], acks: [], changes: [...changes, ...account.changes, counted.change], settle };
  }

  /** Takes an item nobody can take into `$dead`; the stream goes on over it. What is too large for that is refused: its sender has it. */
  #deadLetter(
    what: { handle: number; key: StreamKey; item: Item & { kind: 'message' } },
    ending: EndingClass,
    changes: readonly MetaChange[],
  ): Planned | Refusal | undefined {
    const { handle, key, item } = what;
    const { self, ring } = this.#store;
    if (item.envelope.length > ring.bodyBytesMax) return { refused: ending };
    if (!ring.hasRoomFor(item.envelope.length)) return undefined;
    const previous = identityText({ ...key, number: item.number });
    const reason = reasonOf(ending, key);
    const local = this.#store.isLocal(key.destination);
    const content = contentOf(item.envelope);
    const isWanted = content.properties.deadLetter !== 'off';
    const letter = { ...content, previous };
    const dead = isWanted ? this.#letterOf(letter, { class: ending, node: self.name, reason }) : NOTHING;
    if (dead === undefined) return { refused: ending };
    // A gap for a node that nobody can reach is told to nobody: without a letter the account here is all that speaks of it.
    const losses = local || !isWanted ? [{ handle, class: ending, count: 1 }] : [];
    const { changes: noted, settle: settleNoted } = this.#store.planLosses(losses);
    const gap = local ? undefined : this.#gap(handle, key, { number: item.number, class: ending });
    const now = local ? (this.#store.destinations.get(handle)?.next ?? 1) : 1;
    const counted = this.#counted(handle, key, { endsHere: local, next: Math.max(now, item.number + 1) });
    const settle = () => {
      dead.settle();
      settleNoted();
      if (gap !== undefined) this.#store.draft.note(gap.settle());
      counted.settle();
    };
    const planned = {
      puts: dead.puts,
      acks: dead.acks,
      changes: [...changes, ...dead.changes, ...noted, ...(gap ? [gap.change] : []), counted.change],
      settle,
    };
    if (ending === 'CORRUPT' || ending === 'CLONED') return planned;
    const asked = { ...content.properties, identity: { ...key, number: item.number } };
    return this.told(planned, asked, { class: ending, where: 'before its queue' });
  }

  /** A gap in a stream that leaves here, noted with `settle`. */
  #gap(handle: number, key: StreamKey, { number, class: ending }: { number: number; class: EndingClass }) {
    const stream = this.#store.outgoing.open(handle, key);
    return endNumber(stream, { from: number, to: number, class: ending, node: this.#store.self.name });
  }

  /** A dead letter, or undefined when it is too large for one. */
  #letterOf(content: NewBody, ending: Ending): Planned | undefined {
    try {
      return this.beginDead(content, ending);
    } catch (error) {
      if (hasCode(error, 'MESSAGE_TOO_LARGE')) return undefined;
      throw error;
    }
  }
}

/** What a dead letter shows of a message that came by custody: the message, or the bytes as they came where they are none. */
export function contentOf(envelope: Uint8Array): Pick<NewBody, 'body' | 'properties' | 'history'> {
  try {
    const {
      identity: _identity,
      epoch: _epoch,
      previous: _previous,
      transaction: _transaction,
      body,
      history,
      ...properties
    } = decodeEnvelope(envelope).message;
    return { body, properties, ...(history && { history }) };
  } catch (error) {
    if (!(error instanceof RingmailError)) throw error;
    return { body: envelope, properties: { contentType: 'application/octet-stream' } };
  }
}

/** What comes from other nodes waits for its room. */
function keepsWaiting({ options, name }: Queue): boolean {
  return options.remoteWhenFull === 'wait' && name !== ADMIN_QUEUE;
}

function queueFull({ name, options }: Queue, bytes: { bytesUsed: number; bytesNeeded: number }): RingmailError {
  return new RingmailError('QUEUE_FULL', { queue: name, bytesLimit: options.bytesLimit, ...bytes });
}

function reasonOf(ending: EndingClass, key: StreamKey): string {
  if (ending === 'CORRUPT') return 'the envelope does not decode';
  if (ending === 'CLONED') return `its number was given out twice by ${key.origin}`;
  if (ending === 'TOO_LARGE') return `larger than all that ${key.destination} may hold`;
  if (ending === 'HOP_COUNT_EXCEEDED') return `passed ${HOP_COUNT_MAX} nodes`;
  if (ending === 'REACH_QUEUE_TIMEOUT') return 'its time to reach the queue was over when it came';
  if (ending === 'BAD_DST_Q') return `no queue ${key.destination} here`;
  return ending === 'Q_EXCEED_QUOTA' ? `${key.destination} is full` : `not let in at ${key.destination}`;
}

function messageOf(content: NewBody, identity: Identity, epoch: Epoch): Message {
  const { body, properties, history, previous, maybeDuplicate, transaction } = content;
  const message: Message = { ...properties, identity, epoch, priority: identity.priority, body };
  // Most are that already.
  if (!history && !previous && !maybeDuplicate && !transaction) return message;
  return {
    ...message,
    ...(history && { history }),
    ...(previous && { previous }),
    ...(maybeDuplicate && { maybeDuplicate }),
    ...(transaction && { transaction }),
  };
}

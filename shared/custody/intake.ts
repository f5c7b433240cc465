/**
 * Where items enter a node: from applications here, from adapters, and by custody from a neighbour. One item becomes one part of a
 * batch: the message in its queue or among what goes out, the stream's counter, and (by custody) the neighbour's cursor.
 */
import { hasCode, RingmailError } from '../errors.ts';
import { parseAddress } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope, encodeEnvelope, withHop } from '../message/envelope.ts';
import { type Epoch, type Identity, identityText, type StreamKey } from '../message/identity.ts';
import { type Ending, type Message, PRIORITY_DEFAULT, type Properties } from '../message/message.ts';
import { bytesUsed, type Queue } from '../queue/queues.ts';
import type { AckReason } from '../ring/entry-layout.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { NewMessage } from '../ring/ring.ts';
import { type MetaChange, metaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { counterChange, endNumbers } from './outgoing.ts';
import { afterItem, type Item } from './session.ts';

/** Part of a batch. `settle` moves the counters in memory; call it when the batch has been planned. */
export interface Planned {
  readonly puts: readonly NewMessage[];
  readonly acks: readonly { readonly id: number; readonly reason: AckReason }[];
  readonly changes: readonly MetaChange[];
  readonly settle: () => void;
}

export interface NewBody {
  readonly body: Uint8Array;
  readonly properties: Properties;
  readonly history?: readonly Ending[];
  readonly previous?: string;
  readonly maybeDuplicate?: 'maybe';
}

/** What an envelope adds to a body, at the most, while room in `$dead` is sought. */
const DEAD_OVERHEAD_BYTES = 1024;

/** What hops may add to an envelope on its way: a message accepted here must fit a ring like this one everywhere. */
const HOP_BYTES_MAX = 16;

/** What a node does with a queue it does not know: refuse it, or make it (a development node). */
export type UnknownQueue = 'refuse' | 'create';

export class Intake {
  readonly #store: NodeStore;
  readonly #unknownQueue: UnknownQueue;
  readonly #queueBytesLimit: number;
  /** True when a message for this node can leave it. */
  readonly #canReach: (node: string) => boolean;

  constructor(
    store: NodeStore,
    options: { unknownQueue: UnknownQueue; queueBytesLimit: number; canReach: (node: string) => boolean },
  ) {
    this.#store = store;
    this.#unknownQueue = options.unknownQueue;
    this.#queueBytesLimit = options.queueBytesLimit;
    this.#canReach = options.canReach;
  }

  /**
   * A message that begins here: gets the next number of its stream.
   * @throws NAME_INVALID, QUEUE_NOT_FOUND, ROUTE_NOT_FOUND, QUEUE_FULL, MESSAGE_TOO_LARGE
   */
  begin(destination: string, content: NewBody): Planned & { identity: Identity } {
    const { self, ring } = this.#store;
    const address = parseAddress(destination, self.name);
    const priority = content.properties.priority ?? PRIORITY_DEFAULT;
    const key: StreamKey = {
      origin: self.name,
      incarnation: self.incarnation,
      destination: `${address.node}/${address.queue}`,
      priority,
    };
    const queue = address.node === self.name ? this.queue(address.queue) : undefined;
    if (queue === undefined && !this.#canReach(address.node))
      throw new RingmailError('ROUTE_NOT_FOUND', { address: key.destination });
    const { handle, changes } = this.#openStream(key);
    const identity: Identity = { ...key, number: this.#nextNumber(handle, key, queue) };
    const message: Message = { ...content.properties, ...without(content), identity, epoch: ring.epoch, priority };
    const envelope = encodeEnvelope(message);
    const bytesMax = Math.min(ring.bodyBytesMax - HOP_BYTES_MAX, queue?.bytesLimit ?? ring.bodyBytesMax);
    if (envelope.length > bytesMax) throw new RingmailError('MESSAGE_TOO_LARGE', { bytes: envelope.length, bytesMax });
    if (queue !== undefined) this.#admit(queue, envelope.length);
    return { ...this.#planned({ handle, identity, epoch: ring.epoch, queue, envelope }, changes), identity };
  }

  /**
   * An item that comes by custody; `item.number` is known to be the next one of its stream from this neighbour. What this node has
   * already (by another way) moves the cursor and nothing else. Undefined: no room now, say credit 0 and take it later.
   */
  accept(key: StreamKey, item: Item): Planned | undefined {
    const destination = this.#destinationOf(key);
    const opened = this.#store.streams.open(key);
    if (opened === undefined) return undefined;
    const { handle, changes } = opened;
    const queue = destination === 'elsewhere' ? undefined : destination;
    if (afterItem(item) <= this.#nextNumber(handle, key, queue === 'unknown' ? undefined : queue, destination !== 'elsewhere')) {
      return { puts: [], acks: [], changes, settle: () => {} };
    }
    if (item.kind !== 'message') return this.#acceptGap({ handle, key, item }, destination, changes);
    if (queue === 'unknown') return this.#deadLetter({ handle, key, item }, 'BAD_DST_Q', changes);
    if (destination === 'elsewhere' && !this.#canReach(parseAddress(key.destination, '').node)) {
      return this.#deadLetter({ handle, key, item }, 'BAD_DST_Q', changes);
    }
    const arrived = this.#arrived(key, item);
    if (arrived === undefined) return this.#deadLetter({ handle, key, item }, 'CORRUPT', changes);
    if (arrived.envelope.length > this.#store.ring.bodyBytesMax) {
      const gap = {
        kind: 'gap' as const,
        number: item.number,
        to: item.number,
        class: 'TOO_LARGE' as const,
        node: this.#store.self.name,
      };
      return this.#acceptGap({ handle, key, item: gap }, destination, changes);
    }
    if (!this.#hasRoom(queue, arrived.envelope.length)) return undefined;
    const identity = { ...key, number: item.number };
    return this.#planned({ handle, identity, epoch: arrived.epoch, queue, envelope: arrived.envelope }, changes);
  }

  /** Bytes a neighbour may send for this stream beyond what it knows to be durable here. */
  creditFor(key: StreamKey, bytesMax: number): number {
    const isLocal = this.#store.isLocal(key.destination);
    const queue = isLocal ? this.#store.queues.find(parseAddress(key.destination, '').queue) : undefined;
    const room = queue === undefined ? bytesMax : queue.bytesLimit - bytesUsed(queue);
    const { ring } = this.#store;
    const ringRoom = Math.floor((ring.bytesMax - ring.bytesUsed) / 4);
    return Math.max(0, Math.min(bytesMax, room, ringRoom));
  }

  /**
   * A message given up here and now: into `$dead`, with its history. `$dead` is bounded and never stops anything: when it is full
   * its oldest bodies go, counted as DROPPED. @throws as `begin`; then nothing went.
   */
  beginDead(content: NewBody, ending: Ending): Planned & { identity: Identity } {
    const { queues, ring } = this.#store;
    const queue = queues.get('$dead');
    const victims = this.#oldestDead(queue, content.body.length + DEAD_OVERHEAD_BYTES);
    const freed = victims.reduce((bytes, slot) => bytes + ring.index.bodyBytes(slot), 0);
    queue.plannedBytes -= freed; // their room, while the new one is admitted
    try {
      const dead = this.begin(`${this.#store.self.name}/$dead`, { ...content, history: [...(content.history ?? []), ending] });
      const acks = victims.map((slot) => ({ id: ring.index.id(slot), reason: 'dropped' as const }));
      const accounts = victims.map((slot) => this.#store.account(ring.index.stream(slot), 'DROPPED', 1));
      const settle = (): void => {
        for (const slot of victims) queue.ready[ring.index.priority(slot)]?.remove(slot);
        dead.settle();
      };
      return { ...dead, acks, changes: [...dead.changes, ...accounts], settle };
    } finally {
      queue.plannedBytes += freed;
    }
  }

  /** Dead letters to drop so that `bytesNeeded` fit: the least urgent and oldest first. */
  #oldestDead(queue: Queue, bytesNeeded: number): number[] {
    const victims: number[] = [];
    let used = bytesUsed(queue);
    for (const list of queue.ready) {
      for (let slot = list.head; slot !== NO_SLOT && used + bytesNeeded > queue.bytesLimit; slot = list.next(slot)) {
        victims.push(slot);
        used -= this.#store.ring.index.bodyBytes(slot);
      }
    }
    return victims;
  }

  /** An adapter's place in its source, for the frame of the message it brought. */
  position(position: { name: string; value: Uint8Array }): MetaChange {
    return metaChange(`p/${position.name}`, position.value);
  }

  #destinationOf(key: StreamKey): Queue | 'unknown' | 'elsewhere' {
    if (!this.#store.isLocal(key.destination)) return 'elsewhere';
    const name = parseAddress(key.destination, '').queue;
    const queue = this.#store.queues.find(name);
    if (queue !== undefined) return queue;
    return this.#unknownQueue === 'create' ? this.queue(name) : 'unknown';
  }

  /** A queue of this node, made if this node makes what it does not know. @throws QUEUE_NOT_FOUND, NAME_INVALID */
  queue(name: string): Queue {
    const { queues } = this.#store;
    const known = queues.find(name);
    if (known !== undefined) return known;
    if (this.#unknownQueue === 'refuse') throw new RingmailError('QUEUE_NOT_FOUND', { queue: name });
    return this.define(name, this.#queueBytesLimit);
  }

  /** A queue, durable with the next frame. Messages for it ride the same frame or a later one. */
  define(name: string, bytesLimit: number): Queue {
    const before = this.#store.queues.find(name);
    if (before !== undefined && before.bytesLimit === bytesLimit) return before;
    const queue = this.#store.queues.define(name, { bytesLimit });
    this.#store.commit({ metas: [metaChange(`q/${queue.id}`, [name, bytesLimit])] }, () => {});
    return queue;
  }

  #openStream(key: StreamKey): { handle: number; changes: MetaChange[] } {
    const opened = this.#store.streams.open(key);
    if (opened === undefined) throw new RingmailError('BUSY', { pending: 0, pendingMax: 0 });
    return opened;
  }

  #nextNumber(handle: number, key: StreamKey, queue: Queue | undefined, endsHere = queue !== undefined): number {
    const { destinations, outgoing } = this.#store;
    return endsHere ? (destinations.get(handle) ?? 1) : outgoing.open(handle, key).next;
  }

  #admit(queue: Queue, bytesNeeded: number): void {
    const used = bytesUsed(queue);
    if (used + bytesNeeded <= queue.bytesLimit) return;
    const { name, bytesLimit } = queue;
    throw new RingmailError('QUEUE_FULL', { queue: name, bytesLimit, bytesUsed: used, bytesNeeded });
  }

  #hasRoom(queue: Queue | 'unknown' | undefined, bytes: number): boolean {
    if (!this.#store.ring.hasRoomFor(bytes)) return false;
    return queue === undefined || queue === 'unknown' || bytesUsed(queue) + bytes <= queue.bytesLimit;
  }

  /** The envelope with one hop more, or undefined when it is not the message its item says it is. */
  #arrived(key: StreamKey, item: Item & { kind: 'message' }): { envelope: Uint8Array; epoch: Epoch } | undefined {
    try {
      const { message } = decodeEnvelope(item.envelope);
      if (identityText(message.identity) !== identityText({ ...key, number: item.number })) return undefined;
      const envelope = withHop(item.envelope, (hop) => ({ ...hop, count: hop.count + 1 }));
      return { envelope, epoch: message.epoch };
    } catch (error) {
      if (error instanceof RingmailError) return undefined;
      throw error;
    }
  }

  #planned(
    arrived: { handle: number; identity: Identity; epoch: Epoch; queue: Queue | undefined; envelope: Uint8Array },
    changes: readonly MetaChange[],
  ): Planned {
    const { handle, identity, epoch, queue, envelope } = arrived;
    const put: NewMessage = {
      queue: queue?.id ?? 0,
      priority: identity.priority,
      stream: handle,
      number: identity.number,
      epochCounter: epoch.counter,
      epochRandom: epoch.random,
      deliveryCount: 0,
      expiresAtMs: 0,
      notBeforeMs: 0,
      body: envelope,
    };
    const counted = this.#counted(handle, identity, queue !== undefined, identity.number + 1);
    const settle = () => {
      counted.settle();
      if (queue !== undefined) queue.plannedBytes += envelope.length;
    };
    return { puts: [put], acks: [], changes: [...changes, counted.change], settle };
  }

  /** The stream's counter at `next`: what to store, and how to move it once that is planned. */
  #counted(handle: number, key: StreamKey, endsHere: boolean, next: number): { change: MetaChange; settle: () => void } {
    const { destinations, outgoing } = this.#store;
    if (endsHere) return { change: metaChange(`d/${handle}`, next), settle: () => destinations.set(handle, next) };
    const stream = outgoing.open(handle, key);
    const settle = (): void => {
      stream.next = next;
    };
    return { change: counterChange({ ...stream, next }), settle };
  }

  #acceptGap(
    what: { handle: number; key: StreamKey; item: Exclude<Item, { kind: 'message' }> },
    destination: Queue | 'unknown' | 'elsewhere',
    changes: readonly MetaChange[],
  ): Planned {
    const { handle, key, item } = what;
    const counted = this.#counted(handle, key, destination !== 'elsewhere', item.to + 1);
    const ending = item.kind === 'gap' ? item.class : undefined;
    const node = item.kind === 'gap' ? item.node : '';
    if (destination === 'elsewhere') {
      const stream = this.#store.outgoing.open(handle, key);
      const from = Math.max(item.number, stream.next);
      const noted = endNumbers(stream, { from, to: item.to, class: ending, node });
      return { puts: [], acks: [], changes: [...changes, noted, counted.change], settle: counted.settle };
    }
    const from = Math.max(item.number, this.#store.destinations.get(handle) ?? 1);
    const account = this.#store.account(handle, ending ?? 'UNUSED', item.to - from + 1);
    return { puts: [], acks: [], changes: [...changes, account, counted.change], settle: counted.settle };
  }

  /** Takes an item nobody can take into `$dead` as it came; the stream goes on over it. */
  #deadLetter(
    what: { handle: number; key: StreamKey; item: Item & { kind: 'message' } },
    ending: EndingClass,
    changes: readonly MetaChange[],
  ): Planned | undefined {
    const { handle, key, item } = what;
    const { self, ring } = this.#store;
    if (!ring.hasRoomFor(item.envelope.length)) return undefined;
    const previous = identityText({ ...key, number: item.number });
    const properties = { contentType: 'application/octet-stream' };
    const reason = ending === 'CORRUPT' ? 'the envelope does not decode' : `no queue ${key.destination} here`;
    const local = this.#store.isLocal(key.destination);
    const dead = this.#letterOf({ body: item.envelope, properties, previous }, { class: ending, node: self.name, reason });
    if (dead === undefined) {
      const bare = { kind: 'gap' as const, number: item.number, to: item.number, class: ending, node: self.name };
      return this.#acceptGap({ handle, key, item: bare }, this.#destinationOf(key), changes);
    }
    const gap = { from: item.number, to: item.number, class: ending, node: self.name };
    const noted = local ? this.#store.account(handle, ending, 1) : endNumbers(this.#store.outgoing.open(handle, key), gap);
    const counted = this.#counted(handle, key, local, item.number + 1);
    const settle = () => {
      dead.settle();
      counted.settle();
    };
    return { puts: dead.puts, acks: dead.acks, changes: [...changes, ...dead.changes, noted, counted.change], settle };
  }

  /** A dead letter, or undefined when it is too large for one: then its account is all that is left of it. */
  #letterOf(content: NewBody, ending: Ending): Planned | undefined {
    try {
      return this.beginDead(content, ending);
    } catch (error) {
      if (hasCode(error, 'MESSAGE_TOO_LARGE')) return undefined;
      throw error;
    }
  }
}

function without(content: NewBody): Pick<Message, 'body' | 'history' | 'previous' | 'maybeDuplicate'> {
  const { body, history, previous, maybeDuplicate } = content;
  return {
    body,
    ...(history && { history }),
    ...(previous && { previous }),
    ...(maybeDuplicate && { maybeDuplicate }),
  };
}

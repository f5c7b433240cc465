/**
 * What arrives by custody from a neighbour. One item becomes one part of a batch: the message in its queue or among what goes out, and
 * the stream's counter; the neighbour's cursor moves in the same frame (receiver.ts).
 */
import { HOP_COUNT_MAX } from '../limits.ts';
import { isSystemQueue, NODE_QUEUE, parseAddress, TOPIC_QUEUE } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import type { Epoch, StreamKey } from '../message/identity.ts';
import type { Properties } from '../message/message.ts';
import type { Queue } from '../queue/queues.ts';
import type { Routed } from '../queue/routes.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { ArrivalEndings, type Refusal } from './arrival-endings.ts';
import { ArrivedEnvelopes, type Opened } from './arrived-envelopes.ts';
import { countedTo, type Entering, entering, nextNumber } from './entering.ts';
import type { Intake } from './intake.ts';
import { ADMIN_QUEUE, DEAD_QUEUE, JOURNAL_QUEUE } from './message-room.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { wordIn } from './node-words.ts';
import { counterChange, endNumbers, isDrained } from './outgoing.ts';
import { batchOf, givingWay, joined, type Planned, withRoom } from './planned.ts';
import { afterItem, type Item, type MessageItem } from './session.ts';
import { contradicts } from './stream-epochs.ts';

export class Arrivals {
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #envelopes: ArrivedEnvelopes;
  readonly #endings: ArrivalEndings;

  constructor(store: NodeStore, intake: Intake) {
    this.#store = store;
    this.#intake = intake;
    this.#envelopes = new ArrivedEnvelopes(() => store.self.name);
    this.#endings = new ArrivalEndings(store, intake);
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
    if (afterItem(item) <= nextNumber(this.#store, { handle, key, endsHere: destination !== 'elsewhere' })) {
      if (item.kind === 'message' && this.#isCloned(handle, key, item))
        return this.#endings.end({ handle, key, item }, 'CLONED', changes);
      return { puts: [], acks: [], changes, settle: () => {} };
    }
    if (item.kind !== 'message') return this.#acceptGap({ handle, key, item }, destination, changes);
    if (queue === 'unknown') return this.#endings.end({ handle, key, item }, 'BAD_DST_Q', changes);
    if (this.#envelopes.addressOf(key).queue === NODE_QUEUE) return this.#nodeWord({ handle, key, item }, from, changes);
    if (destination === 'elsewhere' && !this.#intake.canReach(parseAddress(key.destination, '').node)) {
      return this.#endings.end({ handle, key, item }, 'BAD_DST_Q', changes);
    }
    const arrived = this.#envelopes.read(key, item);
    if (arrived === undefined) return this.#endings.end({ handle, key, item }, 'CORRUPT', changes);
    if (arrived.envelope.length > this.#store.ring.bodyBytesMax) return { refused: 'TOO_LARGE' };
    const bytes = arrived.envelope.length;
    const routed = typeof queue === 'object' ? this.#routedOf(queue, key, arrived.properties) : undefined;
    // It would never fit, and nothing behind it would ever pass.
    if (queue !== undefined && bytes > queue.options.bytesLimit && routed?.original !== 'goes')
      return this.#endings.end({ handle, key, item }, 'TOO_LARGE', changes);
    const refused = this.#refusalOf(key, arrived);
    if (refused !== undefined) return this.#endings.end({ handle, key, item }, refused, changes);
    if (queue?.name === ADMIN_QUEUE) return this.#word({ handle, key, number: item.number }, { queue, ...arrived }, changes);
    const { forwarding } = this.#intake;
    if (queue !== undefined && routed !== undefined && forwarding !== undefined)
      return forwarding.arrived({ handle, key, item }, { ...arrived, queue, routed }, changes);
    const mayEnd = queue?.options.remoteWhenFull === 'dead-letter' && bytes > this.#store.room.inQueue(queue);
    if (mayEnd) return this.#endings.end({ handle, key, item }, 'Q_EXCEED_QUOTA', changes);
    if (!this.#hasRoom(queue, bytes)) return undefined;
    const identity = { ...key, number: item.number };
    const planned = entering(this.#store, { handle, identity, queue, ...arrived, what: 'message' }, changes);
    if (queue === undefined) return planned;
    return this.#intake.told(planned, { ...arrived.properties, identity }, 'ACK_REACH_QUEUE');
  }

  /**
   * A message that came is durable, and stands in its queue. Where that keeps the latest alone, those of its stream that are ready end
   * now: nobody is handed one of them any more, and the next frame says so. In a ring that has no room for that they stay.
   */
  placed(slot: number): void {
    const { ring, queues } = this.#store;
    const { index } = ring;
    const queue = queues.byId(index.queue(slot));
    if (queue?.options.replay !== 'latest' || !index.isListed(slot)) return;
    const ready = queue.ready[index.priority(slot)];
    const older: number[] = [];
    for (let at = ready?.head ?? slot; ready !== undefined && at !== slot && at !== NO_SLOT; at = ready.next(at))
      if (index.stream(at) === index.stream(slot)) older.push(at);
    if (older.length === 0) return;
    const planned = givingWay(this.#store, older, 'SUPERSEDED');
    if (!ring.admits(batchOf(planned))) return;
    this.#store.commit(batchOf(planned), () => {});
    planned.settle();
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
    for (const behind of queue === undefined ? [] : (this.#intake.routes?.queuesBehind(queue.name) ?? [])) {
      const other = queues.find(behind);
      if (other !== undefined && keepsWaiting(other)) queueRoom = Math.min(queueRoom, room.inQueue(other));
    }
    const inRing = room.inRing(queue);
    const ownRoom = queue === undefined ? 0 : Math.min(inRing, room.unusedReserve(queue));
    return Math.max(0, Math.min(bytesMax, queueRoom, Math.max(ownRoom, Math.floor(inRing / 4))));
  }

  #routedOf(queue: Queue, { origin, priority }: StreamKey, properties: Properties): Routed | undefined {
    const { routes } = this.#intake;
    if (routes === undefined || routes.isEmpty || isSystemQueue(queue.name)) return undefined;
    return routes.of({ queue: queue.name, source: origin, properties: { priority, ...properties } });
  }

  /** A word between nodes: of this one it is consumed, others it passes, and where its way ends it ends. */
  #nodeWord(
    what: { handle: number; key: StreamKey; item: MessageItem },
    from: string,
    changes: readonly MetaChange[],
  ): Planned | Refusal | undefined {
    const { handle, key, item } = what;
    const { node } = this.#envelopes.addressOf(key);
    const isHere = node === this.#store.self.name;
    const arrived = this.#envelopes.read(key, item);
    if (arrived === undefined) return this.#endings.end(what, 'CORRUPT', changes);
    const fields = wordIn(decodeEnvelope(item.envelope).message);
    if (fields === undefined) return this.#endings.end(what, 'ACCESS_DENIED', changes);
    if (arrived.hop.count >= HOP_COUNT_MAX) return this.#endings.end(what, 'HOP_COUNT_EXCEEDED', changes);
    const identity = { ...key, number: item.number };
    const word = { fields, identity, from };
    const { words } = this.#store;
    if (isHere) return joined(this.#consumed(what, arrived.epoch, changes), words.heard(word));
    if (!this.#intake.canReach(node)) return joined(this.#consumed(what, undefined, changes), words.passing(word));
    if (!this.#hasRoom(undefined, arrived.envelope.length)) return undefined;
    const passed = entering(this.#store, { handle, identity, queue: undefined, ...arrived, what: 'record' }, changes);
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
      const counted = countedTo(this.#store, { handle, key }, { endsHere: true, next, epoch });
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

  /** Why a message of another node is not let in, though there is a place for it. */
  #refusalOf(key: StreamKey, { properties, hop }: Pick<Opened, 'hop' | 'properties'>): EndingClass | undefined {
    if (hop.count >= HOP_COUNT_MAX) return 'HOP_COUNT_EXCEEDED';
    const { node, queue } = this.#envelopes.addressOf(key);
    const isHere = node === this.#store.self.name;
    const isReplayed = isHere && hop.replayed === true;
    if (isReplayed && this.#store.queues.find(queue)?.options.replay === 'never') return 'NOT_REPLAYED';
    // Records of this node are its own.
    if (isHere && (queue === DEAD_QUEUE || queue === JOURNAL_QUEUE || queue === TOPIC_QUEUE)) return 'ACCESS_DENIED';
    if (isHere && (properties.timeToReachQueueMs ?? Number.POSITIVE_INFINITY) <= hop.elapsedMs) return 'REACH_QUEUE_TIMEOUT';
    const { transaction } = properties;
    const arrival = { destination: key.destination, origin: key.origin, properties: { priority: key.priority, ...properties } };
    return this.#intake.policy?.({ ...arrival, hops: hop.count, ...(transaction && { transaction }) });
  }

  /** A word of another node: `$admin` makes room for it. @throws QUEUE_FULL when the ring has none */
  #word(
    { handle, key, number }: { handle: number; key: StreamKey; number: number },
    arrived: Omit<Entering, 'handle' | 'identity' | 'what'>,
    changes: readonly MetaChange[],
  ): Planned {
    const identity = { ...key, number };
    const planned = entering(this.#store, { handle, identity, ...arrived, what: 'record' }, changes);
    const newcomer = { bytes: arrived.envelope.length, priority: key.priority, place: 'new', what: 'record' } as const;
    return withRoom(this.#store, planned, arrived.queue, newcomer);
  }

  #destinationOf(key: StreamKey): Queue | 'unknown' | 'elsewhere' | 'nodes' {
    const { node, queue: name } = this.#envelopes.addressOf(key);
    if (node !== this.#store.self.name) return 'elsewhere';
    if (name === NODE_QUEUE) return 'nodes';
    const queue = this.#store.queues.find(name);
    if (queue !== undefined) return queue;
    return this.#intake.unknownQueue === 'create' ? this.#intake.queue(name) : 'unknown';
  }

  /** Also for what waits for the disk already: an item that is refused comes again. */
  #hasRoom(queue: Queue | undefined, bytes: number): boolean {
    return this.#store.ring.hasRoomFor(bytes) && this.#store.room.fits(queue, bytes);
  }

  /** A number that this destination has, under an epoch that cannot be: two messages bear it. */
  #isCloned(handle: number, key: StreamKey, item: MessageItem): boolean {
    const spans = this.#store.destinations.get(handle)?.spans ?? [];
    if (spans.length === 0 || !this.#store.isLocal(key.destination)) return false;
    const arrived = this.#envelopes.read(key, item);
    return arrived !== undefined && contradicts(spans, item.number, arrived.epoch);
  }

  #acceptGap(
    what: { handle: number; key: StreamKey; item: Exclude<Item, { kind: 'message' }> },
    destination: Queue | 'unknown' | 'elsewhere' | 'nodes',
    changes: readonly MetaChange[],
  ): Planned {
    const { handle, key, item } = what;
    const counted = countedTo(this.#store, { handle, key }, { endsHere: destination !== 'elsewhere', next: item.to + 1 });
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
}

/** What comes from other nodes waits for its room. */
function keepsWaiting({ options, name }: Queue): boolean {
  return options.remoteWhenFull === 'wait' && name !== ADMIN_QUEUE;
}

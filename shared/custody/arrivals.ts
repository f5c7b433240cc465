/**
 * What arrives by custody from a neighbour. One item becomes one part of a batch: the message in its queue or among what goes out, and
 * the stream's counter; the neighbour's cursor moves in the same frame (receiver.ts).
 */
import { NO_BYTES } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { HOLE_COUNT_MAX, HOP_COUNT_MAX } from '../limits.ts';
import { isSystemQueue, NODE_QUEUE, parseAddress, TOPIC_QUEUE } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope, withHop } from '../message/envelope.ts';
import { type Epoch, type Identity, numbered, type StreamKey } from '../message/identity.ts';
import type { Properties } from '../message/message.ts';
import type { Queue } from '../queue/queues.ts';
import type { Routed } from '../queue/routes.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { ArrivalEndings, type Refusal } from './arrival-endings.ts';
import { ArrivalRuns, type PlannedRun } from './arrival-runs.ts';
import { ArrivedEnvelopes, type Opened } from './arrived-envelopes.ts';
import { numbersOf, planElsewhere, planEnding, planLate, planNumber } from './at-destination.ts';
import { carry, GAP_WORD, gapIn, planBelated, planPassed } from './carrying.ts';
import { countedTo, type Entering, entering } from './entering.ts';
import { firstHole, includes, isKnown, placeOf, withMessage } from './holes.ts';
import type { Intake } from './intake.ts';
import { ADMIN_QUEUE, DEAD_QUEUE, JOURNAL_QUEUE } from './message-room.ts';
import type { MetaChange } from './meta-keys.ts';
import type { NodeStore } from './node-store.ts';
import { type HeardWord, wordIn } from './node-words.ts';
import { counterChange, endNumbers, isDrained } from './outgoing.ts';
import { joined, NOTHING, type Planned, withRoom } from './planned.ts';
import type { Item, MessageItem } from './session.ts';
import { contradicts } from './stream-epochs.ts';

export class Arrivals {
  /** Items of which all was here already, by another neighbour or another way. Since this opening. */
  repeatCount = 0;
  readonly #store: NodeStore;
  readonly #intake: Intake;
  readonly #envelopes: ArrivedEnvelopes;
  readonly #endings: ArrivalEndings;
  readonly #runs: ArrivalRuns;

  constructor(store: NodeStore, intake: Intake) {
    this.#store = store;
    this.#intake = intake;
    this.#envelopes = new ArrivedEnvelopes(() => store.self.name);
    this.#endings = new ArrivalEndings(store, intake);
    this.#runs = new ArrivalRuns(store, this.#envelopes, {
      queueFor: (key) => this.#plainQueueFor(key),
      refusalOf: (key, opened) => this.#refusalOf(key, opened),
      hasRoom: (queue, bytes) => this.#hasRoom(queue, bytes),
    });
    store.words.on(GAP_WORD, (word) => this.#heardGap(word));
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
    let read: Opened | undefined;
    if (destination === 'elsewhere') {
      if (item.kind !== 'message') return this.#passGap({ handle, key, item }, changes);
      if (item.number < this.#store.outgoing.open(handle, key).next) return this.#belated({ handle, key, item }, changes);
    } else {
      if (item.kind !== 'message') return this.#acceptGap({ handle, item }, changes);
      const known = numbersOf(this.#store, handle);
      const place = placeOf(known, item.number);
      if (place !== 'new' && this.#isCloned(handle, key, item))
        return this.#endings.end({ handle, key, item }, 'CLONED', changes);
      if (place === 'known') return this.#repeated(changes);
      if (withMessage(known, item.number, this.#store.nowMs) === 'too-many') return undefined;
      read = this.#envelopes.read(key, item);
      if (read?.carried !== undefined) return this.#unload({ handle, item, carried: read.carried }, from, changes);
    }
    if (queue === 'unknown') return this.#endings.end({ handle, key, item }, 'BAD_DST_Q', changes);
    if (this.#envelopes.addressOf(key).queue === NODE_QUEUE) return this.#nodeWord({ handle, key, item }, from, changes);
    if (destination === 'elsewhere' && !this.#intake.canReach(parseAddress(key.destination, '').node)) {
      return this.#endings.end({ handle, key, item }, 'BAD_DST_Q', changes);
    }
    const arrived = read ?? this.#envelopes.read(key, item);
    if (arrived === undefined) return this.#endings.end({ handle, key, item }, 'CORRUPT', changes);
    if (arrived.envelope.length > this.#store.ring.bodyBytesMax) return { refused: 'TOO_LARGE' };
    const bytes = arrived.envelope.length;
    const routed = queue === undefined ? undefined : this.#routedOf(queue, key, arrived.properties);
    // It would never fit, and nothing behind it would ever pass.
    if (queue !== undefined && bytes > queue.options.bytesLimit && routed?.original !== 'goes')
      return this.#endings.end({ handle, key, item }, 'TOO_LARGE', changes);
    const refused = this.#refusalOf(arrived.carried ?? key, arrived);
    if (refused !== undefined) return this.#endings.end({ handle, key, item, carried: arrived.carried }, refused, changes);
    if (queue?.name === ADMIN_QUEUE) return this.#word({ handle, key, number: item.number }, { queue, ...arrived }, changes);
    const { forwarding } = this.#intake;
    if (queue !== undefined && routed !== undefined && forwarding !== undefined) {
      // What is above a hole waits where it is: forwarded, it would be ahead of those that are to come.
      if (firstHole(numbersOf(this.#store, handle)) < item.number) return undefined;
      return forwarding.arrived({ handle, key, item }, { ...arrived, queue, routed }, changes);
    }
    const mayEnd = queue?.options.remoteWhenFull === 'dead-letter' && bytes > this.#store.room.inQueue(queue);
    if (mayEnd) return this.#endings.end({ handle, key, item }, 'Q_EXCEED_QUOTA', changes);
    if (!this.#hasRoom(queue, bytes)) return undefined;
    const { epoch, properties, hop } = arrived;
    const identity = numbered(key, item.number);
    const late = queue === undefined ? NOTHING : planLate(this.#store, handle, item.number);
    const envelope = late === NOTHING ? arrived.envelope : withHop(arrived.envelope, (before) => ({ ...before, late: 'late' }));
    const entered = { handle, identity, epoch, queue, envelope, properties, hop, what: 'message' } as const;
    const planned = entering(this.#store, entered, changes);
    // Nearly nobody asks, and then nothing has to be put together for it.
    if (queue === undefined || (late === NOTHING && properties.acknowledge === undefined)) return planned;
    return this.#intake.told(joined(planned, late), { ...properties, identity }, 'ACK_REACH_QUEUE');
  }

  /** Messages that come together, the first of them with the next number from this neighbour: those that may enter as one, if any. */
  acceptRun(key: StreamKey, items: readonly MessageItem[]): PlannedRun | undefined {
    return this.#runs.plan(key, items);
  }

  /** What this node has already moves the neighbour's cursor, and is counted. */
  #repeated(changes: readonly MetaChange[]): Planned {
    const settle = (): void => {
      this.repeatCount += 1;
    };
    return { ...NOTHING, changes, settle };
  }

  /** A message that was carried is where it was going: its item moves the stream it came in, and its identity says what becomes of it. */
  #unload(
    { handle, item, carried }: { handle: number; item: MessageItem; carried: Identity },
    from: string,
    changes: readonly MetaChange[],
  ): Planned | Refusal | undefined {
    const { number, ...key } = carried;
    const late = planLate(this.#store, handle, item.number);
    const { change, settle } = planNumber(this.#store, handle, { number: item.number, epoch: undefined });
    // What begins here is here.
    const isOwn = key.origin === this.#store.self.name;
    const unload = () => (isOwn ? this.#repeated([]) : this.accept(key, { ...item, number }, from));
    // Where both are of one stream, the second is planned behind the first.
    const unloaded = this.#store.streams.find(key) === handle ? this.#after(handle, settle, unload) : unload();
    if (unloaded === undefined || 'refused' in unloaded) return unloaded;
    return joined({ ...NOTHING, changes: [...changes, change], settle }, late, unloaded);
  }

  /** What is planned where the numbers of a stream have moved already; they are as they were when it returns. */
  #after<T>(handle: number, settle: () => void, plan: () => T): T {
    const { destinations } = this.#store.ends;
    const before = destinations.get(handle);
    settle();
    try {
      return plan();
    } finally {
      if (before === undefined) destinations.delete(handle);
      else destinations.set(handle, before);
    }
  }

  /** A message below what was handed on: carried if its number was passed over, or else a repeat. */
  #belated(what: { handle: number; key: StreamKey; item: MessageItem }, changes: readonly MetaChange[]): Planned | undefined {
    const { handle, key, item } = what;
    const isPassedOver = includes(this.#store.passedOver.of(handle), item.number);
    const out = this.#store.outgoing.open(handle, key);
    // It lies here, and nobody has it from here: what comes is another copy. Who has it may be who brings it.
    const liesHere = item.number >= out.lo && !this.#store.mayHaveHandedOver(out, item.number);
    if (!isPassedOver && liesHere) return this.#repeated(changes);
    const arrived = this.#envelopes.read(key, item);
    // What does not decode stays missing where it was going.
    if (arrived === undefined) return this.#repeated(changes);
    if (!isPassedOver && arrived.hop.count >= HOP_COUNT_MAX) return this.#endings.endReturned(what, changes);
    if (!this.#hasRoom(undefined, arrived.envelope.length)) return undefined;
    const belated = planBelated({ store: this.#store, intake: this.#intake }, what, arrived.envelope);
    return joined(
      { ...NOTHING, changes },
      belated ?? carry({ store: this.#store, intake: this.#intake }, arrived.envelope, 'new'),
    );
  }

  /**
   * A message that came is durable, and stands in its queue. Where that keeps the latest alone, those of its stream that are ready are out
   * of it: nobody is handed one of them any more, and they end (due-work.ts).
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
    queues.supersede(older);
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
    const identity = numbered(key, item.number);
    const word = { fields, identity: arrived.carried ?? identity, from, hops: arrived.hop.count };
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
      const late = planLate(this.#store, handle, item.number);
      const { change, settle } = planNumber(this.#store, handle, { number: item.number, epoch });
      return joined({ ...NOTHING, changes: [...changes, change], settle }, late);
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
    const { policy } = this.#intake;
    if (policy === undefined) return undefined;
    const { transaction } = properties;
    const arrival = { destination: key.destination, origin: key.origin, properties: { priority: key.priority, ...properties } };
    return policy({ ...arrival, hops: hop.count, ...(transaction && { transaction }) });
  }

  /** A word of another node: `$admin` makes room for it. @throws QUEUE_FULL when the ring has none */
  #word(
    { handle, key, number }: { handle: number; key: StreamKey; number: number },
    arrived: Omit<Entering, 'handle' | 'identity' | 'what'>,
    changes: readonly MetaChange[],
  ): Planned {
    const identity = numbered(key, number);
    const entered = entering(this.#store, { handle, identity, ...arrived, what: 'record' }, changes);
    const planned = joined(entered, planLate(this.#store, handle, number));
    const newcomer = { bytes: arrived.envelope.length, priority: key.priority, place: 'new', what: 'record' } as const;
    return withRoom(this.#store, planned, arrived.queue, newcomer);
  }

  /** A queue here that no route begins at and that is not the node's own. */
  #plainQueueFor(key: StreamKey): Queue | undefined {
    const { node, queue } = this.#envelopes.addressOf(key);
    const { routes } = this.#intake;
    if (node !== this.#store.self.name || isSystemQueue(queue) || queue === NODE_QUEUE) return undefined;
    return routes === undefined || routes.isEmpty ? this.#store.queues.find(queue) : undefined;
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

  /** A number that this destination has, or waits for, under an epoch that cannot be: two messages bear it. */
  #isCloned(handle: number, key: StreamKey, item: MessageItem): boolean {
    const spans = this.#store.ends.destinations.get(handle)?.spans ?? [];
    if (spans.length === 0 || !this.#store.isLocal(key.destination)) return false;
    const arrived = this.#envelopes.read(key, item);
    // The epoch of one that is carried is of its own stream.
    return arrived !== undefined && arrived.carried === undefined && contradicts(spans, item.number, arrived.epoch);
  }

  /** Numbers that ended, or went another way, of a stream that leaves here: handed on in sequence, and noted when they come too late for that. */
  #passGap(
    what: { handle: number; key: StreamKey; item: Exclude<Item, { kind: 'message' }> },
    changes: readonly MetaChange[],
  ): Planned {
    const { handle, key, item } = what;
    const stream = this.#store.outgoing.open(handle, key);
    const belated = planBelated({ store: this.#store, intake: this.#intake }, what, NO_BYTES) ?? NOTHING;
    if (item.to < stream.next) return belated === NOTHING ? this.#repeated(changes) : joined({ ...NOTHING, changes }, belated);
    const from = Math.max(item.number, stream.next);
    const how = item.kind === 'gap' ? { class: item.class, node: item.node } : { class: undefined, node: '' };
    const noted = endNumbers(stream, { from, to: item.to, ...how });
    const counted = countedTo(this.#store, { handle, key }, item.to + 1);
    const sequence = { ...NOTHING, changes: [...changes, noted, counted.change], settle: counted.settle };
    if (item.kind === 'gap') return joined(sequence, belated);
    const passed = planPassed(this.#store, handle, { from, to: item.to });
    return joined(sequence, { ...NOTHING, changes: [passed.change], settle: passed.settle });
  }

  /** At the destination a gap is an account, and elsewhere a hole. Undefined: that would be one too many now. */
  #acceptGap(
    { handle, item }: { handle: number; item: Exclude<Item, { kind: 'message' }> },
    changes: readonly MetaChange[],
  ): Planned | undefined {
    const range = { from: item.number, to: item.to };
    if (isKnown(numbersOf(this.#store, handle), range, item.kind === 'gap' ? 'ending' : 'elsewhere'))
      return this.#repeated(changes);
    const planned =
      item.kind === 'gap'
        ? planEnding(this.#store, handle, { ranges: [range], class: item.class })
        : planElsewhere(this.#store, handle, range);
    return planned === 'too-many' ? undefined : joined({ ...NOTHING, changes }, planned);
  }

  /** A word tells how numbers of a stream ended that ends here. @throws BUSY while there is a hole too many, or no room for one stream more */
  #heardGap({ fields }: HeardWord): Planned | undefined {
    const told = gapIn(fields);
    if (told === undefined || !this.#store.isLocal(told.stream.destination)) return undefined;
    const opened = this.#store.streams.open(told.stream);
    const planned = opened && planEnding(this.#store, opened.handle, told);
    if (opened === undefined || planned === undefined || planned === 'too-many')
      throw new RingmailError('BUSY', { pending: HOLE_COUNT_MAX, pendingMax: HOLE_COUNT_MAX });
    return joined({ ...NOTHING, changes: opened.changes }, planned);
  }
}

/** What comes from other nodes waits for its room. */
function keepsWaiting({ options, name }: Queue): boolean {
  return options.remoteWhenFull === 'wait' && name !== ADMIN_QUEUE;
}

/**
 * The queues of a node by name and by id, and their subqueues.
 *
 *            define                delete begins            its last message ended
 *   nothing ────────▶ named, has id ─────────────▶ has id only ─────────────────▶ nothing
 *
 * An id is never given again, so that what a ring says of an old queue is never taken for a new one of its name. A queue that is being
 * deleted has lost its name at once: another one may have it before the last message of the first has ended.
 */
import { RingmailError } from '../errors.ts';
import { isQueueName, isSystemQueue, parentName } from '../message/address.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import type { MessageIndex } from '../ring/message-index.ts';
import { drops, QUEUE_DEFAULTS, type QueueDefinition, type QueueOptions } from './queue-options.ts';
import { SlotList } from './slot-list.ts';
import { StrictOrder } from './strict-order.ts';

/** Subqueues of one queue, empty ones that the next opening forgets included. One takes about a kilobyte. */
export const SUBQUEUE_COUNT_MAX = 64;

/**
 * Who says what its properties are. `config`: the configuration, at every start. `call`: whoever set them last. `use`: nobody, or a
 * configuration that does not name it any more.
 */
export type QueueSource = 'config' | 'call' | 'use';

export interface Queue {
  readonly name: string;
  /** Never reused; stands in every PUT entry of its messages. */
  readonly id: number;
  /** Of a subqueue those of its queue. */
  options: QueueOptions;
  source: QueueSource;
  /** The queue that it is a part of: its messages count there. */
  readonly parent: Queue | undefined;
  /** Its parts, by their whole names. */
  readonly subqueues: Map<string, Queue>;
  /** `ram`: the ring does not know of it: a subqueue into which nothing was moved. */
  kept: 'ring' | 'ram';
  /** By priority. */
  readonly ready: readonly SlotList[];
  delayedCount: number;
  delayedBytes: number;
  leasedCount: number;
  leasedBytes: number;
  /** Stored, and nobody's to see: an earlier number of their streams is still to come. */
  heldCount: number;
  heldBytes: number;
  /** Planned for the queue, not durable yet. */
  plannedCount: number;
  plannedBytes: number;
  /** Expired: nobody gets them any more, and their end is not planned yet. */
  endingCount: number;
  /** Messages since the opening: those that were found then or came since, and those that are no more here. */
  arrivedCount: number;
  endedCount: number;
  /** What a strict queue may hand out. */
  readonly strict: StrictOrder | undefined;
  /** Told of each message that becomes ready, while somebody waits for one by its name. */
  onReady: ((slot: number) => void) | undefined;
}

/** What is said of a queue when it is defined. */
export interface Definition extends QueueDefinition {
  /** As the ring remembers it. */
  readonly id?: number;
  readonly source?: QueueSource;
}

export class QueueTable {
  protected readonly index: MessageIndex;
  readonly #byName = new Map<string, Queue>();
  readonly #byId = new Map<number, Queue>();
  /** Where somebody may be served who could not be before: a message became ready, a stream free, the options others. The taker empties it. */
  readonly changed = new Set<Queue>();
  /** Those that have an id only. */
  readonly deleting = new Set<Queue>();
  /** Those with a reserve: few. */
  reserved: readonly Queue[] = [];
  /** True when one of them drops messages to make room. */
  drops = false;
  #nextId = 1;

  constructor(index: MessageIndex) {
    this.index = index;
  }

  /**
   * A queue as META remembers it, or a new one with a new id; a known one gets these options, and answers to that id too.
   * @throws NAME_INVALID
   */
  define(name: string, { id, source = 'use', ...definition }: Definition): Queue {
    if (!isQueueName(name)) throw new RingmailError('NAME_INVALID', { name, reason: 'queue: [a-z0-9][a-z0-9_-]{0,62}' });
    const options = { ...QUEUE_DEFAULTS, ...definition };
    const known = this.#byName.get(name);
    const queue = known ?? this.#create(name, id ?? this.#nextId, options);
    queue.options = options;
    queue.source = source;
    this.#byName.set(name, queue);
    if (id !== undefined) this.#know(id, queue);
    for (const one of [queue, ...queue.subqueues.values()]) this.changed.add(one);
    this.#count();
    return queue;
  }

  /** A queue that was being deleted when the node ended: it has no name. */
  defineDeleting(name: string, { id, ...definition }: QueueDefinition & { readonly id: number }): Queue {
    const queue = this.#create(name, id, { ...QUEUE_DEFAULTS, ...definition });
    this.deleting.add(queue);
    return queue;
  }

  /** A subqueue, with the id by which the ring knows it or a new one. */
  defineSubqueue(name: string, parent: Queue, id?: number): Queue {
    const known = parent.subqueues.get(name);
    const queue = known ?? this.#createPart(name, parent, id ?? this.#nextId);
    if (id !== undefined) {
      queue.kept = 'ring';
      this.#know(id, queue);
    }
    return queue;
  }

  /** The id that the next new queue gets. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Ids up to this one were given. */
  raiseIds(idMax: number): void {
    this.#nextId = Math.max(this.#nextId, idMax + 1);
  }

  /** Its deletion begins: the name is free. */
  unname(queue: Queue): void {
    this.#byName.delete(queue.name);
    this.deleting.add(queue);
    this.#count();
  }

  /** Nothing is left of a queue, or of a subqueue. */
  forget(queue: Queue): void {
    for (const id of this.idsOf(queue)) this.#byId.delete(id);
    queue.parent?.subqueues.delete(queue.name);
    this.deleting.delete(queue);
    this.changed.delete(queue);
  }

  /** Under which the ring knows it: one, but after damage. */
  idsOf(queue: Queue): number[] {
    return [...this.#byId].flatMap(([id, one]) => (one === queue ? [id] : []));
  }

  find(name: string): Queue | undefined {
    const queue = this.#byName.get(name);
    if (queue !== undefined) return queue;
    const parent = parentName(name);
    return parent === undefined ? undefined : this.#byName.get(parent)?.subqueues.get(name);
  }

  /** @throws QUEUE_NOT_FOUND */
  get(name: string): Queue {
    const queue = this.find(name);
    if (queue === undefined) throw new RingmailError('QUEUE_NOT_FOUND', { queue: name });
    return queue;
  }

  /**
   * A subqueue of a queue that is there, empty if nobody moved anything into it. Undefined for a name of another kind.
   * @throws QUEUE_NOT_FOUND without its queue; ACCESS_MODE_INVALID for a part of a system queue; BUSY when there are too many
   */
  subqueue(name: string): Queue | undefined {
    const parent = parentName(name);
    if (parent === undefined) {
      const [system = '', part] = name.split(';');
      if (part === undefined || !isSystemQueue(system)) return undefined;
      throw new RingmailError('ACCESS_MODE_INVALID', { queue: name, needed: 'subqueue', reason: 'a system queue has no parts' });
    }
    const known = this.find(name);
    if (known !== undefined) return known;
    const queue = this.get(parent);
    const { size } = queue.subqueues;
    if (size >= SUBQUEUE_COUNT_MAX) throw new RingmailError('BUSY', { pending: size, pendingMax: SUBQUEUE_COUNT_MAX });
    return this.defineSubqueue(name, queue);
  }

  /** Whatever messages are received from: a queue that is there, or a part of one. @throws as `get` and `subqueue` */
  reach(name: string): Queue {
    return this.subqueue(name) ?? this.get(name);
  }

  byId(id: number): Queue | undefined {
    return this.#byId.get(id);
  }

  /** Queues that are no parts of others. */
  get count(): number {
    return this.#byName.size;
  }

  /** Each queue, followed by its parts. */
  *[Symbol.iterator](): Generator<Queue> {
    for (const queue of this.#byName.values()) {
      yield queue;
      yield* queue.subqueues.values();
    }
  }

  #create(name: string, id: number, options: QueueOptions): Queue {
    const queue: Queue = { name, id, options, source: 'use', parent: undefined, kept: 'ring', ...this.#empty(options) };
    this.#know(id, queue);
    return queue;
  }

  #createPart(name: string, parent: Queue, id: number): Queue {
    const queue: Queue = {
      ...{ name, id, source: 'use', parent, kept: 'ram', ...this.#empty(parent.options) },
      get options(): QueueOptions {
        return parent.options;
      },
    };
    parent.subqueues.set(name, queue);
    this.#know(id, queue);
    return queue;
  }

  #empty(options: QueueOptions): Omit<Queue, 'name' | 'id' | 'options' | 'source' | 'parent' | 'kept'> {
    return {
      subqueues: new Map(),
      ready: Array.from({ length: PRIORITY_MAX + 1 }, () => new SlotList(this.index, 'rank')),
      ...{ delayedCount: 0, delayedBytes: 0, leasedCount: 0, leasedBytes: 0, plannedCount: 0, plannedBytes: 0 },
      ...{ heldCount: 0, heldBytes: 0, endingCount: 0, arrivedCount: 0, endedCount: 0 },
      strict: options.ordering === 'strict' ? new StrictOrder(this.index) : undefined,
      onReady: undefined,
    };
  }

  #know(id: number, queue: Queue): void {
    this.#byId.set(id, queue);
    this.raiseIds(id);
  }

  #count(): void {
    const named = [...this.#byName.values()];
    this.reserved = named.filter(({ options }) => options.bytesReserved > 0);
    this.drops = named.some(({ options }) => drops(options.whenFull));
  }
}

export function readyCount(queue: Queue): number {
  return queue.ready.reduce((count, list) => count + list.count, 0);
}

/** Messages a queue holds or has planned, its parts included. */
export function messageCount(queue: Queue): number {
  let count = readyCount(queue) + queue.delayedCount + queue.leasedCount + queue.heldCount + queue.plannedCount;
  for (const part of queue.subqueues.values()) count += messageCount(part);
  return count;
}

/** Bytes of bodies a queue holds or has planned, its parts included. */
export function bytesUsed(queue: Queue): number {
  let bytes = queue.ready.reduce((sum, list) => sum + list.bytes, 0);
  bytes += queue.delayedBytes + queue.leasedBytes + queue.heldBytes + queue.plannedBytes;
  for (const part of queue.subqueues.values()) bytes += bytesUsed(part);
  return bytes;
}

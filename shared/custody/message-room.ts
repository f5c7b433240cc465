/**
 * Room for messages: of a queue by its limit, of the ring by what is stored, planned, and kept for others.
 *
 *   room in the ring for a message of queue Q  =  what the ring admits
 *                                               − what is stored and planned
 *                                               − what each OTHER queue has not used yet of its reserve
 *                                               − the place beside the old ones, where a queue drops (below)
 *
 * What leaves this node has no reserve, so it never takes the last byte from an alarm.
 *
 * A newcomer that takes the place of others lies beside them until its frame is written. Where some queue drops, one message of the
 * largest size is kept free for that; who finds it taken by a newcomer before him waits for that one's frame.
 */
import { RingmailError } from '../errors.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import { chooseVictims } from '../queue/overflow.ts';
import { drops, type QueueDefinition } from '../queue/queue-options.ts';
import { bytesUsed, messageCount, type Queue, type Queues } from '../queue/queues.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import { FreedBytes } from '../ring/freed-bytes.ts';
import { bodyBytesMaxOf, liveBytesMaxOf, metaReserveBytesOf, type RingGeometry } from '../ring/geometry.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Ring } from '../ring/ring.ts';
import type { Draft } from './draft.ts';

/** Where a node keeps its own records. They are bounded and never stop anything: their oldest go. */
export const DEAD_QUEUE = '$dead';
export const JOURNAL_QUEUE = '$journal';
export const ADMIN_QUEUE = '$admin';
export const SYSTEM_QUEUES: readonly string[] = [DEAD_QUEUE, JOURNAL_QUEUE, ADMIN_QUEUE];
/** Counters that the last message within a reserve may bring along, in bytes: stream, number, account. */
const META_SLACK_BYTES = 1024;

/** A message that looks for room. */
export interface Newcomer {
  /** Bodies that it brings into the ring, each with its entry; `bytes` and one entry where nothing is said. */
  readonly ringBytes?: number;
  /** In its queue. */
  readonly bytes: number;
  readonly priority: number;
  /** `replacing`: a message of this ring goes in the same frame, and the ring itself says whether it has room for that. */
  readonly place: 'new' | 'replacing';
  /** `record`: a letter, a copy or a word for a system queue, whose oldest make room for it whatever the policy. */
  readonly what: 'message' | 'record';
}

export class MessageRoom {
  readonly #ring: Ring;
  readonly #queues: Queues;
  readonly #draft: Draft;
  /** Planned to be dropped: until its frame is being written the ring counts it still. */
  #dropping: { readonly id: number; readonly bytes: number }[] = [];

  constructor(ring: Ring, queues: Queues, draft: Draft) {
    this.#ring = ring;
    this.#queues = queues;
    this.#draft = draft;
  }

  /** Bytes of entries and bodies that messages of this queue may add to the ring; undefined is what leaves this node. */
  inRing(queue: Queue | undefined): number {
    const ring = this.#ring;
    return ring.messageBytesMax - ring.bytesUsed - this.#draft.ringBytes - this.#keptFrom(queue);
  }

  /** Bytes of bodies that the limit of a queue leaves. */
  inQueue(queue: Queue): number {
    return queue.options.bytesLimit - bytesUsed(queue) + this.#draft.freedIn(queue);
  }

  /** True when a body of this size would be taken now, without anything being dropped for it. */
  fits(queue: Queue | undefined, bytes: number): boolean {
    if (PUT_BYTES + bytes > this.inRing(queue)) return false;
    return queue === undefined || bytes <= this.inQueue(queue);
  }

  /** What is left of a queue's reserve, in bytes of the ring. */
  unusedReserve(queue: Queue): number {
    return Math.max(0, queue.options.bytesReserved - bytesUsed(queue) - PUT_BYTES * messageCount(queue));
  }

  /** What messages without a reserve use of the room they have. Both in bytes of the ring. */
  get shared(): { readonly used: number; readonly max: number } {
    let max = this.#ring.messageBytesMax - this.#swapBytes;
    let used = this.#ring.bytesUsed;
    for (const queue of this.#queues.reserved) {
      max -= queue.options.bytesReserved;
      used -= queue.options.bytesReserved - this.unusedReserve(queue);
    }
    return { used, max };
  }

  /**
   * Judges what queues would reserve, before they are defined so.
   * @throws RESERVE_TOO_LARGE when the ring cannot keep it, however empty it is
   */
  checkReserves(definitions: readonly QueueDefinition[]): void {
    const ring = this.#ring;
    const bytes = definitions.reduce((sum, { bytesReserved = 0 }) => sum + bytesReserved, 0);
    // Counters beyond their own share of the ring take from that of messages.
    const overBytes = Math.max(0, ring.metas.bytes - metaReserveBytesOf(ring.geometry));
    const bytesMax = reserveBytesMax(ring.geometry, definitions) - overBytes;
    if (bytes > 0 && bytes > bytesMax) throw new RingmailError('RESERVE_TOO_LARGE', { bytes, bytesMax });
  }

  /**
   * Lets a newcomer in, with which META grows by `metaBytes` at most. Returns the slots of messages that must end in the same batch,
   * usually none. Nothing is changed.
   * @throws QUEUE_FULL with the name of the queue whose limit is reached, or '' for the ring
   */
  admit(queue: Queue | undefined, newcomer: Newcomer, metaBytes: number): number[] {
    const { bytes, place } = newcomer;
    const ringNeeded = ringBytesOf(newcomer) + metaBytes;
    const ringRoom = place === 'replacing' ? Number.POSITIVE_INFINITY : this.inRing(queue);
    const queueRoom = queue === undefined ? Number.POSITIVE_INFINITY : this.inQueue(queue);
    if (ringNeeded <= ringRoom && bytes <= queueRoom) return [];
    const victims = queue && this.#victimsIn(queue, newcomer, { queueRoom, ringRoom, ringNeeded });
    if (victims !== undefined) return victims;
    if (queue !== undefined && bytes > queueRoom) {
      const { bytesLimit } = queue.options;
      throw new RingmailError('QUEUE_FULL', { queue: queue.name, bytesLimit, bytesUsed: bytesUsed(queue), bytesNeeded: bytes });
    }
    const bytesLimit = this.#ring.messageBytesMax - this.#keptFrom(queue);
    throw new RingmailError('QUEUE_FULL', { queue: '', bytesLimit, bytesUsed: this.#ring.bytesUsed, bytesNeeded: ringNeeded });
  }

  /** These are planned to go: their room is taken by who came for it. */
  dropped(slots: readonly number[]): void {
    const { index } = this.#ring;
    const before = this.#dropping;
    this.#draft.note(() => {
      this.#dropping = before;
    });
    this.#dropping = before.filter(({ id }) => index.find(id) !== NO_SLOT);
    const freed = new FreedBytes(index);
    for (const slot of slots) this.#dropping.push({ id: index.id(slot), bytes: freed.with(slot) });
  }

  /** True while room is on its way that the ring does not see yet: who was refused may ask again after the next frame. */
  get isMoving(): boolean {
    return this.#droppingBytes > 0;
  }

  #victimsIn(
    queue: Queue,
    newcomer: Newcomer,
    room: { queueRoom: number; ringRoom: number; ringNeeded: number },
  ): number[] | undefined {
    const { bytes, priority, what } = newcomer;
    const { whenFull } = queue.options;
    const isRecord = what === 'record' && SYSTEM_QUEUES.includes(queue.name);
    const isLeastUrgent = !isRecord && whenFull === 'drop-lowest-priority';
    if (!isRecord && !drops(whenFull)) return undefined;
    const ring = this.#ring;
    // Whoever is dropped, the newcomer lies beside it until the frame is written.
    const isBeside =
      newcomer.place === 'replacing' || ring.bytesUsed + this.#draft.ringBytes + room.ringNeeded <= ring.messageBytesMax;
    if (!isBeside) return undefined;
    return chooseVictims(queue, ring.index, isLeastUrgent ? 'least-urgent' : 'oldest', {
      queueBytes: bytes - room.queueRoom,
      ringBytes: room.ringNeeded - room.ringRoom - this.#droppingBytes,
      priorityMax: isRecord ? PRIORITY_MAX : priority,
    });
  }

  #keptFrom(queue: Queue | undefined): number {
    let bytes = 0;
    for (const other of this.#queues.reserved) if (other !== queue) bytes += this.unusedReserve(other);
    return bytes + (bytes > 0 ? META_SLACK_BYTES : 0) + this.#swapBytes;
  }

  /** Kept free for newcomers that lie beside what they replace. */
  get #swapBytes(): number {
    return this.#queues.drops ? besideBytes(this.#ring.geometry) : 0;
  }

  get #droppingBytes(): number {
    const { index } = this.#ring;
    let bytes = 0;
    for (const one of this.#dropping) if (index.find(one.id) !== NO_SLOT) bytes += one.bytes;
    return bytes;
  }
}

/** Of entries and bodies. */
export function ringBytesOf({ bytes, ringBytes }: Pick<Newcomer, 'bytes' | 'ringBytes'>): number {
  return ringBytes ?? PUT_BYTES + bytes;
}

/** What queues may have reserved together in a ring of this shape. */
export function reserveBytesMax(geometry: RingGeometry, definitions: readonly QueueDefinition[]): number {
  const swapBytes = definitions.some(({ whenFull }) => drops(whenFull)) ? besideBytes(geometry) : 0;
  return liveBytesMaxOf(geometry) - metaReserveBytesOf(geometry) - swapBytes - META_SLACK_BYTES;
}

function besideBytes(geometry: RingGeometry): number {
  return PUT_BYTES + bodyBytesMaxOf(geometry);
}

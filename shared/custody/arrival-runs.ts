/**
 * Messages of one stream that come together, and of which each would simply enter its queue: one part of a batch for all of them, with
 * one move of each counter. Nothing is decided here that arrivals.ts does not decide for one message: what is not as usual, and all
 * behind it, is left to that.
 */
import type { EndingClass } from '../message/classes.ts';
import { type Epoch, isSameEpoch, numbered, type StreamKey } from '../message/identity.ts';
import type { Queue } from '../queue/queues.ts';
import { PUT_BYTES } from '../ring/entry-layout.ts';
import type { NewMessage } from '../ring/ring.ts';
import type { ArrivedEnvelopes, Opened } from './arrived-envelopes.ts';
import { numbersOf, planRun } from './at-destination.ts';
import { putOf } from './entering.ts';
import type { NodeStore } from './node-store.ts';
import type { Planned } from './planned.ts';
import type { MessageItem } from './session.ts';

/** `count`: so many of the first ones. */
export interface PlannedRun extends Planned {
  readonly count: number;
}

/** What a run asks of those who decide for one message. */
interface Judges {
  /** The queue of this node in which messages of the stream stay, if nothing is to be done with them but that. */
  readonly queueFor: (key: StreamKey) => Queue | undefined;
  readonly refusalOf: (key: StreamKey, opened: Opened) => EndingClass | undefined;
  readonly hasRoom: (queue: Queue, bytes: number) => boolean;
}

/** Fewer are no run. */
export const RUN_COUNT_MIN = 2;

export class ArrivalRuns {
  readonly #store: NodeStore;
  readonly #envelopes: ArrivedEnvelopes;
  readonly #judges: Judges;

  constructor(store: NodeStore, envelopes: ArrivedEnvelopes, judges: Judges) {
    this.#store = store;
    this.#envelopes = envelopes;
    this.#judges = judges;
  }

  /** `items`: numbered one after the other, the first with the next number from this neighbour. Undefined: no two of them make a run. */
  plan(key: StreamKey, items: readonly MessageItem[]): PlannedRun | undefined {
    const store = this.#store;
    const queue = this.#judges.queueFor(key);
    const opened = queue && store.streams.open(key);
    const from = items[0]?.number;
    if (queue === undefined || opened === undefined || key.origin === store.self.name) return undefined;
    const { handle, changes } = opened;
    const { next, holes } = numbersOf(store, handle);
    if (from !== next || holes.length > 0) return undefined;
    const puts: NewMessage[] = [];
    let epoch: Epoch | undefined;
    let bytes = 0;
    for (const item of items) {
      const usual = this.#usual(key, item, queue);
      if (usual === undefined || (epoch !== undefined && !isSameEpoch(epoch, usual.epoch))) break;
      const { envelope, properties, hop } = usual;
      // As one message of so many bytes: what the ring needs for each beside them is counted in.
      if (!this.#judges.hasRoom(queue, bytes + envelope.length + PUT_BYTES * puts.length)) break;
      epoch = usual.epoch;
      bytes += envelope.length;
      const identity = numbered(key, item.number);
      puts.push(putOf(store, { handle, identity, epoch, queue, envelope, properties, hop, what: 'message' }));
    }
    const count = puts.length;
    if (epoch === undefined || count < RUN_COUNT_MIN) return undefined;
    const counted = planRun(store, handle, { from, to: from + count - 1, epoch });
    const settle = (): void => {
      counted.settle();
      queue.plannedCount += count;
      queue.plannedBytes += bytes;
    };
    return { puts, acks: [], changes: [...changes, counted.change], settle, count };
  }

  /** Undefined where more is to be done with a message than to store it. */
  #usual(key: StreamKey, item: MessageItem, queue: Queue): Opened | undefined {
    const opened = this.#envelopes.read(key, item);
    if (opened === undefined || opened.carried !== undefined || opened.properties.acknowledge !== undefined) return undefined;
    if (opened.envelope.length > Math.min(this.#store.ring.bodyBytesMax, queue.options.bytesLimit)) return undefined;
    return this.#judges.refusalOf(key, opened) === undefined ? opened : undefined;
  }
}

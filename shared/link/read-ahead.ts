/**
 * Asks the ring for the bodies that come next in a stream, so that a backlog read from the disk fills packets instead of waiting for
 * one body at a time. What is read lies in the ring's cache when the sender comes to it; where that cache is too small for it, reading
 * ahead would only read twice, and ends.
 */
import type { SendingStream } from '../custody/sender.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Ring } from '../ring/ring.ts';

/** Bodies asked for at once, and their bytes: a few packets of a socket, and a fraction of a node's cache. */
const COUNT_MAX = 48;
const BYTES_MAX = 64 * 1024;

export class ReadAhead {
  readonly #ring: Ring;
  readonly #reading = new Set<number>();
  /** Read lately. */
  #done = new Set<number>();
  #state: 'useful' | 'in-vain' = 'useful';

  constructor(ring: Ring) {
    this.#ring = ring;
  }

  /** Until it is not, asking the sender again finds little more. */
  get isBusy(): boolean {
    return this.#reading.size > 0;
  }

  /** From behind the stream's place on; the body at the place is not in memory, and its sender has asked for it. */
  begin(stream: SendingStream): void {
    if (this.#state === 'in-vain') return;
    const { index } = this.#ring;
    let slot = this.#placeOf(stream);
    if (this.#done.has(index.id(slot))) this.#state = 'in-vain';
    this.#done = new Set();
    let bytes = 0;
    for (let count = 0; count < COUNT_MAX && bytes < BYTES_MAX; count++) {
      slot = slot === NO_SLOT ? NO_SLOT : stream.out.list.next(slot);
      if (slot === NO_SLOT) return;
      bytes += index.wholeBytes(slot);
      this.#read(slot);
      const holder = index.find(index.holder(slot));
      if (holder !== NO_SLOT) this.#read(holder);
    }
  }

  #placeOf({ out, send, last }: SendingStream): number {
    const { index } = this.#ring;
    const isInList = index.id(last.slot) === last.id && index.isListed(last.slot);
    let slot = isInList && index.number(last.slot) < send ? last.slot : out.list.head;
    while (slot !== NO_SLOT && index.number(slot) < send) slot = out.list.next(slot);
    return slot;
  }

  #read(slot: number): void {
    const ring = this.#ring;
    const id = ring.index.id(slot);
    if (this.#reading.has(id) || !ring.canFetch || ring.isCached(slot)) return;
    this.#reading.add(id);
    // A body that is damaged is dealt with when its turn comes.
    ring.fetchBody(id, () => {
      this.#reading.delete(id);
      this.#done.add(id);
    });
  }
}

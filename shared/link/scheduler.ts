/**
 * Who gets the next packet: the most urgent stream that has something, in turn among equals. A priority that was passed over often
 * enough gets one packet all the same: the least urgent ones are slow, never starved.
 */

const PRIORITIES = 8;
/** Packets others may get before a waiting priority gets one: a share of 6 % for each. */
export const PASSED_OVER_MAX = 16;
/** Streams of this priority and above may cut a packet of a lower one short. */
export const URGENT_PRIORITY_MIN = 6;

export interface Served {
  /** 0 to 7, 7 most urgent. */
  readonly priority: number;
  /** When it was served last, as a count; kept here. */
  servedAt: number;
}

export class Scheduler<Stream extends Served> {
  readonly #ready: Stream[][] = Array.from({ length: PRIORITIES }, () => []);
  readonly #passedOver = new Array<number>(PRIORITIES).fill(0);
  #clock = 0;

  /** Everyone who may have something to send, in place of who had before. */
  begin(streams: Iterable<Stream>): void {
    for (const ready of this.#ready) ready.length = 0;
    for (const stream of streams) this.#ready[stream.priority]?.push(stream);
    for (const ready of this.#ready) if (ready.length > 1) ready.sort((a, b) => a.servedAt - b.servedAt);
  }

  next(): Stream | undefined {
    let chosen: number | undefined;
    for (let priority = PRIORITIES - 1; priority >= 0; priority--) {
      if (this.#ready[priority]?.length === 0) continue;
      chosen ??= priority;
      if ((this.#passedOver[priority] ?? 0) >= PASSED_OVER_MAX) return this.#ready[priority]?.[0];
    }
    return chosen === undefined ? undefined : this.#ready[chosen]?.[0];
  }

  /** The most urgent one of this priority or a higher one, whoever was passed over. */
  nextFrom(priorityMin: number): Stream | undefined {
    for (let priority = PRIORITIES - 1; priority >= priorityMin; priority--) {
      const [stream] = this.#ready[priority] ?? [];
      if (stream !== undefined) return stream;
    }
    return undefined;
  }

  /** `stream`, which `next` gave, got a packet: its equals come first now, and others have waited once more. */
  served(stream: Stream): void {
    this.#clock += 1;
    stream.servedAt = this.#clock;
    for (let priority = 0; priority < PRIORITIES; priority++) {
      const isWaiting = priority !== stream.priority && this.#ready[priority]?.length !== 0;
      this.#passedOver[priority] = isWaiting ? (this.#passedOver[priority] ?? 0) + 1 : 0;
    }
    const ready = this.#ready[stream.priority];
    if (ready !== undefined && ready.length > 1 && ready[0] === stream) ready.push(ready.shift() as Stream);
  }

  /** `stream`, which `next` gave, has nothing that may be sent now. */
  rests(stream: Stream): void {
    const ready = this.#ready[stream.priority];
    if (ready?.[0] === stream) ready.shift();
  }
}

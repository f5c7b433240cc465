/**
 * Who gets the next packet: the most urgent stream that has something. A priority that was passed over often enough gets one packet all
 * the same: the least urgent ones are slow, never starved.
 *
 * Among equals those first whose next message came in this session, in turn; what waited for the session has one packet in four, so
 * that a backlog drains beside what is new, and does not hold it up (docs/routes.md, section 7).
 */
import type { Age } from '../custody/sender.ts';
import { LIVE_IN_ROW_MAX } from '../limits.ts';

const PRIORITIES = 8;
/** Packets others may get before a waiting priority gets one: a share of 6 % for each. */
export const PASSED_OVER_MAX = 16;

export interface Served {
  /** 0 to 7, 7 most urgent. */
  readonly priority: number;
  /** `backlog`: its next message waited for this session. */
  readonly age: Age;
  /** When it was served last, as a count; kept here. */
  servedAt: number;
}

export class Scheduler<Stream extends Served> {
  readonly #ready: Stream[][] = Array.from({ length: PRIORITIES }, () => []);
  readonly #passedOver = new Array<number>(PRIORITIES).fill(0);
  /** Packets that live streams of a priority got since its backlog had one, while there was some. */
  readonly #liveInRow = new Array<number>(PRIORITIES).fill(0);
  #clock = 0;

  /** Everyone who may have something to send, in place of who had before. */
  begin(streams: Iterable<Stream>): void {
    for (const ready of this.#ready) ready.length = 0;
    for (const stream of streams) this.#ready[stream.priority]?.push(stream);
    for (const ready of this.#ready) if (ready.length > 1) ready.sort((a, b) => a.servedAt - b.servedAt);
  }

  /** Who is next of one priority. */
  #first(priority: number): Stream | undefined {
    const ready = this.#ready[priority] ?? [];
    if (ready.length < 2) return ready[0];
    const isBacklogsTurn = (this.#liveInRow[priority] ?? 0) >= LIVE_IN_ROW_MAX;
    return ready.find(({ age }) => age === (isBacklogsTurn ? 'backlog' : 'live')) ?? ready[0];
  }

  next(): Stream | undefined {
    let chosen: number | undefined;
    for (let priority = PRIORITIES - 1; priority >= 0; priority--) {
      if (this.#ready[priority]?.length === 0) continue;
      chosen ??= priority;
      if ((this.#passedOver[priority] ?? 0) >= PASSED_OVER_MAX) return this.#first(priority);
    }
    return chosen === undefined ? undefined : this.#first(chosen);
  }

  /** The most urgent one of this priority or a higher one, whoever was passed over. */
  nextFrom(priorityMin: number): Stream | undefined {
    for (let priority = PRIORITIES - 1; priority >= priorityMin; priority--) {
      const stream = this.#first(priority);
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
    const ready = this.#ready[stream.priority] ?? [];
    const hasBacklog = stream.age === 'live' && ready.some(({ age }) => age === 'backlog');
    this.#liveInRow[stream.priority] = hasBacklog ? (this.#liveInRow[stream.priority] ?? 0) + 1 : 0;
    if (ready.length > 1 && take(ready, stream)) ready.push(stream);
  }

  /** `stream`, which `next` gave, has nothing that may be sent now. */
  rests(stream: Stream): void {
    take(this.#ready[stream.priority] ?? [], stream);
  }
}

function take<Stream>(ready: Stream[], stream: Stream): boolean {
  const at = ready.indexOf(stream);
  if (at !== -1) ready.splice(at, 1);
  return at !== -1;
}

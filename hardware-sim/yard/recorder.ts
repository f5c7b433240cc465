/** Writes the history of a run down, and sums it up in a number that two runs of one seed must agree on. */
import type { World } from '../world.ts';
import type { YardEvent } from './history.ts';
import type { Mark } from './marks.ts';

type Untimed<T> = T extends unknown ? Omit<T, 'atMs'> : never;

export class Recorder {
  readonly events: YardEvent[] = [];
  /** When each mark was hit first, and the faults that were active then are found by time. */
  readonly marks = new Map<Mark, number[]>();
  readonly faults: Record<string, number> = {};
  /** Grows with every event. */
  trace = 0x811c9dc5;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  add(event: Untimed<YardEvent>): void {
    const atMs = this.#world.nowMs;
    this.events.push({ ...event, atMs } as YardEvent);
    const about = 'key' in event ? event.key : 'node' in event ? event.node : '';
    this.#fold(`${event.kind} ${about ?? ''} ${atMs} ${this.#world.steps}`);
    if (event.kind === 'freed' && event.reason === 'expired') this.mark('expired');
    if (event.kind === 'freed' && event.reason === 'dropped') this.mark('dropped by policy');
    if (event.kind === 'fault') this.faults[event.fault] = (this.faults[event.fault] ?? 0) + 1;
  }

  mark(mark: Mark): void {
    const hits = this.marks.get(mark) ?? [];
    if (hits.length < 50) hits.push(this.#world.nowMs);
    this.marks.set(mark, hits);
  }

  #fold(text: string): void {
    let hash = this.trace;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.trace = hash >>> 0;
  }
}

/**
 * Breadth first: every state that can be reached, the nearest first, each judged once. What breaks a promise is found by the shortest
 * schedule there is.
 */
import { Visited } from './visited.ts';
import type { World } from './world.ts';

export interface SearchOptions {
  readonly statesMax: number;
  /** From one state in so many all must arrive once nothing goes wrong any more. */
  readonly stallsEvery: number;
  readonly onProgress?: (states: number, depth: number) => void;
}

export interface SearchResult {
  readonly states: number;
  /** Steps from the start to the farthest state that was met. */
  readonly depth: number;
  /** `all`: there are no others within the bounds. */
  readonly reached: 'all' | 'limit';
  readonly ended: number;
  readonly violation: { readonly text: string; readonly schedule: readonly string[] } | undefined;
}

const PROGRESS_EVERY = 10_000;

export function search(world: World, options: SearchOptions): SearchResult {
  const visited = new Visited();
  const rows = new Rows(world.width);
  const start = world.start();
  let ended = 0;
  let violation: SearchResult['violation'];
  let [depth, levelEnd] = [0, 1];
  visited.add(start);
  rows.add(start, -1, '');
  const first = world.check(start);
  if (first !== undefined) violation = { text: first, schedule: [] };
  let at = 0;
  for (; at < rows.count && rows.count < options.statesMax && violation === undefined; at++) {
    if (at === levelEnd) {
      depth += 1;
      levelEnd = rows.count;
    }
    const state = rows.row(at);
    const parent = at;
    world.successors(state, (next, action) => {
      if (violation !== undefined || rows.count >= options.statesMax || !visited.add(next)) return;
      const id = rows.add(next, parent, action);
      if (rows.count % PROGRESS_EVERY === 0) options.onProgress?.(rows.count, depth);
      const isSample = id % options.stallsEvery === 0;
      const text = world.check(next) ?? (isSample ? world.stalls(next) : undefined);
      if (isSample) ended += 1;
      if (text !== undefined) violation = { text, schedule: world.portable(rows.path(id)) };
    });
  }
  const reached = at >= rows.count ? 'all' : 'limit';
  return { states: rows.count, depth: depth + (rows.count > levelEnd ? 1 : 0), reached, ended, violation };
}

const CHUNK_ROWS = 1 << 16;

/** States in the order in which they were met, and how. */
class Rows {
  count = 0;
  readonly #width: number;
  readonly #chunks: Int32Array[] = [];
  readonly #actions: string[] = [];
  readonly #actionIds = new Map<string, number>();

  constructor(width: number) {
    this.#width = width + 2;
  }

  add(row: Int32Array, parent: number, action: string): number {
    const id = this.count;
    if (id % CHUNK_ROWS === 0) this.#chunks.push(new Int32Array(CHUNK_ROWS * this.#width));
    const chunk = this.#chunks[id >>> 16] as Int32Array;
    const offset = (id % CHUNK_ROWS) * this.#width;
    chunk[offset] = parent;
    chunk[offset + 1] = this.#actionId(action);
    chunk.set(row, offset + 2);
    this.count += 1;
    return id;
  }

  row(id: number): Int32Array {
    const offset = (id % CHUNK_ROWS) * this.#width;
    return (this.#chunks[id >>> 16] as Int32Array).subarray(offset + 2, offset + this.#width);
  }

  /** The actions from the start to this state. */
  path(id: number): string[] {
    const actions: string[] = [];
    for (let at = id; at > 0; ) {
      const chunk = this.#chunks[at >>> 16] as Int32Array;
      const offset = (at % CHUNK_ROWS) * this.#width;
      actions.push(this.#actions[chunk[offset + 1] ?? 0] ?? '');
      at = chunk[offset] ?? -1;
    }
    return actions.reverse();
  }

  #actionId(action: string): number {
    let id = this.#actionIds.get(action);
    if (id === undefined) {
      id = this.#actions.push(action) - 1;
      this.#actionIds.set(action, id);
    }
    return id;
  }
}

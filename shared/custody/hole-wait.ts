/**
 * Holes that nobody fills: after a while, or when the operator says so, they are closed. Their numbers are MISSING, in one frame with
 * the account, and what lies above them goes on when that frame is durable. Who comes after all is late, and takes himself out of the
 * account (holes.ts).
 */
import { earliest } from '../earliest.ts';
import { hasCode } from '../errors.ts';
import { HOLE_WAIT_MS } from '../limits.ts';
import type { WhenDurable } from '../ring/ring.ts';
import { lossOf } from './accounts.ts';
import { destinationChange } from './destinations.ts';
import { countOf, type Hole, withClosed } from './holes.ts';
import type { NodeStore } from './node-store.ts';

export class HoleWait {
  readonly #store: NodeStore;
  readonly #waitMs: number;

  /** `waitMs`: HOLE_WAIT_MS where nobody said one. */
  constructor(store: NodeStore, waitMs: number = HOLE_WAIT_MS) {
    this.#store = store;
    this.#waitMs = waitMs;
  }

  /** Closes what has waited long enough. Called after every step. */
  pump(): void {
    const { nowMs, ends } = this.#store;
    const { aboveHoles } = ends;
    if (aboveHoles.isIdle) return;
    for (const handle of [...aboveHoles.handles]) {
      try {
        this.close(handle, ({ sinceMs }) => sinceMs + this.#waitMs <= nowMs);
      } catch (error) {
        // Too much waits for the disk: when that is done there is another step.
        if (!hasCode(error, 'BUSY') && !hasCode(error, 'QUEUE_FULL')) throw error;
        return;
      }
    }
  }

  get wakeAtMs(): number | undefined {
    const { ends, nowMs } = this.#store;
    const { aboveHoles, destinations } = ends;
    if (aboveHoles.isIdle) return undefined;
    const times: number[] = [];
    for (const handle of aboveHoles.handles)
      for (const { sinceMs } of destinations.get(handle)?.holes ?? []) times.push(sinceMs + this.#waitMs);
    // What is due and could not be closed is tried again with the next step.
    return earliest(...times.filter((atMs) => atMs > nowMs));
  }

  /** Milliseconds until a hole is closed. */
  leftMs({ sinceMs }: Hole): number {
    return Math.max(0, sinceMs + this.#waitMs - this.#store.nowMs);
  }

  /** Gives holes of a stream up; `done` when that is durable, not at all where there are none. Returns how many numbers are missing now. @throws BUSY, QUEUE_FULL */
  close(handle: number, isGivenUp: (hole: Hole) => boolean, done: WhenDurable = () => {}): number {
    const store = this.#store;
    const before = store.ends.destinations.get(handle);
    if (before === undefined || !before.holes.some(isGivenUp)) return 0;
    const { numbers, missing, forgotten } = withClosed(before, isGivenUp);
    const after = { ...before, ...numbers };
    const count = countOf(missing);
    const account = store.planLosses([lossOf(handle, 'MISSING', missing)]);
    const metas = [destinationChange(handle, after), ...account.changes];
    // In a full ring what lies above would never leave it.
    store.commit({ metas, room: 'overdraft' }, done);
    store.ends.destinations.set(handle, after);
    account.settle();
    store.forgottenCount += forgotten;
    return count;
  }
}

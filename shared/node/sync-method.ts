/**
 * The two ways to have a write on the medium before it is answered, and which of them this medium does faster.
 *
 *   dsync      one write(2) on a descriptor opened with O_DSYNC: one call; where the device can, one write with FUA and no flush
 *   fdatasync  write(2) on a plain descriptor, then fdatasync(2): two calls, a flush of the device's cache
 *
 * The first writes take turns; then one of them stays, for as long as the file is open: fdatasync only where it is clearly quicker,
 * since in the thread pool its two calls are two hops.
 */
export type SyncMethod = 'dsync' | 'fdatasync';

/** Writes measured per way. */
const SAMPLE_COUNT = 8;
/** Median of fdatasync, as a part of that of dsync, at which it is clearly quicker. */
const CLEARLY = 0.8;

export class SyncMethodChoice {
  readonly #ms: Record<SyncMethod, number[]> = { dsync: [], fdatasync: [] };
  #chosen: SyncMethod | undefined;

  /** `only`: the one way that there is. */
  constructor(only?: SyncMethod) {
    this.#chosen = only;
  }

  /** Undefined while it is being measured. */
  get chosen(): SyncMethod | undefined {
    return this.#chosen;
  }

  /** For the next write. */
  get next(): SyncMethod {
    if (this.#chosen !== undefined) return this.#chosen;
    return this.#ms.dsync.length <= this.#ms.fdatasync.length ? 'dsync' : 'fdatasync';
  }

  /** A write, done as `next` said, took so long. */
  took(ms: number): void {
    if (this.#chosen !== undefined) return;
    this.#ms[this.next].push(ms);
    const { dsync, fdatasync } = this.#ms;
    if (fdatasync.length < SAMPLE_COUNT) return;
    this.#chosen = median(fdatasync) < CLEARLY * median(dsync) ? 'fdatasync' : 'dsync';
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

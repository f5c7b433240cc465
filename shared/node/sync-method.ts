/**
 * The two ways to have a write on the medium before it is answered, and which of them this medium does faster.
 *
 *   dsync      one write(2) on a descriptor opened with O_DSYNC: one call; where the device can, one write with FUA and no flush
 *   fdatasync  write(2) on a plain descriptor, then fdatasync(2): two calls, a flush of the device's cache
 *
 * The first writes take turns; then the one with the lower median stays, for as long as the file is open.
 */
export type SyncMethod = 'dsync' | 'fdatasync';

/** Writes measured per way. An opening does three by itself. */
const SAMPLE_COUNT = 4;

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
    this.#chosen = median(dsync) <= median(fdatasync) ? 'dsync' : 'fdatasync';
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
}

/**
 * Finds XON and XOFF (11, 13) in what a serial line gives: a driver or a bridge that should strip them does not, or one that speaks
 * software flow control holds the other side up.
 *
 *   00 │ 11 11 …     two or more behind a delimiter: no packet begins so. The code byte 11 would promise a header, and there is none
 *                    of 11 or 13 (docs/link.md 2)
 *   64 in a row      anywhere: what a stuck flow control sends
 *
 * A single one cannot be told from data.
 */
const XON = 0x11;
const XOFF = 0x13;
/** Length of a run from which on it counts, in bytes. */
export const RUN_BYTES_BEHIND_ZERO = 2;
export const RUN_BYTES_ANYWHERE = 64;

export class FlowControlRuns {
  /** Runs found so far. */
  count = 0;
  #runBytes = 0;
  #place: 'behind zero' | 'within' = 'within';

  /** Each run counts once, however long and however it is cut into chunks. */
  push(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte === XON || byte === XOFF) {
        this.#runBytes += 1;
        const limit = this.#place === 'behind zero' ? RUN_BYTES_BEHIND_ZERO : RUN_BYTES_ANYWHERE;
        if (this.#runBytes === limit) this.count += 1;
      } else {
        this.#runBytes = 0;
        this.#place = byte === 0 ? 'behind zero' : 'within';
      }
    }
  }
}

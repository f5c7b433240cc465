/** Lets words through to the log as long as they are few: a noisy line must not fill a disk. */

const BURST_MAX = 10;
const REFILL_MS = 1_000;
/** Characters of one line of text from outside. */
const TEXT_LENGTH_MAX = 200;

export class LogValve {
  #tokens = BURST_MAX;
  #filledAtMs: number | undefined;
  #heldBack = 0;

  /** The text to log, with how many were held back before it; undefined when it is one too many. */
  pass(text: string, nowMs: number): string | undefined {
    const sinceMs = nowMs - (this.#filledAtMs ?? nowMs);
    const refilled = Math.floor(sinceMs / REFILL_MS);
    this.#filledAtMs = (this.#filledAtMs ?? nowMs) + refilled * REFILL_MS;
    this.#tokens = Math.min(BURST_MAX, this.#tokens + refilled);
    if (this.#tokens === 0) {
      this.#heldBack += 1;
      return undefined;
    }
    this.#tokens -= 1;
    const note = this.#heldBack === 0 ? '' : ` (${this.#heldBack} lines before this one held back)`;
    this.#heldBack = 0;
    return text + note;
  }
}

/** Bytes from outside as one line of printable ASCII. */
export function printable(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes.subarray(0, TEXT_LENGTH_MAX)) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  return bytes.length > TEXT_LENGTH_MAX ? `${text} …` : text;
}

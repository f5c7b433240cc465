/** The META values of a ring: newest wins, always live. Oldest first in iteration, so that cleaning finds what lies at the tail. */
import { metaBytes } from './entry-layout.ts';

export class MetaTable {
  readonly #values = new Map<string, { value: Uint8Array; lsn: number }>();
  #bytes = 0;

  /** Bytes the live entries take in a directory. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): Uint8Array | undefined {
    return this.#values.get(key)?.value;
  }

  /** LSN of the frame that holds the newest value. */
  lsnOf(key: string): number | undefined {
    return this.#values.get(key)?.lsn;
  }

  set(key: string, value: Uint8Array | undefined, lsn: number): void {
    const old = this.#values.get(key);
    if (old !== undefined) {
      this.#bytes -= metaBytes(key, old.value);
      this.#values.delete(key);
    }
    if (value === undefined) return;
    // It lives long, and may be a part of something larger.
    this.#values.set(key, { value: value.slice(), lsn });
    this.#bytes += metaBytes(key, value);
  }

  /** Every key that begins with `prefix`, with its value. */
  *withPrefix(prefix: string): Generator<[string, Uint8Array]> {
    for (const [key, { value }] of this.#values) if (key.startsWith(prefix)) yield [key, value];
  }
}

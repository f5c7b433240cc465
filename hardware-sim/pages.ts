/**
 * Bytes of a fixed number, of which copies cost next to nothing: they share pages until one of them is written to. The images of one
 * disk, and of disks made from it, are nearly the same.
 *
 *   copy() ──▶ both have the same pages, neither owns any ──set──▶ the pages written to are replaced by own ones first
 */
import { invariant } from '../shared/assert.ts';

const PAGE_BYTES = 4096;
const ZEROS = new Uint8Array(PAGE_BYTES);

export class Pages {
  readonly bytes: number;
  /** The last one is as long as the others. */
  readonly #pages: Uint8Array[];
  /** Pages that nobody shares. */
  readonly #own = new Set<number>();

  /** Zeros, unless these pages are given. */
  constructor(bytes: number, pages: Uint8Array[] = new Array<Uint8Array>(Math.ceil(bytes / PAGE_BYTES)).fill(ZEROS)) {
    this.bytes = bytes;
    this.#pages = pages;
  }

  static of(image: Uint8Array): Pages {
    const pages = new Pages(image.length);
    pages.set(image, 0);
    return pages;
  }

  copy(): Pages {
    this.#own.clear();
    return new Pages(this.bytes, this.#pages.slice());
  }

  set(bytes: Uint8Array, offset: number): void {
    this.#check(offset, bytes.length);
    for (let done = 0; done < bytes.length; ) {
      const at = (offset + done) % PAGE_BYTES;
      const part = bytes.subarray(done, done + PAGE_BYTES - at);
      this.#owned((offset + done - at) / PAGE_BYTES).set(part, at);
      done += part.length;
    }
  }

  read(offset: number, into: Uint8Array): void {
    this.#check(offset, into.length);
    for (let done = 0; done < into.length; ) {
      const at = (offset + done) % PAGE_BYTES;
      const page = this.#page((offset + done - at) / PAGE_BYTES);
      const part = page.subarray(at, at + into.length - done);
      into.set(part, done);
      done += part.length;
    }
  }

  /** A copy of its own. */
  slice(offset = 0, end = this.bytes): Uint8Array {
    const bytes = new Uint8Array(end - offset);
    this.read(offset, bytes);
    return bytes;
  }

  #page(index: number): Uint8Array {
    return this.#pages[index] ?? ZEROS;
  }

  #owned(index: number): Uint8Array {
    if (this.#own.has(index)) return this.#page(index);
    const page = this.#page(index).slice();
    this.#pages[index] = page;
    this.#own.add(index);
    return page;
  }

  #check(offset: number, bytes: number): void {
    invariant(offset >= 0 && offset + bytes <= this.bytes, `${bytes} bytes at ${offset} of ${this.bytes}`);
  }
}

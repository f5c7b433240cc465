/** Two ends of a perfect line inside this process: what one writes the other hears, later and whole. Both close together. */

import { invariant } from '../shared/assert.ts';
import type { Line, LineListener } from '../shared/ports.ts';

/** Bytes that wait to be heard, at most. More is a mistake of the program: nobody listens at the other end. */
const UNHEARD_BYTES_MAX = 65_536;

export function linePair(): [Line, Line] {
  const a = new PairEnd();
  const b = new PairEnd();
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class PairEnd implements Line {
  peer: PairEnd | undefined;
  #listener: LineListener | undefined;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  /** `ended`: it will be reported; `reported`: it was. */
  #state: 'open' | 'ended' | 'reported' = 'open';
  #reason = '';

  write(bytes: Uint8Array): number {
    if (this.#state === 'open') this.peer?.hear(bytes.slice());
    return 0;
  }

  /** What the other end wrote and nobody heard yet is lost, as in a cable that is pulled. */
  close(): void {
    this.end('closed');
    this.#inbox = [];
    this.peer?.end('closed by the other end');
  }

  listen(listener: LineListener): void {
    invariant(this.#listener === undefined, 'a line has one listener');
    this.#listener = listener;
    queueMicrotask(() => this.#report(listener));
  }

  hear(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#inboxBytes += bytes.length;
    invariant(this.#inboxBytes <= UNHEARD_BYTES_MAX, 'nobody listens at the other end');
    this.#inbox.push(bytes);
    this.#wake();
  }

  end(reason: string): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    this.#reason = reason;
    this.#wake();
  }

  #wake(): void {
    const listener = this.#listener;
    if (listener !== undefined) queueMicrotask(() => this.#report(listener));
  }

  #report(listener: LineListener): void {
    for (let bytes = this.#inbox.shift(); bytes !== undefined; bytes = this.#inbox.shift()) {
      this.#inboxBytes -= bytes.length;
      listener.onBytes(bytes);
    }
    if (this.#state !== 'ended') return;
    this.#state = 'reported';
    listener.onClosed(this.#reason);
  }
}

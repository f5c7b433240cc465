/**
 * A batch that is planned in parts and may still be refused as a whole. Each part moves counters in memory, so that the next one
 * goes on from there; when the whole is refused they all go back, newest first.
 *
 *   closed ──open──▶ open ──keep──▶ closed          the batch is appended: the ring knows what it needs
 *                     └─────undo──▶ closed          nothing was
 *
 * What the parts need and free is told to those who judge the next one's room (message-room.ts): the ring sees a batch as a whole.
 */
import { invariant } from '../assert.ts';
import type { Queue } from '../queue/queues.ts';

export class Draft {
  #steps: (() => void)[] | undefined;
  /** Bytes of the ring that its messages will take. */
  ringBytes = 0;
  readonly #freed = new Map<Queue, number>();

  open(): void {
    invariant(this.#steps === undefined, 'one draft at a time');
    this.#steps = [];
  }

  get isOpen(): boolean {
    return this.#steps !== undefined;
  }

  /** How to take back a change that was made just now. Outside of a draft nothing is ever taken back. */
  note(back: () => void): void {
    this.#steps?.push(back);
  }

  /** A message of the batch. */
  takes(ringBytes: number): void {
    if (this.#steps !== undefined) this.ringBytes += ringBytes;
  }

  /** A leased message that ends in the batch, or leaves its queue: its place there is free for what the batch brings. */
  frees(queue: Queue, bytes: number): void {
    if (this.#steps !== undefined) this.#freed.set(queue, this.freedIn(queue) + bytes);
  }

  freedIn(queue: Queue): number {
    return this.#freed.size === 0 ? 0 : (this.#freed.get(queue) ?? 0);
  }

  keep(): void {
    this.#close();
  }

  undo(): void {
    for (const back of this.#close().reverse()) back();
  }

  #close(): (() => void)[] {
    const steps = this.#steps;
    invariant(steps !== undefined, 'a draft is open');
    this.#steps = undefined;
    this.ringBytes = 0;
    this.#freed.clear();
    return steps;
  }
}

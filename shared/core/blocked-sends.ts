/** Sends that wait for room in a queue, in order of arrival; bounded in number and in bytes over all queues. */
import { RingmailError } from '../errors.ts';
import { BLOCKED_BYTES_MAX, BLOCKED_COUNT_MAX } from '../limits.ts';
import type { Call } from './calls.ts';

export type SendCall = Call & { readonly verb: 'send' };

export interface BlockedSend {
  readonly token: number;
  readonly call: SendCall;
  readonly deadlineMs: number;
  /** What it is told when it has waited long enough. */
  refusal: RingmailError;
}

export class BlockedSends {
  readonly #byQueue = new Map<string, BlockedSend[]>();
  #count = 0;
  #bytes = 0;

  /** @throws BUSY when too many wait already */
  add(queue: string, send: BlockedSend): void {
    const bytes = send.call.body.length;
    if (this.#count >= BLOCKED_COUNT_MAX)
      throw new RingmailError('BUSY', { pending: this.#count, pendingMax: BLOCKED_COUNT_MAX });
    if (this.#bytes + bytes > BLOCKED_BYTES_MAX) {
      throw new RingmailError('BUSY', { pending: this.#bytes, pendingMax: BLOCKED_BYTES_MAX });
    }
    const list = this.#byQueue.get(queue);
    if (list === undefined) this.#byQueue.set(queue, [send]);
    else list.push(send);
    this.#count += 1;
    this.#bytes += bytes;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Who waits longest for this queue. */
  first(queue: string): BlockedSend | undefined {
    return this.#byQueue.get(queue)?.[0];
  }

  /** Takes out those that match, in order of arrival. */
  take(matches: (send: BlockedSend) => boolean): BlockedSend[] {
    const taken: BlockedSend[] = [];
    if (this.#count === 0) return taken;
    for (const [queue, list] of this.#byQueue) {
      const left = list.filter((send) => {
        if (!matches(send)) return true;
        taken.push(send);
        return false;
      });
      if (left.length === 0) this.#byQueue.delete(queue);
      else if (left.length < list.length) this.#byQueue.set(queue, left);
    }
    this.#count -= taken.length;
    this.#bytes -= taken.reduce((bytes, { call }) => bytes + call.body.length, 0);
    return taken;
  }

  countIn(queue: string): number {
    return this.#byQueue.get(queue)?.length ?? 0;
  }

  /** Names of the queues that somebody waits for. */
  queues(): string[] {
    return [...this.#byQueue.keys()];
  }

  get nextDeadlineMs(): number | undefined {
    let next: number | undefined;
    for (const list of this.#byQueue.values()) {
      for (const { deadlineMs } of list) if (next === undefined || deadlineMs < next) next = deadlineMs;
    }
    return next;
  }
}

/** A request on its way to the disk, and those who asked the same meanwhile: they are told what it is told. */
import { RingmailError } from '../errors.ts';
import { REPEAT_WAITING_COUNT_MAX } from '../limits.ts';
import type { CallResult } from './calls.ts';

export class OnItsWay {
  /** What it is answered once it is durable. */
  readonly result: CallResult;
  readonly #tokens: number[] = [];

  constructor(result: CallResult) {
    this.result = result;
  }

  /** @throws BUSY */
  join(token: number): void {
    const pending = this.#tokens.length;
    if (pending >= REPEAT_WAITING_COUNT_MAX) {
      throw new RingmailError('BUSY', { pending, pendingMax: REPEAT_WAITING_COUNT_MAX });
    }
    this.#tokens.push(token);
  }

  /** Once, when its frame is durable, or will never be. */
  takeTokens(): number[] {
    return this.#tokens.splice(0);
  }
}

/** Where several things are done in one frame, and where one asks what became of a frame. */
import type { Call } from './calls.ts';
import type { DeskParts } from './desk-shell.ts';
import type { ReceiveDesk } from './receive-desk.ts';

export class CommitDesk {
  readonly #parts: DeskParts;
  readonly #receives: ReceiveDesk;

  constructor(parts: DeskParts, receives: ReceiveDesk) {
    this.#parts = parts;
    this.#receives = receives;
  }

  call(_token: number, call: Call & { readonly verb: 'commit' | 'outcome' | 'retireProducer' }): void {
    throw new Error(`not built yet: ${call.verb} of ${this.#parts.store.self.name} ${this.#receives.wakeAtMs}`);
  }

  /** Goes on with transactions whose messages are being read. */
  pump(): void {}

  cancel(_token: number): void {}
}

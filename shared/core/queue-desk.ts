/** Where queues are made, changed, emptied and deleted. */
import type { Call } from './calls.ts';
import type { DeskParts } from './desk-shell.ts';

export class QueueDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  call(
    _token: number,
    call: Call & { readonly verb: 'createQueue' | 'setQueue' | 'deleteQueue' | 'queues' | 'purge' | 'move' },
  ): void {
    throw new Error(`not built yet: ${call.verb} of ${this.#parts.store.self.name}`);
  }

  /** Goes on with what takes more than one frame. */
  pump(): void {}

  get wakeAtMs(): number | undefined {
    return undefined;
  }
}

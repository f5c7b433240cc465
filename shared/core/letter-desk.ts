/** Where dead letters become messages again. */
import type { Call } from './calls.ts';
import type { DeskParts } from './desk-shell.ts';

export class LetterDesk {
  readonly #parts: DeskParts;

  constructor(parts: DeskParts) {
    this.#parts = parts;
  }

  redrive(_token: number, call: Call & { readonly verb: 'redrive' }): void {
    throw new Error(`not built yet: ${call.verb} of ${this.#parts.store.self.name}`);
  }

  pump(): void {}
}

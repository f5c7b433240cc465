/** What is known of a device: asked of the node, answered at once from its own disk (docs/routes.md, section 8). */
import { DigestBook } from '../custody/digest-book.ts';
import { RingmailError } from '../errors.ts';
import { isName } from '../message/address.ts';
import type { Call } from './calls.ts';
import type { DeskParts } from './desk-shell.ts';
import { ledgerOf } from './ledger.ts';

export class LedgerDesk {
  readonly #parts: DeskParts;
  readonly #book: DigestBook;

  constructor(parts: DeskParts) {
    this.#parts = parts;
    this.#book = new DigestBook(parts.store);
  }

  /** @throws NAME_INVALID */
  call(token: number, { node }: Call & { readonly verb: 'ledger' }): void {
    if (!isName(node)) throw new RingmailError('NAME_INVALID', { name: node, reason: 'node: [a-z0-9][a-z0-9_-]{0,62}' });
    const { shell, store } = this.#parts;
    shell.answer(token, { kind: 'ledger', ledger: ledgerOf(store, node, this.#book) });
  }
}

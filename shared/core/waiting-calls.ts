/**
 * Calls that cannot be done before something has been read from the ring. They are tried again after every step, in their order:
 *
 *   begin ──tried──▶ done                        its own answer
 *             │ not yet
 *             ▼
 *           waits ──pump, tried──▶ done, or refused: answered with the error
 *             ├─ cancel ─▶ forgotten: nobody waits for the answer
 *             └─ close ──▶ NODE_STOPPED: nothing of it was done
 */
import { RingmailError } from '../errors.ts';
import type { DeskShell } from './desk-shell.ts';

export class WaitingCalls<C> {
  readonly #shell: DeskShell;
  readonly #tryOut: (token: number, call: C) => boolean;
  #waiting: { readonly token: number; readonly call: C }[] = [];

  /** `tryOut`: does it, or changes nothing and says false. It may throw what refuses the call; then nothing was changed either. */
  constructor(shell: DeskShell, tryOut: (token: number, call: C) => boolean) {
    this.#shell = shell;
    this.#tryOut = tryOut;
  }

  get count(): number {
    return this.#waiting.length;
  }

  /** `mayWait` throws when there is no place for another one. @throws what refuses it; then nothing was changed */
  begin(token: number, call: C, mayWait: (others: readonly C[]) => void): void {
    if (this.#tryOut(token, call)) return;
    mayWait(this.#waiting.map((one) => one.call));
    this.#waiting.push({ token, call });
  }

  pump(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) {
      try {
        if (!this.#tryOut(one.token, one.call)) this.#waiting.push(one);
      } catch (error) {
        if (!(error instanceof RingmailError)) throw error;
        this.#shell.answer(one.token, { kind: 'error', error });
      }
    }
  }

  cancel(token: number): void {
    this.#waiting = this.#waiting.filter((one) => one.token !== token);
  }

  close(): void {
    const error = new RingmailError('NODE_STOPPED', { reason: 'closing' });
    for (const { token } of this.#waiting.splice(0)) this.#shell.answer(token, { kind: 'error', error });
  }
}

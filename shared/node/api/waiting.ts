/** One request under way. Most of them never wait: a signal is made when somebody asks for it. */
export class Waiting {
  #controller: AbortController | undefined;
  #ended: { readonly reason: unknown } | undefined;

  /** Aborted when nobody waits for the answer any more; with a coded error as its reason when that is still to be told. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    }
    return this.#controller.signal;
  }

  /** The first one counts. */
  abort(reason?: unknown): void {
    this.#ended ??= { reason };
    this.#controller?.abort(reason);
  }
}

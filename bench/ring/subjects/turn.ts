/**
 * Group commit for a store without one: whatever is asked for in one turn of the event loop is committed together at its end, and
 * whatever comes while a commit is on its way rides the next one.
 */

export interface Waiting<T> {
  readonly change: T;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Turn<T> {
  readonly #commit: (changes: readonly Waiting<T>[]) => void | Promise<void>;
  #waiting: Waiting<T>[] = [];
  #state: 'idle' | 'scheduled' | 'committing' = 'idle';
  readonly #end = () => void this.#run();

  /** `commit` makes all of the changes durable in one go. */
  constructor(commit: (changes: readonly Waiting<T>[]) => void | Promise<void>) {
    this.#commit = commit;
  }

  add(change: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#state !== 'idle' || this.#waiting.length === 0) return;
    this.#state = 'scheduled';
    setImmediate(this.#end);
  }

  #run(): void {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#state = 'committing';
    const done = () => {
      this.#state = 'idle';
      for (const { resolve } of taken) resolve();
      this.#schedule();
    };
    const fail = (error: unknown) => {
      this.#state = 'idle';
      for (const { reject } of taken) reject(error);
    };
    try {
      const pending = this.#commit(taken);
      if (pending === undefined) done();
      else pending.then(done, fail);
    } catch (error) {
      fail(error);
    }
  }
}

/**
 * Who waits for an answer, by the token of his call. Tokens ascend, so a call has its place in a fixed list, and whoever still waits when
 * its turn comes again is moved to a map.
 *
 * Not all of them in a map: V8's grows a new table for every few calls that come and go, and the old one leads to the new one. One that
 * had to outlive a collection keeps all that came after it, and that was a fifth of what sends allocate.
 */
import type { CallResult } from './calls.ts';

export type Then = (result: CallResult) => void;

/** More calls than are open at once as a rule, unless they wait for something. */
const PLACES = 1024;

export class OpenCalls {
  readonly #thens = new Array<Then | undefined>(PLACES).fill(undefined);
  /** By place. */
  readonly #tokens = new Float64Array(PLACES);
  readonly #longer = new Map<number, Then>();
  #nextToken = 1;

  /** A token that no other call of this list has. */
  add(then: Then): number {
    const token = this.takeToken();
    const place = token % PLACES;
    const before = this.#thens[place];
    if (before !== undefined) this.#longer.set(this.#tokens[place] ?? 0, before);
    this.#thens[place] = then;
    this.#tokens[place] = token;
    return token;
  }

  /** One for a call whose answer nobody waits for. */
  takeToken(): number {
    return this.#nextToken++;
  }

  has(token: number): boolean {
    return this.#at(token) !== undefined || this.#longer.has(token);
  }

  /** Who waits for this answer, and does no more; undefined where nobody does. */
  take(token: number): Then | undefined {
    const then = this.#at(token);
    if (then !== undefined) {
      this.#thens[token % PLACES] = undefined;
      return then;
    }
    const longer = this.#longer.get(token);
    if (longer !== undefined) this.#longer.delete(token);
    return longer;
  }

  /** All of them, in the order of their calls. */
  takeAll(): Then[] {
    const open = new Map(this.#longer);
    for (const [place, then] of this.#thens.entries()) if (then !== undefined) open.set(this.#tokens[place] ?? 0, then);
    this.#thens.fill(undefined);
    this.#longer.clear();
    return [...open].sort(([a], [b]) => a - b).map(([, then]) => then);
  }

  #at(token: number): Then | undefined {
    const place = token % PLACES;
    return this.#tokens[place] === token ? this.#thens[place] : undefined;
  }
}

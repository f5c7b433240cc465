/** What is searched: states as rows of whole numbers, what may happen in each, and what must hold. */

export interface World {
  readonly name: string;
  /** Numbers of a state. */
  readonly width: number;
  start(): Int32Array;
  /** Everything that may happen next. `visit` keeps neither of its arguments; some of it may change nothing. */
  successors(state: Int32Array, visit: (next: Int32Array, action: string) => void): void;
  /** What is broken in a state, or undefined. */
  check(state: Int32Array): string | undefined;
  /** What does not come to its end from here, although nothing goes wrong any more. Undefined: all arrives. */
  stalls(state: Int32Array): string | undefined;
  /** The same actions in words that mean the same in any run. */
  portable(actions: readonly string[]): string[];
  /** Plays portable actions from the start, one after the other, on nodes of their own. @throws Error where one cannot be */
  play(actions: readonly string[]): Iterable<Played>;
  /** For people: what it cost. */
  readonly cost: { readonly localStates: number; readonly coreSteps: number; readonly retraced: number };
}

export interface Played {
  readonly text: string;
  /** What is broken here. */
  readonly wrong: string | undefined;
  /** As `World.stalls`, from here. */
  readonly stalls: () => string | undefined;
}

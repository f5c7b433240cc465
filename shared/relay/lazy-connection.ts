/**
 * When an uplink that is not always connected has to be (docs/mqtt.md, section 1).
 *
 *   beginning ───────────────────────────────────────────────┐
 *               something waits, or checkEveryMs are over     ▼
 *   resting ──────────────────────────────────────────────▶ wanted
 *      ▲                                                     │ until it was up, nothing waits, and nothing came for idleMs
 *      └─────────────────────────────────────────────────────┘
 *
 * What is wanted stays wanted until it was up: a connection that fails is not given up, and the first one shows whether it can be had.
 */
import type { Wanted } from '../ports.ts';

export interface Laziness {
  readonly idleMs: number;
  readonly checkEveryMs: number;
}

type State =
  | { readonly at: 'beginning' }
  | { readonly at: 'resting'; readonly untilMs: number }
  /** `idleSinceMs`: undefined while it is down, or something waits. */
  | { readonly at: 'wanted'; readonly connection: 'up' | 'down'; readonly idleSinceMs: number | undefined };

export class LazyConnection {
  readonly #limits: Laziness;
  #state: State = { at: 'beginning' };

  constructor(limits: Laziness) {
    this.#limits = limits;
  }

  get isResting(): boolean {
    return this.#state.at === 'resting';
  }

  up(): void {
    if (this.#state.at === 'wanted') this.#state = { at: 'wanted', connection: 'up', idleSinceMs: undefined };
  }

  down(): void {
    if (this.#state.at === 'wanted') this.#state = { at: 'wanted', connection: 'down', idleSinceMs: undefined };
  }

  /** Something came: there may be more. */
  heard(nowMs: number): void {
    if (this.#state.at === 'wanted' && this.#state.idleSinceMs !== undefined)
      this.#state = { ...this.#state, idleSinceMs: nowMs };
  }

  /** What is wanted from now on; undefined: what was. Call after every step. */
  pump(load: 'something-waits' | 'nothing-waits', nowMs: number): Wanted | undefined {
    const state = this.#state;
    if (state.at !== 'wanted') {
      if (state.at === 'resting' && load === 'nothing-waits' && nowMs < state.untilMs) return undefined;
      this.#state = { at: 'wanted', connection: 'down', idleSinceMs: undefined };
      return 'connected';
    }
    if (state.connection === 'down') return undefined;
    const idleSinceMs = load === 'something-waits' ? undefined : (state.idleSinceMs ?? nowMs);
    if (idleSinceMs === undefined || nowMs < idleSinceMs + this.#limits.idleMs) {
      this.#state = { ...state, idleSinceMs };
      return undefined;
    }
    this.#state = { at: 'resting', untilMs: nowMs + this.#limits.checkEveryMs };
    return 'apart';
  }

  /** When `pump` is wanted even if nothing happens. */
  get wakeAtMs(): number | undefined {
    if (this.#state.at === 'resting') return this.#state.untilMs;
    if (this.#state.at === 'beginning') return undefined;
    return this.#state.idleSinceMs === undefined ? undefined : this.#state.idleSinceMs + this.#limits.idleMs;
  }
}

/** Carries out a plan of outages: breaks what is named at its time, mends it after its time, and counts what really happened. */

import type { Outage, OutageTarget } from './hall-outages.ts';

/** Something that can be gone from one instant to the next, and come back. */
export interface Breakable {
  readonly name: string;
  /** Done when it is gone. `was down`: it was not there anyway, so nothing happened. */
  break(): Promise<'broken' | 'was down'>;
  /** Done when it is back, or on its way. Resolves to words on what is different now; empty when nothing is. */
  mend(): Promise<string>;
}

export interface BreakerOptions {
  /** What there is of each kind. An outage of a kind that is not here does not happen. */
  readonly breakables: Partial<Record<OutageTarget, readonly Breakable[]>>;
  /** Told of every break and every mending, in words for people. */
  readonly onEvent: (text: string) => void;
  /** Something could not be broken or mended. */
  readonly onFailure: (text: string) => void;
}

export class Breaker {
  /** Outages that happened. */
  count = 0;
  /** Names of what is out now. */
  readonly out = new Set<string>();
  readonly #options: BreakerOptions;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** The plan's times count from now. */
  begin(plan: readonly Outage[]): void {
    for (const outage of plan) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        const running = this.#carryOut(outage).finally(() => this.#running.delete(running));
        this.#running.add(running);
      }, outage.atMs);
      this.#timers.add(timer);
    }
  }

  /** No further ones. Resolves when everything that is out is back. */
  async end(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all(this.#running);
  }

  /** Never rejects. */
  async #carryOut(outage: Outage): Promise<void> {
    const { breakables, onEvent, onFailure } = this.#options;
    const victim = breakables[outage.target]?.[outage.index];
    if (victim === undefined) return;
    try {
      if ((await victim.break()) === 'was down') return;
      this.count += 1;
      this.out.add(victim.name);
      onEvent(`${victim.name}: out for ${(outage.lastsMs / 1000).toFixed(1)} s`);
      await new Promise((resolve) => setTimeout(resolve, outage.lastsMs));
      const words = await victim.mend();
      onEvent(`${victim.name}: back${words === '' ? '' : `, ${words}`}`);
    } catch (error) {
      onFailure(`${victim.name}: ${String(error)}`);
    } finally {
      this.out.delete(victim.name);
    }
  }
}

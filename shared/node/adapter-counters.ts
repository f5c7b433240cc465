/** What the adapters of a node have counted, over all their lines: one place where they put it and `stats` finds it. */

export type Counts = Readonly<Record<string, number>>;

export class AdapterCounters {
  readonly #adapters = new Map<string, { past: Counts; read: () => Counts }>();

  /**
   * From now on `read` tells what the adapter of this name counts, beginning at 0. What the one before it had counted by now is
   * kept and added.
   */
  watch(name: string, read: () => Counts): void {
    this.#adapters.set(name, { past: this.#total(name), read });
  }

  /** By name of the adapter, since the process began. */
  totals(): Record<string, Counts> {
    return Object.fromEntries([...this.#adapters.keys()].map((name) => [name, this.#total(name)]));
  }

  #total(name: string): Counts {
    const adapter = this.#adapters.get(name);
    if (adapter === undefined) return {};
    const total: Record<string, number> = { ...adapter.past };
    for (const [key, count] of Object.entries(adapter.read())) total[key] = (total[key] ?? 0) + count;
    return total;
  }
}

/** The retained messages of a simulated broker, and what they were before: a store that crashes or fails over shows old ones again. */

import { topicMatches } from '../shared/message/topic-filter.ts';
import type { Publish } from '../shared/ports.ts';

/** Changes remembered, at most. */
const CHANGES_MAX = 256;

interface Change {
  readonly topic: string;
  /** What was retained; undefined: nothing. */
  readonly before: Publish | undefined;
}

export class SimRetained {
  readonly #present = new Map<string, Publish>();
  /** Oldest first. */
  #changes: Change[] = [];

  /** An empty payload takes away what is retained. */
  set(publish: Publish): void {
    const { topic, payload } = publish;
    this.#changes.push({ topic, before: this.#present.get(topic) });
    if (this.#changes.length > CHANGES_MAX) this.#changes.shift();
    if (payload.length > 0) this.#present.set(topic, publish);
    else this.#present.delete(topic);
  }

  matching(filters: readonly string[]): Publish[] {
    return [...this.#present.values()].filter(({ topic }) => isWanted(filters, topic));
  }

  /** What was once retained and is not any more, oldest first. */
  ghosts(filters: readonly string[]): Publish[] {
    const before = this.#changes.map((change) => change.before);
    return before.filter((old): old is Publish => old !== undefined && isWanted(filters, old.topic));
  }

  /** As it was `count` changes ago, or as many as are remembered. Returns how many were undone. */
  rollBack(count: number): number {
    const from = Math.max(0, this.#changes.length - count);
    const undone = this.#changes.splice(from);
    for (const { topic, before } of undone.reverse()) {
      if (before === undefined) this.#present.delete(topic);
      else this.#present.set(topic, before);
    }
    return undone.length;
  }

  clear(): void {
    this.#present.clear();
    this.#changes = [];
  }
}

function isWanted(filters: readonly string[], topic: string): boolean {
  return filters.some((filter) => topicMatches(filter, topic));
}

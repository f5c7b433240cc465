/**
 * Messages that are wanted by their place or by name: which one a selector leads to, and who still waits for one. A node that hands out
 * in order alone has none of it (no-desk.ts).
 */
import type { NodeStore } from '../custody/node-store.ts';
import { RingmailError } from '../errors.ts';
import { parseIdentity } from '../message/identity.ts';
import type { Queue } from '../queue/queues.ts';
import { checkSelector, type Selector } from '../queue/selector.ts';
import { Correlations } from './correlations.ts';
import { type Found, NamedSearch, type Searcher } from './named-search.ts';
import { type Fits, select } from './selection.ts';
import type { QueueWaits, Waiting } from './waiting-receives.ts';

export interface SeekingParts {
  readonly store: NodeStore;
  /** Hands out or shows a message, and takes who wanted it off the list, unless it is `not-yet`. */
  readonly found: (waiting: Waiting, slot: number) => Found;
  /** All was looked at that is there. */
  readonly ended: (waiting: Waiting) => void;
}

export class Seeking {
  readonly #searcher: Searcher;
  readonly #searches = new Map<string, NamedSearch>();

  constructor(parts: SeekingParts) {
    this.#searcher = { ...parts, correlations: new Correlations(parts.store) };
  }

  /** @throws PROPERTY_INVALID for what leads nowhere */
  check(selector: Selector): void {
    checkSelector(selector);
    if (selector.by === 'identity' && parseIdentity(selector.identity) === undefined) {
      throw new RingmailError('PROPERTY_INVALID', { property: 'select', reason: 'not an identity' });
    }
  }

  /** The message that is meant, or NO_SLOT. Who wants a correlation id wants it by name, and stands in no line: the first one. */
  place(queue: Queue, selector: Selector, fits: Fits): number {
    return select(this.#searcher.store, queue, selector.by === 'correlationId' ? { by: 'first' } : selector, fits);
  }

  /** Looks for those who want a message by name. `reading`: it goes on when something was read. `more`: at once. */
  pump(queue: Queue, waits: QueueWaits): 'idle' | 'reading' | 'more' {
    if (waits.named.size === 0) return 'idle';
    const search = this.#searches.get(queue.name) ?? new NamedSearch(this.#searcher, queue, waits);
    this.#searches.set(queue.name, search);
    return search.pump();
  }

  /** True while it is not known yet whether its message is there. */
  isLooking(waiting: Waiting): boolean {
    return this.#searches.get(waiting.queue)?.isLooking(waiting) ?? false;
  }

  /** Somebody does not wait any more. `waits`: who still does at this queue. */
  removed(queue: string, waits: QueueWaits | undefined): void {
    if (waits?.named.size || !this.#searches.has(queue)) return;
    this.#searches.get(queue)?.close();
    this.#searches.delete(queue);
    if (this.#searches.size === 0) this.#searcher.correlations.clear();
  }

  /** What somebody wanted who named a message. */
  nameOf(selector: Selector): string | undefined {
    switch (selector.by) {
      case 'lookupId':
        return `lookupId ${selector.lookupId}`;
      case 'identity':
        return `identity ${selector.identity}`;
      case 'correlationId':
        return `correlationId ${selector.correlationId}`;
      default:
        return undefined;
    }
  }
}

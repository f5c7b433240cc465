/**
 * The search for messages that are wanted by name at one queue. What was there when somebody came is looked for once: by the index, or,
 * for a correlation id, in a walk from the front that reads message after message. From then on only what becomes ready is looked at,
 * once for all who wait.
 *
 *   unsought ──in the index──▶ waits ◀──end of the queue── walking
 *        └──correlation id──────────────────────────────────▲ │
 *   found: handed out or shown; there, but not to be handed   │ │ found
 *   out yet: parked until the queue changes ◀────────────────┘─┘
 *
 * A walking search takes what becomes ready before the place it has reached; what is behind it comes in its turn, so the first one in
 * the order of the queue is found.
 */
import type { NodeStore } from '../custody/node-store.ts';
import { FRESH_COUNT_MAX, SEARCH_COUNT_PER_STEP } from '../limits.ts';
import { identityText } from '../message/identity.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import type { Queue } from '../queue/queues.ts';
import type { Place } from '../queue/selector.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import type { Correlation, Correlations } from './correlations.ts';
import { after, isBefore, readyById, select } from './selection.ts';
import type { Named, QueueWaits, Waiting } from './waiting-receives.ts';

/**
 * What becomes of a find. `taken`: who wanted it has it, and nobody else. `kept`: others may have it, too. `not-yet`: it may not be handed
 * out. `gone`: it is for nobody; who wanted it looks for another.
 */
export type Found = 'taken' | 'kept' | 'not-yet' | 'gone';

export interface Searcher {
  readonly store: NodeStore;
  readonly correlations: Correlations;
  /** Hands out or shows a message, and takes who wanted it off the list, unless it is `not-yet`. */
  readonly found: (waiting: Waiting, slot: number) => Found;
  /** All was looked at that is there. */
  readonly ended: (waiting: Waiting) => void;
}

const FRONT: Place = { priority: PRIORITY_MAX, lookupId: 0 };
const ANY = () => true;

export class NamedSearch {
  readonly #searcher: Searcher;
  readonly #waits: QueueWaits;
  readonly #queue: Queue;
  /** Ids of messages that became ready. */
  readonly #fresh = new Set<number>();
  readonly #walks = new Map<number, { readonly named: Named; place: Place }>();

  constructor(searcher: Searcher, queue: Queue, waits: QueueWaits) {
    this.#searcher = searcher;
    this.#queue = queue;
    this.#waits = waits;
    queue.onReady = (slot) => void this.#fresh.add(searcher.store.ring.index.id(slot));
  }

  /** Nobody wants anything by name here any more. */
  close(): void {
    this.#queue.onReady = undefined;
  }

  /** True while it is not known yet whether its message is there. */
  isLooking(waiting: Waiting): boolean {
    return this.#waits.unsought.has(waiting.number) || this.#walks.has(waiting.number);
  }

  /** `reading`: it goes on when something was read. `more`: at once. */
  pump(): 'idle' | 'reading' | 'more' {
    if (this.#fresh.size > FRESH_COUNT_MAX) this.#beginAnew();
    this.#retryParked();
    this.#seek();
    const budget = { left: SEARCH_COUNT_PER_STEP };
    const fresh = this.#lookAtFresh(budget);
    for (const number of this.#walks.keys())
      if (this.#waits.correlatedCount === 0 || !this.#isWanted(number)) this.#walks.delete(number);
    let isReading = fresh === 'reading';
    for (const [number, walk] of this.#walks) {
      if (budget.left <= 0) break;
      const how = this.#walk(walk, budget);
      if (how === 'reading') isReading = true;
      else if (how !== 'more') this.#walks.delete(number);
      if (how === 'ended') this.#searcher.ended(walk.named.waiting);
    }
    if (budget.left <= 0 || this.#waits.unsought.size > 0) return 'more';
    return isReading ? 'reading' : 'idle';
  }

  #isWanted(number: number): boolean {
    const walk = this.#walks.get(number);
    return walk !== undefined && this.#waits.named.get(`c${correlationOf(walk.named)}`)?.get(number) === walk.named;
  }

  #beginAnew(): void {
    this.#fresh.clear();
    this.#walks.clear();
    for (const line of this.#waits.named.values()) {
      for (const named of line.values()) if (named.parkedId === undefined) this.#waits.unsought.set(named.waiting.number, named);
    }
  }

  #retryParked(): void {
    for (const named of this.#waits.parked.values()) {
      const slot = readyById(this.#searcher.store, this.#queue, named.parkedId ?? 0);
      if (slot !== NO_SLOT) this.#offer(named, slot);
      else {
        named.parkedId = undefined;
        this.#waits.parked.delete(named.waiting.number);
        this.#waits.unsought.set(named.waiting.number, named);
      }
    }
  }

  #seek(): void {
    const { store } = this.#searcher;
    const unsought = [...this.#waits.unsought.values()];
    this.#waits.unsought.clear();
    for (const named of unsought) {
      const { select: selector, number } = named.waiting;
      if (selector.by === 'correlationId') {
        this.#walks.set(number, { named, place: FRONT });
        continue;
      }
      const slot = select(store, this.#queue, selector, ANY);
      if (slot !== NO_SLOT) this.#offer(named, slot);
    }
  }

  #lookAtFresh(budget: { left: number }): 'idle' | 'reading' | 'more' {
    const { store } = this.#searcher;
    for (const id of this.#fresh) {
      if (budget.left <= 0) return 'more';
      const slot = readyById(store, this.#queue, id);
      if (slot !== NO_SLOT) {
        const correlation = this.#correlationOf(slot);
        if (correlation.is === 'reading') return 'reading';
        budget.left -= 1;
        this.#offerToAll(slot, correlation);
      }
      this.#fresh.delete(id);
    }
    return 'idle';
  }

  #correlationOf(slot: number): Correlation {
    return this.#waits.correlatedCount === 0 ? { is: 'none' } : this.#searcher.correlations.of(slot);
  }

  #offerToAll(slot: number, correlation: Correlation): void {
    const { index } = this.#searcher.store.ring;
    const { streams } = this.#searcher.store;
    const identity = identityText({ ...streams.key(index.stream(slot)), number: index.number(slot) });
    const names = [`l${index.id(slot)}`, `i${identity}`, ...(correlation.is === 'id' ? [`c${correlation.id}`] : [])];
    const all = names.flatMap((name) => [...(this.#waits.named.get(name)?.values() ?? [])]);
    // Who only looks takes it from nobody.
    const inTurn = [...all.filter(isLook), ...all.filter((named) => !isLook(named))];
    for (const named of inTurn) {
      const walk = this.#walks.get(named.waiting.number);
      if (walk !== undefined && !isBefore(this.#searcher.store, slot, walk.place)) continue;
      if (named.parkedId !== undefined) continue;
      const found = this.#offer(named, slot);
      if (found === 'taken' || found === 'gone') return;
    }
  }

  #walk(walk: { readonly named: Named; place: Place }, budget: { left: number }): 'found' | 'ended' | 'reading' | 'more' {
    const { store, correlations } = this.#searcher;
    const { index } = store.ring;
    const wanted = correlationOf(walk.named);
    while (budget.left > 0) {
      const slot = after(store, this.#queue, walk.place, ANY);
      if (slot === NO_SLOT) return 'ended';
      const correlation = correlations.of(slot);
      if (correlation.is === 'reading') return 'reading';
      budget.left -= 1;
      if (correlation.is === 'id' && correlation.id === wanted) {
        this.#offer(walk.named, slot);
        return 'found';
      }
      walk.place = { priority: index.priority(slot), lookupId: index.id(slot) };
    }
    return 'more';
  }

  #offer(named: Named, slot: number): Found {
    const { number } = named.waiting;
    const found = this.#searcher.found(named.waiting, slot);
    named.parkedId = found === 'not-yet' ? this.#searcher.store.ring.index.id(slot) : undefined;
    if (found === 'not-yet') this.#waits.parked.set(number, named);
    else this.#waits.parked.delete(number);
    if (found === 'gone') this.#waits.unsought.set(number, named);
    this.#walks.delete(number);
    return found;
  }
}

function isLook({ waiting }: Named): boolean {
  return waiting.wants.do === 'peek';
}

function correlationOf({ waiting }: Named): string | undefined {
  return waiting.select.by === 'correlationId' ? waiting.select.correlationId : undefined;
}

/**
 * Where a selector leads, as far as the index knows: every kind but `correlationId`, which stands in the message itself
 * (correlation-search.ts). A queue is walked in the order in which it is received: by priority, then by id.
 */
import { unreachable } from '../assert.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { type Identity, parseIdentity } from '../message/identity.ts';
import { PRIORITY_MAX } from '../message/message.ts';
import type { Queue } from '../queue/queues.ts';
import type { Place, Selector } from '../queue/selector.ts';
import { NO_SLOT } from '../ring/message-index.ts';

/** Selectors that the index answers. */
export type IndexedSelector = Exclude<Selector, { readonly by: 'correlationId' }>;
/** Whether a message that the selector leads to will do; otherwise the next one in its direction is looked at. */
export type Fits = (slot: number) => boolean;

/** The message that is meant, or NO_SLOT. */
export function select(store: NodeStore, queue: Queue, selector: IndexedSelector, fits: Fits): number {
  switch (selector.by) {
    case 'first':
      return forward(store, queue, headOf(queue, PRIORITY_MAX), fits);
    case 'last':
      return backward(store, queue, tailOf(queue, 0), fits);
    case 'after':
      return after(store, queue, selector.place, fits);
    case 'before':
      return before(store, queue, selector.place, fits);
    case 'lookupId': {
      const slot = readyById(store, queue, selector.lookupId);
      return slot !== NO_SLOT && fits(slot) ? slot : NO_SLOT;
    }
    case 'identity': {
      const identity = parseIdentity(selector.identity);
      const slot = identity === undefined ? NO_SLOT : readyByIdentity(store, queue, identity);
      return slot !== NO_SLOT && fits(slot) ? slot : NO_SLOT;
    }
    case 'arrivedAfter':
      return arrivedAfter(store, queue, selector.lookupId);
    default:
      return unreachable(selector);
  }
}

/** The next one behind a place, whether or not the message at the place is still there. */
export function after(store: NodeStore, queue: Queue, place: Place, fits: Fits): number {
  const { index } = store.ring;
  const list = queue.ready[place.priority];
  const there = atPlace(store, queue, place);
  const slot = there === NO_SLOT ? list?.firstAfter(place.lookupId) : index.next(there);
  return forward(store, queue, { priority: place.priority, slot: slot ?? NO_SLOT }, fits);
}

/** True when a message stands before a place. */
export function isBefore(store: NodeStore, slot: number, place: Place): boolean {
  const priority = store.ring.index.priority(slot);
  return priority > place.priority || (priority === place.priority && store.ring.index.rank(slot) < place.lookupId);
}

/** A message with this id that is ready in the queue. */
export function readyById(store: NodeStore, queue: Queue, id: number): number {
  const { index } = store.ring;
  const slot = index.find(id);
  return slot !== NO_SLOT && isReadyIn(store, queue, slot) ? slot : NO_SLOT;
}

interface Spot {
  readonly priority: number;
  readonly slot: number;
}

function before(store: NodeStore, queue: Queue, place: Place, fits: Fits): number {
  const { index } = store.ring;
  const list = queue.ready[place.priority];
  const there = atPlace(store, queue, place);
  const slot = there === NO_SLOT ? list?.lastBefore(place.lookupId) : index.previous(there);
  return backward(store, queue, { priority: place.priority, slot: slot ?? NO_SLOT }, fits);
}

function forward(store: NodeStore, queue: Queue, from: Spot, fits: Fits): number {
  let { priority, slot } = from;
  for (;;) {
    for (; slot !== NO_SLOT; slot = store.ring.index.next(slot)) if (fits(slot)) return slot;
    if (priority === 0) return NO_SLOT;
    ({ priority, slot } = headOf(queue, priority - 1));
  }
}

function backward(store: NodeStore, queue: Queue, from: Spot, fits: Fits): number {
  let { priority, slot } = from;
  for (;;) {
    for (; slot !== NO_SLOT; slot = store.ring.index.previous(slot)) if (fits(slot)) return slot;
    if (priority === PRIORITY_MAX) return NO_SLOT;
    ({ priority, slot } = tailOf(queue, priority + 1));
  }
}

function headOf(queue: Queue, priority: number): Spot {
  return { priority, slot: queue.ready[priority]?.head ?? NO_SLOT };
}

function tailOf(queue: Queue, priority: number): Spot {
  return { priority, slot: queue.ready[priority]?.tail ?? NO_SLOT };
}

function isReadyIn(store: NodeStore, queue: Queue, slot: number): boolean {
  const { index } = store.ring;
  return index.isListed(slot) && store.queues.byId(index.queue(slot)) === queue;
}

/** The message that stands exactly there. */
function atPlace(store: NodeStore, queue: Queue, { priority, lookupId }: Place): number {
  const slot = readyById(store, queue, lookupId);
  return slot !== NO_SLOT && store.ring.index.priority(slot) === priority ? slot : NO_SLOT;
}

/** A stream has one priority: one list is looked through. */
function readyByIdentity(store: NodeStore, queue: Queue, identity: Identity): number {
  const { index } = store.ring;
  const { streams } = store;
  const handle = streams.find(identity);
  let slot = handle === undefined ? NO_SLOT : headOf(queue, identity.priority).slot;
  for (; slot !== NO_SLOT; slot = index.next(slot)) {
    if (index.number(slot) === identity.number && streams.standing(index.stream(slot)) === handle) return slot;
  }
  return NO_SLOT;
}

/**
 * The next higher id in the queue, whatever state it is in. What is ready stands in lists; what is not has none, so the ids between are
 * tried, or all messages looked at, whichever is less. Who follows waits with what is held, and so misses nothing.
 */
function arrivedAfter(store: NodeStore, queue: Queue, lookupId: number): number {
  const found = nextId(store, queue, lookupId);
  if (found === NO_SLOT || queue.heldCount === 0) return found;
  const held = Math.min(...store.queues.heldIn(queue).filter((id) => id > lookupId));
  return store.ring.index.id(found) < held ? found : NO_SLOT;
}

function nextId(store: NodeStore, queue: Queue, lookupId: number): number {
  const { index } = store.ring;
  let best = NO_SLOT;
  const isBetter = (slot: number) => best === NO_SLOT || index.id(slot) < index.id(best);
  const isHere = (slot: number) => store.queues.byId(index.queue(slot)) === queue;
  if (index.isRanked) {
    for (const slot of index.slots()) if (index.id(slot) > lookupId && isBetter(slot) && isHere(slot)) best = slot;
    return best;
  }
  for (const [priority, list] of queue.ready.entries()) {
    const there = atPlace(store, queue, { priority, lookupId });
    const slot = there === NO_SLOT ? list.firstAfter(lookupId) : index.next(there);
    if (slot !== NO_SLOT && isBetter(slot)) best = slot;
  }
  if (queue.leasedCount + queue.delayedCount + queue.heldCount === 0) return best;
  const end = best === NO_SLOT ? store.ring.messagesStored + 1 : index.id(best);
  if (end - lookupId > index.count) {
    for (const slot of index.slots()) if (index.id(slot) > lookupId && isBetter(slot) && isHere(slot)) best = slot;
    return best;
  }
  for (let id = lookupId + 1; id < end; id++) {
    const slot = index.find(id);
    if (slot !== NO_SLOT && isHere(slot)) return slot;
  }
  return best;
}

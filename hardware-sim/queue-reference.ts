/**
 * Queues as plain as they can be said, for a node's queues to be compared with: arrays, no ring, no disk. A message has a nominal size;
 * programs keep well away from where a few bytes of an envelope would decide.
 */
import { invariant } from '../shared/assert.ts';
import type { Ordering, WhenFull } from '../shared/queue/queue-options.ts';

export interface Plain {
  readonly text: string;
  readonly queue: string;
  readonly priority: number;
  readonly bytes: number;
  /** Order of arrival. */
  readonly id: number;
  readonly expiresAtMs: number;
  notBeforeMs: number;
  /** Deliveries; `maybe`: the last one may have been forgotten with the power. */
  count: number;
  isCountSure: boolean;
  firstDeliveredAtMs: number;
  leasedUntilMs: number | undefined;
  /** What the node calls it; 0 while nobody asked. */
  lookupId: number;
}

export interface PlainQueue {
  readonly name: string;
  readonly limit: number;
  readonly whenFull: WhenFull;
  readonly ordering?: Ordering;
  /** The first wait of its back-off, doubled each time. */
  readonly retryMs?: number;
  readonly deliveriesMax?: number;
}

/** Which ready message: by where it stands in the order of its queue, or by itself. */
export type PlainSelector =
  | { readonly by: 'first' | 'last' }
  | { readonly by: 'after' | 'before' | 'exactly'; readonly message: Pick<Plain, 'id' | 'priority'> };

export class QueueReference {
  readonly queues: readonly PlainQueue[];
  messages: Plain[] = [];
  /** In order of arrival. */
  dead: { readonly text: string; readonly priority: number }[] = [];
  readonly dropped: Record<string, number> = {};
  readonly expired: Record<string, number> = {};
  readonly paused = new Set<string>();
  #nextId = 1;

  constructor(queues: readonly PlainQueue[]) {
    this.queues = queues;
    for (const { name } of queues) {
      this.dropped[name] = 0;
      this.expired[name] = 0;
    }
  }

  clone(): QueueReference {
    const copy = new QueueReference(this.queues);
    copy.messages = this.messages.map((message) => ({ ...message }));
    copy.dead = [...this.dead];
    Object.assign(copy.dropped, this.dropped);
    Object.assign(copy.expired, this.expired);
    for (const name of this.paused) copy.paused.add(name);
    copy.#nextId = this.#nextId;
    return copy;
  }

  send(message: Pick<Plain, 'text' | 'queue' | 'priority' | 'bytes' | 'expiresAtMs' | 'notBeforeMs'>, nowMs: number): string {
    const queue = this.queues.find(({ name }) => name === message.queue);
    const mine = this.messages.filter((other) => other.queue === message.queue);
    let over = mine.reduce((bytes, other) => bytes + other.bytes, 0) + message.bytes - (queue?.limit ?? 0);
    const victims: Plain[] = [];
    if (over > 0) {
      const ready = mine.filter((other) => isReady(other, nowMs)).sort((a, b) => a.id - b.id);
      const order = queue?.whenFull === 'drop-oldest' ? ready : byUrgency(ready, message.priority);
      if (queue?.whenFull === 'reject' || queue?.whenFull === 'block') return 'QUEUE_FULL';
      for (const victim of order) {
        if (over <= 0) break;
        victims.push(victim);
        over -= victim.bytes;
      }
      if (over > 0) return 'QUEUE_FULL';
    }
    this.messages = this.messages.filter((other) => !victims.includes(other));
    this.dropped[message.queue] = (this.dropped[message.queue] ?? 0) + victims.length;
    const fresh = { count: 0, isCountSure: true, firstDeliveredAtMs: 0, leasedUntilMs: undefined, lookupId: 0 };
    this.messages.push({ ...message, id: this.#nextId++, ...fresh });
    return 'sent';
  }

  /** The message that a receive gets, now leased. */
  receive(queue: string, selector: PlainSelector, { nowMs, leaseMs }: { nowMs: number; leaseMs: number }): Plain | undefined {
    let next: Plain | undefined;
    do {
      if (next !== undefined) this.#giveUp(next);
      const mayGo = (message: Plain) => !this.paused.has(queue) && this.#mayGo(message, selector.by, nowMs);
      next = selected(this.#readyIn(queue, nowMs).filter(mayGo), selector);
    } while (next !== undefined && this.#isPoison(next));
    if (next === undefined) return undefined;
    next.leasedUntilMs = nowMs + leaseMs;
    if (next.count === 0) next.firstDeliveredAtMs = nowMs;
    next.count += 1;
    return next;
  }

  peek(queue: string, selector: PlainSelector, nowMs: number): Plain | undefined {
    return selected(this.#readyIn(queue, nowMs), selector);
  }

  /** A delivery failed at `nowMs`: it is given up, or waits, or is ready. */
  back(message: Plain, nowMs: number, ownDelayMs?: number): void {
    message.leasedUntilMs = undefined;
    if (this.#isPoison(message)) return this.#giveUp(message);
    const { retryMs = 0 } = this.#queueOf(message);
    const delayMs = ownDelayMs ?? (message.count < 2 ? 0 : retryMs * 2 ** (message.count - 2));
    if (delayMs > 0) message.notBeforeMs = nowMs + delayMs;
  }

  #readyIn(queue: string, nowMs: number): Plain[] {
    const ready = this.messages.filter((other) => other.queue === queue && isReady(other, nowMs));
    return ready.sort((a, b) => b.priority - a.priority || a.id - b.id);
  }

  /** In a strict queue: nothing of its stream is leased, and nothing before it waits; who takes any gets the first. */
  #mayGo(message: Plain, by: PlainSelector['by'], nowMs: number): boolean {
    if (this.#queueOf(message).ordering !== 'strict') return true;
    const line = this.messages.filter(({ queue, priority }) => queue === message.queue && priority === message.priority);
    const before = line.filter(({ id }) => id < message.id);
    if (by === 'first' && before.length > 0) return false;
    return line.every(({ leasedUntilMs }) => leasedUntilMs === undefined) && before.every((other) => isReady(other, nowMs));
  }

  #queueOf(message: Plain): PlainQueue {
    const queue = this.queues.find(({ name }) => name === message.queue);
    invariant(queue !== undefined, 'a message is in one of the queues');
    return queue;
  }

  #isPoison(message: Plain): boolean {
    const { deliveriesMax = 0 } = this.#queueOf(message);
    return deliveriesMax > 0 && message.count >= deliveriesMax;
  }

  #giveUp(message: Plain): void {
    this.remove(message);
    this.dead.push({ text: message.text, priority: message.priority });
  }

  remove(message: Plain): void {
    this.messages = this.messages.filter((other) => other !== message);
  }

  /** Leases end, messages expire. */
  advance(nowMs: number): void {
    for (const message of [...this.messages]) {
      if (message.leasedUntilMs !== undefined && message.leasedUntilMs <= nowMs) this.back(message, message.leasedUntilMs);
    }
    for (const message of [...this.messages]) {
      if (message.leasedUntilMs !== undefined || message.expiresAtMs > nowMs) continue;
      this.expired[message.queue] = (this.expired[message.queue] ?? 0) + 1;
      this.#giveUp(message);
    }
  }

  /** The node was away for a while in which its clock stood still, and forgot who had what. */
  restarted(awayMs: number): void {
    for (const [i, message] of this.messages.entries()) {
      const later = { expiresAtMs: message.expiresAtMs + awayMs, notBeforeMs: message.notBeforeMs + awayMs };
      this.messages[i] = { ...message, ...later, leasedUntilMs: undefined };
    }
  }

  /** Times at which something changes by itself. */
  times(): number[] {
    return this.messages.flatMap(({ expiresAtMs, notBeforeMs, leasedUntilMs = 0 }) => [expiresAtMs, notBeforeMs, leasedUntilMs]);
  }

  view(nowMs: number): Record<string, { ready: number; leased: number; delayed: number; dropped: number; expired: number }> {
    return Object.fromEntries(
      this.queues.map(({ name }) => {
        const mine = this.messages.filter(({ queue }) => queue === name);
        const leased = mine.filter(({ leasedUntilMs }) => leasedUntilMs !== undefined).length;
        const ready = mine.filter((message) => isReady(message, nowMs)).length;
        const counts = { dropped: this.dropped[name] ?? 0, expired: this.expired[name] ?? 0 };
        return [name, { ready, leased, delayed: mine.length - leased - ready, ...counts }];
      }),
    );
  }
}

function isReady({ leasedUntilMs, notBeforeMs }: Plain, nowMs: number): boolean {
  return leasedUntilMs === undefined && notBeforeMs <= nowMs;
}

/** Of messages in the order of their queue. */
function selected(inOrder: readonly Plain[], selector: PlainSelector): Plain | undefined {
  if (!('message' in selector)) return inOrder.at(selector.by === 'first' ? 0 : -1);
  const { id, priority } = selector.message;
  const isBefore = (one: Plain) => one.priority > priority || (one.priority === priority && one.id < id);
  if (selector.by === 'exactly') return inOrder.find((one) => one.id === id);
  if (selector.by === 'before') return inOrder.filter(isBefore).at(-1);
  return inOrder.find((one) => !isBefore(one) && one.id !== id);
}

function byUrgency(ready: readonly Plain[], priorityMax: number): Plain[] {
  return ready.filter(({ priority }) => priority <= priorityMax).sort((a, b) => a.priority - b.priority || a.id - b.id);
}

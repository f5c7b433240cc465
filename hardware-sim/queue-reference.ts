/**
 * Queues as plain as they can be said, for a node's queues to be compared with: arrays, no ring, no disk. A message has a nominal size;
 * programs keep well away from where a few bytes of an envelope would decide.
 */
import type { WhenFull } from '../shared/queue/queue-options.ts';

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
}

export interface PlainQueue {
  readonly name: string;
  readonly limit: number;
  readonly whenFull: WhenFull;
}

export class QueueReference {
  readonly queues: readonly PlainQueue[];
  messages: Plain[] = [];
  /** In order of arrival. */
  dead: { readonly text: string; readonly priority: number }[] = [];
  readonly dropped: Record<string, number> = {};
  readonly expired: Record<string, number> = {};
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
    const fresh = { count: 0, isCountSure: true, firstDeliveredAtMs: 0, leasedUntilMs: undefined };
    this.messages.push({ ...message, id: this.#nextId++, ...fresh });
    return 'sent';
  }

  /** The message that a receive gets, now leased. */
  receive(queue: string, nowMs: number, leaseMs: number): Plain | undefined {
    const ready = this.messages.filter((other) => other.queue === queue && isReady(other, nowMs));
    const [next] = ready.sort((a, b) => b.priority - a.priority || a.id - b.id);
    if (next === undefined) return undefined;
    next.leasedUntilMs = nowMs + leaseMs;
    if (next.count === 0) next.firstDeliveredAtMs = nowMs;
    next.count += 1;
    return next;
  }

  remove(message: Plain): void {
    this.messages = this.messages.filter((other) => other !== message);
  }

  /** Leases end, messages expire. */
  advance(nowMs: number): void {
    for (const message of this.messages) {
      if (message.leasedUntilMs !== undefined && message.leasedUntilMs <= nowMs) message.leasedUntilMs = undefined;
    }
    for (const message of this.messages) {
      if (message.leasedUntilMs !== undefined || message.expiresAtMs > nowMs) continue;
      this.expired[message.queue] = (this.expired[message.queue] ?? 0) + 1;
      this.remove(message);
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

function byUrgency(ready: readonly Plain[], priorityMax: number): Plain[] {
  return ready.filter(({ priority }) => priority <= priorityMax).sort((a, b) => a.priority - b.priority || a.id - b.id);
}

/**
 * Who waits for a message: by queue, so that a step costs by what happened in it and not by how many wait.
 *
 *   plain     receives of the first or last message: served in order of arrival while there is anything
 *   placed    those that want a place (`after`, `before`, `arrivedAfter`), and those that only look: asked again when the queue changed
 *   named     those that want one message, by lookup id, identity or correlation id: found by what becomes ready
 *   parked    named ones whose message is there and may not be handed out yet (a paused queue, a strict stream)
 */
import { RingmailError } from '../errors.ts';
import { WAITING_COUNT_MAX } from '../limits.ts';
import { DueHeap } from '../queue/due-heap.ts';
import type { Selector } from '../queue/selector.ts';

export interface Waiting {
  /** In order of arrival. */
  readonly number: number;
  readonly token: number;
  readonly queue: string;
  readonly deadlineMs: number;
  readonly select: Selector;
  readonly wants:
    | { readonly do: 'receive'; readonly leaseMs: number }
    | { readonly do: 'peek'; readonly bodies: 'with' | 'without' };
}

/** One message, wanted by its name. */
export interface Named {
  readonly waiting: Waiting;
  /** Id of the message that is there for it, while it may not be handed out. */
  parkedId: number | undefined;
}

/** Those who wait at one queue. */
export class QueueWaits {
  readonly queue: string;
  readonly plain = new Map<number, Waiting>();
  readonly placed = new Map<number, Waiting>();
  readonly named = new Map<string, Map<number, Named>>();
  readonly parked = new Map<number, Named>();
  /** Named ones nobody has looked for yet. */
  readonly unsought = new Map<number, Named>();
  /** Of the named ones, those that want a correlation id. */
  correlatedCount = 0;

  constructor(queue: string) {
    this.queue = queue;
  }

  get isEmpty(): boolean {
    return this.plain.size === 0 && this.placed.size === 0 && this.named.size === 0;
  }

  add(waiting: Waiting): void {
    const name = nameOf(waiting.select);
    if (name !== undefined) {
      const named: Named = { waiting, parkedId: undefined };
      const others = this.named.get(name) ?? new Map<number, Named>();
      others.set(waiting.number, named);
      this.named.set(name, others);
      this.unsought.set(waiting.number, named);
      if (waiting.select.by === 'correlationId') this.correlatedCount += 1;
    } else if (isPlain(waiting)) this.plain.set(waiting.number, waiting);
    else this.placed.set(waiting.number, waiting);
  }

  remove(waiting: Waiting): void {
    this.plain.delete(waiting.number);
    this.placed.delete(waiting.number);
    this.parked.delete(waiting.number);
    this.unsought.delete(waiting.number);
    const name = nameOf(waiting.select);
    const others = name === undefined ? undefined : this.named.get(name);
    if (others?.delete(waiting.number) && waiting.select.by === 'correlationId') this.correlatedCount -= 1;
    if (name !== undefined && others?.size === 0) this.named.delete(name);
  }

  /** It waited before: it stands where it stood. */
  returned(waiting: Waiting): void {
    this.add(waiting);
    const line = isPlain(waiting) ? this.plain : this.placed;
    if (!line.has(waiting.number)) return;
    const inOrder = [...line].sort(([a], [b]) => a - b);
    line.clear();
    for (const [number, one] of inOrder) line.set(number, one);
  }
}

export class WaitingReceives {
  readonly #byQueue = new Map<string, QueueWaits>();
  readonly #byToken = new Map<number, Waiting>();
  readonly #byNumber = new Map<number, Waiting>();
  /** Of those that are gone, too: passed over. */
  readonly #deadlines = new DueHeap();
  #next = 1;

  get count(): number {
    return this.#byNumber.size;
  }

  /** @throws BUSY; `others`: who does not wait any more and is not answered yet */
  add(asked: Omit<Waiting, 'number'>, others: number): Waiting {
    const pending = this.count + others;
    if (pending >= WAITING_COUNT_MAX) throw new RingmailError('BUSY', { pending, pendingMax: WAITING_COUNT_MAX });
    const waiting: Waiting = { ...asked, number: this.#next++ };
    this.#enter(waiting).add(waiting);
    return waiting;
  }

  /** Its message came to nothing: it waits on, in its old place. */
  returned(waiting: Waiting): void {
    this.#enter(waiting).returned(waiting);
  }

  remove(waiting: Waiting): void {
    const waits = this.#byQueue.get(waiting.queue);
    waits?.remove(waiting);
    if (waits?.isEmpty) this.#byQueue.delete(waiting.queue);
    this.#byToken.delete(waiting.token);
    this.#byNumber.delete(waiting.number);
  }

  find(token: number): Waiting | undefined {
    return this.#byToken.get(token);
  }

  at(queue: string): QueueWaits | undefined {
    return this.#byQueue.get(queue);
  }

  /** Those who waited long enough, in order of their deadlines; they are left where they are. */
  *due(nowMs: number): Generator<Waiting> {
    for (let first = this.#deadlines.first; first !== undefined && first.atMs <= nowMs; first = this.#deadlines.first) {
      this.#deadlines.pop();
      const waiting = this.#byNumber.get(first.id);
      if (waiting !== undefined) yield waiting;
    }
  }

  /** All at one queue. */
  allAt(queue: string): Waiting[] {
    return [...this.#byNumber.values()].filter((waiting) => waiting.queue === queue);
  }

  get wakeAtMs(): number | undefined {
    for (let first = this.#deadlines.first; first !== undefined; first = this.#deadlines.first) {
      if (this.#byNumber.has(first.id)) return first.atMs;
      this.#deadlines.pop();
    }
    return undefined;
  }

  #enter(waiting: Waiting): QueueWaits {
    this.#byToken.set(waiting.token, waiting);
    this.#byNumber.set(waiting.number, waiting);
    this.#deadlines.push({ atMs: waiting.deadlineMs, id: waiting.number, slot: 0 });
    this.#deadlines.sweep(this.#byNumber.size, ({ id }) => this.#byNumber.has(id));
    const waits = this.#byQueue.get(waiting.queue) ?? new QueueWaits(waiting.queue);
    this.#byQueue.set(waiting.queue, waits);
    return waits;
  }
}

/** What a message must be called to be the one, or undefined for selectors that go by place. */
export function nameOf(select: Selector): string | undefined {
  switch (select.by) {
    case 'lookupId':
      return `l${select.lookupId}`;
    case 'identity':
      return `i${select.identity}`;
    case 'correlationId':
      return `c${select.correlationId}`;
    default:
      return undefined;
  }
}

function isPlain({ select, wants }: Waiting): boolean {
  return wants.do === 'receive' && (select.by === 'first' || select.by === 'last');
}

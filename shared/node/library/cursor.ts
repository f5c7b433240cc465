/** Walking through a queue without taking anything. A cursor is a place; nobody at the node knows of it, so nothing has to be closed. */
import { hasCode, RingmailError } from '../../errors.ts';
import { type Place, parsePlace } from '../../queue/selector.ts';
import type { NodeCalls } from '../node-calls.ts';
import { type Delivery, Leased } from './delivery.ts';
import {
  type From,
  type Glance,
  type PeekOptions,
  peekAt,
  type ReceiveOptions,
  receiveFrom,
  type WaitOptions,
} from './receiving.ts';

export interface CursorOptions {
  /** Where to start: the next one is what stands behind it. Before the first. */
  readonly at?: Place | string;
  readonly bodies?: PeekOptions['bodies'];
}

export class Cursor implements AsyncIterable<Glance> {
  readonly #node: NodeCalls;
  readonly #from: From;
  readonly #bodies: { readonly bodies?: 'with' | 'without' };
  #place: Place | undefined;

  constructor(node: NodeCalls, from: From, { at, bodies }: CursorOptions) {
    this.#node = node;
    this.#from = from;
    this.#bodies = bodies === undefined ? {} : { bodies };
    this.#place = typeof at === 'string' ? placeOf(at) : at;
  }

  /** Undefined before the first step. */
  get place(): Place | undefined {
    return this.#place;
  }

  /** The message behind the place, whether or not the one at the place still is. Undefined at the end: what comes later is seen by asking again. */
  next(options: WaitOptions = {}): Promise<Glance | undefined> {
    return this.#step(this.#place === undefined ? { by: 'first' } : { by: 'after', place: this.#place }, options);
  }

  /** The message before the place; the last one where there is no place yet. */
  previous(options: WaitOptions = {}): Promise<Glance | undefined> {
    return this.#step(this.#place === undefined ? { by: 'last' } : { by: 'before', place: this.#place }, options);
  }

  /** The message at the place; undefined when it is not ready any more: taken, moved, under lease. */
  async current(): Promise<Glance | undefined> {
    if (this.#place === undefined) return undefined;
    const select = { by: 'lookupId', lookupId: this.#place.lookupId } as const;
    return found(peekAt(this.#node, this.#from, { ...this.#bodies, select }));
  }

  /** Leases the message at the place; undefined when somebody was faster. */
  async receive(options: Omit<ReceiveOptions, 'select'> = {}): Promise<Delivery | undefined> {
    if (this.#place === undefined) return undefined;
    const select = { by: 'lookupId', lookupId: this.#place.lookupId } as const;
    const received = await found(receiveFrom(this.#node, this.#from, { ...options, select }));
    return received && new Leased(this.#node, received).delivery;
  }

  /** From the place to the end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Glance> {
    for (let next = await this.next(); next !== undefined; next = await this.next()) yield next;
  }

  async #step(select: NonNullable<PeekOptions['select']>, options: WaitOptions): Promise<Glance | undefined> {
    const glance = await peekAt(this.#node, this.#from, { ...options, ...this.#bodies, select });
    if (glance !== undefined) this.#place = glance.place;
    return glance;
  }
}

/** @throws PROPERTY_INVALID */
function placeOf(text: string): Place {
  const place = parsePlace(text);
  if (place === undefined) throw new RingmailError('PROPERTY_INVALID', { property: 'at', reason: 'a place is written 3.120' });
  return place;
}

async function found<T>(looking: Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (hasCode(error, 'MESSAGE_NOT_FOUND')) return undefined;
    throw error;
  }
}

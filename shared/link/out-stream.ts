/**
 * One stream that we send in this session: its handle, what is under way beyond the receiver's durable cursor, and what was lost and
 * goes out again. Messages are not kept here; a repeat is read from the ring again.
 */
import type { OutStream } from '../custody/outgoing.ts';
import type { Age, SendingStream } from '../custody/sender.ts';
import type { EndingClass } from '../message/classes.ts';
import type { StreamKey } from '../message/identity.ts';
import type { Served } from './scheduler.ts';

/** Numbers, or bytes of one message, to be sent again. */
export type Lost =
  | { readonly kind: 'numbers'; readonly from: number; readonly to: number }
  | { readonly kind: 'part'; readonly number: number; readonly offset: number; readonly end: number };

/** A message that goes out in parts, and how far it has come. */
export interface Parting {
  readonly number: number;
  readonly payload: Uint8Array;
  offset: number;
}

/** `declared`: a STREAM is on its way, its cursor has not come. */
export type LinkStreamState =
  | { readonly at: 'new' }
  | { readonly at: 'declared'; readonly sinceMs: number }
  | { readonly at: 'open' };

export class LinkStream implements Served {
  readonly handle: number;
  readonly key: StreamKey;
  readonly priority: number;
  readonly out: OutStream;
  servedAt = 0;
  /** Looked at whenever the streams are gathered. */
  age: Age = 'live';
  state: LinkStreamState = { at: 'new' };
  parting: Parting | undefined;
  /** Ascending by number. */
  lost: Lost[] = [];
  /** Messages that the receiver refuses, and why, until each has ended here. */
  readonly refused = new Map<number, EndingClass>();
  /** Sent, and not durable at the receiver as far as we know: up to which number, and how many bytes. */
  #beyond: { to: number; bytes: number }[] = [];
  #beyondBytes = 0;

  constructor(handle: number, out: OutStream) {
    this.handle = handle;
    this.out = out;
    this.key = out.key;
    this.priority = out.key.priority;
  }

  get isWaiting(): boolean {
    return this.#beyond.length > 0;
  }

  /** So many new bytes may go out: they stay within the credit, or one message is all there is. */
  mayAdd(bytes: number, credit: number): boolean {
    return credit > 0 && (this.#beyondBytes === 0 || this.fits(bytes, credit));
  }

  fits(bytes: number, credit: number): boolean {
    return this.#beyondBytes + bytes <= credit;
  }

  /** Numbers up to `to` went out for the first time. */
  sent(to: number, bytes: number): void {
    this.#beyond.push({ to, bytes });
    this.#beyondBytes += bytes;
  }

  /** Nothing more of this message goes out. */
  refuse(number: number, why: EndingClass): void {
    this.refused.set(number, why);
    if (this.parting?.number === number) this.parting = undefined;
    this.lost = this.lost.filter((lost) => lost.kind === 'numbers' || lost.number !== number);
  }

  lose(lost: Lost): void {
    let at = this.lost.length;
    while (at > 0 && firstOf(this.lost[at - 1] ?? lost) > firstOf(lost)) at -= 1;
    this.lost.splice(at, 0, lost);
  }

  /** What is durable at the receiver is done with. */
  durableTo({ cursor }: SendingStream): void {
    let count = 0;
    while ((this.#beyond[count]?.to ?? cursor) < cursor) count += 1;
    for (const { bytes } of this.#beyond.splice(0, count)) this.#beyondBytes -= bytes;
    if (this.parting !== undefined && this.parting.number < cursor) this.parting = undefined;
    if (this.lost.length > 0) this.lost = this.lost.filter((lost) => lastOf(lost) >= cursor);
  }
}

function firstOf(lost: Lost): number {
  return lost.kind === 'numbers' ? lost.from : lost.number;
}

function lastOf(lost: Lost): number {
  return lost.kind === 'numbers' ? lost.to : lost.number;
}

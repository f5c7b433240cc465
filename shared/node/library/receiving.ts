/** Taking one message, or looking at one. */
import type { Received } from '../../core/calls.ts';
import { WAIT_MS_MAX } from '../../core/desk-shell.ts';
import { RingmailError } from '../../errors.ts';
import type { Selector } from '../../queue/selector.ts';
import type { NodeCalls } from '../node-calls.ts';
import { askFor } from './asking.ts';
import { type Seen, seenOf } from './delivery.ts';

export const LEASE_MS_DEFAULT = 30_000;

/** @throws PROPERTY_INVALID for what is no wait, or longer than a day: whoever needs more asks again */
export function checkWait(waitMs: number | undefined): void {
  if (waitMs === undefined || (waitMs >= 0 && waitMs <= WAIT_MS_MAX)) return;
  throw new RingmailError('PROPERTY_INVALID', { property: 'waitMs', reason: `not 0 to ${WAIT_MS_MAX} ms` });
}

export interface WaitOptions {
  /** How long to wait for a message, in ms. 0: only what is there. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface ReceiveOptions extends WaitOptions {
  /** How long the message is yours, in ms. 30,000. */
  readonly leaseMs?: number;
  /** Which message. The most urgent one. */
  readonly select?: Selector;
}

export interface PeekOptions extends WaitOptions {
  readonly select?: Selector;
  /** `without`: all but its body, however large that is. */
  readonly bodies?: 'with' | 'without';
}

/** A message that was looked at, and is where it was. */
export interface Glance extends Seen {
  /** Where it is: the queue that was asked, or a subqueue of it. */
  readonly queue: string;
  /** Length of its body, in bytes, also where the body was left out. */
  readonly bodyBytes: number;
}

/** A queue, and the handle it was opened with, if it was. */
export interface From {
  readonly queue: string;
  readonly handle?: string;
}

export async function receiveFrom(node: NodeCalls, from: From, options: ReceiveOptions): Promise<Received | undefined> {
  const { waitMs = 0, leaseMs = LEASE_MS_DEFAULT, select, signal } = options;
  const call = { verb: 'receive', ...from, waitMs, leaseMs, ...(select && { select }) } as const;
  return (await askFor(node, call, { kind: 'received', signal }))?.received;
}

export async function peekAt(node: NodeCalls, from: From, options: PeekOptions): Promise<Glance | undefined> {
  const { waitMs = 0, bodies = 'with', select, signal } = options;
  const call = { verb: 'peek', ...from, waitMs, bodies, ...(select && { select }) } as const;
  const peeked = (await askFor(node, call, { kind: 'peeked', signal }))?.peeked;
  return peeked && { ...seenOf(peeked), queue: peeked.queue, bodyBytes: peeked.bodyBytes };
}

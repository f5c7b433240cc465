/**
 * What a token may do.
 *
 *   send      send, and do so in transactions; ask for outcomes
 *   receive   receive, peek, streams, ending leases, moving into subqueues, opening queues
 *   watch     the list of queues, and what the node says in numbers
 *   admin     make, change, empty and delete queues; redrive dead letters; retire producers; give up holes
 *
 * None of them contains another. A token may be for some queues only: those names, their subqueues, and addresses of other nodes that
 * are written out. A lease is ended by the client alone that got it.
 */
import { RingmailError } from '../../errors.ts';

export const RIGHTS = ['send', 'receive', 'watch', 'admin'] as const;
export type Right = (typeof RIGHTS)[number];

export interface Rights {
  readonly may: ReadonlySet<Right>;
  /** Undefined: all queues. */
  readonly queues: ReadonlySet<string> | undefined;
}

interface Holder {
  readonly name: string | undefined;
  readonly rights: Rights | undefined;
}

/** @throws ACCESS_DENIED */
export function demand(client: Holder, needed: Right, queue?: string): void {
  const { rights } = client;
  if (rights === undefined) return;
  if (!rights.may.has(needed)) throw denied(client, needed, `this token has no right to ${needed}`);
  if (queue !== undefined && !sees(client, queue)) throw denied(client, needed, 'this token is for other queues');
}

/** Whether it has to do with this queue at all. */
export function sees({ rights }: Holder, queue: string): boolean {
  return rights?.queues === undefined || rights.queues.has(queue.split(';', 1)[0] ?? '');
}

export function denied({ name = '' }: Holder, needed: Right, reason: string): RingmailError<'ACCESS_DENIED'> {
  return new RingmailError('ACCESS_DENIED', { client: name, needed, reason });
}

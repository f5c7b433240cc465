/** A message under lease, as an application has it in its hands. */
import type { Received } from '../../core/calls.ts';
import type { CborValue } from '../../message/cbor.ts';
import { identityText } from '../../message/identity.ts';
import type { Message } from '../../message/message.ts';
import type { Place } from '../../queue/selector.ts';
import type { NodeCalls } from '../node-calls.ts';
import { bodyValue, copyOf } from './body.ts';

/** What is known of a message that was received or looked at. */
export interface Seen {
  /** The receiver's own: what is changed here is changed nowhere else. */
  readonly message: Message;
  /** As text: the same from the first node to the last. */
  readonly identity: string;
  /** Times it was leased over restarts, this one counted if it is one. */
  readonly deliveryCount: number;
  /** Times it was moved between a queue and its subqueues. */
  readonly moveCount: number;
  /** True when it waited for a connection on its way here: it is news of then, not of now. */
  readonly replayed: boolean;
  /** When it arrived in this node, in order. */
  readonly lookupId: number;
  /** This node had given it up as missing when it came. */
  readonly late: boolean;
  /** Where it stands in its queue: a cursor goes on from here. */
  readonly place: Place;
  /** The body as what was sent: a decoded value if it was one, the bytes otherwise. @throws CBOR_INVALID */
  value(): CborValue;
}

/** A leased message. Exactly one of `ack`, `nack` and `deadLetter` ends the lease; its deadline does otherwise. */
export interface Delivery extends Seen {
  /** Received. Resolves when the message can never be delivered again. @throws LEASE_UNKNOWN, IN_DOUBT */
  ack(): Promise<void>;
  /** Back to its place, visible again after `delayMs`; after what its queue's back-off says where none is given. @throws LEASE_UNKNOWN */
  nack(delayMs?: number): Promise<void>;
  /** Given up: into the dead letter queue, with its history. @throws LEASE_UNKNOWN, IN_DOUBT */
  deadLetter(reason: string): Promise<void>;
  /** From now on the lease holds for so long. @throws LEASE_UNKNOWN */
  extend(leaseMs: number): Promise<void>;
}

export function seenOf(found: Omit<Received, 'lease' | 'leaseMs'>): Seen {
  const { deliveryCount, moveCount, lookupId, hop } = found;
  const message = copyOf(found.message);
  const { priority } = message;
  return {
    message,
    identity: identityText(message.identity),
    deliveryCount,
    moveCount,
    replayed: hop.replayed === true,
    lookupId,
    late: hop.late === 'late',
    place: { priority, lookupId },
    value: () => bodyValue(message),
  };
}

/** A delivery that knows whether its application has ended it, or has begun to. */
export class Leased {
  readonly lease: string;
  readonly delivery: Delivery;
  readonly #node: NodeCalls;
  readonly #endsAtMs: number;
  #ending: Promise<unknown> | undefined;

  constructor(node: NodeCalls, received: Received) {
    this.#node = node;
    this.lease = received.lease;
    this.#endsAtMs = performance.now() + received.leaseMs;
    const { lease } = this;
    this.delivery = {
      ...seenOf(received),
      ack: () => this.#end({ verb: 'ack', lease }),
      nack: (delayMs) => this.#end({ verb: 'nack', lease, ...(delayMs !== undefined && { delayMs }) }),
      deadLetter: (reason) => this.#end({ verb: 'deadLetter', lease, reason }),
      extend: async (leaseMs) => void (await node.call({ verb: 'extend', lease, leaseMs })),
    };
  }

  /** What the application decided about it; undefined as long as it did not. */
  get ending(): Promise<unknown> | undefined {
    return this.#ending;
  }

  /** By our own clock: the node may have taken it back already. */
  get isOver(): boolean {
    return performance.now() >= this.#endsAtMs;
  }

  async #end(call: Parameters<NodeCalls['call']>[0]): Promise<void> {
    const ending = this.#node.call(call);
    this.#ending = ending;
    await ending;
  }
}

/** Gives back at once, as if nobody had had it. What ended meanwhile is back already, or gone for good: both are fine. */
export async function giveBack(node: NodeCalls, lease: string): Promise<void> {
  await node.call({ verb: 'nack', lease, delayMs: 0 }).catch(() => {}); // its deadline gives it back where this cannot
}

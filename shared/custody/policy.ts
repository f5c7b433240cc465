/**
 * What a node lets in, besides what its queues have room for. The rule is the application's; the core only asks. A message of this node
 * is refused to who sends it (MESSAGE_REFUSED); one of another node becomes a dead letter here, and its stream goes on.
 */
import type { EndingClass } from '../message/classes.ts';
import type { Properties, TransactionMark } from '../message/message.ts';

/** A message that asks to be let in. */
export interface Arrival {
  /** Address of the queue, with its node: this one, or one that this node would hand it on to. */
  readonly destination: string;
  /** The node that accepted it from an application. */
  readonly origin: string;
  readonly properties: Properties;
  readonly transaction?: TransactionMark;
  /** Nodes that stored it before this one. */
  readonly hops: number;
}

/** The class under which it ends, or undefined: it may come in. Asked again for the same message, it says the same. */
export type Policy = (arrival: Arrival) => EndingClass | undefined;

/** Who takes part in an exploration of custody, and how much may happen to whom. */
import type { Weakening } from './weakenings.ts';

/** `clone`: another store of the same name, which is not there until it is copied. */
export interface CustodyNode {
  readonly name: string;
  readonly role: 'source' | 'gateway' | 'destination' | 'clone';
  /** How often its power may go. Where it never does, every write is over at once: when it is over makes no difference to anybody. */
  readonly cuts: number;
  /** Names of the nodes it may offer to, one after the other. */
  readonly uplinks: readonly string[];
}

export interface CustodyBounds {
  readonly name: string;
  readonly nodes: readonly CustodyNode[];
  /** Priorities of the messages that are sent, in this order: their number is how many. */
  readonly messages: readonly number[];
  /** Of all senders together. */
  readonly offers: number;
  /** What may be done once to the store of node `harmed`. */
  readonly harm: 'none' | 'rollback' | 'clone';
  readonly harmed: number;
  /** How often the destination may give up what it waits for. */
  readonly closes: number;
  /** Whether an account may stand for a message. */
  readonly accounts: 'none' | 'allowed';
  /** What has happened before the exploration begins. */
  readonly before?: readonly string[];
  readonly weakening?: Weakening;
}

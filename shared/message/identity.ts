/**
 * Who a message is, from its first disk to its last (docs/custody.md): its stream and its number in it. As text:
 *
 *   <origin>:<incarnation, 16 hex digits>:<destination>:<priority>:<number>
 */
import { isName, parseAddress } from './address.ts';
import { isTopicDestination } from './topic-destination.ts';

/** One node's numbered flow to one queue at one priority. */
export interface StreamKey {
  /** The node that accepted `send`. */
  readonly origin: string;
  /** Random id of that node's store, 16 hex digits. */
  readonly incarnation: string;
  /** Address of the queue, always with its node. */
  readonly destination: string;
  /** 0 to 7, 7 most urgent. */
  readonly priority: number;
}

export interface Identity extends StreamKey {
  /** From 1, +1 per message of the stream. */
  readonly number: number;
}

/** One opening of a store: counts up, with chance beside it so that a clone's opening is another one. */
export interface Epoch {
  readonly counter: number;
  readonly random: number;
}

export function isSameEpoch(a: Epoch, b: Epoch): boolean {
  return a.counter === b.counter && a.random === b.random;
}

/** As part of a name that no other opening gives. */
export function epochText({ counter, random }: Epoch): string {
  return `${counter}.${random.toString(36)}`;
}

export function streamText(key: StreamKey): string {
  return `${key.origin}:${key.incarnation}:${key.destination}:${key.priority}`;
}

/** Of the message of a stream that has this number. Named field by field: a spread with one more behind it costs a message 3 µs. */
export function numbered({ origin, incarnation, destination, priority }: StreamKey, number: number): Identity {
  return { origin, incarnation, destination, priority, number };
}

export function identityText(identity: Identity): string {
  return `${streamText(identity)}:${identity.number}`;
}

/** Inverse of `identityText`; undefined for anything else. */
export function parseIdentity(text: string): Identity | undefined {
  // A topic may have colons of its own.
  const [origin = '', incarnation = '', ...rest] = text.split(':');
  const [priority = '', number = ''] = rest.slice(-2);
  const destination = rest.slice(0, -2).join(':');
  if (!isName(origin) || !/^[0-9a-f]{16}$/.test(incarnation) || !/^[0-7]$/.test(priority)) return undefined;
  if (!/^[1-9][0-9]{0,15}$/.test(number) || !isFull(destination)) return undefined;
  return { origin, incarnation, destination, priority: Number(priority), number: Number(number) };
}

/** With its node. */
function isFull(destination: string): boolean {
  try {
    parseAddress(destination, '');
    return destination.includes('/') || isTopicDestination(destination);
  } catch {
    return false; // the only thing it throws is NAME_INVALID, and that is the answer here
  }
}

/** For tests: one queue of the fake node, in the order in which its messages are received. */
import type { Peeked, Received } from '../../core/calls.ts';
import { identityText } from '../../message/identity.ts';
import type { Message } from '../../message/message.ts';
import type { Place, Selector } from '../../queue/selector.ts';

export interface Held {
  readonly message: Message;
  readonly lookupId: number;
  deliveryCount: number;
  moveCount: number;
}

export function insert(list: Held[], held: Held): void {
  const before = list.findIndex((other) => isBefore(placeOf(held), placeOf(other)));
  list.splice(before < 0 ? list.length : before, 0, held);
}

export function isBefore(a: Place, b: Place): boolean {
  return a.priority > b.priority || (a.priority === b.priority && a.lookupId < b.lookupId);
}

export function placeOf({ message, lookupId }: Held): Place {
  return { priority: message.priority, lookupId };
}

export function selected(list: readonly Held[], select: Selector = { by: 'first' }): Held | undefined {
  switch (select.by) {
    case 'first':
      return list[0];
    case 'last':
      return list.at(-1);
    case 'after':
      return list.find((held) => isBefore(select.place, placeOf(held)));
    case 'before':
      return list.filter((held) => isBefore(placeOf(held), select.place)).at(-1);
    case 'lookupId':
      return list.find(({ lookupId }) => lookupId === select.lookupId);
    case 'identity':
      return list.find(({ message }) => identityText(message.identity) === select.identity);
    case 'correlationId':
      return list.find(({ message }) => message.correlationId === select.correlationId);
    case 'arrivedAfter':
      return list.filter(({ lookupId }) => lookupId > select.lookupId).sort((a, b) => a.lookupId - b.lookupId)[0];
  }
}

/** What a message was named by; undefined for a place in an order. */
export function wantedBy(select: Selector | undefined): string | undefined {
  switch (select?.by) {
    case 'lookupId':
      return `lookupId ${select.lookupId}`;
    case 'identity':
      return `identity ${select.identity}`;
    case 'correlationId':
      return `correlationId ${select.correlationId}`;
    default:
      return undefined;
  }
}

export function shown({ message, lookupId, deliveryCount, moveCount }: Held): Omit<Received, 'lease' | 'leaseMs'> {
  return { deliveryCount, moveCount, lookupId, hop: { count: 0, elapsedMs: 0 }, message };
}

export function peekedOf(queue: string, held: Held, bodies: 'with' | 'without'): Peeked {
  const { message } = held;
  const body = bodies === 'with' ? message.body : new Uint8Array(0);
  return { queue, bodyBytes: message.body.length, ...shown({ ...held, message: { ...message, body } }) };
}

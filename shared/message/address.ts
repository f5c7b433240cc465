/**
 * Names and addresses.
 *
 *   name     [a-z0-9][a-z0-9_-]{0,62}     no dots: two common brokers use the dot as a separator
 *   queue    a name, or one of the system queues $dead $journal $admin $node $topic
 *   subqueue <name>;<sub>     a part of a queue of this node, sub [a-z0-9][a-z0-9_-]{0,31}: for verbs here, never an address
 *   address  <queue>          a queue of this node
 *            <node>/<queue>   a queue of another node, or of this one by its full name
 *            topic:<topic>    of a route: messages of this node that wait in $topic to be published
 *
 * Wrong names are refused where they are given, never dropped later.
 */
import { RingmailError } from '../errors.ts';
import { isTopicDestination, topicOf, topicProblem } from './topic-destination.ts';

const NAME = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const SUBQUEUE = /^([a-z0-9][a-z0-9_-]{0,62});[a-z0-9][a-z0-9_-]{0,31}$/;
/** Where nodes write to one another (custody/node-words.ts). Nothing lies in it. */
export const NODE_QUEUE = '$node';
/** Where what a route sends to a topic waits for a broker. */
export const TOPIC_QUEUE = '$topic';
const SYSTEM_QUEUES = ['$dead', '$journal', '$admin', NODE_QUEUE, TOPIC_QUEUE];

export interface Address {
  readonly node: string;
  readonly queue: string;
}

export function isName(text: string): boolean {
  return NAME.test(text);
}

export function isQueueName(text: string): boolean {
  return NAME.test(text) || SYSTEM_QUEUES.includes(text);
}

export function isSystemQueue(text: string): boolean {
  return SYSTEM_QUEUES.includes(text);
}

/** The name of the queue that a subqueue is a part of; undefined for anything that is not spelt as a subqueue. */
export function parentName(text: string): string | undefined {
  return SUBQUEUE.exec(text)?.[1];
}

/** The address, with `self` as its node where it names none. @throws NAME_INVALID */
export function parseAddress(text: string, self: string): Address {
  if (isTopicDestination(text)) return topicAddress(text, self);
  const parts = text.split('/');
  const queue = parts.at(-1) ?? '';
  const node = parts.length === 2 ? (parts[0] ?? '') : self;
  if (parts.length > 2) throw new RingmailError('NAME_INVALID', { name: text, reason: 'an address is queue or node/queue' });
  if (!isName(node)) throw new RingmailError('NAME_INVALID', { name: node, reason: 'node: [a-z0-9][a-z0-9_-]{0,62}' });
  if (!isQueueName(queue)) throw new RingmailError('NAME_INVALID', { name: queue, reason: 'queue: [a-z0-9][a-z0-9_-]{0,62}' });
  return { node, queue };
}

function topicAddress(text: string, self: string): Address {
  const reason = topicProblem(topicOf(text));
  if (reason !== undefined) throw new RingmailError('NAME_INVALID', { name: text, reason });
  return { node: self, queue: TOPIC_QUEUE };
}

export function formatAddress(address: Address): string {
  return `${address.node}/${address.queue}`;
}

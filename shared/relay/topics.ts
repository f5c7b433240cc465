/**
 * Topics of custody over MQTT (docs/mqtt.md). Names hold no dots, slashes or wildcards (message/address.ts), so every name is one
 * level as it stands.
 *
 *   ringmail/queue/<central>/<queue>/<partition>   items, up: to whoever owns this partition of the queue
 *   ringmail/receipt/<node>                        what a receiver says to this sender
 *   ringmail/sync/<sender>                         the offer of this sender
 *   ringmail/status/<node>                         retained; the last will says that it is gone
 *   ringmail/down/<gateway>                        items, down: from its central
 */
import { toUtf8 } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import { isName, isQueueName } from '../message/address.ts';
import type { StreamKey } from '../message/identity.ts';

export type Topic =
  | { readonly kind: 'queue'; readonly central: string; readonly queue: string; readonly partition: number }
  | { readonly kind: 'receipt' | 'sync' | 'status' | 'down'; readonly node: string };

/**
 * From a sender to its receiver: up to a logical central, by queue and partition (as many at every sender and central), or down from
 * one to a gateway.
 */
export type RelayPath =
  | { readonly kind: 'up'; readonly central: string; readonly partitionCount: number }
  | { readonly kind: 'down'; readonly gateway: string };

/** Every sender's offers. */
export const SYNC_FILTER = 'ringmail/sync/+';
/** What every node says of itself. */
export const STATUS_FILTER = 'ringmail/status/+';
const PARTITION_MAX = 65_535;

export function formatTopic(topic: Topic): string {
  if (topic.kind === 'queue') return `ringmail/queue/${topic.central}/${topic.queue}/${topic.partition}`;
  return `ringmail/${topic.kind}/${topic.node}`;
}

/** A subscription to the queues of a central; `+` is each of them. */
export function queueFilter(central: string, queue: string, partition: number | '+'): string {
  return `ringmail/queue/${central}/${queue}/${partition}`;
}

/** Inverse of `formatTopic`; undefined for anything else. */
export function parseTopic(text: string): Topic | undefined {
  const [root, kind, ...rest] = text.split('/');
  if (root !== 'ringmail') return undefined;
  if (kind === 'queue') return parseQueueTopic(rest);
  const [node = '', ...more] = rest;
  if (kind !== 'receipt' && kind !== 'sync' && kind !== 'status' && kind !== 'down') return undefined;
  return more.length === 0 && isName(node) ? { kind, node } : undefined;
}

function parseQueueTopic(levels: readonly string[]): Topic | undefined {
  const [central = '', queue = '', partition = '', ...more] = levels;
  if (more.length > 0 || !isName(central) || !isQueueName(queue) || !/^(0|[1-9][0-9]{0,4})$/.test(partition)) return undefined;
  return Number(partition) > PARTITION_MAX ? undefined : { kind: 'queue', central, queue, partition: Number(partition) };
}

/** Where a stream of this origin goes, out of `count` partitions: all of them in one place, so that order survives. */
export function partitionOf(origin: string, count: number): number {
  return crc32(toUtf8(origin)) % count;
}

/** Whom syncs on this path name, and whose status says whether it is there. */
export function receiverOf(path: RelayPath): string {
  return path.kind === 'up' ? path.central : path.gateway;
}

/** Where items of a stream are published. */
export function topicFor(path: RelayPath, { origin, destination }: StreamKey): string {
  if (path.kind === 'down') return formatTopic({ kind: 'down', node: path.gateway });
  const queue = destination.slice(destination.indexOf('/') + 1);
  return formatTopic({ kind: 'queue', central: path.central, queue, partition: partitionOf(origin, path.partitionCount) });
}

/**
 * The status of a node, retained on `ringmail/status/<node>`.
 *
 *   {0 version 1, 1 node, 4 online: true, 2 incarnation (bstr 8), 5 epoch [counter, random], 6 hello}
 *   {0 version 1, 1 node, 4 online: false}                                       the last will
 *
 * `hello` counts the connections of this opening. A status with another incarnation, epoch or hello than the last one says that the
 * node has subscribed anew: what was published to it since may be lost.
 */
import { type CborInput, encodeCbor } from '../message/cbor.ts';
import type { Epoch } from '../message/identity.ts';
import type { Publish } from '../ports.ts';
import { epochFields, epochOf, fieldsOf, hexOf, incarnationBytes, KEY, nameOf, RELAY_VERSION, wholeOf } from './fields.ts';
import { formatTopic } from './topics.ts';

export type Status =
  | {
      readonly kind: 'online';
      readonly node: string;
      readonly incarnation: string;
      readonly epoch: Epoch;
      readonly hello: number;
    }
  | { readonly kind: 'offline'; readonly node: string };

const ONLINE = 4;
const EPOCH = 5;
const HELLO = 6;

/** The publish that says it; for `offline` also a last will. */
export function statusPublish(status: Status): Publish {
  const topic = formatTopic({ kind: 'status', node: status.node });
  return { topic, payload: encodeStatus(status), qos: 1, retain: 'retain' };
}

export function encodeStatus(status: Status): Uint8Array {
  const map = new Map<number, CborInput>([
    [KEY.version, RELAY_VERSION],
    [KEY.node, status.node],
    [ONLINE, status.kind === 'online'],
  ]);
  if (status.kind === 'online') {
    map.set(KEY.incarnation, incarnationBytes(status.incarnation));
    map.set(EPOCH, epochFields(status.epoch));
    map.set(HELLO, status.hello);
  }
  return encodeCbor(map);
}

/** Undefined for anything that is not a whole status. Never throws. */
export function decodeStatus(payload: Uint8Array): Status | 'unknown-version' | undefined {
  const fields = fieldsOf(payload);
  if (fields === undefined || fields === 'unknown-version') return fields;
  const node = nameOf(fields.get(KEY.node));
  const online = fields.get(ONLINE);
  if (node === undefined || typeof online !== 'boolean') return undefined;
  if (!online) return { kind: 'offline', node };
  const incarnation = hexOf(fields.get(KEY.incarnation));
  const epoch = epochOf(fields.get(EPOCH));
  const hello = wholeOf(fields.get(HELLO));
  if (incarnation === undefined || epoch === undefined || hello === undefined) return undefined;
  return { kind: 'online', node, incarnation, epoch, hello };
}

/** Handing messages to a node. */
import type { Call, Durability, ProducerNumber, TransactionStep } from '../../core/calls.ts';
import { RingmailError } from '../../errors.ts';
import type { Properties } from '../../message/message.ts';
import type { NodeCalls } from '../node-calls.ts';
import { ask } from './asking.ts';
import { type Body, contentOf } from './body.ts';

/** What the node says of a message it took. */
export interface Sent {
  readonly identity: string;
  readonly durability: Durability;
}

/** What the node says of several that it took in one frame. */
export interface SentAll {
  /** In the order of the sends. Empty for a numbered request that was done before, and not as the last one. */
  readonly identities: readonly string[];
  readonly durability: Durability;
}

export interface SendOptions extends Properties {
  /** How long to wait for room in a queue that blocks, in ms. The node's `blockMs`. */
  readonly waitMs?: number;
  /** Sending again under a key that the destination remembers stores nothing, and answers with the identity of the first. */
  readonly sendKey?: string;
  /** The sender's name and the number of this request: the same one again is answered as before, and stores nothing. */
  readonly by?: ProducerNumber;
  /** `express`: in memory only. Gone when the node crashes; answered `volatile`. */
  readonly delivery?: 'express';
}

/** One message. @throws whatever refuses it; then nothing was stored, unless it is IN_DOUBT */
export async function sendOne(
  node: NodeCalls,
  address: string,
  { body, ...options }: SendOptions & { body: Body },
): Promise<Sent> {
  const { identity, durability } = await ask(node, sendCall(address, body, options), 'sent');
  return { identity, durability };
}

function takenApart(destination: string, options: SendOptions & { body: Body }): SendCall {
  const { body, waitMs, sendKey, by, delivery, ...properties } = options;
  const how = {
    ...(waitMs !== undefined && { waitMs }),
    ...(sendKey !== undefined && { sendKey }),
    ...(by !== undefined && { by }),
    ...(delivery !== undefined && { delivery }),
  };
  return { verb: 'send', destination, ...contentOf(body, properties), ...how };
}

/** What a node is asked for one message. @throws CBOR_UNENCODABLE */
export function sendCall(destination: string, body: Body, options: SendOptions): SendCall {
  // Most say nothing but what the message is, and need not be taken apart.
  for (const name of HOW) if (name in options) return takenApart(destination, { ...options, body });
  // A copy: they are read later, and are the application's.
  const content = contentOf(body, { ...options });
  return { verb: 'send', destination, body: content.body, properties: content.properties };
}

/** Options that say how to send, and not what. `body` is no property either, whoever gives it. */
const HOW: readonly string[] = ['waitMs', 'sendKey', 'by', 'delivery', 'body'];

type SendCall = Call & { verb: 'send' };

/** The same message to several queues, in one frame: all of them have it, or none. @throws as `commit` does */
export async function sendToAll(
  node: NodeCalls,
  addresses: readonly string[],
  { body, by, ...options }: SendOptions & { body: Body },
): Promise<SentAll> {
  const steps = addresses.map((address) => sendStep(address, body, options));
  const { identities, durability } = await ask(node, { verb: 'commit', steps, ...(by && { by }) }, 'committed');
  return { identities, durability };
}

/** A send as part of a transaction. @throws PROPERTY_INVALID for what a transaction has not */
export function sendStep(address: string, body: Body, options: SendOptions): TransactionStep & { do: 'send' } {
  const { waitMs, sendKey, by, delivery, ...properties } = options;
  const extra = Object.entries({ waitMs, sendKey, by, delivery }).find(([, value]) => value !== undefined)?.[0];
  if (extra !== undefined) {
    const reason = 'not in a transaction: it waits for nothing, is stored as a whole, and is numbered as a whole';
    throw new RingmailError('PROPERTY_INVALID', { property: extra, reason });
  }
  return { do: 'send', destination: address, ...contentOf(body, properties) };
}

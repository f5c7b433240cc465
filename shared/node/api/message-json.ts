/**
 * A received message as one line of JSON, and back (docs/local-api.md, "Receive").
 *
 *   {"lease", "leaseMs", "deliveryCount", "hops", "elapsedMs",
 *    "message": {"identity", "epoch": {"counter", "random"}, "priority", …properties that were set…,
 *                "previous", "history": [{"class", "node", "reason"}], "maybeDuplicate",
 *                one of "body" | "bodyText" | "bodyBase64"}}
 *
 * A JSON body goes in as it was written, so nothing of it is lost to this side's numbers. The way back reads `bodyBase64` only: it is
 * for whoever asked for exact bytes.
 */
import type { Received } from '../../core/calls.ts';
import { type EndingClass, isEndingClass } from '../../message/classes.ts';
import { type Epoch, identityText, parseIdentity } from '../../message/identity.ts';
import type { Ending, Message } from '../../message/message.ts';
import { bodyFormOf } from './body-forms.ts';

/** `auto`: by content type. `base64`: the exact bytes, whatever they are. */
export type BodyAs = 'auto' | 'base64';

export function receivedJson(received: Received, bodyAs: BodyAs): string {
  const { lease, leaseMs, deliveryCount, hop, message } = received;
  const delivery = { lease, leaseMs, deliveryCount, hops: hop.count, elapsedMs: hop.elapsedMs };
  return joined(delivery, `"message":${joined(propertiesOf(message), bodyMember(message, bodyAs))}`);
}

/** The object with one more member, which is text already. */
function joined(object: object, member: string): string {
  return `${JSON.stringify(object).slice(0, -1)},${member}}`;
}

/** In this order, whatever the message is made of; what is not set is left out. */
function propertiesOf(message: Message): object {
  const { identity, epoch, priority, contentType, label, correlationId, responseQueue, appSpecific, headers } = message;
  const { timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs, previous, history, maybeDuplicate } = message;
  return {
    ...{ identity: identityText(identity), epoch, priority, contentType, label, correlationId, responseQueue, appSpecific },
    headers: headers && Object.fromEntries(headers),
    ...{ timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs, previous, history, maybeDuplicate },
  };
}

function bodyMember({ contentType, body }: Message, bodyAs: BodyAs): string {
  const form = bodyAs === 'auto' ? bodyFormOf(contentType, body) : { kind: 'bytes' as const };
  switch (form.kind) {
    case 'json':
      return `"body":${form.json}`;
    case 'text':
      return `"bodyText":${JSON.stringify(form.text)}`;
    case 'bytes':
      return `"bodyBase64":"${Buffer.from(body.buffer, body.byteOffset, body.length).toString('base64')}"`;
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Inverse of `receivedJson(…, 'base64')` once parsed; undefined for anything else. */
export function parseReceived(value: unknown): Received | undefined {
  if (!isObject(value) || !isObject(value.message)) return undefined;
  const { lease, leaseMs, deliveryCount, hops, elapsedMs } = value;
  const message = parseMessage(value.message);
  if (message === undefined || typeof lease !== 'string' || !isWhole(leaseMs) || !isWhole(deliveryCount)) return undefined;
  if (!isWhole(hops) || !isWhole(elapsedMs)) return undefined;
  return { lease, leaseMs, deliveryCount, moveCount: 0, lookupId: 0, hop: { count: hops, elapsedMs }, message };
}

function parseMessage(fields: Fields): Message | undefined {
  const identity = typeof fields.identity === 'string' ? parseIdentity(fields.identity) : undefined;
  const epoch = parseEpoch(fields.epoch);
  const { priority, bodyBase64 } = fields;
  if (identity === undefined || epoch === undefined || !isWhole(priority) || typeof bodyBase64 !== 'string') return undefined;
  return {
    identity,
    epoch,
    priority,
    body: new Uint8Array(Buffer.from(bodyBase64, 'base64')),
    ...textMember(fields, 'contentType'),
    ...textMember(fields, 'label'),
    ...textMember(fields, 'correlationId'),
    ...textMember(fields, 'responseQueue'),
    ...textMember(fields, 'previous'),
    ...wholeMember(fields, 'appSpecific'),
    ...wholeMember(fields, 'timeToReachQueueMs'),
    ...wholeMember(fields, 'timeToBeReceivedMs'),
    ...wholeMember(fields, 'deliverAfterMs'),
    ...(isObject(fields.headers) && { headers: parseHeaders(fields.headers) }),
    ...(Array.isArray(fields.history) && { history: fields.history.filter(isObject).map(parseEnding) }),
    ...(fields.maybeDuplicate === 'maybe' && { maybeDuplicate: 'maybe' as const }),
  };
}

function parseEpoch(value: unknown): Epoch | undefined {
  if (!isObject(value) || !isWhole(value.counter) || !isWhole(value.random)) return undefined;
  return { counter: value.counter, random: value.random };
}

function parseHeaders(fields: Fields): Map<string, string> {
  return new Map(Object.entries(fields).map(([name, content]) => [name, String(content)]));
}

/** A class of a newer node is shown as what it is to this one: given up for a reason that stands beside it. */
function parseEnding(fields: Fields): Ending {
  const name = String(fields.class);
  const ending: EndingClass = isEndingClass(name) ? name : 'REJECTED';
  return { class: ending, node: String(fields.node), reason: String(fields.reason) };
}

function textMember<K extends string>(fields: Fields, key: K): { [P in K]?: string } {
  const value = fields[key];
  return typeof value === 'string' ? ({ [key]: value } as { [P in K]?: string }) : {};
}

function wholeMember<K extends string>(fields: Fields, key: K): { [P in K]?: number } {
  const value = fields[key];
  return isWhole(value) ? ({ [key]: value } as { [P in K]?: number }) : {};
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

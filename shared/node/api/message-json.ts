/**
 * A received message, or one that was looked at, as one line of JSON, and back (docs/local-api.md, "Receive").
 *
 *   received  {"lease", "leaseMs", "deliveryCount", "moveCount", "lookupId", "hops", "elapsedMs", ["replayed": true,] ["late": true,]
 *              "message"}
 *   peeked    {"queue", "deliveryCount", "moveCount", "lookupId", "hops", "elapsedMs", ["replayed": true,] ["late": true,] "bodyBytes",
 *              "message"}
 *   message   {"identity", "epoch": {"counter", "random"}, "priority", …properties that were set…,
 *              "previous", "history": [{"class", "node", "reason"}], "maybeDuplicate", "transaction": {"id", "index", "count"},
 *              one of "body" | "bodyText" | "bodyBase64", or none for a look without}
 *
 * A JSON body goes in as it was written, so nothing of it is lost to this side's numbers. The way back reads `bodyBase64` only: it is
 * for whoever asked for exact bytes.
 */
import type { Peeked, Received } from '../../core/calls.ts';
import { type EndingClass, isEndingClass } from '../../message/classes.ts';
import { type Epoch, identityText, parseIdentity } from '../../message/identity.ts';
import { ACKNOWLEDGE, type Ending, type Message, type TransactionMark } from '../../message/message.ts';
import { bodyFormOf } from './body-forms.ts';

/** `auto`: by content type. `base64`: the exact bytes, whatever they are. */
export type BodyAs = 'auto' | 'base64';

export function receivedJson(received: Received, bodyAs: BodyAs): string {
  const { lease, leaseMs, message } = received;
  return joined(
    { lease, leaseMs, ...placeOf(received) },
    `"message":${joined(propertiesOf(message), bodyMember(message, bodyAs))}`,
  );
}

/** `none`: without its body, which was not read. */
export function peekedJson(peeked: Peeked, bodyAs: BodyAs | 'none'): string {
  const { queue, bodyBytes, message } = peeked;
  const properties = propertiesOf(message);
  const shown = bodyAs === 'none' ? JSON.stringify(properties) : joined(properties, bodyMember(message, bodyAs));
  return joined({ queue, ...placeOf(peeked), bodyBytes }, `"message":${shown}`);
}

function placeOf({ deliveryCount, moveCount, lookupId, hop }: Received | Peeked): object {
  const { count: hops, elapsedMs, replayed, late } = hop;
  return { deliveryCount, moveCount, lookupId, hops, elapsedMs, replayed, ...(late && { late: true }) };
}

/** The object with one more member, which is text already. */
function joined(object: object, member: string): string {
  return `${JSON.stringify(object).slice(0, -1)},${member}}`;
}

/** In this order, whatever the message is made of; what is not set is left out. */
function propertiesOf(message: Message): object {
  const { identity, epoch, priority, contentType, label, correlationId, responseQueue, appSpecific, headers } = message;
  const { timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs, acknowledge, deadLetter, journal } = message;
  const { previous, history, maybeDuplicate, transaction } = message;
  return {
    ...{ identity: identityText(identity), epoch, priority, contentType, label, correlationId, responseQueue, appSpecific },
    headers: headers && Object.fromEntries(headers),
    ...{ timeToReachQueueMs, timeToBeReceivedMs, deliverAfterMs, acknowledge, deadLetter, journal },
    ...{ previous, history, maybeDuplicate, transaction },
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
  if (!isObject(value)) return undefined;
  const { lease, leaseMs } = value;
  const shown = parseShown(value);
  return typeof lease === 'string' && isWhole(leaseMs) && shown !== undefined ? { lease, leaseMs, ...shown } : undefined;
}

/** Inverse of `peekedJson(…, 'base64')`; of `none` with an empty body. */
export function parsePeeked(value: unknown): Peeked | undefined {
  if (!isObject(value) || !isObject(value.message)) return undefined;
  const { queue, bodyBytes, message } = value;
  const shown = parseShown('bodyBase64' in message ? value : { ...value, message: { ...message, bodyBase64: '' } });
  return typeof queue === 'string' && isWhole(bodyBytes) && shown !== undefined ? { queue, bodyBytes, ...shown } : undefined;
}

/** An earlier node says neither how often a message was moved nor its lookup id. */
function parseShown(value: Fields): Omit<Received, 'lease' | 'leaseMs'> | undefined {
  if (!isObject(value.message)) return undefined;
  const { deliveryCount, moveCount = 0, lookupId = 0, hops, elapsedMs, replayed, late } = value;
  const message = parseMessage(value.message);
  if (message === undefined || !isWhole(deliveryCount) || !isWhole(moveCount) || !isWhole(lookupId)) return undefined;
  if (!isWhole(hops) || !isWhole(elapsedMs)) return undefined;
  const marks = { ...(replayed === true && { replayed: true as const }), ...(late === true && { late: 'late' as const }) };
  return { deliveryCount, moveCount, lookupId, hop: { count: hops, elapsedMs, ...marks }, message };
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
    ...acknowledgeMember(fields.acknowledge),
    ...(fields.deadLetter === 'off' && { deadLetter: 'off' as const }),
    ...(fields.journal === 'on' && { journal: 'on' as const }),
    ...transactionMember(fields.transaction),
    ...(isObject(fields.headers) && { headers: parseHeaders(fields.headers) }),
    ...(Array.isArray(fields.history) && { history: fields.history.filter(isObject).map(parseEnding) }),
    ...(fields.maybeDuplicate === 'maybe' && { maybeDuplicate: 'maybe' as const }),
  };
}

function acknowledgeMember(value: unknown): Pick<Message, 'acknowledge'> {
  const acknowledge = ACKNOWLEDGE.find((word) => word === value);
  return acknowledge === undefined ? {} : { acknowledge };
}

function transactionMember(value: unknown): { transaction?: TransactionMark } {
  if (!isObject(value)) return {};
  const { id, index, count } = value;
  return typeof id === 'string' && isWhole(index) && isWhole(count) ? { transaction: { id, index, count } } : {};
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

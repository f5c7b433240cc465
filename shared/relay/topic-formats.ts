/**
 * What is published to a topic for those who know nothing of ringmail (docs/mqtt.md, "Plain topics"): a message in one of four forms.
 *
 *   raw          its body
 *   json         {"identity", "priority", …properties that were set…, "previous", one of "body" | "bodyText" | "bodyBase64"}
 *   cloudevents  {"specversion", "id", "source", "type", …, one of "data" | "data_base64"}, structured [CloudEvents 1.0, JSON format]
 *   envelope     the envelope (docs/envelope.cddl)
 *
 * An event's id is the identity of the message that the route took on: the same at each repeat, and over every topic it goes to.
 */
import { unreachable } from '../assert.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import { RingmailError } from '../errors.ts';
import { toBase64 } from '../message/base64.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import { identityText, parseIdentity } from '../message/identity.ts';
import type { Message } from '../message/message.ts';
import { isPlainJson } from '../message/plain-json.ts';
import { type TopicFormat, topicFormatOf, topicOf, topicProblem } from '../message/topic-destination.ts';
import { fillTopic, originalOf } from '../message/topic-template.ts';
import type { PublishProperties } from '../ports.ts';

export type Formed =
  | { readonly kind: 'formed'; readonly topic: string; readonly payload: Uint8Array; readonly properties: PublishProperties }
  | { readonly kind: 'refused'; readonly class: 'CORRUPT' | 'BAD_DST_Q'; readonly reason: string };

/** Members of an event that are not for headers. */
const EVENT_MEMBERS = ['specversion', 'id', 'source', 'type', 'datacontenttype', 'data', 'priority'];
const EXTENSION_LENGTH_MAX = 20;

/** `destination`: where the message was routed, with its format and its gaps. */
export function formPublish(destination: string, envelope: Uint8Array): Formed {
  let message: Message;
  try {
    message = decodeEnvelope(envelope).message;
  } catch (error) {
    if (error instanceof RingmailError) return { kind: 'refused', class: 'CORRUPT', reason: 'it cannot be read' };
    throw error;
  }
  const topic = fillTopic(topicOf(destination), message);
  const problem = topicProblem(topic);
  if (problem !== undefined) return { kind: 'refused', class: 'BAD_DST_Q', reason: `topic ${topic.slice(0, 100)}: ${problem}` };
  const format = topicFormatOf(destination);
  return { kind: 'formed', topic, payload: payloadOf(format, message, envelope), properties: propertiesOf(format, message) };
}

function payloadOf(format: TopicFormat, message: Message, envelope: Uint8Array): Uint8Array {
  switch (format) {
    case 'raw':
      return message.body;
    case 'json':
      return toUtf8(jsonOf(message));
    case 'cloudevents':
      return toUtf8(eventOf(message));
    case 'envelope':
      return envelope;
    default:
      return unreachable(format);
  }
}

/** Of MQTT 5: nothing essential is there alone, but for the headers of a raw body. */
function propertiesOf(format: TopicFormat, message: Message): PublishProperties {
  const { contentType, correlationId, label, headers, priority } = message;
  const types = {
    raw: contentType,
    json: 'application/json',
    cloudevents: 'application/cloudevents+json',
    envelope: 'application/cbor',
  };
  const type = types[format];
  const user: (readonly [string, string])[] = [
    ['identity', originalOf(message)],
    ['priority', String(priority)],
  ];
  if (label !== undefined) user.push(['label', label]);
  return {
    ...(type !== undefined && isMqttText(type) && { contentType: type }),
    ...(correlationId !== undefined && { correlationId }),
    user: [...user, ...(headers ?? [])].filter((pair) => pair.every(isMqttText)),
  };
}

/** A broker ends the connection over another one [MQTT-1.5.4-2]. */
function isMqttText(text: string): boolean {
  return !text.includes('\u0000');
}

function jsonOf(message: Message): string {
  const { identity, priority, contentType, label, correlationId, responseQueue, appSpecific, headers, previous, maybeDuplicate } =
    message;
  const properties = {
    ...{ identity: identityText(identity), priority, contentType, label, correlationId, responseQueue, appSpecific },
    headers: headers && Object.fromEntries(headers),
    ...{ previous, maybeDuplicate },
  };
  return withMember(properties, memberOf(message, { json: 'body', text: 'bodyText', bytes: 'bodyBase64' }));
}

function eventOf(message: Message): string {
  const { contentType, label, priority } = message;
  const id = originalOf(message);
  const { origin, destination } = parseIdentity(id) ?? message.identity;
  const event = {
    ...{ specversion: '1.0', id, source: `/${origin}/${destination.split('/').at(-1)}`, type: label || 'ringmail.message' },
    ...(contentType !== undefined && contentType !== '' && { datacontenttype: contentType }),
    ...{ priority, ...extensionsOf(message) },
  };
  return withMember(event, memberOf(message, { json: 'data', text: 'data', bytes: 'data_base64' }));
}

/** Headers whose names are such once all but letters and digits is left out. */
function extensionsOf({ headers }: Message): Record<string, string> {
  const extensions: Record<string, string> = {};
  for (const [header, value] of headers ?? []) {
    const name = header.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
    const isFree = !EVENT_MEMBERS.includes(name) && !Object.hasOwn(extensions, name);
    if (name !== '' && name.length <= EXTENSION_LENGTH_MAX && isFree) extensions[name] = value;
  }
  return extensions;
}

/** The body, in the form that its type and its bytes allow: a value as it was written, else text, else base64. */
function memberOf({ contentType = '', body }: Message, names: { json: string; text: string; bytes: string }): string {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const isJson = type === 'application/json' || type.endsWith('+json');
  const isText = isJson || type === '' || type.startsWith('text/') || type.endsWith('/xml') || type.endsWith('+xml');
  const text = isText ? fromUtf8(body) : undefined;
  if (text === undefined) return `"${names.bytes}":"${toBase64(body)}"`;
  return isJson && isPlainJson(text) ? `"${names.json}":${text}` : `"${names.text}":${JSON.stringify(text)}`;
}

function withMember(object: object, member: string): string {
  return `${JSON.stringify(object).slice(0, -1)},${member}}`;
}

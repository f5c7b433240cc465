/**
 * A received message, or one that was looked at, as a raw answer: its body as it is, its properties in headers (docs/local-api.md, "Raw").
 *
 *   Ringmail-Lease, -Lease-Ms                                                                     of a received one
 *   Ringmail-Queue, -Body-Bytes                                                                   of one that was looked at
 *   Ringmail-Delivery-Count, -Move-Count, -Lookup-Id, -Hops, -Identity, -Priority                 always
 *   Ringmail-Content-Type, -Label, -Correlation-Id, -Response-Queue, -App-Specific, -Headers,
 *     -Acknowledge, -Dead-Letter, -Journal, -Previous, -Transaction                               when set
 *   Ringmail-Omitted: headers                                      when Ringmail-Headers would be longer than a client takes
 *
 * Text is percent-encoded UTF-8. Ringmail-Headers is name=value&name=value with both encoded; Ringmail-Transaction is the id, the index
 * and the count, encoded, with spaces between them.
 */
import type { Peeked, Received } from '../../core/calls.ts';
import { identityText } from '../../message/identity.ts';
import { RAW_HEADERS_BYTES_MAX } from './api-limits.ts';
import { percentEncode } from './percent.ts';

export function receivedHeaders(received: Received): Record<string, string> {
  const { lease, leaseMs } = received;
  return { 'Ringmail-Lease': lease, 'Ringmail-Lease-Ms': String(leaseMs), ...shownHeaders(received) };
}

export function peekedHeaders(peeked: Peeked): Record<string, string> {
  const { queue, bodyBytes } = peeked;
  return { 'Ringmail-Queue': percentEncode(queue), 'Ringmail-Body-Bytes': String(bodyBytes), ...shownHeaders(peeked) };
}

function shownHeaders({ deliveryCount, moveCount, lookupId, hop, message }: Received | Peeked): Record<string, string> {
  const { contentType = '', label, correlationId, responseQueue, appSpecific, transaction } = message;
  return {
    // A type of an application in the same process may be any text; as a header it must be one.
    'Content-Type': /^[!-~][ -~]*$/.test(contentType) ? contentType : 'application/octet-stream',
    'Ringmail-Delivery-Count': String(deliveryCount),
    'Ringmail-Move-Count': String(moveCount),
    'Ringmail-Lookup-Id': String(lookupId),
    'Ringmail-Hops': String(hop.count),
    ...(hop.replayed === true && { 'Ringmail-Replayed': 'true' }),
    ...(hop.late && { 'Ringmail-Late': 'true' }),
    'Ringmail-Identity': identityText(message.identity),
    'Ringmail-Priority': String(message.priority),
    ...textHeader('Ringmail-Content-Type', message.contentType),
    ...textHeader('Ringmail-Label', label),
    ...textHeader('Ringmail-Correlation-Id', correlationId),
    ...textHeader('Ringmail-Response-Queue', responseQueue),
    ...textHeader('Ringmail-App-Specific', appSpecific?.toString()),
    ...textHeader('Ringmail-Acknowledge', message.acknowledge),
    ...textHeader('Ringmail-Dead-Letter', message.deadLetter),
    ...textHeader('Ringmail-Journal', message.journal),
    ...textHeader('Ringmail-Previous', message.previous),
    ...(transaction && { 'Ringmail-Transaction': `${percentEncode(transaction.id)} ${transaction.index} ${transaction.count}` }),
    ...ownHeaders(message.headers),
  };
}

function textHeader(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: percentEncode(value) };
}

function ownHeaders(headers: ReadonlyMap<string, string> | undefined): Record<string, string> {
  if (headers === undefined) return {};
  const pairs = [...headers].map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`).join('&');
  return pairs.length <= RAW_HEADERS_BYTES_MAX ? { 'Ringmail-Headers': pairs } : { 'Ringmail-Omitted': 'headers' };
}

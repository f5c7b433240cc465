/**
 * A received message as a raw answer: its body as it is, its properties in headers (docs/local-api.md, "Receive").
 *
 *   Ringmail-Lease, -Lease-Ms, -Delivery-Count, -Hops, -Identity, -Priority                       always
 *   Ringmail-Content-Type, -Label, -Correlation-Id, -Response-Queue, -App-Specific, -Headers      when set
 *   Ringmail-Omitted: headers                                      when Ringmail-Headers would be longer than a client takes
 *
 * Text is percent-encoded UTF-8. Ringmail-Headers is name=value&name=value with both encoded.
 */
import type { Received } from '../../core/calls.ts';
import { identityText } from '../../message/identity.ts';
import { RAW_HEADERS_BYTES_MAX } from './api-limits.ts';
import { percentEncode } from './percent.ts';

export function receivedHeaders({ lease, leaseMs, deliveryCount, hop, message }: Received): Record<string, string> {
  const { contentType = '', label, correlationId, responseQueue, appSpecific } = message;
  return {
    // A type of an application in the same process may be any text; as a header it must be one.
    'Content-Type': /^[!-~][ -~]*$/.test(contentType) ? contentType : 'application/octet-stream',
    'Ringmail-Lease': lease,
    'Ringmail-Lease-Ms': String(leaseMs),
    'Ringmail-Delivery-Count': String(deliveryCount),
    'Ringmail-Hops': String(hop.count),
    'Ringmail-Identity': identityText(message.identity),
    'Ringmail-Priority': String(message.priority),
    ...textHeader('Ringmail-Content-Type', message.contentType),
    ...textHeader('Ringmail-Label', label),
    ...textHeader('Ringmail-Correlation-Id', correlationId),
    ...textHeader('Ringmail-Response-Queue', responseQueue),
    ...textHeader('Ringmail-App-Specific', appSpecific?.toString()),
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

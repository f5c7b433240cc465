/** The local API without its transport: what each endpoint asks of the node, and how the answer looks (docs/local-api.md). */

import type { Health } from '../../core/calls.ts';
import { WAIT_MS_MAX } from '../../core/desk-shell.ts';
import { RingmailError } from '../../errors.ts';
import type { Properties } from '../../message/message.ts';
import type { NodeCalls } from '../node-calls.ts';
import { API_VERSION, HEALTH_MS_MAX, LEASE_MS_DEFAULT } from './api-limits.ts';
import { guessContentType } from './body-forms.ts';
import { receivedHeaders } from './message-headers.ts';
import { receivedJson } from './message-json.ts';
import { jsonReply, jsonTextReply, NOTHING, type Reply } from './reply.ts';
import { parseTarget, type Query, wholeOf } from './target.ts';
import { ownVersion } from './version.ts';

/** One request, of whatever transport. */
export interface Ask {
  readonly method: string;
  readonly url: string;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  /** Reads the body: once, and only when it is wanted. @throws MESSAGE_TOO_LARGE, BUSY, REQUEST_INVALID */
  readonly readBody: () => Promise<Uint8Array>;
  /** Aborted when nobody waits for the answer any more; with a coded error as its reason when that is still to be told. */
  readonly signal: AbortSignal;
}

interface Serving {
  readonly ask: Ask;
  readonly node: NodeCalls;
  readonly query: Query;
  /** What stands at the places in braces. */
  readonly names: readonly string[];
}

interface Endpoint {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly serve: (serving: Serving) => Promise<Reply>;
}

export const ENDPOINTS: readonly Endpoint[] = [
  { method: 'POST', path: '/v1/send/{queue}', serve: send },
  { method: 'POST', path: '/v1/send/{node}/{queue}', serve: send },
  { method: 'POST', path: '/v1/receive/{queue}', serve: receive },
  { method: 'POST', path: '/v1/leases/{lease}/ack', serve: ack },
  { method: 'POST', path: '/v1/leases/{lease}/nack', serve: nack },
  { method: 'POST', path: '/v1/leases/{lease}/dead-letter', serve: deadLetter },
  { method: 'GET', path: '/v1/stats', serve: stats },
  { method: 'GET', path: '/v1/health', serve: health },
  { method: 'GET', path: '/v1/version', serve: version },
];

/** Answers one request. @throws RingmailError for a refusal */
export async function answer(ask: Ask, node: NodeCalls): Promise<Reply> {
  const { segments, query } = parseTarget(ask.url);
  const matches = ENDPOINTS.flatMap((endpoint) => {
    const names = namesIn(endpoint.path, segments);
    return names === undefined ? [] : [{ endpoint, names }];
  });
  if (matches.length === 0) throw new RingmailError('ENDPOINT_NOT_FOUND', { path: ask.url.slice(0, 200) });
  const match = matches.find(({ endpoint }) => endpoint.method === ask.method);
  if (match === undefined) {
    const allowed = matches.map(({ endpoint }) => endpoint.method).join(', ');
    throw new RingmailError('METHOD_NOT_ALLOWED', { method: ask.method, allowed });
  }
  return match.endpoint.serve({ ask, node, query, names: match.names });
}

/** What the path has where the pattern has braces; undefined when it does not fit. */
function namesIn(pattern: string, segments: readonly string[]): string[] | undefined {
  const parts = pattern.slice(1).split('/');
  if (parts.length !== segments.length) return undefined;
  const names: string[] = [];
  for (const [i, part] of parts.entries()) {
    const segment = segments[i] ?? '';
    if (part.startsWith('{')) names.push(segment);
    else if (part !== segment) return undefined;
  }
  return names;
}

async function send({ ask, node, query, names }: Serving): Promise<Reply> {
  const named = query.take('contentType');
  const waitMs = takeWait(query);
  const properties = takeProperties(query);
  query.refuseOthers();
  const body = await ask.readBody();
  // What curl -d says when nobody said anything. Nobody queues a web form; who does names the type in the query.
  const said = ask.contentType === 'application/x-www-form-urlencoded' ? guessContentType(body) : ask.contentType;
  const contentType = named ?? said;
  const typed = contentType === undefined ? properties : { ...properties, contentType };
  const call = { verb: 'send' as const, destination: names.join('/'), body, properties: typed, ...waitMs };
  const result = await node.call(call);
  if (result.kind !== 'sent') throw new RingmailError('NODE_STOPPED', { reason: 'nobody waited for the answer' });
  const { identity, durability } = result;
  return jsonReply({ identity, durable: durability === 'sync', durability });
}

/** Left away, the node's own default holds. @throws REQUEST_INVALID */
function takeWait(query: Query): { readonly waitMs?: number } {
  const waitMs = query.takeWhole('waitMs', { min: 0, max: WAIT_MS_MAX, missing: -1 });
  return waitMs < 0 ? {} : { waitMs };
}

/** @throws PROPERTY_INVALID for a number that is none; ranges are the node's to judge */
function takeProperties(query: Query): Properties {
  const headers = query.takePrefixed('header:');
  return {
    ...numberMember(query, 'priority'),
    ...numberMember(query, 'appSpecific'),
    ...numberMember(query, 'timeToReachQueueMs'),
    ...numberMember(query, 'timeToBeReceivedMs'),
    ...numberMember(query, 'deliverAfterMs'),
    ...textMember(query, 'label'),
    ...textMember(query, 'correlationId'),
    ...textMember(query, 'responseQueue'),
    ...(headers.size > 0 && { headers }),
  };
}

function numberMember<K extends string>(query: Query, property: K): { [P in K]?: number } {
  const text = query.take(property);
  if (text === undefined) return {};
  const value = wholeOf(text);
  if (value === undefined) throw new RingmailError('PROPERTY_INVALID', { property, reason: 'not a whole number' });
  return { [property]: value } as { [P in K]?: number };
}

function textMember<K extends string>(query: Query, property: K): { [P in K]?: string } {
  const value = query.take(property);
  return value === undefined ? {} : ({ [property]: value } as { [P in K]?: string });
}

async function receive({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  const waitMs = query.takeWhole('waitMs', { min: 0, max: WAIT_MS_MAX, missing: 0 });
  const leaseMs = query.takeWhole('leaseMs', { min: 1, max: WAIT_MS_MAX, missing: LEASE_MS_DEFAULT });
  const bodyAs = query.take('bodyAs') ?? 'auto';
  if (bodyAs !== 'auto' && bodyAs !== 'base64')
    throw new RingmailError('REQUEST_INVALID', { reason: 'bodyAs is auto or base64' });
  query.refuseOthers();
  const result = await node.call({ verb: 'receive', queue, waitMs, leaseMs }, ask.signal);
  if (result.kind !== 'received') {
    if (ask.signal.reason instanceof RingmailError) throw ask.signal.reason;
    return NOTHING;
  }
  const { received } = result;
  const isRaw = ask.accept?.includes('application/octet-stream') === true;
  const reply = isRaw
    ? { status: 200, headers: receivedHeaders(received), body: received.message.body }
    : jsonTextReply(receivedJson(received, bodyAs));
  return { ...reply, undelivered: () => giveBack(node, received.lease) };
}

/** A lease that never reached anybody: no need to wait until it ends. */
function giveBack(node: NodeCalls, lease: string): void {
  node.call({ verb: 'nack', lease, delayMs: 0 }).catch((error: unknown) => {
    // It ended already, or the node is stopping: the message is back, or will be.
    if (!(error instanceof RingmailError)) throw error;
  });
}

async function ack({ node, query, names: [lease = ''] }: Serving): Promise<Reply> {
  query.refuseOthers();
  await node.call({ verb: 'ack', lease });
  return NOTHING;
}

async function nack({ node, query, names: [lease = ''] }: Serving): Promise<Reply> {
  const delayMs = query.takeWhole('delayMs', { min: 0, max: WAIT_MS_MAX, missing: 0 });
  query.refuseOthers();
  await node.call({ verb: 'nack', lease, delayMs });
  return NOTHING;
}

async function deadLetter({ node, query, names: [lease = ''] }: Serving): Promise<Reply> {
  const reason = query.take('reason') ?? '';
  query.refuseOthers();
  await node.call({ verb: 'deadLetter', lease, reason });
  return NOTHING;
}

async function stats({ node, query }: Serving): Promise<Reply> {
  query.refuseOthers();
  const result = await node.call({ verb: 'stats' });
  return jsonReply(result.kind === 'stats' ? result.stats : {});
}

async function health({ node, query }: Serving): Promise<Reply> {
  query.refuseOthers();
  const found = await askHealth(node);
  return jsonReply(found, found.status === 'green' ? 200 : 503);
}

/** Never later than HEALTH_MS_MAX: a node that does not answer is not healthy. */
async function askHealth(node: NodeCalls): Promise<Health> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Health>((resolve) => {
    timer = setTimeout(() => resolve(notServing(`no answer within ${HEALTH_MS_MAX} ms`)), HEALTH_MS_MAX);
  });
  const asked = node.call({ verb: 'stats' }).then(
    (result) => (result.kind === 'stats' ? result.stats.health : notServing(result.kind)),
    (error: unknown) => {
      if (error instanceof RingmailError) return notServing(error.message);
      throw error;
    },
  );
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

function notServing(detail: string): Health {
  return { status: 'red', causes: [{ code: 'NOT_SERVING', detail }] };
}

async function version({ query }: Serving): Promise<Reply> {
  query.refuseOthers();
  return jsonReply({ name: 'ringmail', version: ownVersion(), api: API_VERSION });
}

/** Receiving and looking: one message at a time, its lease and its ends. What comes line by line is in stream-endpoint.ts. */
import type { Call } from '../../core/calls.ts';
import { WAIT_MS_MAX } from '../../core/desk-shell.ts';
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import type { Endpoint, Serving } from './endpoint.ts';
import { giveBack } from './give-back.ts';
import { LeaseBook } from './lease-book.ts';
import { peekedHeaders, receivedHeaders } from './message-headers.ts';
import { peekedJson, receivedJson } from './message-json.ts';
import { SELECTOR_PARAMETERS, takeBodyAs, takeHandle, takeLeaseMs, takeSelector, takeWait, takeWord } from './query-parts.ts';
import { jsonTextReply, NOTHING, type Reply } from './reply.ts';
import { demand } from './rights.ts';
import { streamEndpoint } from './stream-endpoint.ts';
import type { Waiting } from './waiting.ts';

const RECEIVE = ['waitMs', 'leaseMs', 'bodyAs', 'handle', ...SELECTOR_PARAMETERS];
const PEEK = ['waitMs', 'bodies', 'bodyAs', 'handle', ...SELECTOR_PARAMETERS, 'arrivedAfter'];

export const RECEIVE_ENDPOINTS: readonly Endpoint[] = [
  { method: 'POST', path: '/v1/receive/{queue}', parameters: RECEIVE, body: 'none', answers: [200, 204], serve: receive },
  streamEndpoint,
  { method: 'GET', path: '/v1/peek/{queue}', parameters: PEEK, body: 'none', answers: [200, 204], serve: peek },
  { method: 'POST', path: '/v1/leases/{lease}/ack', parameters: [], body: 'none', answers: [204], serve: ack },
  { method: 'POST', path: '/v1/leases/{lease}/nack', parameters: ['delayMs'], body: 'none', answers: [204], serve: nack },
  {
    method: 'POST',
    path: '/v1/leases/{lease}/dead-letter',
    parameters: ['reason'],
    body: 'none',
    answers: [204],
    serve: deadLetter,
  },
  { method: 'POST', path: '/v1/leases/{lease}/extend', parameters: ['leaseMs'], body: 'none', answers: [204], serve: extend },
];

async function receive(serving: Serving): Promise<Reply> {
  const { ask, leases, query, names } = serving;
  const [queue = ''] = names;
  demand(ask.client, 'receive', queue);
  const waitMs = takeWait(query);
  const leaseMs = takeLeaseMs(query);
  const bodyAs = takeBodyAs(query);
  const call: Call = { verb: 'receive', queue, waitMs, leaseMs, ...takeSelector(query), ...takeHandle(query, ask.client) };
  query.refuseOthers();
  LeaseBook.reserve(ask.client);
  let isLeased = false;
  try {
    const result = await waitFor(serving, call, waitMs);
    if (result.kind !== 'received') return nothingCame(ask.waiting);
    isLeased = true;
    const { received } = result;
    leases.note(received.lease, { client: ask.client, leaseMs }, performance.now());
    const reply = wantsRaw(serving)
      ? { status: 200, headers: receivedHeaders(received), body: received.message.body }
      : jsonTextReply(receivedJson(received, bodyAs));
    return { ...reply, undelivered: () => giveBack(serving, received.lease) };
  } finally {
    if (!isLeased) LeaseBook.release(ask.client);
  }
}

async function peek(serving: Serving): Promise<Reply> {
  const { ask, query, names } = serving;
  const [queue = ''] = names;
  demand(ask.client, 'receive', queue);
  const waitMs = takeWait(query);
  const bodyAs = takeBodyAs(query);
  const bodies = takeWord(query, 'bodies', ['with', 'without']);
  const call: Call = { verb: 'peek', queue, waitMs, bodies, ...takeSelector(query), ...takeHandle(query, ask.client) };
  query.refuseOthers();
  const result = await waitFor(serving, call, waitMs);
  if (result.kind !== 'peeked') return nothingCame(ask.waiting);
  const { peeked } = result;
  if (wantsRaw(serving)) return { status: 200, headers: peekedHeaders(peeked), body: peeked.message.body };
  return jsonTextReply(peekedJson(peeked, bodies === 'without' ? 'none' : bodyAs));
}

/** A client waits so many times at once, and no more. @throws BUSY */
async function waitFor({ ask, node }: Serving, call: Call, waitMs: number): ReturnType<NodeCalls['call']> {
  if (waitMs === 0) return node.call(call, ask.waiting.signal);
  ask.client.take('waits');
  try {
    return await node.call(call, ask.waiting.signal);
  } finally {
    ask.client.give('waits');
  }
}

function wantsRaw({ ask }: Serving): boolean {
  return ask.accept?.includes('application/octet-stream') === true;
}

function nothingCame({ signal }: Waiting): Reply {
  if (signal.reason instanceof RingmailError) throw signal.reason;
  return NOTHING;
}

/** Ends a lease of this client's. What is unknown to the node is so to the book. */
async function endLease({ ask, node, leases }: Serving, call: Call & { readonly lease: string }): Promise<Reply> {
  demand(ask.client, 'receive');
  leases.check(call.lease, ask.client);
  try {
    await node.call(call);
  } catch (error) {
    if (error instanceof RingmailError && error.code === 'LEASE_UNKNOWN') leases.ended(call.lease);
    throw error;
  }
  leases.ended(call.lease);
  return NOTHING;
}

function ack(serving: Serving): Promise<Reply> {
  const [lease = ''] = serving.names;
  serving.query.refuseOthers();
  return endLease(serving, { verb: 'ack', lease });
}

async function nack(serving: Serving): Promise<Reply> {
  const { query, names } = serving;
  const [lease = ''] = names;
  const delayMs = query.takeWhole('delayMs', { min: 0, max: WAIT_MS_MAX, missing: -1 });
  query.refuseOthers();
  return endLease(serving, { verb: 'nack', lease, ...(delayMs >= 0 && { delayMs }) });
}

async function deadLetter(serving: Serving): Promise<Reply> {
  const { query, names } = serving;
  const [lease = ''] = names;
  const reason = query.take('reason') ?? '';
  query.refuseOthers();
  return endLease(serving, { verb: 'deadLetter', lease, reason });
}

async function extend({ ask, node, leases, query, names }: Serving): Promise<Reply> {
  const [lease = ''] = names;
  const leaseMs = takeLeaseMs(query);
  query.refuseOthers();
  demand(ask.client, 'receive');
  leases.check(lease, ask.client);
  await node.call({ verb: 'extend', lease, leaseMs });
  leases.extended(lease, performance.now() + leaseMs);
  return NOTHING;
}

/** Sending: one message, or a transaction. */
import type { Call, CallResult, Durability, ProducerNumber, TransactionStep } from '../../core/calls.ts';
import { hasCode, RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { BODY_BYTES_MAX, TRANSACTION_BYTES_MAX } from './api-limits.ts';
import { guessContentType } from './body-forms.ts';
import type { ClientAccount } from './client-account.ts';
import type { Endpoint, Serving } from './endpoint.ts';
import type { LeaseBook } from './lease-book.ts';
import {
  PRODUCER_PARAMETERS,
  PROPERTY_PARAMETERS,
  takeProducer,
  takeProperties,
  takeSendWait,
  takeWord,
  unanswered,
} from './query-parts.ts';
import { jsonReply, jsonTextReply, type Reply } from './reply.ts';
import { demand } from './rights.ts';
import { readSteps } from './transaction-json.ts';

const PARAMETERS = ['contentType', 'waitMs', 'sendKey', 'delivery', ...PRODUCER_PARAMETERS, ...PROPERTY_PARAMETERS];

export const SEND_ENDPOINTS: readonly Endpoint[] = [
  { method: 'POST', path: '/v1/send/{queue}', parameters: PARAMETERS, body: 'message', answers: [200], serve: send },
  { method: 'POST', path: '/v1/send/{node}/{queue}', parameters: PARAMETERS, body: 'message', answers: [200], serve: send },
  { method: 'POST', path: '/v1/transactions', parameters: PRODUCER_PARAMETERS, body: 'json', answers: [200], serve: commit },
];

async function send({ ask, node, query, names }: Serving): Promise<Reply> {
  const destination = names.length === 1 ? (names[0] ?? '') : names.join('/');
  demand(ask.client, 'send', destination);
  const named = query.take('contentType');
  const sendKey = query.take('sendKey');
  const delivery = takeWord(query, 'delivery', ['recoverable', 'express']);
  const how: Partial<Call & { verb: 'send' }> = {
    ...takeSendWait(query),
    ...takeProducer(query),
    ...(sendKey !== undefined && { sendKey }),
    ...(delivery === 'express' && { delivery }),
  };
  const properties = takeProperties(query);
  query.refuseOthers();
  const body = await ask.readBody(BODY_BYTES_MAX);
  // What curl -d says when nobody said anything. Nobody queues a web form; who does names the type in the query.
  const said = ask.contentType === 'application/x-www-form-urlencoded' ? guessContentType(body) : ask.contentType;
  const contentType = named ?? said;
  const typed = contentType === undefined ? properties : { ...properties, contentType };
  // Who says how long he waits for room takes his wait with him when he goes. A signal has its price: others are not asked.
  const signal = (how.waitMs ?? 0) > 0 ? ask.waiting.signal : undefined;
  const result = await node.call({ verb: 'send', destination, body, properties: typed, ...how }, signal);
  if (result.kind !== 'sent') throw unanswered('send');
  return sentReply(result);
}

/** An identity is letters, digits and `:/_-$`: it is JSON as it is. Of a producer's older number there is none. */
export function sentReply({ identity, durability }: { identity: string; durability: Durability }): Reply {
  return jsonTextReply(`{"identity":"${identity}","durable":${durability === 'sync'},"durability":"${durability}"}`);
}

async function commit({ ask, node, leases, query }: Serving): Promise<Reply> {
  const by = takeProducer(query);
  query.refuseOthers();
  const steps = readSteps(await ask.readBody(TRANSACTION_BYTES_MAX));
  try {
    for (const step of steps) demandStep(step, { client: ask.client, leases });
  } catch (error) {
    if (by.by === undefined || !hasCode(error, 'LEASE_UNKNOWN')) throw error;
    return answerRepeat(node, by.by, error);
  }
  const result = await node.call({ verb: 'commit', steps, ...by });
  if (result.kind !== 'committed') throw unanswered('commit');
  for (const step of steps) if ('lease' in step) leases.ended(step.lease);
  return committedReply(result);
}

/** No node names a lease so. */
const NO_LEASE = '';

/**
 * A client over the network names a lease that is not in the book: it may be one that this same request, made before, ended. The node
 * knows by the number. What it asks for here can't be done, so it is a repeat, or refused.
 * @throws unknown, unless it is a repeat
 */
async function answerRepeat(node: NodeCalls, by: ProducerNumber, unknown: RingmailError): Promise<Reply> {
  try {
    const result = await node.call({ verb: 'commit', steps: [{ do: 'ack', lease: NO_LEASE }], by });
    if (result.kind === 'committed') return committedReply(result);
  } catch (error) {
    if (!hasCode(error, 'LEASE_UNKNOWN')) throw error;
  }
  throw unknown;
}

function committedReply({ identities, durability }: CallResult & { readonly kind: 'committed' }): Reply {
  return jsonReply({ identities, durable: durability === 'sync', durability });
}

/** @throws ACCESS_DENIED, LEASE_UNKNOWN */
function demandStep(step: TransactionStep, { client, leases }: { client: ClientAccount; leases: LeaseBook }): void {
  switch (step.do) {
    case 'send':
      return demand(client, 'send', step.destination);
    case 'move':
      demand(client, 'receive', step.to);
      return leases.check(step.lease, client);
    case 'ack':
    case 'deadLetter':
      demand(client, 'receive');
      return leases.check(step.lease, client);
    case 'position':
      return demand(client, 'receive');
    default:
      throw new RingmailError('REQUEST_INVALID', { reason: 'no such step' });
  }
}

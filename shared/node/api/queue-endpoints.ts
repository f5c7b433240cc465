/** Queues: made, changed, looked up, emptied, opened; and what is moved between them. */
import type { Access, Call, QueueStats, Share } from '../../core/calls.ts';
import { WAIT_MS_MAX } from '../../core/desk-shell.ts';
import { RingmailError } from '../../errors.ts';
import { BODY_BYTES_MAX, HANDLE_IDLE_MS_DEFAULT } from './api-limits.ts';
import type { Endpoint, Serving } from './endpoint.ts';
import { needText, needWhole, takeWord, unanswered } from './query-parts.ts';
import { readQueueOptions } from './queue-json.ts';
import { jsonReply, NOTHING, type Reply } from './reply.ts';
import { demand, type Right, sees } from './rights.ts';
import { sentReply } from './send-endpoints.ts';

const QUEUE = '/v1/queues/{queue}';

export const QUEUE_ENDPOINTS: readonly Endpoint[] = [
  { method: 'GET', path: '/v1/queues', parameters: [], body: 'none', answers: [200], serve: list },
  { method: 'GET', path: QUEUE, parameters: [], body: 'none', answers: [200], serve: show },
  { method: 'PUT', path: QUEUE, parameters: [], body: 'json', answers: [204], serve: create },
  { method: 'PATCH', path: QUEUE, parameters: [], body: 'json', answers: [204], serve: change },
  { method: 'DELETE', path: QUEUE, parameters: [], body: 'none', answers: [204], serve: remove },
  { method: 'POST', path: `${QUEUE}/purge`, parameters: [], body: 'none', answers: [200], serve: purge },
  { method: 'POST', path: `${QUEUE}/move`, parameters: ['lookupId', 'to'], body: 'none', answers: [204], serve: move },
  { method: 'POST', path: `${QUEUE}/redrive`, parameters: ['lookupId', 'to'], body: 'none', answers: [200], serve: redrive },
  { method: 'POST', path: `${QUEUE}/open`, parameters: ['access', 'share', 'idleMs'], body: 'none', answers: [200], serve: open },
  { method: 'DELETE', path: '/v1/handles/{handle}', parameters: [], body: 'none', answers: [204], serve: close },
];

async function list({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'watch');
  query.refuseOthers();
  const queues = await queuesOf(node);
  return jsonReply({ queues: queues.filter(({ name }) => sees(ask.client, name)) });
}

async function show({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'watch', queue);
  query.refuseOthers();
  const found = (await queuesOf(node)).find(({ name }) => name === queue);
  if (found === undefined) throw new RingmailError('QUEUE_NOT_FOUND', { queue });
  return jsonReply(found);
}

async function queuesOf(node: Serving['node']): Promise<readonly QueueStats[]> {
  const result = await node.call({ verb: 'queues' });
  if (result.kind !== 'queues') throw unanswered('queues');
  return result.queues;
}

async function create({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'admin', queue);
  query.refuseOthers();
  const options = readQueueOptions(await ask.readBody(BODY_BYTES_MAX));
  await node.call({ verb: 'createQueue', queue, options });
  return NOTHING;
}

async function change({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'admin', queue);
  query.refuseOthers();
  const changes = readQueueOptions(await ask.readBody(BODY_BYTES_MAX));
  await node.call({ verb: 'setQueue', queue, changes });
  return NOTHING;
}

async function remove(serving: Serving): Promise<Reply> {
  const [queue = ''] = serving.names;
  return done(serving, 'admin', { verb: 'deleteQueue', queue });
}

async function purge({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'admin', queue);
  query.refuseOthers();
  const result = await node.call({ verb: 'purge', queue });
  if (result.kind !== 'purged') throw unanswered('purge');
  return jsonReply({ count: result.count });
}

async function move(serving: Serving): Promise<Reply> {
  const { ask, query, names } = serving;
  const [queue = ''] = names;
  const call: Call = { verb: 'move', queue, lookupId: needWhole(query, 'lookupId'), to: needText(query, 'to') };
  demand(ask.client, 'receive', call.to);
  return done(serving, 'receive', call);
}

async function redrive({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'admin', queue);
  const lookupId = needWhole(query, 'lookupId');
  const to = query.take('to');
  query.refuseOthers();
  const result = await node.call({ verb: 'redrive', queue, lookupId, ...(to !== undefined && { to }) });
  if (result.kind !== 'sent') throw unanswered('redrive');
  return sentReply(result);
}

async function open({ ask, node, query, names: [queue = ''] }: Serving): Promise<Reply> {
  const access = takeWord<Access>(query, 'access', ['receive', 'peek', 'send']);
  demand(ask.client, access === 'send' ? 'send' : 'receive', queue);
  const share = takeWord<Share>(query, 'share', ['all', 'alone']);
  const idleMs = query.takeWhole('idleMs', { min: 1, max: WAIT_MS_MAX, missing: HANDLE_IDLE_MS_DEFAULT });
  query.refuseOthers();
  const result = await node.call({ verb: 'open', queue, access, share, idleMs });
  if (result.kind !== 'opened') throw unanswered('open');
  ask.client.noteHandle(result.handle);
  return jsonReply({ handle: result.handle, idleMs });
}

async function close({ ask, node, query, names: [handle = ''] }: Serving): Promise<Reply> {
  query.refuseOthers();
  ask.client.checkHandle(handle);
  await node.call({ verb: 'close', handle });
  ask.client.forgetHandle(handle);
  return NOTHING;
}

/** A call about a queue that is answered with nothing. */
async function done({ ask, node, query }: Serving, right: Right, call: Call & { readonly queue: string }): Promise<Reply> {
  demand(ask.client, right, call.queue);
  query.refuseOthers();
  await node.call(call);
  return NOTHING;
}

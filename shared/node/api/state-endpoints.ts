/** What the node says of itself, and what it remembers for others. */
import type { Health } from '../../core/calls.ts';
import { custodyOf } from '../../core/whereabouts.ts';
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import { API_VERSION, HEALTH_MS_MAX } from './api-limits.ts';
import type { Endpoint, Serving } from './endpoint.ts';
import { needText, takeWait, unanswered } from './query-parts.ts';
import { jsonReply, NOTHING, type Reply } from './reply.ts';
import { demand } from './rights.ts';
import { base64Of, checkPositionName } from './transaction-json.ts';
import { ownVersion } from './version.ts';

export const STATE_ENDPOINTS: readonly Endpoint[] = [
  { method: 'GET', path: '/v1/outcome', parameters: ['identity', 'epoch'], body: 'none', answers: [200], serve: outcome },
  { method: 'GET', path: '/v1/ping', parameters: ['node', 'waitMs'], body: 'none', answers: [200], serve: ping },
  { method: 'GET', path: '/v1/trace', parameters: ['identity', 'waitMs'], body: 'none', answers: [200], serve: trace },
  { method: 'GET', path: '/v1/devices/{node}', parameters: [], body: 'none', answers: [200], serve: ledger },
  { method: 'DELETE', path: '/v1/producers/{producer}', parameters: [], body: 'none', answers: [204], serve: retire },
  { method: 'GET', path: '/v1/holes', parameters: [], body: 'none', answers: [200], serve: holes },
  { method: 'POST', path: '/v1/holes/close', parameters: ['of'], body: 'none', answers: [200], serve: closeHoles },
  { method: 'GET', path: '/v1/positions/{position}', parameters: [], body: 'none', answers: [200, 204], serve: position },
  { method: 'GET', path: '/v1/stats', parameters: [], body: 'none', answers: [200], serve: stats },
  { method: 'GET', path: '/v1/health', parameters: [], body: 'none', answers: [200, 503], serve: health },
  { method: 'GET', path: '/v1/version', parameters: [], body: 'none', answers: [200], serve: version },
];

async function outcome({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'send');
  const identity = needText(query, 'identity');
  const epoch = query.takeWhole('epoch', { min: 0, max: Number.MAX_SAFE_INTEGER, missing: -1 });
  query.refuseOthers();
  const result = await node.call({ verb: 'outcome', identity, ...(epoch >= 0 && { epoch }) });
  if (result.kind !== 'outcome') throw unanswered('outcome');
  return jsonReply({ outcome: result.outcome });
}

async function ping({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'watch');
  const asked = needText(query, 'node');
  const waitMs = takeWait(query);
  query.refuseOthers();
  const result = await node.call({ verb: 'probe', about: 'node', node: asked, waitMs });
  if (result.kind !== 'probed') throw unanswered('probe');
  return jsonReply({ answers: result.answers });
}

async function trace({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'watch');
  const identity = needText(query, 'identity');
  const waitMs = takeWait(query);
  query.refuseOthers();
  const result = await node.call({ verb: 'probe', about: 'message', identity, waitMs });
  if (result.kind !== 'probed') throw unanswered('probe');
  return jsonReply({ custody: custodyOf(result.answers), answers: result.answers });
}

async function ledger({ ask, node, query, names: [name = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'watch');
  query.refuseOthers();
  const result = await node.call({ verb: 'ledger', node: name });
  if (result.kind !== 'ledger') throw unanswered('ledger');
  return jsonReply({ ...result.ledger });
}

async function retire({ ask, node, query, names: [producer = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'admin');
  query.refuseOthers();
  await node.call({ verb: 'retireProducer', producer });
  return NOTHING;
}

async function holes({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'watch');
  query.refuseOthers();
  const result = await node.call({ verb: 'holes' });
  if (result.kind !== 'holes') throw unanswered('holes');
  return jsonReply({ holes: result.holes });
}

async function closeHoles({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'admin');
  const of = needText(query, 'of');
  query.refuseOthers();
  const result = await node.call({ verb: 'closeHoles', of });
  if (result.kind !== 'holesClosed') throw unanswered('closeHoles');
  return jsonReply({ count: result.count });
}

async function position({ ask, node, query, names: [name = ''] }: Serving): Promise<Reply> {
  demand(ask.client, 'receive');
  query.refuseOthers();
  const result = await node.call({ verb: 'position', name: checkPositionName(name) });
  if (result.kind !== 'position' || result.value === undefined) return NOTHING;
  return jsonReply({ valueBase64: base64Of(result.value) });
}

async function stats({ ask, node, query }: Serving): Promise<Reply> {
  demand(ask.client, 'watch');
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

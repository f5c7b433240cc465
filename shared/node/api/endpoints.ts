/** The local API without its transport: which endpoint a request is for (docs/local-api.md). What each one does stands beside its like. */
import { RingmailError } from '../../errors.ts';
import type { NodeCalls } from '../node-calls.ts';
import type { Ask, Endpoint } from './endpoint.ts';
import type { LeaseBook } from './lease-book.ts';
import { QUEUE_ENDPOINTS } from './queue-endpoints.ts';
import { RECEIVE_ENDPOINTS } from './receive-endpoints.ts';
import type { Reply } from './reply.ts';
import { SEND_ENDPOINTS } from './send-endpoints.ts';
import { STATE_ENDPOINTS } from './state-endpoints.ts';
import { parseTarget } from './target.ts';

export const ENDPOINTS: readonly Endpoint[] = [...SEND_ENDPOINTS, ...RECEIVE_ENDPOINTS, ...QUEUE_ENDPOINTS, ...STATE_ENDPOINTS];

interface Route {
  readonly endpoint: Endpoint;
  readonly parts: readonly string[];
  readonly parameters: ReadonlySet<string>;
}

/** By the second segment of their path, which no endpoint leaves open. */
const ROUTES: ReadonlyMap<string, readonly Route[]> = routesOf(ENDPOINTS);

function routesOf(endpoints: readonly Endpoint[]): Map<string, Route[]> {
  const routes = new Map<string, Route[]>();
  for (const endpoint of endpoints) {
    const parts = endpoint.path.slice(1).split('/');
    const key = parts[1] ?? '';
    const route = { endpoint, parts, parameters: new Set(endpoint.parameters) };
    routes.set(key, [...(routes.get(key) ?? []), route]);
  }
  return routes;
}

/** Answers one request. @throws RingmailError for a refusal */
export async function answer(ask: Ask, shell: { readonly node: NodeCalls; readonly leases: LeaseBook }): Promise<Reply> {
  const { segments, query } = parseTarget(ask.url);
  const routes = (ROUTES.get(segments[1] ?? '') ?? []).filter(({ parts }) => fits(parts, segments));
  if (routes.length === 0) throw new RingmailError('ENDPOINT_NOT_FOUND', { path: ask.url.slice(0, 200) });
  const route = routes.find(({ endpoint }) => endpoint.method === ask.method);
  if (route === undefined) {
    const allowed = routes.map(({ endpoint }) => endpoint.method).join(', ');
    throw new RingmailError('METHOD_NOT_ALLOWED', { method: ask.method, allowed });
  }
  query.refuseUnknown(route.parameters);
  const names = segments.filter((_, i) => route.parts[i]?.startsWith('{'));
  const { node, leases } = shell;
  return route.endpoint.serve({ ask, node, leases, query, names });
}

/** Whether the path is the pattern's, with anything where that has braces. */
function fits(parts: readonly string[], segments: readonly string[]): boolean {
  return parts.length === segments.length && parts.every((part, i) => part === segments[i] || part.startsWith('{'));
}

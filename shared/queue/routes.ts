/**
 * The route table of a node: where a message goes that is stored here for a queue of this node (docs/routes.md, section 5).
 *
 *   (queue, source, properties) ──first route that fits──▶ the places it goes to, or none: it stays where it was addressed
 *                                        │
 *                                        └── a queue of this node with a route of its own: on from there
 *
 * A chain of routes within the node is followed here, so that a message is forwarded once, to where it stays or leaves. Whether a place
 * is there is not known here.
 */
import { invariant } from '../assert.ts';
import { DESTINATION_COUNT_MAX, ROUTE_COUNT_MAX } from '../limits.ts';
import { formatAddress, isSystemQueue, parseAddress } from '../message/address.ts';
import type { Properties } from '../message/message.ts';
import { fitsPattern } from '../message/name-pattern.ts';
import { isTopicDestination } from '../message/topic-destination.ts';
import { type Condition, meets } from './condition.ts';

/** What the forwarded message has instead of what it came with. */
export interface RouteChanges {
  readonly priority?: number;
  readonly timeToReachQueueMs?: number;
  readonly timeToBeReceivedMs?: number;
}

export interface Route extends RouteChanges {
  /** Queue of this node, or a pattern of some. */
  readonly from: string;
  /** Pattern of the node that accepted the message. */
  readonly source?: string;
  readonly where?: Condition;
  /** Addresses, and `topic:<topic>`. The queue itself: there it stays. */
  readonly to: readonly string[];
}

export interface Onward {
  /** With its node, or `topic:<topic>`. */
  readonly to: string;
  readonly changes: RouteChanges;
}

export interface Routed {
  /** Which route: its place in the table. */
  readonly route: number;
  /** Whether the message itself stays in its queue. */
  readonly original: 'stays' | 'goes';
  /** No two to one place. */
  readonly onward: readonly Onward[];
}

export interface Routable {
  readonly queue: string;
  /** The node that accepted it. */
  readonly source: string;
  readonly properties: Properties;
}

/** What is wrong with a table: of which route, and of which key of it. */
export interface RouteProblem {
  readonly route: number;
  readonly key: 'from' | 'to' | '';
  readonly reason: string;
}

export class RouteTable {
  readonly routes: readonly Route[];
  readonly #self: string;
  /** Messages that each took on. */
  readonly #taken: number[];

  /** `routes` without problems (`routeProblems`). */
  constructor(routes: readonly Route[], self: string) {
    this.routes = routes;
    this.#self = self;
    this.#taken = routes.map(() => 0);
  }

  /** What a route made of a message is planned. */
  took(route: number): void {
    this.#taken[route] = (this.#taken[route] ?? 0) + 1;
  }

  stats(): (Route & { readonly taken: number })[] {
    return this.routes.map((route, at) => ({ ...route, taken: this.#taken[at] ?? 0 }));
  }

  get isEmpty(): boolean {
    return this.routes.length === 0;
  }

  get leadsToTopics(): boolean {
    return this.routes.some(({ to }) => to.some(isTopicDestination));
  }

  /** Undefined: no route fits. */
  of(what: Routable): Routed | undefined {
    const first = this.routes.length === 0 ? undefined : this.#first(what);
    if (first === undefined) return undefined;
    const places = new Map<string, RouteChanges>();
    const isKept = first.to.some((to) => this.#localQueue(to) === what.queue);
    this.#follow(first, what, { changes: {}, places, depth: 0 });
    places.delete(formatAddress({ node: this.#self, queue: what.queue }));
    const onward = [...places].map(([to, changes]) => ({ to, changes }));
    return { route: this.routes.indexOf(first), original: isKept ? 'stays' : 'goes', onward };
  }

  /** Queues of this node that messages for a queue may come into by its routes, whatever they say of themselves. */
  queuesBehind(queue: string): string[] {
    const found = new Set<string>();
    const look = (at: string): void => {
      for (const route of routesOf(this.routes, at)) {
        for (const to of route.to) {
          const next = this.#localQueue(to);
          if (next === undefined || next === at || found.has(next)) continue;
          found.add(next);
          look(next);
        }
      }
    };
    if (this.routes.length > 0) look(queue);
    return [...found];
  }

  #first({ queue, source, properties }: Routable): Route | undefined {
    return this.routes.find(
      (route) =>
        fitsPattern(route.from, queue) && fitsPattern(route.source ?? '*', source) && meets(properties, route.where ?? {}),
    );
  }

  #follow(route: Route, what: Routable, way: { changes: RouteChanges; places: Map<string, RouteChanges>; depth: number }): void {
    invariant(way.depth <= this.routes.length, 'a route never leads back');
    const changes = { ...way.changes, ...changesOf(route) };
    for (const to of route.to) {
      const queue = this.#localQueue(to);
      if (queue === what.queue) {
        // It stays as it came here.
        keep(way.places, formatAddress({ node: this.#self, queue }), way.changes);
        continue;
      }
      const next = queue === undefined ? undefined : { queue, source: this.#self, properties: what.properties };
      const onward = next && this.#first(next);
      if (next !== undefined && onward !== undefined) {
        this.#follow(onward, next, { ...way, changes, depth: way.depth + 1 });
      } else {
        keep(way.places, placeOf(to, this.#self), changes);
      }
    }
  }

  #localQueue(to: string): string | undefined {
    return localQueue(to, this.#self);
  }
}

/** Why a node refuses this table, route by route; empty where it does not. Addresses are spelt right. */
export function routeProblems(routes: readonly Route[], self: string): RouteProblem[] {
  const problems: RouteProblem[] = [];
  if (routes.length > ROUTE_COUNT_MAX) {
    return [{ route: ROUTE_COUNT_MAX, key: '', reason: `there are ${routes.length} routes, more than ${ROUTE_COUNT_MAX}` }];
  }
  for (const [route, { to, from }] of routes.entries()) {
    const add = (key: 'from' | 'to', reason: string): void => void problems.push({ route, key, reason });
    const places = new Set(to.map((one) => placeOf(one, self)));
    if (to.length === 0) add('to', 'it leads nowhere');
    if (places.size < to.length) add('to', 'one place stands there twice');
    if (places.size > DESTINATION_COUNT_MAX) add('to', `${places.size} places, more than ${DESTINATION_COUNT_MAX}`);
    for (const one of to) if (isOfSystem(one, self)) add('to', `${one} is a queue of the system: nodes fill it by themselves`);
    const isAlone = to.length === 1 && localQueue(to[0] ?? '', self) === from;
    if (isAlone) add('to', 'it leads to its own queue, where the message is anyway');
  }
  if (problems.length > 0) return problems;
  const loop = loopIn(routes, self);
  if (loop !== undefined) return [{ route: loop.route, key: 'to', reason: `it leads in a circle: ${loop.queues.join(', ')}` }];
  for (const [route, { to }] of routes.entries()) {
    const count = to.reduce((sum, one) => sum + reachOf(localQueue(one, self), routes, self), 0);
    const reason = `with the routes behind it, it leads to up to ${count} places, more than ${DESTINATION_COUNT_MAX}`;
    if (count > DESTINATION_COUNT_MAX) problems.push({ route, key: 'to', reason });
  }
  return problems;
}

/** Those that a message for a queue may take: none behind one that takes all. */
function routesOf(routes: readonly Route[], queue: string): Route[] {
  const found: Route[] = [];
  for (const route of routes) {
    if (!fitsPattern(route.from, queue)) continue;
    found.push(route);
    if (route.where === undefined && route.source === undefined) break;
  }
  return found;
}

/** Queues that follow one another for ever, and the route that closes the circle. Only queues that routes lead to can be in one. */
function loopIn(routes: readonly Route[], self: string): { route: number; queues: string[] } | undefined {
  const done = new Set<string>();
  const look = (queue: string, path: readonly string[]): { route: number; queues: string[] } | undefined => {
    if (done.has(queue)) return undefined;
    for (const route of routesOf(routes, queue)) {
      for (const to of route.to) {
        const next = localQueue(to, self);
        if (next === undefined || next === queue) continue;
        const at = [...path, queue].indexOf(next);
        if (at >= 0) return { route: routes.indexOf(route), queues: [...path, queue].slice(at).concat(next) };
        const found = look(next, [...path, queue]);
        if (found !== undefined) return found;
      }
    }
    done.add(queue);
    return undefined;
  };
  for (const queue of routes.flatMap(({ to }) => to).map((to) => localQueue(to, self))) {
    const found = queue === undefined ? undefined : look(queue, []);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Places that a message for a queue may come to at once, itself one. There is no circle. */
function reachOf(queue: string | undefined, routes: readonly Route[], self: string): number {
  let most = 1;
  if (queue === undefined) return most;
  for (const { to } of routesOf(routes, queue)) {
    const count = to.reduce((sum, one) => {
      const next = localQueue(one, self);
      return sum + (next === queue ? 1 : reachOf(next, routes, self));
    }, 0);
    most = Math.max(most, count);
  }
  return most;
}

function changesOf({ priority, timeToReachQueueMs, timeToBeReceivedMs }: Route): RouteChanges {
  return {
    ...(priority !== undefined && { priority }),
    ...(timeToReachQueueMs !== undefined && { timeToReachQueueMs }),
    ...(timeToBeReceivedMs !== undefined && { timeToBeReceivedMs }),
  };
}

/** By whichever way it comes there first. */
function keep(places: Map<string, RouteChanges>, to: string, changes: RouteChanges): void {
  if (!places.has(to)) places.set(to, changes);
}

function placeOf(to: string, self: string): string {
  return isTopicDestination(to) ? to : formatAddress(parseAddress(to, self));
}

/** The queue of this node that it names, or undefined. */
function localQueue(to: string, self: string): string | undefined {
  if (isTopicDestination(to)) return undefined;
  const { node, queue } = parseAddress(to, self);
  return node === self ? queue : undefined;
}

function isOfSystem(to: string, self: string): boolean {
  return !isTopicDestination(to) && isSystemQueue(parseAddress(to, self).queue);
}

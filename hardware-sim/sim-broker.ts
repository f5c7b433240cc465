/**
 * An MQTT broker in virtual time, behind the Broker port, that keeps to the letter of QoS 1 and to nothing else.
 *
 *   client ──uplink, in order──▶ broker ──▶ PUBACK (nobody here waits for it)
 *                                  │ may forget it now
 *                                  ▼
 *                               each subscriber's downlink, in order; may come twice
 *
 * A connection may break at any time. What was on its way down is lost (clean sessions); what was on its way up may still be taken,
 * later and in another order, after the client is back: brokers read what a dead socket left. Last wills may come late. A restart
 * forgets everything, retained messages too.
 */
import { invariant } from '../shared/assert.ts';
import type { Broker, BrokerListener, Publish } from '../shared/ports.ts';
import type { Prng } from './random.ts';

/** Virtual time, as much as is needed here. */
export interface Scheduler {
  readonly nowMs: number;
  /** Runs it then, never from inside this call. */
  at(atMs: number, run: () => void): unknown;
}

/** How bad it is. All of it can be changed while it runs. */
export interface BrokerFaults {
  /** Longest way of a publish, each direction, in virtual milliseconds. */
  delayMsMax: number;
  /** Chance that a publish is forgotten after its PUBACK. */
  forget: number;
  /** Chance that a delivery comes twice. */
  duplicate: number;
  /** Chance that what a broken connection left behind is still taken, late. */
  straggle: number;
  /** Longest time until a client is connected again. */
  reconnectMsMax: number;
  /** Longest time until the broker notices a broken connection and publishes the will. */
  willMsMax: number;
}

export const NO_FAULTS: BrokerFaults = {
  delayMsMax: 5,
  forget: 0,
  duplicate: 0,
  straggle: 0,
  reconnectMsMax: 500,
  willMsMax: 100,
};

export class SimBroker {
  readonly faults: BrokerFaults;
  readonly counters = { published: 0, delivered: 0, forgotten: 0, duplicated: 0, straggled: 0 };
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #clients = new Set<SimClient>();
  readonly #retained = new Map<string, Publish>();
  /** Counts restarts: what was on its way to an earlier life arrives nowhere. */
  #life = 0;
  #state: 'running' | 'down' = 'running';

  constructor(options: { scheduler: Scheduler; random: Prng; faults?: Partial<BrokerFaults> }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.faults = { ...NO_FAULTS, ...options.faults };
  }

  /** A client that connects once somebody listens, and again whenever its connection breaks. */
  connect(clientName: string, options: { will?: Publish } = {}): Broker {
    const client = new SimClient({ broker: this, name: clientName, will: options.will });
    this.#clients.add(client);
    return client;
  }

  /** Breaks the connections of a client. It comes back by itself. */
  cut(clientName: string, reason = 'cut'): void {
    for (const client of this.#clients) if (client.name === clientName) client.broken(reason);
  }

  /** Dies, forgets everything, and is back after `downMs`. */
  restart(downMs: number): void {
    this.#state = 'down';
    this.#life += 1;
    this.#retained.clear();
    for (const client of this.#clients) client.broken('broker gone');
    this.after(downMs, () => {
      this.#state = 'running';
    });
  }

  // What follows is for the clients.

  get isRunning(): boolean {
    return this.#state === 'running';
  }

  get random(): Prng {
    return this.#random;
  }

  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  after(ms: number, run: () => void): void {
    this.#scheduler.at(this.#scheduler.nowMs + ms, run);
  }

  /** Within this life of the broker only. */
  afterInLife(ms: number, run: () => void): void {
    const life = this.#life;
    this.after(ms, () => {
      if (life === this.#life) run();
    });
  }

  delayMs(): number {
    return this.#random.next() * this.faults.delayMsMax;
  }

  /** A publish has arrived. It is acknowledged from here on, whatever becomes of it. */
  take(publish: Publish): void {
    this.counters.published += 1;
    if (publish.retain === 'retain') {
      if (publish.payload.length > 0) this.#retained.set(publish.topic, publish);
      else this.#retained.delete(publish.topic);
    }
    if (this.#random.chance(this.faults.forget)) {
      this.counters.forgotten += 1;
      return;
    }
    for (const client of this.#clients) if (client.wants(publish.topic)) this.#deliver(client, publish);
  }

  /** A subscription has arrived: what is retained goes out. */
  replay(client: SimClient, filters: readonly string[]): void {
    for (const publish of this.#retained.values()) {
      if (filters.some((filter) => topicMatches(filter, publish.topic))) this.#deliver(client, publish);
    }
  }

  #deliver(client: SimClient, publish: Publish): void {
    this.counters.delivered += 1;
    client.deliver(publish);
    if (!this.#random.chance(this.faults.duplicate)) return;
    this.counters.duplicated += 1;
    client.deliver(publish);
  }

  forget(client: SimClient): void {
    this.#clients.delete(client);
  }
}

type Ascent =
  | { readonly kind: 'publish'; readonly publish: Publish }
  | { readonly kind: 'subscribe'; readonly filters: readonly string[] };

class SimClient implements Broker {
  readonly name: string;
  readonly #broker: SimBroker;
  readonly #will: Publish | undefined;
  readonly #filters = new Set<string>();
  #listener: BrokerListener | undefined;
  #state: 'idle' | 'connecting' | 'up' | 'closed' = 'idle';
  /** Counts connections. */
  #connection = 0;
  /** What is on its way, in order, and when the last of it arrives: later ones don't overtake it. */
  #ascending: Ascent[] = [];
  #descending: Publish[] = [];
  #upMs = 0;
  #downMs = 0;

  constructor(options: { broker: SimBroker; name: string; will: Publish | undefined }) {
    this.#broker = options.broker;
    this.name = options.name;
    this.#will = options.will;
  }

  listen(listener: BrokerListener): void {
    invariant(this.#listener === undefined, 'a broker has one listener');
    this.#listener = listener;
    this.#connectAfter(this.#broker.delayMs());
  }

  publish(publish: Publish): void {
    if (this.#state !== 'up') return;
    this.#ascend({ kind: 'publish', publish: { ...publish, payload: publish.payload.slice() } });
  }

  subscribe(topics: readonly string[]): void {
    if (this.#state !== 'up') return;
    this.#ascend({ kind: 'subscribe', filters: [...topics] });
  }

  /** Says goodbye properly: the will is said by ourselves, as the real adapter does. */
  close(): void {
    if (this.#state === 'up' && this.#will !== undefined) this.publish(this.#will);
    this.#state = 'closed';
    this.#broker.forget(this);
  }

  wants(topic: string): boolean {
    return this.#state === 'up' && [...this.#filters].some((filter) => topicMatches(filter, topic));
  }

  deliver(publish: Publish): void {
    const connection = this.#connection;
    this.#descending.push(publish);
    this.#downMs = Math.max(this.#downMs, this.#broker.nowMs + this.#broker.delayMs());
    this.#broker.after(this.#downMs - this.#broker.nowMs, () => {
      if (connection !== this.#connection) return;
      const next = this.#descending.shift();
      if (next !== undefined && this.#state === 'up') this.#listener?.onMessage(next.topic, next.payload.slice());
    });
  }

  /** The connection is gone, as both ends find out at different times. */
  broken(reason: string): void {
    if (this.#state !== 'up') return;
    this.#state = 'connecting';
    const { faults, random, isRunning } = this.#broker;
    const left = this.#ascending.filter(({ kind }) => kind === 'publish' && isRunning && random.chance(faults.straggle));
    this.#ascending = [];
    this.#descending = [];
    this.#filters.clear();
    this.#connection += 1;
    for (const straggler of left) {
      this.#broker.counters.straggled += 1;
      this.#broker.afterInLife(random.next() * 2 * faults.reconnectMsMax, () => this.#arrive(straggler));
    }
    const will = this.#will;
    if (isRunning && will !== undefined)
      this.#broker.afterInLife(random.next() * faults.willMsMax, () => this.#broker.take(will));
    this.#broker.after(0, () => {
      if (this.#state !== 'closed') this.#listener?.onDown(reason);
    });
    this.#connectAfter(1 + random.next() * faults.reconnectMsMax);
  }

  #ascend(ascent: Ascent): void {
    const connection = this.#connection;
    this.#ascending.push(ascent);
    this.#upMs = Math.max(this.#upMs, this.#broker.nowMs + this.#broker.delayMs());
    this.#broker.afterInLife(this.#upMs - this.#broker.nowMs, () => {
      if (connection !== this.#connection) return;
      const next = this.#ascending.shift();
      if (next !== undefined) this.#arrive(next);
    });
  }

  #arrive(ascent: Ascent): void {
    if (ascent.kind === 'publish') return this.#broker.take(ascent.publish);
    for (const filter of ascent.filters) this.#filters.add(filter);
    this.#broker.replay(this, ascent.filters);
  }

  #connectAfter(ms: number): void {
    this.#state = 'connecting';
    this.#broker.after(ms, () => {
      if (this.#state !== 'connecting') return;
      if (!this.#broker.isRunning) return this.#connectAfter(this.#broker.random.next() * this.#broker.faults.reconnectMsMax + 1);
      this.#state = 'up';
      this.#connection += 1;
      this.#listener?.onUp();
    });
  }
}

/** MQTT's rule [MQTT-4.7]: `+` is one level, `#` the rest. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (const [at, level] of wanted.entries()) {
    if (level === '#') return true;
    if (at >= levels.length || (level !== '+' && level !== levels[at])) return false;
  }
  return wanted.length === levels.length;
}

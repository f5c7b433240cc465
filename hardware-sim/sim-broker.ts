/**
 * An MQTT broker in virtual time, behind the Broker port, that keeps to the letter of QoS 1 and to nothing else.
 *
 *   client ──uplink, in order──▶ broker ──▶ PUBACK (nobody here waits for it)
 *            may be refused        │ may forget it now
 *                                  ▼
 *                               each subscriber's downlink, in order; may come twice, or be dropped when too much waits
 *
 * A connection may break at any time. What was on its way down is lost (clean sessions), or comes again later in any order; what was
 * on its way up may still be taken, later and in another order, after the client is back: brokers read what a dead socket left. Last
 * wills may come late. A restart forgets everything, retained messages too, or only the newest of them.
 *
 * Chance is drawn for faults that are on, and for `forget` and `duplicate` always. The clients: sim-client.ts.
 */
import type { Broker, Publish, Wanted } from '../shared/ports.ts';
import type { Prng } from './random.ts';
import { SimClient } from './sim-client.ts';
import { SimRetained } from './sim-retained.ts';

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
  /** Added to `delayMsMax`: a burst of latency. What comes later waits behind it. */
  lagMsMax: number;
  /**
   * Chance, for what a broken connection had not delivered, that it is delivered after the next subscription, in any order. To the
   * client it looks as if its publisher had straggled.
   */
  redeliver: number;
  /** Publishes on their way to one subscriber, at most; more are dropped. */
  waitingMax: number;
  /** `refused`: the connection ends over it (SUBACK 0x80, and the client leaves). `unanswered`: it waits for another setting. */
  subscriptions: 'granted' | 'refused' | 'unanswered';
  /** `refused`: dropped, and the connection ends: no rights, no quota. */
  publishes: 'taken' | 'refused';
  /** A publish of more bytes, topic and payload, is refused. */
  publishBytesMax: number;
  /** Whether clients are told that bound when they connect (MQTT 5). */
  publishBytesMaxIs: 'secret' | 'told';
  /** Chance, for each that was once retained, that a subscription brings it again, after what is retained now. */
  ghost: number;
  /** Chance that a publish reaches a client that did not subscribe to it. */
  leak: number;
  /** Chance, after each packet either way, that the connection breaks. */
  breakRate: number;
  /** `newest`: a client that connects ends the connections of others of its name [MQTT-3.1.4-2]. `all`: they live side by side. */
  sameName: 'all' | 'newest';
}

export const NO_FAULTS: BrokerFaults = {
  delayMsMax: 5,
  forget: 0,
  duplicate: 0,
  straggle: 0,
  reconnectMsMax: 500,
  willMsMax: 100,
  lagMsMax: 0,
  redeliver: 0,
  waitingMax: Number.POSITIVE_INFINITY,
  subscriptions: 'granted',
  publishes: 'taken',
  publishBytesMax: Number.POSITIVE_INFINITY,
  publishBytesMaxIs: 'secret',
  ghost: 0,
  leak: 0,
  breakRate: 0,
  sameName: 'all',
};

/** What a broker that crashes forgets of what it had retained: everything, or so many of the newest changes. */
export type Amnesia = 'all' | { readonly newest: number };

export class SimBroker {
  readonly faults: BrokerFaults;
  readonly counters = { published: 0, delivered: 0, forgotten: 0, duplicated: 0, straggled: 0 };
  /** What the other faults did. */
  readonly harm = { redelivered: 0, dropped: 0, refused: 0, ghosts: 0, leaked: 0, takenOver: 0 };
  readonly #scheduler: Scheduler;
  readonly #random: Prng;
  readonly #clients = new Set<SimClient>();
  readonly #retained = new SimRetained();
  /** Counts restarts: what was on its way to an earlier life arrives nowhere. */
  #life = 0;
  #state: 'running' | 'down' = 'running';

  constructor(options: { scheduler: Scheduler; random: Prng; faults?: Partial<BrokerFaults> }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.faults = { ...NO_FAULTS, ...options.faults };
  }

  /** A client that connects once somebody listens, and again whenever its connection breaks. */
  connect(clientName: string, options: { will?: Publish; begins?: Wanted } = {}): Broker {
    const { will, begins = 'connected' } = options;
    const client = new SimClient({ broker: this, name: clientName, will, begins });
    this.#clients.add(client);
    return client;
  }

  /** Breaks the connections of a client. It comes back by itself. */
  cut(clientName: string, reason = 'cut'): void {
    for (const client of this.#clients) if (client.name === clientName) client.broken(reason);
  }

  /** Dies, forgets, and is back after `downMs`. Whatever was on its way is lost. */
  restart(downMs: number, forgets: Amnesia = 'all'): void {
    if (forgets === 'all') this.#retained.clear();
    else this.#retained.rollBack(forgets.newest);
    this.#down(downMs, 'broker gone');
    for (const client of this.#clients) client.forgetLeft();
  }

  /** Stops in order and is back after `downMs`: publishes the wills, keeps what is retained, and forgets what was on its way. */
  stop(downMs: number): void {
    for (const { isUp, will } of this.#clients) {
      if (isUp && will !== undefined) this.take(will);
    }
    this.#down(downMs, 'broker stopped');
  }

  /** The connections of a client go dead: nothing passes, nobody is told, until a keepalive notices after `noticeMs`. */
  halfOpen(clientName: string, noticeMs: number): void {
    for (const client of this.#clients) if (client.name === clientName) client.halfOpen(noticeMs);
  }

  /**
   * A stranger uses this name too, and connects again whenever it is thrown out: with `sameName: 'newest'` the two take turns.
   * Close it to end that.
   */
  rival(clientName: string): Broker {
    const stranger = this.connect(clientName);
    stranger.listen({ onUp: () => {}, onDown: () => {}, onMessage: () => {} });
    return stranger;
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
    const { delayMsMax, lagMsMax } = this.faults;
    const delayMs = this.#random.next() * delayMsMax;
    return lagMsMax > 0 ? delayMs + this.#random.next() * lagMsMax : delayMs;
  }

  hasUp(clientName: string): boolean {
    return [...this.#clients].some(({ name, isUp }) => name === clientName && isUp);
  }

  /** A client is up. */
  connected(client: SimClient): void {
    if (this.faults.sameName === 'all') return;
    for (const other of this.#clients) {
      if (other === client || other.name !== client.name || !other.isUp) continue;
      this.harm.takenOver += 1;
      other.broken('taken over by another client of this name');
    }
  }

  /** A publish has arrived. It is acknowledged from here on, whatever becomes of it. */
  take(publish: Publish): void {
    this.counters.published += 1;
    if (publish.retain === 'retain') this.#retained.set(publish);
    if (this.#random.chance(this.faults.forget)) {
      this.counters.forgotten += 1;
      return;
    }
    for (const client of this.#clients) if (client.wants(publish.topic) || this.#leaksTo(client)) this.#deliver(client, publish);
  }

  /** A subscription has arrived: what is retained goes out, and what was. */
  replay(client: SimClient, filters: readonly string[]): void {
    for (const publish of this.#retained.matching(filters)) this.#deliver(client, publish);
    if (this.faults.ghost === 0) return;
    for (const publish of this.#retained.ghosts(filters)) {
      if (!this.#random.chance(this.faults.ghost)) continue;
      this.harm.ghosts += 1;
      this.#deliver(client, publish);
    }
  }

  #leaksTo(client: SimClient): boolean {
    if (this.faults.leak === 0 || !client.isUp || !this.#random.chance(this.faults.leak)) return false;
    this.harm.leaked += 1;
    return true;
  }

  #down(downMs: number, reason: string): void {
    this.#state = 'down';
    this.#life += 1;
    for (const client of this.#clients) client.broken(reason);
    this.after(downMs, () => {
      this.#state = 'running';
    });
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

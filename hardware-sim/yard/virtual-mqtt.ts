/**
 * The real MQTT client and the real MQTT broker, both by the product's own adapters, in one process and in virtual time. The same
 * surface as `SimBroker`, and the bytes of the protocol in between:
 *
 *   Broker port ─ mqtt-broker.ts ─ mqtt.js ══ StreamPair ══ aedes ─ embedded-broker.ts
 *
 * A run lives inside `VirtualClock.during`, since both packages ask the globals for time and chance. What the broker does by itself
 * stays as it is: wills, takeovers, keepalive. What it never does but a broker may do, forget what it acknowledged and say a thing
 * twice, is done where the subscriber hears it.
 */
import { openBroker, type StreamBroker } from '../../gateway/embedded-broker.ts';
import { invariant } from '../../shared/assert.ts';
import { connectBroker } from '../../shared/node/mqtt-broker.ts';
import type { Broker, BrokerListener, Publish } from '../../shared/ports.ts';
import type { Prng } from '../random.ts';
import { type BrokerFaults, NO_FAULTS, type SimBroker } from '../sim-broker.ts';
import type { World } from '../world.ts';
import { StreamPair } from './stream-pair.ts';
import { isTimeVirtual } from './virtual-clock.ts';

/** What a yard needs of a broker, whichever it is. */
export type YardBroker = Pick<SimBroker, 'faults' | 'counters' | 'cut' | 'halfOpen' | 'restart' | 'stop' | 'rival'> & {
  connect(clientName: string, options?: { will?: Publish }): Broker;
};

interface Connection {
  readonly clientName: string;
  readonly pair: StreamPair;
}

export class VirtualMqtt implements YardBroker {
  /**
   * Heeded: `delayMsMax` and `lagMsMax`, for every write; `forget`, `duplicate`; `straggle`, drawn once for each broken connection;
   * `willMsMax`; `breakRate`, for every publish and delivery. The others are for a broker that is not itself.
   */
  readonly faults: BrokerFaults;
  readonly counters = { published: 0, delivered: 0, forgotten: 0, duplicated: 0, straggled: 0 };
  readonly #world: World;
  readonly #random: Prng;
  readonly #connections = new Set<Connection>();
  #broker: StreamBroker | undefined;
  #life = 0;

  constructor(options: { scheduler: World; random: Prng; faults?: Partial<BrokerFaults> }) {
    this.#world = options.scheduler;
    this.#random = options.random;
    this.faults = { ...NO_FAULTS, ...options.faults };
    this.#boot(0);
  }

  /** A client that connects once somebody listens, and again whenever its connection breaks. Its last will says it is offline. */
  connect(clientName: string): Broker {
    const inner = connectBroker({
      node: clientName,
      access: { broker: 'virtual', protocol: 4, username: undefined, passwordFile: undefined },
      log: () => {},
      openStream: () => this.#open(clientName),
    });
    let state: 'down' | 'up' | 'closed' = 'down';
    const become = (next: 'down' | 'up') => {
      if (state !== 'closed') state = next;
    };
    return {
      listen: (listener) => {
        inner.listen({
          onUp: () => {
            become('up');
            listener.onUp();
          },
          onDown: (reason) => {
            become('down');
            listener.onDown(reason);
          },
          onMessage: (topic, payload) => {
            this.#deliver({ listener, topic, payload, isHeard: () => state === 'up' });
            this.#maybeBreak(clientName);
          },
        });
      },
      publish: (publish, ended) => {
        this.#world.promised();
        if (state === 'up') this.counters.published += 1;
        inner.publish(publish, ended);
        this.#maybeBreak(clientName);
      },
      subscribe: (topics) => {
        this.#world.promised();
        inner.subscribe(topics);
      },
      // Nobody waits for a goodbye in virtual time: it goes on by itself. Who loses power says none: `cut` first.
      close: () => {
        this.#world.promised();
        state = 'closed';
        void inner.close();
      },
    };
  }

  /** Breaks the connections of a client. It comes back by itself, as long as it is not closed. */
  cut(clientName: string): void {
    this.#world.promised();
    for (const { pair } of this.#of(clientName)) {
      const ascent = this.#random.chance(this.faults.straggle) ? 'arrives' : 'lost';
      if (ascent === 'arrives') this.counters.straggled += 1;
      pair.cut({ noticeMs: this.#random.next() * this.faults.willMsMax, ascent });
    }
  }

  /** Nothing passes any more and nobody is told, until it breaks after `noticeMs`, or the keepalive of either end finds out before. */
  halfOpen(clientName: string, noticeMs: number): void {
    for (const { pair } of this.#of(clientName)) {
      pair.silence();
      if (!Number.isFinite(noticeMs)) continue;
      this.#world.after(noticeMs, () => {
        this.#world.promised();
        if (!pair.client.destroyed) pair.cut({ noticeMs: 0, ascent: 'lost' });
      });
    }
  }

  /** Dies, forgets everything, and is back after `downMs`. Whatever was on its way is lost. */
  restart(downMs: number): void {
    this.#world.promised();
    for (const { pair } of this.#connections) pair.crash();
    this.#connections.clear();
    this.stop(downMs);
  }

  /** Stops in order, and is back after `downMs`. Forgets everything: it has no disk. */
  stop(downMs: number): void {
    this.#world.promised();
    void this.#broker?.close();
    this.#broker = undefined;
    this.#boot(downMs);
  }

  /** A stranger uses this name too, and connects again whenever it is thrown out: the two take turns. Close it to end that. */
  rival(clientName: string): Broker {
    const stranger = this.connect(clientName);
    stranger.listen({ onUp: () => {}, onDown: () => {}, onMessage: () => {} });
    return stranger;
  }

  /** A new broker, with nothing. As an event: whoever only builds a yard has no virtual time yet. */
  #boot(downMs: number): void {
    const life = ++this.#life;
    this.#world.after(downMs, () => {
      this.#world.promised();
      invariant(isTimeVirtual(), 'a virtual broker lives inside a virtual clock');
      if (life === this.#life) void this.#start(life);
    });
  }

  async #start(life: number): Promise<void> {
    // With an id of its own choice it would ask the machine for randomness.
    const broker = await openBroker(`yard-${life}`);
    if (life === this.#life) this.#broker = broker;
    else await broker.close();
  }

  #open(clientName: string): StreamPair['client'] {
    const pair = new StreamPair({ world: this.#world, random: this.#random, delayMs: () => this.#delayMs() });
    const connection = { clientName, pair };
    const atMs = this.#world.nowMs + this.#delayMs();
    pair.openAt(atMs);
    this.#connections.add(connection);
    pair.server.once('close', () => this.#connections.delete(connection));
    this.#world.at(atMs, () => {
      this.#world.promised();
      if (pair.client.destroyed) pair.server.destroy();
      else if (this.#broker === undefined) pair.refuse();
      else this.#broker.accept(pair.server);
    });
    return pair.client;
  }

  #deliver(heard: { listener: BrokerListener; topic: string; payload: Uint8Array; isHeard: () => boolean }): void {
    const { listener, topic, payload } = heard;
    if (this.#random.chance(this.faults.forget)) {
      this.counters.forgotten += 1;
      return;
    }
    this.counters.delivered += 1;
    const again = this.#random.chance(this.faults.duplicate) ? payload.slice() : undefined;
    listener.onMessage(topic, payload);
    if (again === undefined || !heard.isHeard()) return;
    this.counters.duplicated += 1;
    listener.onMessage(topic, again);
  }

  #maybeBreak(clientName: string): void {
    const { breakRate } = this.faults;
    if (breakRate > 0 && this.#random.chance(breakRate)) this.cut(clientName);
  }

  #of(clientName: string): Connection[] {
    return [...this.#connections].filter(
      (connection) => connection.clientName === clientName && !connection.pair.client.destroyed,
    );
  }

  #delayMs(): number {
    return this.#random.next() * (this.faults.delayMsMax + this.faults.lagMsMax);
  }
}

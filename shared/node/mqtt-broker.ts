/**
 * An MQTT broker behind the Broker port, and the only place that knows mqtt.js.
 *
 *            listen           CONNACK                 close, error, silence
 *   idle ──────────▶ dialing ─────────▶ up ──────────────────────────────────┐
 *                      ▲                                                      │
 *                      └── after a wait with full jitter, a new client ◀──────┘
 *
 * A fresh client for each attempt: nothing of an old connection is sent on a new one. The client's own queues stay empty: it is
 * given no more than the broker may have without a PUBACK, what waits for that waits here, bounded, and what is published while
 * down is dropped. The core, which holds it on disk, hears by receipts what arrived.
 */
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, type IClientOptions, type IClientPublishOptions, MqttClient } from 'mqtt';
import { PUBLISH_BYTES_MAX } from '../limits.ts';
import type { Broker, BrokerListener, Publish, PublishEnd, PublishProperties, Wanted } from '../ports.ts';
import { statusPublish } from '../relay/status-layout.ts';
import type { BrokerAccess } from './config/config.ts';
import { ReconnectWait } from './reconnect-wait.ts';

const KEEPALIVE_S = 10;
const CONNECT_MS_MAX = 5_000;
/** How long a goodbye may take. */
const CLOSE_MS_MAX = 1_000;
/** [MQTT5-3.4.2.1] The broker took the publish, and has nobody to give it to: not custody. */
const NO_MATCHING_SUBSCRIBERS = 0x10;
const NOBODY = 'No matching subscribers';
/** Publishes without a PUBACK. mqtt.js keeps a copy of each; brokers drop what exceeds their own, smaller or larger, bound. */
const IN_FLIGHT_COUNT_MAX = 64;
/** Publishes that wait for those. Above what a relay has out at once: 256 items, and receipts. */
const WAITING_COUNT_MAX = 1024;
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes without one whole packet in them after which a broker is not to be believed. Several read buffers above a publish. */
const UNPARSED_BYTES_MAX = PUBLISH_BYTES_MAX + 256 * 1024;

export interface BrokerOptions {
  /** Name of this node: whose last will it is, and, with `ringmail-` before it, the client id. */
  readonly node: string;
  /** Tells this connection from others of the same node; at its end of the client id. */
  readonly connection?: string;
  readonly access: BrokerAccess;
  readonly log: (level: 'info' | 'warn', text: string) => void;
  /** `apart`: it connects when it is wanted. `connected` unless said. */
  readonly begins?: Wanted;
  /** A byte stream to the broker for each attempt to connect, in place of a socket to `access.broker`. */
  readonly openStream?: () => Duplex;
}

/** Connects once somebody listens, and it is wanted. */
export function connectBroker(options: BrokerOptions): Broker {
  return new MqttBroker(options);
}

class MqttBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #will: Publish;
  #listener: BrokerListener | undefined;
  #connection: Connection | undefined;
  #state: 'open' | 'closed' = 'open';
  #wanted: Wanted;
  readonly #wait = new ReconnectWait(Math.random);
  #timer: NodeJS.Timeout | undefined;
  /** Goodbyes that are not said yet: who comes back meanwhile would be overtaken by his own last word. */
  #leaving: Promise<void> = Promise.resolve();
  #lastReason = '';

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#wanted = options.begins ?? 'connected';
    this.#will = statusPublish({ kind: 'offline', node: options.node });
  }

  listen(listener: BrokerListener): void {
    this.#listener = listener;
    if (this.#wanted === 'connected') this.#dialAfter(0);
  }

  want(wanted: Wanted): void {
    if (wanted === this.#wanted || this.#state === 'closed') return;
    this.#wanted = wanted;
    clearTimeout(this.#timer);
    if (wanted === 'connected') {
      const { log, access } = this.#options;
      void this.#leaving
        .then(() => this.#dialAfter(0))
        .catch((error) => log('warn', `broker ${access.broker}: ${String(error)}`));
      return;
    }
    const connection = this.#connection;
    this.#connection = undefined;
    this.#wait.reset();
    if (connection === undefined) return;
    if (connection.isUp) setImmediate(() => this.#listener?.onDown('not needed'));
    this.#leaving = connection.goodbye(this.#will);
  }

  publish(publish: Publish, ended?: (outcome: PublishEnd) => void): void {
    this.#connection?.publish(publish, ended);
  }

  subscribe(topics: readonly string[]): void {
    this.#connection?.subscribe(topics);
  }

  /** Says what the last will would have said, and ends. Nothing is heard any more from here on. */
  async close(): Promise<void> {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = undefined;
    await Promise.all([this.#leaving, connection?.goodbye(this.#will)]);
  }

  /** Replaces the attempt that was to be. */
  #dialAfter(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#state === 'closed' || this.#wanted === 'apart' || this.#listener === undefined) return;
    this.#timer = setTimeout(() => this.#dial(), ms);
  }

  #dial(): void {
    const { access, log, openStream } = this.#options;
    let options: IClientOptions;
    try {
      options = this.#clientOptions();
    } catch (error) {
      return this.#lost(`password file: ${String(error)}`, undefined); // it may be there the next time
    }
    const client = openStream === undefined ? connect(access.broker, options) : new MqttClient(openStream, options);
    const connection: Connection = new Connection(client, {
      onUp: (packetBytesMax) => {
        if (this.#connection !== connection) return;
        this.#lastReason = '';
        log('info', `broker ${access.broker}: connected`);
        this.#listener?.onUp(packetBytesMax);
      },
      onMessage: (topic, payload) => {
        if (this.#connection === connection) this.#listener?.onMessage(topic, payload);
      },
      onRefused: (topic, reason) => {
        if (this.#connection !== connection) return;
        const text = `publish to ${topic}: ${reason}`;
        // One line, however many topics it is said of.
        if (reason !== this.#lastReason) log('warn', `broker ${access.broker}: ${text}`);
        this.#lastReason = reason;
        this.#listener?.onRefused?.(text);
      },
      onEnd: (reason, upMs) => {
        if (this.#connection !== connection) return;
        this.#connection = undefined;
        if (upMs !== undefined) this.#listener?.onDown(reason);
        this.#lost(reason, upMs);
      },
    });
    this.#connection = connection;
  }

  #lost(reason: string, upMs: number | undefined): void {
    if (this.#state === 'closed') return;
    if (reason !== this.#lastReason) this.#options.log('warn', `broker ${this.#options.access.broker}: ${reason}`);
    this.#lastReason = reason;
    this.#dialAfter(this.#wait.after(upMs));
  }

  #clientOptions(): IClientOptions {
    const { node, access, connection } = this.#options;
    const { topic, payload, qos } = this.#will;
    const v5 = { properties: { maximumPacketSize: UNPARSED_BYTES_MAX } };
    return {
      clientId: connection === undefined ? `ringmail-${node}` : `ringmail-${node}-${connection}`,
      clean: true,
      protocolVersion: access.protocol,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_MS_MAX,
      keepalive: KEEPALIVE_S,
      queueQoSZero: false,
      resubscribe: false,
      will: { topic, payload: Buffer.from(payload), qos, retain: true },
      ...(access.protocol === 5 && v5),
      ...(access.username !== undefined && { username: access.username }),
      ...(access.passwordFile !== undefined && { password: firstLine(access.passwordFile) }),
    };
  }
}

interface ConnectionListener {
  onUp(packetBytesMax: number | undefined): void;
  onMessage(topic: string, payload: Uint8Array): void;
  /** A publish was refused, and said to be. */
  onRefused(topic: string, reason: string): void;
  /** Once. `upMs` is how long it was up; undefined when it never was. */
  onEnd(reason: string, upMs: number | undefined): void;
}

/** One client, from its attempt to connect to its end. */
class Connection {
  readonly #client: MqttClient;
  readonly #listener: ConnectionListener;
  #state: 'dialing' | 'up' | 'over' = 'dialing';
  #upAtMs = 0;
  #waiting: { readonly publish: Publish; readonly ended: ((outcome: PublishEnd) => void) | undefined }[] = [];
  #waitingBytes = 0;
  #inFlight = 0;
  /** Publishes that nobody was subscribed to, from the PUBACK that says so to its callback. */
  readonly #unheard = new Set<number>();
  #inFlightMax = IN_FLIGHT_COUNT_MAX;
  #unparsedBytes = 0;

  constructor(client: MqttClient, listener: ConnectionListener) {
    this.#client = client;
    this.#listener = listener;
    let reason = 'the connection was closed';
    // A receipt is small and nothing answers a PUBACK: held back for an acknowledgement of TCP it would be late by up to 40 ms.
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    client.on('connect', ({ properties }) => {
      if (this.#state !== 'dialing') return;
      this.#state = 'up';
      this.#upAtMs = performance.now();
      this.#inFlightMax = Math.min(IN_FLIGHT_COUNT_MAX, properties?.receiveMaximum ?? IN_FLIGHT_COUNT_MAX);
      listener.onUp(properties?.maximumPacketSize);
    });
    client.on('message', (topic, payload) => {
      if (this.#state === 'up') listener.onMessage(topic, new Uint8Array(payload));
    });
    client.on('error', (error) => {
      reason = error.message || String((error as NodeJS.ErrnoException).code);
      this.#end(reason);
    });
    client.on('close', () => this.#end(reason));
    // The parser holds whatever a length field promises, up to 256 MB, and looks at it only when it is whole.
    client.on('packetreceive', (packet) => {
      // mqtt.js takes this word for a success, and does not hand it on.
      if (packet.cmd === 'puback' && packet.reasonCode === NO_MATCHING_SUBSCRIBERS) this.#unheard.add(packet.messageId ?? 0);
      this.#unparsedBytes = 0;
    });
    client.stream.on('data', (chunk: Uint8Array) => {
      this.#unparsedBytes += chunk.length;
      if (this.#unparsedBytes > UNPARSED_BYTES_MAX) this.#end('a packet larger than any of ours');
    });
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  publish(publish: Publish, ended?: (outcome: PublishEnd) => void): void {
    if (this.#state !== 'up') return;
    const { payload } = publish;
    if (this.#waiting.length >= WAITING_COUNT_MAX || this.#waitingBytes + payload.length > WAITING_BYTES_MAX) {
      if (ended !== undefined) setImmediate(() => this.#tell(ended, 'failed'));
      return;
    }
    this.#waiting.push({ publish: { ...publish, payload: payload.slice() }, ended });
    this.#waitingBytes += payload.length;
    this.#flow();
  }

  subscribe(topics: readonly string[]): void {
    if (this.#state !== 'up') return;
    this.#client.subscribe([...topics], { qos: 1 }, (error) => {
      // Without its subscriptions a connection is worth nothing: make another one.
      if (error !== null) this.#end(`subscribe: ${error.message}`);
    });
  }

  /** Gives out what waits and a last word, says DISCONNECT, and is gone within CLOSE_MS_MAX. */
  async goodbye(lastWord: Publish): Promise<void> {
    if (this.#state === 'up') {
      this.#inFlightMax = Number.POSITIVE_INFINITY;
      this.publish(lastWord);
      this.#state = 'over';
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, CLOSE_MS_MAX);
        this.#client.end(false, {}, () => {
          clearTimeout(deadline);
          resolve();
        });
      });
    }
    this.#state = 'over';
    this.#destroy();
  }

  #flow(): void {
    while (this.#inFlight < this.#inFlightMax) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.publish.payload.length;
      this.#inFlight += 1;
      const { topic, payload, qos, retain, properties } = next.publish;
      const isSpoken = properties !== undefined && this.#client.options.protocolVersion === 5;
      const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
      // An error here is a refusal of the broker, or the end of the connection: either way no receipt will come, and the core sees that.
      this.#client.publish(
        topic,
        bytes,
        { qos, retain: retain === 'retain', ...(isSpoken && { properties: v5Of(properties) }) },
        (error, packet) => {
          this.#inFlight -= 1;
          const isUnheard = this.#unheard.delete(packet?.messageId ?? 0);
          const { ended } = next;
          const outcome = error === undefined || error === null ? 'acknowledged' : 'failed';
          if (ended !== undefined) setImmediate(() => this.#tell(ended, outcome));
          if (this.#state !== 'up') return;
          if (outcome === 'failed') setImmediate(() => this.#refused(topic, error));
          // What has no outcome is custody's; a status, and what a route gives to a topic, may well have nobody who listens.
          if (isUnheard && ended === undefined && retain !== 'retain') setImmediate(() => this.#refused(topic, NOBODY));
          this.#flow();
        },
      );
    }
  }

  /** Nothing is said of what a connection that is over had on its way. */
  #tell(ended: (outcome: PublishEnd) => void, outcome: PublishEnd): void {
    if (this.#state === 'up') ended(outcome);
  }

  #refused(topic: string, error: unknown): void {
    if (this.#state === 'up') this.#listener.onRefused(topic, error instanceof Error ? error.message : String(error));
  }

  #end(reason: string): void {
    if (this.#state === 'over') return;
    const upMs = this.#state === 'up' ? performance.now() - this.#upAtMs : undefined;
    this.#state = 'over';
    this.#waiting = [];
    this.#destroy();
    // Never from inside a call of the core's: a subscription may be refused before `subscribe` returns.
    setImmediate(() => this.#listener.onEnd(reason, upMs));
  }

  /** mqtt.js lets a second `end` do nothing, also when the first waits for a PUBACK that never comes. */
  #destroy(): void {
    this.#client.end(true);
    this.#client.stream.destroy();
  }
}

function v5Of({ contentType, correlationId, user }: PublishProperties): NonNullable<IClientPublishOptions['properties']> {
  const userProperties: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of user) userProperties[name] = [...[userProperties[name] ?? []].flat(), value];
  return {
    ...(contentType !== undefined && { contentType }),
    ...(correlationId !== undefined && { correlationData: Buffer.from(correlationId) }),
    userProperties,
  };
}

function firstLine(path: string): string {
  return readFileSync(path, 'utf8').split(/\r?\n/, 1)[0] ?? '';
}

/**
 * A node's MQTT ingress (docs/mqtt-ingress.md): clients that know nothing of ringmail publish, topic rules choose the queue, and what is
 * answered is on the disk.
 *
 *   socket ──▶ gate (limits) ──▶ aedes (MQTT) ──▶ guest (order, patience) ──▶ node
 */
import { createServer, type Socket } from 'node:net';
import { RingmailError } from '../shared/errors.ts';
import { TEXT_LENGTH_MAX } from '../shared/message/message.ts';
import type { IngressConfig } from '../shared/node/config/config.ts';
import { formatHostPort } from '../shared/node/config/line-address.ts';
import { keepLine } from '../shared/node/keep-line.ts';
import type { IngressWatch } from '../shared/node/node.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import { openDoor, type StreamBroker } from './embedded-broker.ts';
import { IngressBook, shown } from './ingress-book.ts';
import { IngressGuest } from './ingress-guest.ts';
import {
  BAD_USER_OR_PASSWORD,
  type ConnackRefusal,
  type Connecting,
  type Door,
  IDENTIFIER_REJECTED,
  Refusal,
  SERVER_UNAVAILABLE,
} from './mqtt-door.ts';
import { MqttGate } from './mqtt-gate.ts';
import { PacketIds } from './packet-ids.ts';
import type { Passwords } from './passwords.ts';

/** A node, as far as its ingress knows it. */
export interface IngressHost extends NodeCalls {
  readonly lineStates: Map<string, string>;
  ingress: IngressWatch | undefined;
}

export interface IngressRole {
  readonly config: IngressConfig;
  /** Undefined: whoever reaches the port may publish. */
  readonly passwords: Passwords | undefined;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

/** A connection that ended like this is nobody's mistake: silence, and a client that reads nothing. */
const IS_SILENCE = /keep alive timeout|drain timeout|did not arrive in time|connection closed/;

/** Serves clients until `signal` aborts. An address that is taken is tried again until it is free. */
export function runIngress(node: IngressHost, role: IngressRole, signal: AbortSignal): Promise<void> {
  const { config, log } = role;
  const ingress = new Ingress(node, role);
  node.ingress = ingress;
  const name = `mqtt:${formatHostPort(config.listen)}`;
  const use = (): Promise<string> => {
    log('info', `MQTT ingress on ${formatHostPort(config.listen)}`);
    return new Promise((resolve) => {
      if (signal.aborted) resolve('closed');
      else signal.addEventListener('abort', () => resolve('closed'), { once: true });
    });
  };
  const state = (text: string): void => void node.lineStates.set(name, text);
  return keepLine({ name, open: () => ingress.listen(), use, log, state }, signal);
}

class Ingress implements Door, IngressWatch {
  readonly #node: NodeCalls;
  readonly #config: IngressConfig;
  readonly #passwords: Passwords | undefined;
  readonly #book: IngressBook;
  readonly #gates = new Set<MqttGate>();
  /** Of clients that are there, by their ids. */
  readonly #packetIds = new Map<string, PacketIds>();
  #isClosing = false;

  constructor(node: NodeCalls, { config, passwords, log }: IngressRole) {
    this.#node = node;
    this.#config = config;
    this.#passwords = passwords;
    this.#book = new IngressBook(log);
  }

  counts(): Readonly<Record<string, number>> {
    return { clients: this.#gates.size, ...this.#book.counts };
  }

  trouble(): string | undefined {
    return this.#book.trouble;
  }

  async listen(): Promise<{ close(): Promise<void> }> {
    this.#isClosing = false;
    const broker = await openDoor(this);
    const server = createServer((socket) => this.#accept(socket, broker));
    server.maxConnections = this.#config.clientCountMax;
    server.on('drop', () => this.#book.turnedAway('refusedClients', `more than ${this.#config.clientCountMax} clients`));
    const { host, port } = this.#config.listen;
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host, port }, resolve);
      });
    } catch (error) {
      await broker.close();
      throw error;
    }
    server.removeAllListeners('error');
    // A connection that could not be accepted (no more descriptors) is tried again by its client.
    server.on('error', () => {});
    return {
      close: async () => {
        this.#isClosing = true;
        server.close();
        for (const gate of this.#gates) gate.destroy();
        await broker.close();
      },
    };
  }

  async enter(client: Connecting, stream: unknown): Promise<IngressGuest | ConnackRefusal> {
    const { clientId, session } = client;
    const refusal = this.#refusalOf(client);
    if (refusal !== undefined || !(stream instanceof MqttGate)) return refusal ?? SERVER_UNAVAILABLE;
    const before = this.#packetIds.get(clientId);
    try {
      await before?.retire();
      const packetIds = await PacketIds[session](this.#node, clientId);
      const { rules, holdMs } = this.#config;
      if (clientId !== '') this.#packetIds.set(clientId, packetIds);
      stream.once('close', () => void this.#left(clientId, packetIds));
      const isClosing = (): boolean => this.#isClosing;
      return new IngressGuest({
        node: this.#node,
        rules,
        holdMs,
        book: this.#book,
        clientId,
        gate: stream,
        packetIds,
        isClosing,
      });
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#book.turnedAway('refusedStore', `client ${shown(clientId)}: ${error.message}`);
      return SERVER_UNAVAILABLE;
    }
  }

  onSubscribe(): void {
    this.#book.turnedAway('refusedSubscriptions', 'a client subscribes: nothing is heard here');
  }

  onTrouble(error: Error): void {
    const isOurs = error instanceof RingmailError || error instanceof Refusal;
    const isOfSystem = 'code' in error;
    if (isOurs || isOfSystem || IS_SILENCE.test(error.message)) return;
    this.#book.turnedAway('refusedProtocol', error.message);
  }

  #accept(socket: Socket, broker: StreamBroker): void {
    const { packetBytesMax, inFlightBytesMax } = this.#config;
    const onTooLong = (): void => this.#book.turnedAway('refusedPackets', `a packet above ${packetBytesMax} bytes`);
    const gate = new MqttGate(socket, { packetBytesMax, heldBytesMax: inFlightBytesMax }, onTooLong);
    this.#gates.add(gate);
    gate.once('close', () => this.#gates.delete(gate));
    broker.accept(gate);
  }

  #refusalOf({ clientId, session, username, password }: Connecting): ConnackRefusal | undefined {
    if (clientId.length > TEXT_LENGTH_MAX || (clientId === '' && session === 'kept')) {
      this.#book.turnedAway('refusedLogins', `client ${shown(clientId)}: not an id of a client`);
      return IDENTIFIER_REJECTED;
    }
    if (this.#passwords?.areRight(username, password) ?? true) return undefined;
    this.#book.turnedAway('refusedLogins', `client ${shown(clientId)}, name ${shown(username ?? '')}: name or password is wrong`);
    return BAD_USER_OR_PASSWORD;
  }

  async #left(clientId: string, packetIds: PacketIds): Promise<void> {
    // What is not given back now is when the client comes again, and it may have been another connection's by now.
    await packetIds.close('keep').catch(() => {});
    if (this.#packetIds.get(clientId) === packetIds) this.#packetIds.delete(clientId);
  }
}

/** ringmail inside an application: a node in this process, with promises and leases as objects. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Durability, Received, Stats } from '../core/calls.ts';
import { RingmailError } from '../errors.ts';
import { type CborInput, type CborValue, decodeCbor, encodeCbor } from '../message/cbor.ts';
import type { Message, Properties } from '../message/message.ts';
import type { Broker } from '../ports.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import { createRing } from './create-ring.ts';
import { homeOf } from './home.ts';
import { Node } from './node.ts';
import { systemRandom } from './random.ts';

const MEBIBYTE = 1024 * 1024;

export interface OpenOptions {
  /** Name of the node: part of every identity. The ring remembers it. */
  readonly name: string;
  /** Path of the ring file; created if it is not there. */
  readonly ring: string;
  /** Length of a new ring file in bytes. 16 MiB. */
  readonly ringBytes?: number;
  /** Queues: how many bytes of bodies each may hold, and what else of QueueOptions. One that is not named here is made when it is used. */
  readonly queues?: Readonly<Record<string, QueueDefinition>>;
  /** Lets a frame wait this long for company: spares the card, delays `send`. 0. */
  readonly commitDelayMs?: number;
  /** `send` resolves at once, and the message is on the disk within this time (docs/durability.md). Left away: after the disk. */
  readonly intervalMs?: number;
  /** How long a send waits for room in a queue that blocks. 30,000. */
  readonly blockMs?: number;
  /** Start on a file system in memory too, where a power cut empties the ring. */
  readonly allowVolatile?: boolean;
}

/** A leased message. Exactly one of `ack`, `nack` and `deadLetter` ends the lease; its deadline does otherwise. */
export interface Delivery {
  readonly message: Message;
  /** Times it was leased, this one counted, over restarts. */
  readonly deliveryCount: number;
  /** The body as what was sent: a decoded value if it was one, the bytes otherwise. @throws CBOR_INVALID */
  value(): CborValue;
  /** Received. Resolves when the message can never be delivered again. @throws LEASE_UNKNOWN, IN_DOUBT */
  ack(): Promise<void>;
  /** Back to its place, visible again after `delayMs`. */
  nack(delayMs?: number): Promise<void>;
  /** Given up: into `$dead` with its history. */
  deadLetter(reason: string): Promise<void>;
}

/** What the node says of a message it took. */
export interface Sent {
  readonly identity: string;
  readonly durability: Durability;
}

export interface SendOptions extends Properties {
  /** How long to wait for room in a queue that blocks. The node's `blockMs`. */
  readonly waitMs?: number;
}

export interface ReceiveOptions {
  /** How long to wait for a message. 0: only what is there. */
  readonly waitMs?: number;
  /** How long the message is yours. 30,000. */
  readonly leaseMs?: number;
  readonly signal?: AbortSignal;
}

const LEASE_MS = 30_000;
const CBOR_TYPE = 'application/cbor';

export class LocalNode {
  readonly #node: Node;

  constructor(node: Node) {
    this.#node = node;
  }

  /**
   * Resolves with the identity when the message is on the disk (with `intervalMs`: will be within that). A `Uint8Array` is kept byte for byte; anything else is encoded.
   * @throws NAME_INVALID, PROPERTY_INVALID, QUEUE_FULL, MESSAGE_TOO_LARGE, ROUTE_NOT_FOUND, BUSY, IN_DOUBT, NODE_STOPPED
   */
  async send(address: string, body: Uint8Array | CborInput, options: SendOptions = {}): Promise<string> {
    return (await this.sendDetailed(address, body, options)).identity;
  }

  /** The same, and how durable it was when the answer came. */
  async sendDetailed(address: string, body: Uint8Array | CborInput, options: SendOptions = {}): Promise<Sent> {
    const { waitMs, ...properties } = options;
    const wait = waitMs === undefined ? {} : { waitMs };
    const content =
      body instanceof Uint8Array
        ? { body: body.slice(), properties }
        : { body: encodeCbor(body), properties: { contentType: CBOR_TYPE, ...properties } };
    const result = await this.#node.call({ verb: 'send', destination: address, ...content, ...wait });
    if (result.kind !== 'sent') throw new RingmailError('NODE_STOPPED', { reason: 'nobody waited for the answer' });
    return { identity: result.identity, durability: result.durability };
  }

  /** The most urgent message of a queue under lease, or undefined when none came in time. @throws QUEUE_NOT_FOUND */
  async receive(queue: string, options: ReceiveOptions = {}): Promise<Delivery | undefined> {
    const { waitMs = 0, leaseMs = LEASE_MS, signal } = options;
    const result = await this.#node.call({ verb: 'receive', queue, waitMs, leaseMs }, signal);
    return result.kind === 'received' ? this.#delivery(result.received) : undefined;
  }

  stats(): Stats | undefined {
    return this.#node.stats();
  }

  /** Writes what is pending and closes the ring clean. */
  close(): Promise<void> {
    return this.#node.close();
  }

  #delivery({ message, deliveryCount, lease }: Received): Delivery {
    const node = this.#node;
    return {
      message,
      deliveryCount,
      value: () => (message.contentType === CBOR_TYPE ? decodeCbor(message.body) : message.body),
      ack: async () => void (await node.call({ verb: 'ack', lease })),
      nack: async (delayMs = 0) => void (await node.call({ verb: 'nack', lease, delayMs })),
      deadLetter: async (reason) => void (await node.call({ verb: 'deadLetter', lease, reason })),
    };
  }
}

/** Opens a node over a ring file; resolves when it serves. @throws RING_LOCKED, RING_FOREIGN, RING_VOLATILE, RING_OTHER_NODE … */
export function openNode(options: OpenOptions): Promise<LocalNode> {
  return openLocalNode(options, undefined);
}

/** For roles: with `central` the node is that central, over the given broker, and has only the queues it was given. */
export async function openLocalNode(
  options: OpenOptions,
  role: { readonly central: string; readonly connectBroker: () => Broker } | undefined,
): Promise<LocalNode> {
  const { name, ring, ringBytes = 16 * MEBIBYTE, queues = {}, commitDelayMs = 0 } = options;
  const volatile = options.allowVolatile === true ? 'allow' : 'refuse';
  if (!existsSync(ring)) {
    mkdirSync(dirname(ring), { recursive: true });
    await createRing(ring, { fileBytes: ringBytes, fileId: systemRandom.bytes(16), volatile });
  }
  const node = await Node.open({
    config: {
      name,
      queues: Object.entries(queues).map(([queue, definition]) => ({ name: queue, ...definition })),
      unknownQueue: role === undefined ? 'create' : 'refuse',
      queueBytesLimit: 8 * MEBIBYTE,
      uplink: 'none',
      central: role?.central ?? 'central',
      isCentral: role === undefined ? 'no' : 'yes',
      partitionCount: 1,
      commitDelayMs,
      intervalMs: options.intervalMs,
      blockMs: options.blockMs,
      home: homeOf(ring),
    },
    ringPath: ring,
    volatile,
    ...(role && { connectBroker: role.connectBroker }),
  });
  return new LocalNode(node);
}

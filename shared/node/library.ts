/** ringmail inside an application: a node in this process, or a way to one in another. */
import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Stats } from '../core/calls.ts';
import type { Broker } from '../ports.ts';
import type { QueueDefinition } from '../queue/queue-options.ts';
import { ApiClient } from './api/client.ts';
import { createRing } from './create-ring.ts';
import { homeOf } from './home.ts';
import { type ClientOptions, RingmailClient } from './library/client.ts';
import type { TriggerOptions } from './library/triggers.ts';
import { Node } from './node.ts';
import { systemRandom } from './random.ts';

const MEBIBYTE = 1024 * 1024;

export interface OpenOptions extends ClientOptions {
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
  /** Triggers that run from the opening on (docs/queues.md, "Triggers"). */
  readonly triggers?: readonly TriggerOptions[];
  /** Start on a file system in memory too, where a power cut empties the ring. */
  readonly allowVolatile?: boolean;
}

export interface ConnectOptions extends ClientOptions {
  /** Where the node's local API listens. */
  readonly socketPath: string;
}

/** A node in this process, and all that a program does with one. */
export class LocalNode extends RingmailClient {
  readonly #node: Node;

  constructor(node: Node, options: ClientOptions = {}) {
    super(node, options);
    this.#node = node;
  }

  stats(): Stats | undefined {
    return this.#node.stats();
  }

  /** Lets handlers finish what they do, writes what is pending and closes the ring clean. */
  override async close(): Promise<void> {
    await super.close();
    await this.#node.close();
  }
}

/** Opens a node over a ring file; resolves when it serves. @throws RING_LOCKED, RING_FOREIGN, RING_VOLATILE, RING_OTHER_NODE … */
export function openNode(options: OpenOptions): Promise<LocalNode> {
  return openLocalNode(options, undefined);
}

/** A program's way to the node behind a socket (docs/local-api.md): the same as a node in this process, as far as that API goes. */
export class RemoteNode extends RingmailClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient, options: ClientOptions = {}) {
    super(client, options);
    this.#client = client;
  }

  /** Ends the waits of this program, then its connections. The node runs on. */
  override async close(): Promise<void> {
    await super.close();
    this.#client.close();
  }
}

/** The node behind a socket. @throws NODE_UNREACHABLE */
export async function connectNode({ socketPath, ...options }: ConnectOptions): Promise<RemoteNode> {
  const client = new ApiClient({ socketPath });
  try {
    await client.version();
  } catch (error) {
    client.close();
    throw error;
  }
  return new RemoteNode(client, options);
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
  const local = new LocalNode(node, options);
  try {
    for (const trigger of options.triggers ?? []) await local.trigger(trigger);
    return local;
  } catch (error) {
    await local.close();
    throw error;
  }
}

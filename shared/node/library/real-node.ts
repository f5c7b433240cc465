/** For tests of the library: a node on a real file, asked in this process or over its local API. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfig } from '../../core/node-io.ts';
import { type ApiServer, serveApi } from '../api/server.ts';
import { createRing } from '../create-ring.ts';
import { connectNode, LocalNode, type RemoteNode } from '../library.ts';
import { Node } from '../node.ts';
import type { ClientOptions } from './client.ts';

export type Way = 'in this process' | 'over the local API';
export const WAYS: readonly Way[] = ['in this process', 'over the local API'];

const FILE_BYTES = 388 * 4096;

export class RealNode {
  readonly folder = mkdtempSync(join(tmpdir(), 'ringmail-library-'));
  readonly #way: Way;
  readonly #config: Partial<NodeConfig>;
  #node: Node | undefined;
  #server: ApiServer | undefined;
  #clients: (LocalNode | RemoteNode)[] = [];

  constructor(way: Way, config: Partial<NodeConfig> = {}) {
    this.#way = way;
    this.#config = config;
  }

  get ringPath(): string {
    return join(this.folder, 'box.ring');
  }

  get socketPath(): string {
    return join(this.folder, 'box.sock');
  }

  static async start(way: Way, config: Partial<NodeConfig> = {}): Promise<RealNode> {
    const real = new RealNode(way, config);
    await createRing(real.ringPath, { fileBytes: FILE_BYTES, fileId: new Uint8Array(16).fill(3), volatile: 'allow' });
    await real.open();
    return real;
  }

  async open(): Promise<void> {
    const config: NodeConfig = {
      name: 'box',
      queues: [],
      unknownQueue: 'create',
      queueBytesLimit: 200_000,
      uplink: 'none',
      central: 'central',
      isCentral: 'no',
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
      ...this.#config,
    };
    this.#node = await Node.open({ config, ringPath: this.ringPath, volatile: 'allow' });
    if (this.#way === 'over the local API') this.#server = await serveApi(this.#node, { socketPath: this.socketPath });
  }

  /** A program of its own, that has this node. */
  async client(options: ClientOptions = {}): Promise<LocalNode | RemoteNode> {
    const node = this.#node;
    if (node === undefined) throw new Error('not open');
    const client =
      this.#way === 'in this process'
        ? new LocalNode(node, options)
        : await connectNode({ socketPath: this.socketPath, ...options });
    this.#clients.push(client);
    return client;
  }

  /** Programs first, then the node. */
  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) await client.close();
    await this.#server?.close();
    await this.#node?.close();
    this.#server = undefined;
    this.#node = undefined;
  }

  async end(): Promise<void> {
    await this.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** Resolves when it is so; asks every few milliseconds. @throws after 10 s */
export async function eventually(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 2_000; tries++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('it never came true');
}

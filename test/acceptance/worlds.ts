/**
 * One node, in each of the worlds an application may meet it in: over the simulated disk in virtual time, over a real file in this
 * process, and over a real file behind its local API. The same tests run in all of them.
 */
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { QueueBox } from '../../hardware-sim/queue-box.ts';
import { invariant } from '../../shared/assert.ts';
import type { Call, CallResult } from '../../shared/core/calls.ts';
import type { NodeConfig } from '../../shared/core/node-io.ts';
import { RingmailError } from '../../shared/errors.ts';
import { ApiClient } from '../../shared/node/api/client.ts';
import { type ApiServer, serveApi } from '../../shared/node/api/server.ts';
import { createRing } from '../../shared/node/create-ring.ts';
import { Node } from '../../shared/node/node.ts';
import type { NodeCalls } from '../../shared/node/node-calls.ts';
import { systemRandom } from '../../shared/node/random.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;
export type Restart = 'closed' | 'killed';

export interface World extends NodeCalls {
  readonly kind: 'simulated disk' | 'real file' | 'local API';
  /** A stretch of its time that is surely longer than a write, in ms. Real time is dear. */
  readonly whileMs: number;
  pass(ms: number): Promise<void>;
  restart(how: Restart, config?: Partial<NodeConfig>): Promise<void>;
  end(): Promise<void>;
}

const RING_BYTES = 388 * 4096;
const BASE: NodeConfig = {
  name: 'box',
  queues: [
    { name: 'bags', bytesLimit: 100_000 },
    { name: 'notes', bytesLimit: 100_000 },
  ],
  unknownQueue: 'refuse',
  queueBytesLimit: 50_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};

/** The same tests in every world: `run` is given how to start a node there. */
export function inEveryWorld(run: (start: (config?: Partial<NodeConfig>) => Promise<World>) => void): void {
  const starts = {
    'simulated disk': (config: Partial<NodeConfig>) => SimWorld.start(config),
    'real file': (config: Partial<NodeConfig>) => FileWorld.start(config),
    'local API': (config: Partial<NodeConfig>) => ApiWorld.start(config),
  };
  describe.each(Object.entries(starts))('%s', (_name, start) => run((config = {}) => start({ ...BASE, ...config })));
}

interface Open {
  readonly fail: (error: RingmailError) => void;
}

/** Virtual time goes on while somebody waits for an answer, and stands still otherwise. */
export class SimWorld implements World {
  readonly kind = 'simulated disk';
  readonly whileMs = 1_000;
  readonly box: QueueBox;
  readonly #open = new Set<Open>();
  #untilMs = 0;
  #isRunning = false;
  #isHalted = false;

  private constructor(config: Partial<NodeConfig>) {
    this.box = new QueueBox('acceptance', config);
  }

  static async start(config: Partial<NodeConfig>): Promise<SimWorld> {
    const world = new SimWorld(config);
    await world.box.start();
    return world;
  }

  call(call: Call, signal?: AbortSignal): Promise<Success> {
    return new Promise((resolve, reject) => {
      const open: Open = { fail: reject };
      this.#open.add(open);
      const { node } = this.box;
      let abort = (): void => {};
      const token = node.call(call, (result) => {
        this.#open.delete(open);
        signal?.removeEventListener('abort', abort);
        if (result.kind === 'error') reject(result.error);
        else resolve(result);
      });
      abort = (): void => {
        if (!this.#open.delete(open) || token === undefined) return;
        node.cancel(token);
        resolve({ kind: 'empty' });
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
      void this.#run();
    });
  }

  pass(ms: number): Promise<void> {
    this.#untilMs = this.box.world.nowMs + ms;
    return this.#run();
  }

  async restart(how: Restart, config: Partial<NodeConfig> = {}): Promise<void> {
    // Time stands still: else a wait would come to its own end, and say nothing of what a restart does to it.
    this.#isHalted = true;
    await this.#rest();
    this.#isHalted = false;
    if (how === 'killed') this.#failAll(how);
    await this.box.restart(how === 'killed' ? 'power cut' : 'closed', config);
    if (this.#open.size > 0) throw new Error(`closing the node left ${this.#open.size} calls without an answer`);
  }

  #failAll(reason: string): void {
    const error = new RingmailError('NODE_STOPPED', { reason });
    for (const { fail } of this.#open) fail(error);
    this.#open.clear();
  }

  async end(): Promise<void> {
    this.#open.clear();
    await this.#rest();
  }

  async #rest(): Promise<void> {
    while (this.#isRunning) await new Promise((resolve) => setImmediate(resolve));
  }

  async #run(): Promise<void> {
    const { world } = this.box;
    if (this.#isRunning) return this.#untilMs > world.nowMs ? this.#rest() : undefined;
    this.#isRunning = true;
    const isDone = () => this.#open.size === 0 && world.nowMs >= this.#untilMs;
    while (!isDone() && !this.#isHalted) {
      const untilMs = this.#open.size === 0 ? this.#untilMs : world.nowMs + 1;
      await world.run(untilMs, isDone);
      // Who was answered may ask again, before time goes on.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isRunning = false;
  }
}

class FileWorld implements World {
  readonly kind: World['kind'] = 'real file';
  readonly whileMs = 40;
  readonly folder = mkdtempSync(join(tmpdir(), 'ringmail-acceptance-'));
  readonly ringPath = join(this.folder, 'box.ring');
  protected node: Node | undefined;
  #config: NodeConfig;

  protected constructor(config: Partial<NodeConfig>) {
    this.#config = { ...BASE, ...config };
  }

  static async start(config: Partial<NodeConfig>): Promise<FileWorld> {
    const world = new FileWorld(config);
    await world.create();
    return world;
  }

  protected async create(): Promise<void> {
    await createRing(this.ringPath, { fileBytes: RING_BYTES, fileId: systemRandom.bytes(16), volatile: 'allow' });
    await this.open();
  }

  protected async open(): Promise<void> {
    this.node = await Node.open({ config: this.#config, ringPath: this.ringPath, volatile: 'allow' });
  }

  protected async close(): Promise<void> {
    await this.node?.close();
    this.node = undefined;
  }

  call(call: Call, signal?: AbortSignal): Promise<Success> {
    invariant(this.node !== undefined, 'the node is open');
    return this.node.call(call, signal);
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Killed: the next node finds the file as it was at that moment. */
  async restart(how: Restart, config: Partial<NodeConfig> = {}): Promise<void> {
    const taken = join(this.folder, 'taken.ring');
    if (how === 'killed') copyFileSync(this.ringPath, taken);
    await this.close();
    if (how === 'killed') renameSync(taken, this.ringPath);
    this.#config = { ...this.#config, ...config };
    await this.open();
  }

  async end(): Promise<void> {
    await this.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class ApiWorld extends FileWorld {
  override readonly kind = 'local API';
  #server: ApiServer | undefined;
  #client: ApiClient | undefined;

  static override async start(config: Partial<NodeConfig>): Promise<ApiWorld> {
    const world = new ApiWorld(config);
    await world.create();
    return world;
  }

  protected override async open(): Promise<void> {
    await super.open();
    invariant(this.node !== undefined, 'the node is open');
    const socketPath = join(this.folder, 'box.sock');
    this.#server = await serveApi(this.node, { socketPath });
    this.#client = new ApiClient({ socketPath });
  }

  protected override async close(): Promise<void> {
    this.#client?.close();
    await this.#server?.close();
    await super.close();
  }

  override call(call: Call, signal?: AbortSignal): Promise<Success> {
    invariant(this.#client !== undefined, 'the node is open');
    return this.#client.call(call, signal);
  }
}

/**
 * One node in virtual time for tests of its queues: ask and be answered, look into queues, restart. The node is the product's own core
 * over a simulated disk (`SimNode`); what is here saves words.
 */
import { invariant } from '../shared/assert.ts';
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult, ProducerNumber, QueueStats, Received, Stats, TransactionStep } from '../shared/core/calls.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { metaValues } from '../shared/custody/meta-keys.ts';
import { type KeptQueue, readQueue } from '../shared/custody/queue-meta.ts';
import type { Properties } from '../shared/message/message.ts';
import type { Ring } from '../shared/ring/ring.ts';
import { type Prng, stream } from './random.ts';
import { openRing } from './ring-driver.ts';
import { SimDisk } from './sim-disk.ts';
import { SimNode, type SimNodeOptions } from './sim-node.ts';
import { World } from './world.ts';

/** Above the longest write, and above any pause of the node. */
const ANSWER_MS_MAX = 2_000;

export interface SendHow extends Properties {
  readonly waitMs?: number;
}

export class QueueBox {
  readonly world: World;
  readonly #name: string;
  readonly #how: Partial<SimNodeOptions>;
  #config: NodeConfig;
  node: SimNode;

  constructor(name: string, config: Partial<NodeConfig>, how: Partial<SimNodeOptions> = {}) {
    this.#name = name;
    this.#how = how;
    this.world = new World(stream(name, 'scheduler'));
    this.#config = {
      name: 'box',
      queues: [],
      unknownQueue: 'refuse',
      queueBytesLimit: 50_000,
      uplink: 'none',
      central: 'central',
      isCentral: 'no',
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
      ...config,
    };
    this.node = this.#newNode(stream(name, 'node'));
  }

  #newNode(random: Prng): SimNode {
    return new SimNode({ world: this.world, config: this.#config, random, syncMsMax: 5, ...this.#how });
  }

  /** Until it serves. */
  async start(): Promise<void> {
    this.node.start();
    await this.world.run(this.world.nowMs + ANSWER_MS_MAX, () => this.node.isServing);
    invariant(this.node.isServing, `${this.#name} serves`);
  }

  async pass(ms: number): Promise<void> {
    await this.world.run(this.world.nowMs + ms);
  }

  /** Ends the node one way or the other, and starts it again, maybe with another configuration. */
  async restart(how: 'power cut' | 'closed', config: Partial<NodeConfig> = {}): Promise<void> {
    await this.stop(how);
    if (Object.keys(config).length > 0) {
      this.#config = { ...this.#config, ...config };
      const { disk } = this.node;
      this.node = this.#newNode(stream(this.#name, `node ${this.world.nowMs}`));
      this.node.disk = disk;
    }
    await this.start();
  }

  async stop(how: 'power cut' | 'closed'): Promise<void> {
    if (how === 'power cut') return this.node.powerCut();
    this.node.close();
    await this.world.run(this.world.nowMs + ANSWER_MS_MAX, () => !this.node.isUp);
  }

  /** Asks; the answer is in `result` once it is there. */
  begin(call: Call): { result: CallResult | undefined; readonly cancel: () => void } {
    const pending: { result: CallResult | undefined; cancel: () => void } = { result: undefined, cancel: () => {} };
    const token = this.node.call(call, (result) => {
      pending.result = result;
    });
    if (token !== undefined) pending.cancel = () => this.node.cancel(token);
    return pending;
  }

  /** Asks, and lets time pass until it is answered; undefined when it is not. */
  async ask(call: Call, withinMs = ANSWER_MS_MAX): Promise<CallResult | undefined> {
    const pending = this.begin(call);
    await this.world.run(this.world.nowMs + withinMs, () => pending.result !== undefined);
    return pending.result;
  }

  sending(queue: string, text: string, how: SendHow = {}): Call {
    const { waitMs, ...properties } = how;
    return { verb: 'send', destination: queue, body: toUtf8(text), properties, ...(waitMs !== undefined && { waitMs }) };
  }

  /** `sent`, or the code of the refusal. */
  async send(queue: string, text: string, how: SendHow = {}): Promise<string | undefined> {
    return codeOf(await this.ask(this.sending(queue, text, how)));
  }

  async receive(queue: string, how: { leaseMs?: number; waitMs?: number } = {}): Promise<Received | undefined> {
    const { leaseMs = 1_000, waitMs = 0 } = how;
    const result = await this.ask({ verb: 'receive', queue, waitMs, leaseMs }, waitMs + ANSWER_MS_MAX);
    return result?.kind === 'received' ? result.received : undefined;
  }

  async commit(steps: readonly TransactionStep[], by?: ProducerNumber): Promise<string | undefined> {
    return codeOf(await this.ask(this.committing(steps, by)));
  }

  committing(steps: readonly TransactionStep[], by?: ProducerNumber): Call {
    return { verb: 'commit', steps, ...(by && { by }) };
  }

  async ack(received: Received | undefined): Promise<string | undefined> {
    return codeOf(await this.ask({ verb: 'ack', lease: received?.lease ?? '' }));
  }

  /** Receives and acknowledges all there is: the first word of each. */
  async drain(queue: string): Promise<string[]> {
    const texts: string[] = [];
    for (let got = await this.receive(queue); got !== undefined; got = await this.receive(queue)) {
      texts.push(textOf(got) ?? '?');
      await this.ack(got);
    }
    return texts;
  }

  /** What a ring would hold that is opened on the medium as it is now. */
  onDisk(): Ring {
    const platter = this.node.disk.platter();
    const copy = new SimDisk({ bytes: platter.length, random: stream(this.#name, 'copy') }, platter);
    const driver = openRing(copy, { epochRandom: 1 });
    driver.play(0);
    return driver.ring;
  }

  keptQueues(): KeptQueue[] {
    return [...metaValues(this.onDisk().metas, 'q/')].map(([, value]) => readQueue(value));
  }

  /** By which the ring knows a queue; 0 when it does not. */
  queueId(name: string): number {
    for (const [id, value] of metaValues(this.onDisk().metas, 'q/')) {
      const { name: kept, state } = readQueue(value);
      if (kept === name && state === 'there') return Number(id);
    }
    return 0;
  }

  get stats(): Stats {
    const stats = this.node.stats();
    invariant(stats !== undefined, 'the node is up');
    return stats;
  }

  queue(name: string): QueueStats {
    const found = this.stats.queues.find((queue) => queue.name === name);
    invariant(found !== undefined, `there is a queue ${name}`);
    return found;
  }
}

/** A step that sends. */
export function sendStep(destination: string, text: string, properties: Properties = {}): TransactionStep {
  return { do: 'send', destination, body: toUtf8(text), properties };
}

export function codeOf(result: CallResult | undefined): string | undefined {
  return result?.kind === 'error' ? result.error.code : result?.kind;
}

/** The first word of its body. */
export function textOf(received: Pick<Received, 'message'> | undefined): string | undefined {
  return received && fromUtf8(received.message.body)?.split(' ')[0];
}

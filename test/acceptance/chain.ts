/**
 * A path of whole nodes in virtual time, as the product is installed: device ─line─▶ gateway ─MQTT─▶ central. Each node is the
 * product's own core over a simulated disk; lines and broker are simulated, and the test decides what they lose.
 */
import { type Prng, type Seed, stream } from '../../hardware-sim/random.ts';
import { SimBroker } from '../../hardware-sim/sim-broker.ts';
import { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode, type SimNodeOptions } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../../shared/bytes.ts';
import type { Call, CallResult, Received } from '../../shared/core/calls.ts';
import type { NodeConfig, UplinkKind } from '../../shared/core/node-io.ts';
import type { Properties } from '../../shared/message/message.ts';
import type { Broker, Publish } from '../../shared/ports.ts';

/** Above the longest write, and above any wait of a test. */
const ANSWER_MS_MAX = 60_000;

const QUEUES = [
  { name: 'bags', bytesLimit: 4_000_000 },
  { name: 'notes', bytesLimit: 100_000 },
];

export interface NodeHow extends Partial<Omit<SimNodeOptions, 'config'>> {
  readonly uplink?: UplinkKind;
  readonly config?: Partial<NodeConfig>;
  /** In its slot when it starts. */
  readonly disk?: SimDisk;
}

export class Chain {
  readonly world: World;
  readonly broker: SimBroker;
  /** Publishes of any node that the broker acknowledges and forgets. */
  loses: (publish: Publish, node: string) => boolean = () => false;
  readonly #seed: Seed;

  constructor(seed: Seed) {
    this.#seed = seed;
    this.world = new World(this.random('scheduler'), 'when-due');
    this.broker = new SimBroker({ scheduler: this.world, random: this.random('broker') });
  }

  random(name: string): Prng {
    return stream(this.#seed, name);
  }

  get nowMs(): number {
    return this.world.nowMs;
  }

  pass(ms: number): Promise<void> {
    return this.world.run(this.world.nowMs + ms);
  }

  /** A node, started. One that is the central, or has an uplink over MQTT, is a client of the broker. */
  node(name: string, how: NodeHow = {}): SimNode {
    const { uplink = 'none', config, disk, ...rest } = how;
    const isCentral = uplink === 'none' && name === 'central' ? 'yes' : 'no';
    const isOnBroker = uplink === 'mqtt' || isCentral === 'yes';
    const whole: NodeConfig = {
      name,
      queues: QUEUES,
      unknownQueue: 'refuse',
      queueBytesLimit: 100_000,
      uplink,
      central: 'central',
      isCentral,
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
      ...config,
    };
    const connectBroker = (): Broker => this.#lossy(this.broker.connect(name), name);
    const random = this.random(`node ${name} ${rest.label ?? ''}`);
    const { world } = this;
    const node = new SimNode({ world, random, syncMsMax: 5, ...(isOnBroker && { connectBroker }), ...rest, config: whole });
    if (disk !== undefined) node.insert(disk);
    node.start();
    return node;
  }

  link(dials: SimNode, accepts: SimNode, baud?: number): SimLink {
    const random = this.random(`line ${dials.name}`);
    return new SimLink({ world: this.world, random, dials, accepts, ...(baud !== undefined && { baud }) });
  }

  #lossy(broker: Broker, node: string): Broker {
    return {
      listen: (listener) => broker.listen(listener),
      publish: (publish, ended) => {
        if (!this.loses(publish, node)) broker.publish(publish, ended);
      },
      subscribe: (topics) => broker.subscribe(topics),
      close: () => broker.close(),
    };
  }

  async ask(node: SimNode, call: Call): Promise<CallResult | undefined> {
    let answer: CallResult | undefined;
    node.call(call, (result) => {
      answer = result;
    });
    await this.world.run(this.nowMs + ANSWER_MS_MAX, () => answer !== undefined);
    return answer;
  }

  /** The identity, or the code of the refusal. */
  async send(node: SimNode, destination: string, body: string | Uint8Array, properties: Properties = {}): Promise<string> {
    const bytes = typeof body === 'string' ? toUtf8(body) : body;
    const sent = await this.ask(node, { verb: 'send', destination, body: bytes, properties });
    if (sent?.kind === 'error') return sent.error.code;
    return sent?.kind === 'sent' ? sent.identity : 'not answered';
  }

  async sendAll(node: SimNode, destination: string, bodies: readonly string[]): Promise<void> {
    for (const body of bodies) await this.send(node, destination, body);
  }

  async receive(node: SimNode, queue = 'bags', waitMs = 0): Promise<Received | undefined> {
    const got = await this.ask(node, { verb: 'receive', queue, waitMs, leaseMs: 600_000 });
    return got?.kind === 'received' ? got.received : undefined;
  }

  /** An application that takes and acknowledges whatever comes to `queue`, for good: texts, in the order in which they were received. */
  consume(node: SimNode, queue = 'bags'): readonly string[] {
    const got: string[] = [];
    const next = (): void => {
      node.call({ verb: 'receive', queue, waitMs: 60_000, leaseMs: 60_000 }, (result) => {
        if (result.kind !== 'received') return void this.world.after(10, next);
        const { lease, message } = result.received;
        node.call({ verb: 'ack', lease }, () => {
          got.push(fromUtf8(message.body) ?? '?');
          next();
        });
      });
    };
    next();
    return got;
  }

  /** Takes and acknowledges all that is ready. */
  async drain(node: SimNode, queue = 'bags'): Promise<Received[]> {
    const all: Received[] = [];
    for (let got = await this.receive(node, queue); got !== undefined; got = await this.receive(node, queue)) {
      all.push(got);
      await this.ask(node, { verb: 'ack', lease: got.lease });
    }
    return all;
  }

  async texts(node: SimNode, queue = 'bags'): Promise<string[]> {
    return (await this.drain(node, queue)).map(({ message }) => fromUtf8(message.body) ?? '?');
  }

  /** Classes under which the letters in `$dead` ended, the newest of each. */
  async letters(node: SimNode): Promise<string[]> {
    return (await this.drain(node, '$dead')).map(({ message }) => message.history?.at(-1)?.class ?? '?');
  }
}

/** device ─line─▶ gateway ─MQTT─▶ central, all of them up and met. */
export async function installation(
  seed: Seed,
  how: {
    readonly device?: NodeHow;
    readonly gateway?: NodeHow;
    readonly central?: NodeHow;
    readonly line?: 'serial' | 'socket';
  } = {},
): Promise<Chain & { readonly device: SimNode; readonly gateway: SimNode; readonly central: SimNode; readonly line: SimLink }> {
  const chain = new Chain(seed);
  const central = chain.node('central', how.central);
  const gateway = chain.node('gateway', { uplink: 'mqtt', ...how.gateway });
  const device = chain.node('device', { uplink: 'link', ...how.device });
  const line = chain.link(device, gateway, how.line === 'socket' ? undefined : 115_200);
  await chain.pass(3_000);
  return Object.assign(chain, { device, gateway, central, line });
}

export const numbered = (count: number, what = 'bag'): string[] => Array.from({ length: count }, (_, i) => `${what} ${i + 1}`);

/** Messages that a node still has to hand over. */
export function held(node: SimNode): number {
  return (node.stats()?.outgoing ?? []).reduce((sum, out) => sum + out.held, 0);
}

/** Loss accounts of a node: [class, count]. */
export function accountsOf(node: SimNode): [string, number][] {
  return (node.stats()?.accounts ?? []).map(({ class: ending, count }) => [ending, count]);
}

/** The disk of a node as it is now, to be put back later. */
export function imageOf(node: SimNode, random: Prng): SimDisk {
  return new SimDisk({ bytes: node.disk.bytes, random, completion: 'stepped' }, node.disk.platter());
}

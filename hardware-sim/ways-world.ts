/** Whole nodes in virtual time that reach each other by several ways: cables and brokers. For tests of failover and of chains. */
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { Call, CallResult, UplinkStats } from '../shared/core/calls.ts';
import type { NodeConfig, UplinkSetup } from '../shared/core/node-io.ts';
import type { ByteCap } from '../shared/custody/meter.ts';
import type { CborValue } from '../shared/message/cbor.ts';
import type { Message } from '../shared/message/message.ts';
import type { Route } from '../shared/queue/routes.ts';
import type { Laziness } from '../shared/relay/lazy-connection.ts';
import { statusPublish } from '../shared/relay/status-layout.ts';
import { type Prng, type Seed, stream } from './random.ts';
import { SimBroker } from './sim-broker.ts';
import { SimDisk } from './sim-disk.ts';
import { SimLink } from './sim-link.ts';
import { SimNode } from './sim-node.ts';
import { World } from './world.ts';

/** An uplink of a node, in the order of preference. */
export interface PlannedUplink {
  /** `up` for the first unless given. */
  readonly name?: string;
  readonly to?: readonly string[];
  /** Over a cable to this node, laid by `WaysWorld.lay`; or over this broker, to this central. */
  readonly via: 'link' | { readonly broker: string; readonly central: string };
  readonly cap?: ByteCap;
  readonly lazy?: Laziness;
}

export interface PlannedBox {
  readonly queues?: readonly string[];
  readonly routes?: readonly Route[] | undefined;
  readonly uplinks?: readonly PlannedUplink[];
  /** Brokers at which it is a central of its own name. */
  readonly centralAt?: readonly string[];
  readonly failoverMs?: number;
  readonly failbackMs?: number;
  /** Name of the node where the directory is whole; its own unless given. */
  readonly central?: string;
}

export class WaysWorld {
  readonly world: World;
  readonly nodes = new Map<string, SimNode>();
  readonly brokers = new Map<string, SimBroker>();
  /** By `<dialler> <uplink>`. */
  readonly links = new Map<string, SimLink>();
  readonly #seed: Seed;

  constructor(seed: Seed) {
    this.#seed = seed;
    this.world = new World(this.random('scheduler'));
  }

  random(name: string): Prng {
    return stream(this.#seed, name);
  }

  broker(name: string): SimBroker {
    let broker = this.brokers.get(name);
    if (broker === undefined) {
      const { world } = this;
      const scheduler = {
        get nowMs() {
          return world.nowMs;
        },
        at: (atMs: number, run: () => void) => world.after(Math.max(0, atMs - world.nowMs), run),
      };
      broker = new SimBroker({ scheduler, random: this.random(`broker ${name}`) });
      this.brokers.set(name, broker);
    }
    return broker;
  }

  /** A node, not started yet. */
  box(name: string, plan: PlannedBox = {}): SimNode {
    const { queues = ['inbox'], routes, centralAt, failoverMs, failbackMs, central = name } = plan;
    const uplinks = plan.uplinks?.map(setupOf);
    const config: NodeConfig = {
      name,
      queues: queues.map((queue) => ({ name: queue, bytesLimit: 200_000 })),
      ...(routes && { routes }),
      unknownQueue: 'refuse',
      queueBytesLimit: 100_000,
      uplink: uplinks?.[0]?.kind ?? 'none',
      uplinks,
      failoverMs,
      failbackMs,
      central,
      isCentral: centralAt === undefined ? 'no' : 'yes',
      centralBrokers: centralAt?.map((broker) => `$${broker}`),
      partitionCount: 1,
      commitDelayMs: 0,
      home: undefined,
    };
    const will = statusPublish({ kind: 'offline', node: name });
    const connectBrokers: Record<string, () => ReturnType<SimBroker['connect']>> = {};
    for (const [at, { via }] of (plan.uplinks ?? []).entries()) {
      const uplink = uplinks?.[at]?.name ?? '';
      if (via !== 'link')
        connectBrokers[uplink] = () =>
          this.broker(via.broker).connect(`${name}-${uplink}`, { will, begins: uplinks?.[at]?.lazy ? 'apart' : 'connected' });
    }
    for (const broker of centralAt ?? []) connectBrokers[`$${broker}`] = () => this.broker(broker).connect(name, { will });
    const dropBroker = (): void => {
      for (const broker of this.brokers.values())
        for (const client of [name, ...(uplinks ?? []).map((uplink) => `${name}-${uplink.name}`)]) broker.cut(client, 'power');
    };
    const node = new SimNode({ world: this.world, config, random: this.random(name), syncMsMax: 5, connectBrokers, dropBroker });
    this.nodes.set(name, node);
    return node;
  }

  get(name: string): SimNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  /** A cable for an uplink; laid again whenever it is gone and both serve. `as`: its name here, of several cables for one uplink. */
  lay(
    dials: string,
    accepts: string,
    options: { readonly uplink?: string; readonly baud?: number; readonly as?: string } = {},
  ): SimLink {
    const { uplink = 'up', baud, as = uplink } = options;
    const link = new SimLink({
      world: this.world,
      random: this.random(`line ${dials} ${accepts}`),
      dials: this.get(dials),
      accepts: this.get(accepts),
      uplink,
      ...(baud !== undefined && { baud }),
    });
    this.links.set(`${dials} ${as}`, link);
    return link;
  }

  link(dials: string, uplink = 'up'): SimLink {
    const link = this.links.get(`${dials} ${uplink}`);
    if (link === undefined) throw new Error(`no cable of ${dials} ${uplink}`);
    return link;
  }

  async start(ms = 3_000): Promise<void> {
    for (const node of this.nodes.values()) if (!node.isUp) node.start();
    await this.pass(ms);
  }

  pass(ms: number): Promise<void> {
    return this.world.run(this.world.nowMs + ms);
  }

  /** Runs until it is so, or for so long. */
  until(isSo: () => boolean, msMax = 120_000): Promise<void> {
    return this.world.run(this.world.nowMs + msMax, isSo);
  }

  async ask(name: string, call: Call): Promise<CallResult | undefined> {
    let answer: CallResult | undefined;
    this.get(name).call(call, (result) => {
      answer = result;
    });
    await this.until(() => answer !== undefined, 5_000);
    return answer;
  }

  send(from: string, destination: string, text: string, properties = {}): Promise<CallResult | undefined> {
    return this.ask(from, { verb: 'send', destination, body: toUtf8(text), properties });
  }

  /** Takes and acknowledges until nothing is left. */
  async drain(name: string, queue = 'inbox'): Promise<Message[]> {
    const messages: Message[] = [];
    for (;;) {
      const got = await this.ask(name, { verb: 'receive', queue, waitMs: 0, leaseMs: 5_000 });
      if (got?.kind !== 'received') return messages;
      messages.push(got.received.message);
      await this.ask(name, { verb: 'ack', lease: got.received.lease });
    }
  }

  async texts(name: string, queue = 'inbox'): Promise<string[]> {
    return (await this.drain(name, queue)).map(({ body }) => fromUtf8(body) ?? '');
  }

  held(name: string): number {
    return (this.get(name).stats()?.outgoing ?? []).reduce((sum, out) => sum + out.held, 0);
  }

  uplink(name: string, uplink = 'up'): UplinkStats | undefined {
    return this.get(name)
      .stats()
      ?.uplinks.find((one) => one.name === uplink);
  }

  /** Names of the uplinks that are in use. */
  inUse(name: string): string[] {
    const uplinks = this.get(name).stats()?.uplinks ?? [];
    return uplinks.filter(({ use }) => use === 'in-use').map((uplink) => uplink.name);
  }

  async powerCut(name: string, downMs = 500): Promise<void> {
    this.get(name).powerCut();
    await this.pass(downMs);
    this.get(name).start();
  }

  /** What a node keeps in META under a key; undefined while it is down. */
  noted(name: string, key: string): CborValue {
    const node = this.get(name);
    return node.isServing ? node.meta(key) : undefined;
  }

  /** What its disk holds, for `restore`. */
  image(name: string): Uint8Array {
    return this.get(name).disk.platter();
  }

  /** The node is down, and comes back with an old image. */
  restore(name: string, image: Uint8Array): void {
    const node = this.get(name);
    if (node.isUp) node.powerCut();
    node.insert(new SimDisk({ bytes: node.disk.bytes, random: this.random(`disk ${name}`), completion: 'stepped' }, image));
    node.start();
  }

  /** Why stores stopped: forks and failed writes; none in an honest world. */
  stops(): string[] {
    return [...this.nodes].flatMap(([name, { stops }]) => stops.map(({ message }) => `${name}: ${message}`));
  }

  /** Everything of this account class, over all nodes or of one. */
  accounted(ending: string, name?: string): number {
    const nodes = name === undefined ? [...this.nodes.values()] : [this.get(name)];
    return nodes
      .flatMap((node) => node.stats()?.accounts ?? [])
      .reduce((sum, account) => sum + (account.class === ending ? account.count : 0), 0);
  }
}

function setupOf({ name, to = ['*'], via, cap, lazy }: PlannedUplink, at: number): UplinkSetup {
  const called = name ?? (at === 0 ? 'up' : `up-${at + 1}`);
  if (via === 'link') return { name: called, kind: 'link', to, central: '', partitionCount: 1, cap };
  return { name: called, kind: 'mqtt', to, central: via.central, partitionCount: 1, cap, lazy };
}

export const numbered = (count: number, what = 'message'): string[] =>
  Array.from({ length: count }, (_, i) => `${what} ${i + 1}`);

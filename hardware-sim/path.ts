/**
 * The whole path in one process and in virtual time: devices ═ line ═ gateway ─ broker ─ central ─ application. All nodes are the
 * product's own core; disk, line, broker and clock are simulated; faults are drawn from the seed. A run is a function of its options.
 *
 *   safety phase: messages are sent while things break    ▶    heal    ▶    liveness phase: everything must arrive
 */
import { fromUtf8, toUtf8 } from '../shared/bytes.ts';
import type { CallResult } from '../shared/core/calls.ts';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { identityText } from '../shared/message/identity.ts';
import { type Prng, stream } from './random.ts';
import { SimBroker } from './sim-broker.ts';
import { type SimLinePair, simLines } from './sim-line.ts';
import { SimNode } from './sim-node.ts';
import { type Arrived, drawLedger, type Ledger, type Sent } from './witness.ts';
import { World } from './world.ts';

export interface PathOptions {
  readonly seed: string | number;
  readonly deviceCount: number;
  /** Messages per device. */
  readonly messageCount: number;
  /** Mean virtual milliseconds between the faults of each kind; Infinity: none. */
  readonly faultMs: number;
  /** Bits per second of the lines, 8N1. */
  readonly baud: number;
}

export interface PathResult {
  readonly ledger: Ledger;
  readonly virtualMs: number;
  readonly steps: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Deliveries that the application had seen before. */
  readonly redelivered: number;
  /** Why stores stopped although nobody cut the power. */
  readonly stops: readonly string[];
  /** Grows with every event: two runs of a seed must agree on it. */
  readonly trace: number;
}

/** After the last fault everything must have arrived within this many virtual milliseconds. */
const HEAL_MS = 600_000;
const PRIORITIES = [2, 3, 5] as const;

export function runPath(options: PathOptions): Promise<PathResult> {
  return new Path(options).run();
}

class Path {
  readonly #options: PathOptions;
  readonly #world: World;
  readonly #chance: Prng;
  readonly #lineChance: Prng;
  readonly #broker: SimBroker;
  readonly #devices: SimNode[] = [];
  readonly #gateway: SimNode;
  readonly #central: SimNode;
  readonly #lines = new Map<SimNode, SimLinePair>();
  readonly #accepted: Sent[] = [];
  readonly #arrived: Arrived[] = [];
  readonly #seen = new Set<string>();
  readonly #faults: Record<string, number> = {};
  #redelivered = 0;
  #phase: 'safety' | 'liveness' = 'safety';
  #unsent: number;
  #consumer = 0;

  constructor(options: PathOptions) {
    this.#options = options;
    this.#world = new World(this.#stream('scheduler'));
    this.#chance = this.#stream('faults');
    this.#lineChance = this.#stream('lines');
    this.#unsent = options.deviceCount * options.messageCount;
    this.#broker = new SimBroker({ scheduler: this.#world, random: this.#stream('broker') });
    const connect = (name: string) => () => this.#broker.connect(name);
    this.#central = this.#node(nodeConfig('central', { isCentral: 'yes', queue: 'bags' }), {
      connectBroker: connect('central'),
      onServing: () => this.#consume(),
    });
    this.#gateway = this.#node(nodeConfig('gateway', { uplink: 'mqtt' }), { connectBroker: connect('gateway') });
    for (let i = 1; i <= options.deviceCount; i++) {
      const device = this.#node(nodeConfig(`device-${i}`, { uplink: 'link' }), {});
      this.#devices.push(device);
    }
  }

  async run(): Promise<PathResult> {
    const world = this.#world;
    for (const node of [this.#central, this.#gateway, ...this.#devices]) node.start();
    for (const device of this.#devices) {
      this.#keepLine(device);
      this.#produce(device, 1);
    }
    this.#breakThings();
    await world.run(Number.MAX_SAFE_INTEGER, () => this.#unsent === 0);
    this.#phase = 'liveness';
    await world.run(world.nowMs + HEAL_MS, () => this.#isComplete);
    await world.run(world.nowMs + 30_000);
    const nodes = [this.#central, this.#gateway, ...this.#devices];
    return {
      ledger: drawLedger(this.#accepted, this.#arrived),
      virtualMs: world.nowMs,
      steps: world.steps,
      faults: this.#faults,
      redelivered: this.#redelivered,
      stops: nodes.flatMap((node) => node.stops.map((error) => `${node.name}: ${error.message}`)),
      trace: world.steps * 1000 + this.#arrived.length,
    };
  }

  get #isComplete(): boolean {
    return this.#accepted.every(({ key }) => this.#seen.has(key));
  }

  #stream(name: string): Prng {
    return stream(this.#options.seed, name);
  }

  #node(config: NodeConfig, how: Pick<ConstructorParameters<typeof SimNode>[0], 'connectBroker' | 'onServing'>): SimNode {
    return new SimNode({ world: this.#world, config, random: this.#stream(config.name), syncMsMax: 8, ...how });
  }

  /** One message after the other; an unanswered one is given up by its sender, who then knows nothing of it. */
  #produce(device: SimNode, number: number): void {
    if (number > this.#options.messageCount) return;
    const key = `${device.name}:${number}`;
    const priority = this.#chance.pick(PRIORITIES);
    let settled = false;
    const next = (result?: CallResult): void => {
      if (settled) return;
      settled = true;
      if (result?.kind === 'sent') this.#accepted.push({ key, orderedWith: `${device.name}/${priority}` });
      if (result?.kind === 'error' && result.error.code === 'QUEUE_FULL') {
        this.#world.after(500, () => this.#produce(device, number));
        return;
      }
      this.#unsent -= 1;
      this.#world.after(this.#chance.int(40), () => this.#produce(device, number + 1));
    };
    if (!device.isServing) {
      this.#world.after(50, () => this.#produce(device, number));
      return;
    }
    const body = toUtf8(`${key} ${'x'.repeat(this.#chance.int(400))}`);
    device.call({ verb: 'send', destination: 'central/bags', body, properties: { priority, label: device.name } }, next);
    this.#world.after(5_000, next);
  }

  /** The application: its memory of identities and its effects are one; it may die between effect and acknowledgement. */
  #consume(): void {
    const turn = ++this.#consumer;
    const receive = (): void => {
      if (turn !== this.#consumer) return;
      this.#central.call({ verb: 'receive', queue: 'bags', waitMs: 1_000, leaseMs: 5_000 }, (result) => {
        if (result.kind !== 'received') return void this.#world.after(10, receive);
        const { message, lease } = result.received;
        const key = (fromUtf8(message.body) ?? '').split(' ')[0] ?? '';
        const identity = identityText(message.identity);
        if (this.#seen.has(identity)) this.#redelivered += 1;
        else {
          this.#seen.add(identity);
          this.#seen.add(key);
          this.#arrived.push({ key, orderedWith: `${message.label ?? ''}/${message.priority}`, ending: undefined });
        }
        if (this.#phase === 'safety' && Number.isFinite(this.#options.faultMs) && this.#chance.chance(0.02)) {
          this.#count('application');
          return void this.#world.after(200, receive);
        }
        this.#central.call({ verb: 'ack', lease }, () => void this.#world.after(0, receive));
      });
    };
    receive();
  }

  /** A line between a device and the gateway, laid again whenever it is gone and both are up. */
  #keepLine(device: SimNode): void {
    const old = this.#lines.get(device);
    if (device.isServing && this.#gateway.isServing && old?.isClosed !== false) {
      const { baud } = this.#options;
      old?.cut();
      const pair = simLines({ world: this.#world, baud, random: this.#lineChance });
      this.#lines.set(device, pair);
      device.attach(pair.a, { role: 'dial', baud }, () => {});
      this.#gateway.attach(pair.b, { role: 'accept', baud }, () => {});
    }
    this.#world.after(100 + this.#chance.int(200), () => this.#keepLine(device));
  }

  #breakThings(): void {
    const { faultMs } = this.#options;
    if (!Number.isFinite(faultMs)) return;
    const kinds: [string, () => void][] = [
      ['device power', () => this.#powerCut(this.#chance.pick(this.#devices as [SimNode, ...SimNode[]]))],
      ['gateway power', () => this.#powerCut(this.#gateway)],
      ['central power', () => this.#powerCut(this.#central)],
      ['broker restart', () => this.#broker.restart(this.#chance.int(2_000))],
      ['broker cut', () => this.#broker.cut(this.#chance.pick(['gateway', 'central']))],
      ['line cut', () => this.#lines.get(this.#chance.pick(this.#devices as [SimNode, ...SimNode[]]))?.cut()],
      ['line noise', () => this.#makeNoise()],
      ['broker forgets', () => this.#makeForget()],
    ];
    for (const [kind, strike] of kinds) this.#strikeAgain(kind, strike, faultMs);
  }

  #strikeAgain(kind: string, strike: () => void, faultMs: number): void {
    this.#world.after(faultMs * (0.2 + 1.6 * this.#chance.next()), () => {
      if (this.#phase === 'liveness') return;
      this.#count(kind);
      strike();
      this.#strikeAgain(kind, strike, faultMs);
    });
  }

  #powerCut(node: SimNode): void {
    if (!node.isUp) return;
    node.powerCut();
    this.#world.after(this.#chance.int(1_500), () => !node.isUp && node.start());
  }

  #makeNoise(): void {
    const pair = this.#lines.get(this.#chance.pick(this.#devices as [SimNode, ...SimNode[]]));
    if (pair === undefined) return;
    const loud = {
      flipRate: this.#chance.pick([1e-4, 1e-3, 1e-2]),
      dropRate: this.#chance.pick([0, 1e-3]),
      insertRate: this.#chance.pick([0, 1e-3]),
    };
    const set = (faults: typeof loud) => {
      for (const way of [pair.faults.aToB, pair.faults.bToA]) Object.assign(way, faults);
    };
    set(loud);
    this.#world.after(2_000, () => set({ flipRate: 0, dropRate: 0, insertRate: 0 }));
  }

  #makeForget(): void {
    Object.assign(this.#broker.faults, { forget: 0.1, duplicate: 0.1, straggle: 0.5 });
    this.#world.after(3_000, () => Object.assign(this.#broker.faults, { forget: 0, duplicate: 0, straggle: 0 }));
  }

  #count(kind: string): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
  }
}

function nodeConfig(name: string, how: { uplink?: 'link' | 'mqtt'; isCentral?: 'yes'; queue?: string }): NodeConfig {
  return {
    name,
    queues: how.queue === undefined ? [] : [{ name: how.queue, bytesLimit: 300_000 }],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    uplink: how.uplink ?? 'none',
    central: 'central',
    isCentral: how.isCentral ?? 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
  };
}

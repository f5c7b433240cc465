/**
 * A path over the real MQTT client and broker in virtual time: devices ═ line ═ gateway ═ mqtt.js ─ aedes ─ mqtt.js ═ central. What
 * `path.ts` does with a simulated broker, made small: messages are sent while connections, brokers and nodes break, then everything
 * must arrive.
 */
import { createHash } from 'node:crypto';
import { fromUtf8, toUtf8 } from '../../shared/bytes.ts';
import type { NodeConfig } from '../../shared/core/node-io.ts';
import { identityText } from '../../shared/message/identity.ts';
import type { Broker } from '../../shared/ports.ts';
import { type Prng, type Seed, stream } from '../random.ts';
import { NO_FAULTS } from '../sim-broker.ts';
import { type SimLinePair, simLines } from '../sim-line.ts';
import { SimNode } from '../sim-node.ts';
import { type Arrived, drawLedger, type Ledger, type Sent } from '../witness.ts';
import { World } from '../world.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualMqtt } from './virtual-mqtt.ts';

export interface MqttPathOptions {
  readonly seed: Seed;
  readonly deviceCount: number;
  /** Messages per device. */
  readonly messageCount: number;
  /** Mean virtual milliseconds between two faults; Infinity: none. */
  readonly faultMs: number;
}

export interface MqttPathResult {
  readonly ledger: Ledger;
  readonly virtualMs: number;
  readonly steps: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly counters: VirtualMqtt['counters'];
  /** SHA-256 over every event at a Broker port, with its time: two runs of a seed agree on it. */
  readonly trace: string;
}

/** After the last fault everything must have arrived within this many virtual milliseconds. */
const HEAL_MS = 600_000;
const BAUD = 115_200;

/** Runs it, inside a virtual clock of its own. */
export function runMqttPath(options: MqttPathOptions): Promise<MqttPathResult> {
  const world = new World(stream(options.seed, 'scheduler'), 'when-due');
  const clock = new VirtualClock({ world, random: stream(options.seed, 'globals') });
  return clock.during(() => new MqttPath(options, world).run());
}

class MqttPath {
  readonly #options: MqttPathOptions;
  readonly #world: World;
  readonly #chance: Prng;
  readonly #mqtt: VirtualMqtt;
  readonly #devices: SimNode[] = [];
  readonly #gateway: SimNode;
  readonly #central: SimNode;
  readonly #lines = new Map<SimNode, SimLinePair>();
  readonly #accepted: Sent[] = [];
  readonly #arrived: Arrived[] = [];
  readonly #seen = new Set<string>();
  readonly #faults: Record<string, number> = {};
  readonly #trace = createHash('sha256');
  #unsent: number;
  #consumer = 0;

  constructor(options: MqttPathOptions, world: World) {
    this.#options = options;
    this.#world = world;
    this.#chance = this.#stream('faults');
    this.#unsent = options.deviceCount * options.messageCount;
    this.#mqtt = new VirtualMqtt({ scheduler: world, random: this.#stream('broker') });
    this.#central = this.#node(nodeConfig('central', { isCentral: 'yes', queues: [{ name: 'bags', bytesLimit: 300_000 }] }), () =>
      this.#consume(),
    );
    this.#gateway = this.#node(nodeConfig('gateway', { uplink: 'mqtt' }));
    for (let i = 1; i <= options.deviceCount; i++) this.#devices.push(this.#node(nodeConfig(`device-${i}`, { uplink: 'link' })));
  }

  async run(): Promise<MqttPathResult> {
    const world = this.#world;
    for (const node of [this.#central, this.#gateway, ...this.#devices]) node.start();
    for (const device of this.#devices) {
      this.#keepLine(device);
      this.#produce(device, 1);
    }
    if (Number.isFinite(this.#options.faultMs)) this.#breakThings();
    await world.run(Number.MAX_SAFE_INTEGER, () => this.#unsent === 0);
    await world.run(world.nowMs + HEAL_MS, () => this.#accepted.every(({ key }) => this.#seen.has(key)));
    await world.run(world.nowMs + 30_000);
    return {
      ledger: drawLedger(this.#accepted, this.#arrived),
      virtualMs: world.nowMs,
      steps: world.steps,
      faults: this.#faults,
      counters: this.#mqtt.counters,
      trace: this.#trace.digest('hex'),
    };
  }

  #stream(name: string): Prng {
    return stream(this.#options.seed, name);
  }

  #node(config: NodeConfig, onServing: () => void = () => {}): SimNode {
    const world = this.#world;
    const isOnBroker = config.uplink === 'mqtt' || config.isCentral === 'yes';
    const connectBroker = () => this.#traced(config.name, this.#mqtt.connect(config.name));
    const random = this.#stream(config.name);
    return new SimNode({ world, config, random, syncMsMax: 8, onServing, ...(isOnBroker && { connectBroker }) });
  }

  #traced(client: string, broker: Broker): Broker {
    const note = (what: string, topic = '', payload: Uint8Array = new Uint8Array(0)) =>
      this.#trace.update(`${this.#world.nowMs} ${client} ${what} ${topic} ${payload.length}\n`).update(payload);
    return {
      listen: (listener) => {
        broker.listen({
          onUp: () => {
            note('up');
            listener.onUp();
          },
          onDown: (reason) => {
            note(`down: ${reason}`);
            listener.onDown(reason);
          },
          onMessage: (topic, payload) => {
            note('heard', topic, payload);
            listener.onMessage(topic, payload);
          },
        });
      },
      publish: (publish) => {
        note('says', publish.topic, publish.payload);
        broker.publish(publish);
      },
      subscribe: (topics) => {
        note('wants', topics.join(' '));
        broker.subscribe(topics);
      },
      close: () => {
        note('closed');
        return broker.close();
      },
    };
  }

  /** One message after the other, each until it is accepted. */
  #produce(device: SimNode, number: number): void {
    if (number > this.#options.messageCount) return;
    const key = `${device.name}:${number}`;
    let isSettled = false;
    const next = (isAccepted: boolean): void => {
      if (isSettled) return;
      isSettled = true;
      if (isAccepted) this.#accepted.push({ key, orderedWith: device.name });
      this.#unsent -= 1;
      this.#world.after(this.#chance.int(200), () => this.#produce(device, number + 1));
    };
    if (!device.isServing) return void this.#world.after(50, () => this.#produce(device, number));
    const body = toUtf8(`${key} ${'x'.repeat(this.#chance.int(400))}`);
    const properties = { label: device.name };
    device.call({ verb: 'send', destination: 'central/bags', body, properties }, ({ kind }) => next(kind === 'sent'));
    this.#world.after(5_000, () => next(false));
  }

  /** The application. Its memory of identities and its effects are one. */
  #consume(): void {
    const turn = ++this.#consumer;
    const receive = (): void => {
      if (turn !== this.#consumer) return;
      this.#central.call({ verb: 'receive', queue: 'bags', waitMs: 1_000, leaseMs: 5_000 }, (result) => {
        if (result.kind !== 'received') return void this.#world.after(10, receive);
        const { message, lease } = result.received;
        const key = (fromUtf8(message.body) ?? '').split(' ')[0] ?? '';
        const identity = identityText(message.identity);
        if (!this.#seen.has(identity)) this.#arrived.push({ key, orderedWith: message.label ?? '', ending: undefined });
        this.#seen.add(identity);
        this.#seen.add(key);
        this.#central.call({ verb: 'ack', lease }, () => void this.#world.after(0, receive));
      });
    };
    receive();
  }

  #keepLine(device: SimNode): void {
    const old = this.#lines.get(device);
    if (device.isServing && this.#gateway.isServing && old?.isClosed !== false) {
      old?.cut();
      const pair = simLines({ world: this.#world, baud: BAUD, random: this.#chance });
      this.#lines.set(device, pair);
      device.attach(pair.a, { role: 'dial', baud: BAUD }, () => {});
      this.#gateway.attach(pair.b, { role: 'accept', baud: BAUD }, () => {});
    }
    this.#world.after(100 + this.#chance.int(200), () => this.#keepLine(device));
  }

  #breakThings(): void {
    const { faultMs } = this.#options;
    const client = () => this.#chance.pick(['gateway', 'central']);
    const strikes: Record<string, () => void> = {
      cut: () => this.#mqtt.cut(client()),
      'half-open': () => this.#mqtt.halfOpen(client(), this.#chance.pick([2_000, Number.POSITIVE_INFINITY])),
      restart: () => this.#mqtt.restart(this.#chance.int(2_000)),
      stop: () => this.#mqtt.stop(this.#chance.int(2_000)),
      forgets: () => this.#forAWhile({ forget: 0.1, duplicate: 0.1, straggle: 0.5 }),
      lags: () => this.#forAWhile({ lagMsMax: this.#chance.pick([200, 2_000]) }),
      'gateway power': () => this.#powerCut(this.#gateway),
      'central power': () => this.#powerCut(this.#central),
    };
    const kinds = Object.keys(strikes) as [string, ...string[]];
    const strikeAgain = (): void => {
      this.#world.after(faultMs * (0.2 + 1.6 * this.#chance.next()), () => {
        if (this.#unsent === 0) return;
        const kind = this.#chance.pick(kinds);
        this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
        strikes[kind]?.();
        strikeAgain();
      });
    };
    strikeAgain();
  }

  #forAWhile(faults: Partial<VirtualMqtt['faults']>): void {
    Object.assign(this.#mqtt.faults, faults);
    this.#world.after(3_000, () => Object.assign(this.#mqtt.faults, NO_FAULTS));
  }

  #powerCut(node: SimNode): void {
    if (!node.isUp) return;
    this.#mqtt.cut(node.name);
    node.powerCut();
    this.#world.after(this.#chance.int(1_500), () => !node.isUp && node.start());
  }
}

function nodeConfig(name: string, how: Partial<NodeConfig>): NodeConfig {
  return {
    name,
    queues: [],
    unknownQueue: 'refuse',
    queueBytesLimit: 100_000,
    uplink: 'none',
    central: 'central',
    isCentral: 'no',
    partitionCount: 1,
    commitDelayMs: 0,
    home: undefined,
    ...how,
  };
}

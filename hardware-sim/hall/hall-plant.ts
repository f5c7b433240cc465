/** What a hall is made of besides its belts: lines, broker, nodes and the application, as processes with their files in one directory. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../../shared/node/config/config.ts';
import type { Line } from '../../shared/ports.ts';
import type { Seed } from '../random.ts';
import type { Breakable } from './hall-breaker.ts';
import { foreignBroker, freePort, type HallBroker, ownBroker, proxiedBroker } from './hall-broker.ts';
import { type BeltPort, type HallPlug, type LinkCable, ptyLines, tcpLines } from './hall-lines.ts';
import {
  BELT_COUNT,
  beltLabel,
  CABLE_COUNT,
  HALL_QUEUE,
  type HallNode,
  type HallShape,
  hallNodes,
  NEIGHBOUR,
  type Neighbours,
} from './hall-nodes.ts';
import type { OutageTarget } from './hall-outages.ts';
import { HallProcess } from './hall-processes.ts';

/** The application's file. */
export const ARRIVALS_FILE = 'arrivals.jsonl';

export interface PlantOptions {
  readonly shape: HallShape;
  readonly neighbours?: Neighbours;
  /** Everything of it: configurations, rings, sockets, logs, the application's file. It is there. */
  readonly directory: string;
  /** The script that is the command line of ringmail. */
  readonly commandLine: string;
  readonly lines: 'pty' | 'tcp';
  /** Probability that a bit on a cable between two nodes is wrong. Terminals only. */
  readonly bitErrorRate: number;
  /** `own`: a process of the hall. Before somebody else's, `interruptible` puts a proxy that can be cut. */
  readonly broker: { readonly kind: 'own' } | { readonly kind: 'interruptible' | 'direct'; readonly url: string };
  /** Whether rings in memory are accepted. */
  readonly volatile: 'refuse' | 'allow';
  readonly seed: Seed;
  /** A line for belt `index`; the one before is dead. */
  readonly onLine: (index: number, line: Line) => void;
  /** What must not happen: a process that ends by itself, or does not end when told to. Words for people. */
  readonly onTrouble: (text: string) => void;
}

export class Plant {
  readonly nodes: readonly HallNode[];
  readonly breakables: Partial<Record<OutageTarget, readonly Breakable[]>>;
  readonly #options: PlantOptions;
  readonly #broker: HallBroker;
  readonly #processes = new Map<string, HallProcess>();
  readonly #plugs: readonly HallPlug[];
  readonly #cables: readonly LinkCable[];

  private constructor(
    options: PlantOptions,
    parts: { broker: HallBroker; belts: readonly BeltPort[]; cables: readonly LinkCable[] },
  ) {
    const { broker, belts, cables } = parts;
    this.#options = options;
    this.#broker = broker;
    this.#plugs = [...belts, ...cables];
    this.#cables = cables;
    this.nodes = hallNodes(options.shape, {
      broker: broker.url,
      beltPorts: belts.map(({ address }) => address),
      cables,
      namePrefix: options.broker.kind === 'own' ? '' : 'demo-',
      ...(options.neighbours && { neighbours: options.neighbours }),
    });
    for (const { name } of this.nodes) this.#processes.set(name, newProcess(options, name, nodeArguments(options, name)));
    const sources = this.nodes.flatMap(({ role, name }) => {
      const dead = `$dead=${this.socketOf(name)}`;
      const isRead = role === 'central' || (options.neighbours === 'reached' && name === NEIGHBOUR);
      return isRead ? [`${HALL_QUEUE}=${this.socketOf(name)}`, dead] : [dead];
    });
    this.#processes.set(
      APPLICATION,
      newProcess(options, APPLICATION, ['demo-receiver', '--file', this.arrivalsPath, ...sources]),
    );
    const ofRole = (role: HallNode['role']): Breakable[] =>
      this.nodes.flatMap((node) => (node.role === role ? [breakableProcess(this.#process(node.name))] : []));
    this.breakables = {
      ...(options.broker.kind !== 'direct' && { broker: [breakableBroker(broker)] }),
      device: ofRole('device'),
      gateway: ofRole('gateway'),
      node: ofRole('node'),
      central: ofRole('central'),
      cable: (options.shape === 'full' ? cables : belts).map(breakablePlug),
    };
  }

  /** Lines are plugged in and configurations written; nothing runs yet. @throws CONFIG_INVALID */
  static async build(options: PlantOptions): Promise<Plant> {
    const { shape, directory, onLine } = options;
    const lines = options.lines === 'pty' ? ptyLines(directory, options.seed, options.bitErrorRate) : tcpLines(directory);
    const belts: BeltPort[] = [];
    const cables: LinkCable[] = [];
    const broker = await brokerOf(options);
    try {
      for (let i = 0; i < BELT_COUNT; i++) belts.push(await lines.belt(beltLabel(i), (line) => onLine(i, line)));
      for (let i = 0; shape === 'full' && i < CABLE_COUNT; i++) cables.push(await lines.cable(`cable-${i + 1}`));
      const plant = new Plant(options, { broker, belts, cables });
      for (const { name, config } of plant.nodes) {
        parseConfig(config, { directory });
        await writeFile(join(directory, `${name}.toml`), config);
      }
      for (const plug of plant.#plugs) await plug.plug();
      return plant;
    } catch (error) {
      await Promise.all([broker.stop(), ...[...belts, ...cables].map((plug) => plug.close())]);
      throw error;
    }
  }

  /** Bytes that noise has damaged on the cables so far. */
  get damagedCount(): number {
    return this.#cables.reduce((sum, { damagedCount }) => sum + damagedCount(), 0);
  }

  get arrivalsPath(): string {
    return join(this.#options.directory, ARRIVALS_FILE);
  }

  socketOf(node: string): string {
    return join(this.#options.directory, `${node}.sock`);
  }

  /** Of a node, or of the application. */
  isUp(name: string): boolean {
    return this.#process(name).isUp;
  }

  async start(): Promise<void> {
    await this.#broker.start();
    for (const process of this.#processes.values()) process.start();
  }

  /** Ends every process in good order, the broker last, and unplugs everything. */
  async stop(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.stop()));
    await this.#broker.stop();
    await Promise.all(this.#plugs.map((plug) => plug.close()));
  }

  #process(name: string): HallProcess {
    const process = this.#processes.get(name);
    if (process === undefined) throw new Error(`there is no ${name} in this hall`);
    return process;
  }
}

export const APPLICATION = 'application';
const BROKER = 'broker';

function newProcess(options: PlantOptions, name: string, args: readonly string[]): HallProcess {
  const { directory, commandLine, onTrouble } = options;
  return new HallProcess({ name, args: [commandLine, ...args], directory, logPath: join(directory, `${name}.log`), onTrouble });
}

function nodeArguments({ directory, volatile }: PlantOptions, name: string): string[] {
  return ['node', '--config', join(directory, `${name}.toml`), ...(volatile === 'allow' ? ['--allow-volatile'] : [])];
}

async function brokerOf(options: PlantOptions): Promise<HallBroker> {
  switch (options.broker.kind) {
    case 'own': {
      const port = await freePort();
      return ownBroker(newProcess(options, BROKER, ['broker', '--listen', `127.0.0.1:${port}`]), port);
    }
    case 'interruptible':
      return proxiedBroker(options.broker.url);
    case 'direct':
      return foreignBroker(options.broker.url);
  }
}

function breakableProcess(process: HallProcess): Breakable {
  return {
    name: process.name,
    break: () => process.kill(),
    mend: async () => {
      process.start();
      return '';
    },
  };
}

function breakableBroker(broker: HallBroker): Breakable {
  return { name: BROKER, break: () => broker.kill(), mend: () => broker.start().then(() => '') };
}

function breakablePlug(plug: HallPlug): Breakable {
  return {
    name: plug.name,
    break: async () => {
      await plug.unplug();
      return 'broken';
    },
    mend: async () => `now ${await plug.plug()}`,
  };
}

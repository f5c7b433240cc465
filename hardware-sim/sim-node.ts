/**
 * A whole node in virtual time: the product's core and drive over a simulated disk. It can lose power at any moment, and comes back
 * with what its platter kept.
 */
import type { Call, CallResult, Stats } from '../shared/core/calls.ts';
import { Drive } from '../shared/core/drive.ts';
import { NodeCore } from '../shared/core/node-core.ts';
import type { LinkRole, NodeConfig } from '../shared/core/node-io.ts';
import { crc32 } from '../shared/crc32.ts';
import type { Broker, Line } from '../shared/ports.ts';
import { geometryFor } from '../shared/ring/geometry.ts';
import type { OpenReport } from '../shared/ring/ring.ts';
import type { Prng } from './random.ts';
import { formattedDisk } from './ring-driver.ts';
import type { SimDisk } from './sim-disk.ts';
import type { VirtualTimers, World } from './world.ts';

/** The smallest ring there is: laps come soon. */
export const SIM_RING_BYTES = 388 * 4096;

export interface SimNodeOptions {
  readonly world: World;
  readonly config: NodeConfig;
  readonly random: Prng;
  /** Longest time a durable write takes, in virtual milliseconds; each draws its own. */
  readonly syncMsMax: number;
  readonly ringBytes?: number;
  /** A connection to the broker for each opening of the store. */
  readonly connectBroker?: () => Broker;
  /** Called at every opening, when the node serves: attach lines, go on sending. */
  readonly onServing?: (node: SimNode, report: OpenReport) => void;
}

export class SimNode {
  readonly name: string;
  disk: SimDisk;
  /** Openings of the store. */
  openings = 0;
  /** Coded or not: why the store stopped, newest last. Forks and failed writes; never in a run without faults. */
  readonly stops: Error[] = [];
  readonly logs: string[] = [];
  readonly #options: SimNodeOptions;
  readonly #lines = new Set<Line>();
  #core: NodeCore | undefined;
  #drive: Drive | undefined;
  #timers: VirtualTimers | undefined;
  #broker: Broker | undefined;
  #isServing = false;

  constructor(options: SimNodeOptions) {
    this.#options = options;
    this.name = options.config.name;
    this.disk = formattedDisk(geometryFor(options.ringBytes ?? SIM_RING_BYTES), options.random, 'stepped');
  }

  get isUp(): boolean {
    return this.#drive !== undefined;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  /** Boots: opens the ring, then serves. */
  start(): void {
    const { world, config, random, syncMsMax, connectBroker, onServing } = this.#options;
    const { disk } = this;
    disk.onPending = () => world.after(disk.latencyMs() ?? random.next() * syncMsMax, () => this.disk === disk && disk.step());
    const file = disk.open();
    const timers = world.timers(random.int(1_000_000));
    const broker = connectBroker?.();
    const core = new NodeCore(config, { file: { path: this.name, size: file.size }, checksum: crc32, random });
    const drive = new Drive(
      core,
      { file, timers, ...(broker && { broker }) },
      {
        onServing: (report) => {
          this.#isServing = true;
          drive.listenToBroker();
          onServing?.(this, report);
        },
        onStopped: (error) => {
          this.stops.push(error);
          this.#down();
          world.after(100, () => this.#core === undefined && this.start());
        },
        onClosed: () => this.#down(),
        onLog: (level, text) => this.logs.push(`${Math.round(world.nowMs)} ${level} ${text}`),
      },
    );
    this.openings += 1;
    this.#core = core;
    this.#drive = drive;
    this.#timers = timers;
    this.#broker = broker;
    drive.start();
  }

  /** Gone from one instant to the next. `disk` keeps what its fate decides. */
  powerCut(): void {
    this.#drive?.abandon();
    this.#down();
    this.disk.powerCut();
  }

  /** Asks the node. Never answered when it loses power first: then the caller knows nothing, as in life. */
  call(call: Call, then: (result: CallResult) => void): void {
    this.#drive?.call(call, then);
  }

  attach(line: Line, link: { role: LinkRole; baud: number | undefined }, whenClosed: () => void): void {
    this.#lines.add(line);
    this.#drive?.attach(line, link, () => {
      this.#lines.delete(line);
      whenClosed();
    });
  }

  stats(): Stats | undefined {
    return this.#core?.stats(this.#timers?.nowMs() ?? 0);
  }

  close(): void {
    this.#drive?.close();
  }

  #down(): void {
    this.#isServing = false;
    this.#drive = undefined;
    this.#core = undefined;
    this.#timers?.stop();
    for (const line of this.#lines) line.close();
    this.#lines.clear();
    void this.#broker?.close();
    this.#broker = undefined;
  }
}

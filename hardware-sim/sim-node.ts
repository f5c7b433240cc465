/**
 * A whole node in virtual time: the product's core and drive over a simulated disk. It can lose power at any moment, die alone, stand
 * still for a while, or find another disk in its slot; it comes back with what its platter kept.
 */

import { ALL_DESKS } from '../shared/core/all-desks.ts';
import type { Call, CallResult, Stats } from '../shared/core/calls.ts';
import { linksAndRelay } from '../shared/core/carriers.ts';
import { Drive } from '../shared/core/drive.ts';
import { NodeCore } from '../shared/core/node-core.ts';
import type { LineUse, NodeConfig } from '../shared/core/node-io.ts';
import { crc32 } from '../shared/crc32.ts';
import type { Policy } from '../shared/custody/policy.ts';
import type { CborValue } from '../shared/message/cbor.ts';
import type { Broker, Line, RingFile } from '../shared/ports.ts';
import { geometryFor, type RingGeometry } from '../shared/ring/geometry.ts';
import type { OpenReport } from '../shared/ring/ring.ts';
import { Gate } from './gate.ts';
import type { Prng } from './random.ts';
import { formattedDisk } from './ring-driver.ts';
import type { SimDisk } from './sim-disk.ts';
import type { VirtualTimers, World } from './world.ts';

/** The smallest ring there is: laps come soon. */
export const SIM_RING_BYTES = 388 * 4096;

export interface SimNodeOptions {
  readonly world: World;
  readonly config: NodeConfig;
  /** What those who watch it call it; undefined: the name of its configuration. Two that run at once differ in it. */
  readonly label?: string;
  readonly random: Prng;
  /** What is let in; everything unless said. */
  readonly policy?: Policy;
  /** Longest time a durable write takes, in virtual milliseconds; each draws its own. */
  readonly syncMsMax: number;
  readonly ringBytes?: number;
  readonly geometry?: RingGeometry;
  /** Its monotonic clock runs so much too fast. */
  readonly driftPpm?: number;
  /** What its wall clock shows when virtual time begins, in µs since 1970. 0: a clock that was never set. */
  readonly dateUs?: number;
  /** A connection to the broker for each opening of the store. */
  readonly connectBroker?: () => Broker;
  /** The same for a node with several, by the names of its uplinks, or of the brokers of its central. */
  readonly connectBrokers?: Readonly<Record<string, () => Broker>>;
  /** It dies without a goodbye: what connects it to the broker is just gone. */
  readonly dropBroker?: () => void;
  /** Called at every opening, when the node serves: attach lines, go on sending. */
  readonly onServing?: (node: SimNode, report: OpenReport) => void;
  /** Called at every opening, before anything is read. */
  readonly onOpening?: (node: SimNode) => void;
  /** A write begins: what becomes of it is open. */
  readonly onWriting?: (node: SimNode, write: { readonly offset: number; readonly bytes: Uint8Array }) => void;
  /** A write is durable; the node does not know yet. */
  readonly onDurable?: (node: SimNode, write: { readonly offset: number; readonly bytes: Uint8Array }) => void;
  /** It is down from now on: in order, or in any other way. What it said of itself last. */
  readonly onDown?: (node: SimNode, how: 'in order' | 'crash', stats: Stats | undefined) => void;
  /** The store stopped by itself. It is opened again a little later. */
  readonly onStopped?: (node: SimNode, error: Error) => void;
}

/** Until a store that stopped is opened again; twice as long each time, until it serves. */
const REOPEN_MS_MIN = 100;
const REOPEN_MS_MAX = 5_000;
/** Unless another one is given, and the same for every node. */
const DATE_US = 1_790_000_000_000_000;

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
  #brokers: readonly Broker[] = [];
  #gate = new Gate();
  #reopenMs = REOPEN_MS_MIN;
  #isServing = false;
  #isRetired = false;
  #wallJumpMs = 0;
  /** Machine and file, as the node is told: another one after a move. */
  home: string | undefined;

  constructor(options: SimNodeOptions) {
    this.#options = options;
    this.name = options.label ?? options.config.name;
    this.home = options.config.home;
    this.disk = this.blankDisk();
  }

  get geometry(): RingGeometry {
    const { ringBytes, geometry } = this.#options;
    return geometry ?? geometryFor(ringBytes ?? SIM_RING_BYTES);
  }

  /** A disk as it was when the node was new. */
  blankDisk(): SimDisk {
    return formattedDisk(this.geometry, this.#options.random, 'stepped');
  }

  get isUp(): boolean {
    return this.#drive !== undefined;
  }

  get isServing(): boolean {
    return this.#isServing;
  }

  get isPaused(): boolean {
    return this.#gate.isShut;
  }

  /** Boots: opens the ring, then serves. */
  start(): void {
    if (this.#isRetired) return;
    const {
      world,
      config,
      random,
      syncMsMax,
      connectBroker,
      connectBrokers = {},
      onServing,
      driftPpm = 0,
      dateUs = DATE_US,
    } = this.#options;
    const { disk } = this;
    disk.onPending = () => {
      world.after(disk.latencyMs() ?? random.next() * syncMsMax, () => {
        world.promised();
        if (this.disk === disk) disk.step();
      });
    };
    const gate = new Gate();
    this.#options.onOpening?.(this);
    const file = gate.file(this.#watched(disk.open()));
    const timers = world.timers(random.int(1_000_000), driftPpm);
    const broker = connectBroker?.();
    const brokers = new Map(Object.entries(connectBrokers).map(([name, connect]) => [name, connect()]));
    const core = new NodeCore(
      { ...config, home: this.home },
      {
        file: { path: this.name, size: file.size },
        checksum: crc32,
        random,
        carriers: linksAndRelay,
        desks: ALL_DESKS,
        policy: this.#options.policy,
      },
    );
    const drive = new Drive(
      core,
      {
        file,
        timers: gate.timers(timers),
        wallClock: { nowUs: () => dateUs + 1_000 * (world.nowMs + this.#wallJumpMs) },
        ...(broker && { broker: gate.broker(broker) }),
        brokers: new Map([...brokers].map(([name, one]) => [name, gate.broker(one)])),
      },
      {
        onServing: (report) => {
          this.#isServing = true;
          this.#reopenMs = REOPEN_MS_MIN;
          drive.listenToBroker();
          onServing?.(this, report);
        },
        onStopped: (error) => {
          this.stops.push(error);
          this.#down();
          this.#options.onStopped?.(this, error);
          world.after(this.#reopenMs, () => this.#core === undefined && this.start());
          this.#reopenMs = Math.min(2 * this.#reopenMs, REOPEN_MS_MAX);
        },
        onClosed: () => this.#down('in order'),
        onLog: (level, text) => this.logs.push(`${Math.round(world.nowMs)} ${level} ${text}`),
        onConsole: (line, { level, text }) => this.logs.push(`${Math.round(world.nowMs)} console ${line} ${level} ${text}`),
      },
    );
    this.openings += 1;
    this.#gate = gate;
    this.#core = core;
    this.#drive = drive;
    this.#timers = timers;
    this.#brokers = broker === undefined ? [...brokers.values()] : [broker, ...brokers.values()];
    drive.start();
  }

  /** Somebody sets its wall clock, forward or back. */
  jumpWallClock(ms: number): void {
    this.#wallJumpMs += ms;
  }

  /** Gone from one instant to the next. `disk` keeps what its fate decides. */
  powerCut(): void {
    this.#die();
    this.disk.powerCut();
  }

  /** The process is gone, the machine goes on: what it had written arrives. */
  kill(): void {
    this.#die();
    this.disk.kill();
  }

  /** Stays down from here on, whoever starts it. */
  retire(): void {
    if (this.isUp) this.powerCut();
    this.#isRetired = true;
  }

  #die(): void {
    this.#drive?.abandon();
    if (this.#brokers.length > 0) this.#options.dropBroker?.();
    this.#down();
  }

  /** Stands still until `resume`: nothing reaches it, and nothing is lost. */
  pause(): void {
    this.#gate.shut();
  }

  resume(): void {
    this.#options.world.promised();
    this.#gate.open();
  }

  /** Another disk in its slot: an old image, a blank one. While it is down. */
  insert(disk: SimDisk): void {
    this.disk = disk;
  }

  /** Asks the node; returns a token to cancel a wait with. Never answered when it loses power first: then the caller knows nothing, as in life. */
  call(call: Call, then: (result: CallResult) => void): number | undefined {
    return this.#drive?.call(call, then);
  }

  /** Nobody waits for this answer any more. */
  cancel(token: number): void {
    this.#drive?.cancel(token);
  }

  attach(line: Line, use: LineUse, whenClosed: () => void): void {
    this.#lines.add(line);
    this.#drive?.attach(this.#gate.line(line), use, () => {
      this.#lines.delete(line);
      whenClosed();
    });
  }

  stats(): Stats | undefined {
    return this.#core?.stats(this.#timers?.nowMs() ?? 0);
  }

  /** What it keeps in META under a key, planned changes left out. */
  meta(key: string): CborValue {
    return this.#core?.meta(key);
  }

  close(): void {
    this.#drive?.close();
  }

  #watched(file: RingFile): RingFile {
    const { onWriting, onDurable } = this.#options;
    if (onDurable === undefined) return file;
    return {
      size: file.size,
      read: (offset, into) => file.read(offset, into),
      close: () => file.close(),
      writeDurable: (offset, bytes, fence) => {
        const write = { offset, bytes: bytes.slice() };
        onWriting?.(this, write);
        const pending = file.writeDurable(offset, bytes, fence);
        if (pending === undefined) return onDurable(this, write);
        return pending.then(() => onDurable(this, write));
      },
    };
  }

  #down(how: 'in order' | 'crash' = 'crash'): void {
    if (this.#core !== undefined) this.#options.onDown?.(this, how, this.stats());
    this.#isServing = false;
    this.#drive = undefined;
    this.#core = undefined;
    this.#timers?.stop();
    for (const line of this.#lines) line.close();
    this.#lines.clear();
    for (const broker of this.#brokers) void broker.close();
    this.#brokers = [];
  }
}

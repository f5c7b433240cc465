/**
 * A node in this process: its ring file, its lock, its core, driven by real ports. When the store stops (a write failed, a fork was
 * found) it is opened anew with the next epoch; who asks meanwhile waits for that, and what was in doubt is said to be.
 */

import { ALL_DESKS } from '../core/all-desks.ts';
import type { Call, CallResult, Health, Stats } from '../core/calls.ts';
import { linksAndRelay } from '../core/carriers.ts';
import { Drive } from '../core/drive.ts';
import { NodeCore } from '../core/node-core.ts';
import type { LineUse, NodeConfig } from '../core/node-io.ts';
import { crc32 } from '../crc32.ts';
import { hasCode, RingmailError } from '../errors.ts';
import type { ConsoleLine } from '../link/console-text.ts';
import type { Broker, Line } from '../ports.ts';
import type { OpenReport } from '../ring/ring.ts';
import { AdapterCounters } from './adapter-counters.ts';
import { bootClock } from './boot-clock.ts';
import { fastChecksum } from './checksum.ts';
import { homeOf } from './home.ts';
import type { NodeCalls } from './node-calls.ts';
import { systemRandom } from './random.ts';
import { type NodeRingFile, openRingFile } from './ring-file.ts';
import { NodeTimers } from './timers.ts';
import { SystemWallClock } from './wall-clock.ts';

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly ringPath: string;
  /** A ring in memory is refused unless this says that it may be: a power cut would empty it. */
  readonly volatile: 'refuse' | 'allow';
  /** How long to wait for a ring that another process holds: a command may have it open for a moment. 0: not at all. */
  readonly lockMsMax?: number;
  /** A connection to the broker, fresh for each opening of the store. */
  readonly connectBroker?: () => Broker;
  /** The same for a node with several, by the names of its uplinks and of the brokers of its central. */
  readonly connectBrokers?: ReadonlyMap<string, () => Broker>;
  readonly log?: (level: 'info' | 'warn', text: string) => void;
  /** Takes what neighbours say for people, in LOG packets or between packets; in the log of this node unless given. */
  readonly console?: (line: number, said: ConsoleLine) => void;
}

/** First wait before the store is opened again, and the longest. */
const REOPEN_MS_MIN = 100;
const REOPEN_MS_MAX = 5_000;

/** What an MQTT ingress tells of itself; part of the node's stats and health. */
export interface IngressWatch {
  counts(): Readonly<Record<string, number>>;
  /** Why clients were cut off lately; undefined when they were not. */
  trouble(): string | undefined;
}

type Success = Exclude<CallResult, { kind: 'error' }>;

export class Node implements NodeCalls {
  /** Where the adapters of this node count; part of its stats. */
  readonly adapterCounters = new AdapterCounters();
  /** Where its serial ports count what is wrong with them; part of its stats. */
  readonly portCounters = new AdapterCounters();
  /** What state each line is in that is kept open, by its name; part of its stats. */
  readonly lineStates = new Map<string, string>();
  /** Undefined: there is none. */
  ingress: IngressWatch | undefined;
  readonly #options: NodeOptions;
  readonly #lines = new Set<Line>();
  #drive: Drive | undefined;
  #core: NodeCore | undefined;
  #file: NodeRingFile | undefined;
  #brokers: readonly Broker[] = [];
  #timers = new NodeTimers();
  #ready: Promise<void> = Promise.resolve();
  /** It is known that `#ready` was fulfilled. */
  #isReady = false;
  #state: 'open' | 'closing' | 'closed' | 'failed' = 'open';
  #whenClosed: (() => void) | undefined;
  #reopenMs = REOPEN_MS_MIN;
  readonly #ended: { promise: Promise<Error | undefined>; resolve: (error: Error | undefined) => void };
  report: OpenReport | undefined;

  private constructor(options: NodeOptions) {
    this.#options = options;
    let resolve: (error: Error | undefined) => void = () => {};
    const promise = new Promise<Error | undefined>((settle) => {
      resolve = settle;
    });
    this.#ended = { promise, resolve };
  }

  /** Resolves when the node serves. @throws RING_NOT_FOUND, RING_LOCKED, RING_FOREIGN, RING_OTHER_NODE, RING_VOLATILE … */
  static async open(options: NodeOptions): Promise<Node> {
    const node = new Node(options);
    const deadlineMs = performance.now() + (options.lockMsMax ?? 0);
    for (;;) {
      try {
        await node.#openStore();
        return node;
      } catch (error) {
        if (!hasCode(error, 'RING_LOCKED') || performance.now() >= deadlineMs) throw error;
        await new Promise((resolve) => setTimeout(resolve, REOPEN_MS_MIN));
      }
    }
  }

  get name(): string {
    return this.#options.config.name;
  }

  /** How durable an acknowledgement is here, and how it is written. */
  get durability(): string {
    return `${this.#file?.durability ?? 'closed'}, ${this.#file?.howItWrites ?? '-'}`;
  }

  /** Settles when the node is closed, or when its store cannot be opened any more. */
  get ended(): Promise<Error | undefined> {
    return this.#ended.promise;
  }

  call(call: Call, signal?: AbortSignal): Promise<Success> {
    return this.#isReady ? this.#ask(call, signal) : this.#ready.then(() => this.#ask(call, signal));
  }

  #ask(call: Call, signal: AbortSignal | undefined): Promise<Success> {
    return new Promise((resolve, reject) => {
      const drive = this.#openDrive;
      const then = (result: CallResult) => {
        if (result.kind === 'error') reject(result.error);
        else resolve(result.kind === 'stats' ? { kind: 'stats', stats: this.#withAdapters(result.stats) } : result);
      };
      if (signal === undefined) drive.call(call, then);
      else askUntil(signal, drive, { call, then });
    });
  }

  /** @throws NODE_STOPPED */
  get #openDrive(): Drive {
    const drive = this.#drive;
    if (this.#state !== 'open' || drive === undefined) throw new RingmailError('NODE_STOPPED', { reason: this.#state });
    return drive;
  }

  stats(): Stats | undefined {
    const stats = this.#core?.stats(this.#timers.nowMs());
    return stats && this.#withAdapters(stats);
  }

  /** Gives the node a line to a neighbour; resolves with the reason when the line is closed, by whomever. */
  attach(line: Line, use: LineUse): Promise<string> {
    const drive = this.#drive;
    return new Promise((resolve) => {
      if (drive === undefined || this.#state !== 'open') {
        line.listen({ onBytes: () => {}, onClosed: resolve });
        line.close();
        return;
      }
      this.#lines.add(line);
      drive.attach(line, use, (reason) => {
        this.#lines.delete(line);
        resolve(reason);
      });
    });
  }

  /** Writes what is pending and closes the ring clean. */
  async close(): Promise<void> {
    if (this.#state === 'closed' || this.#state === 'failed') return;
    this.#state = 'closing';
    await this.#ready;
    await new Promise<void>((resolve) => {
      this.#whenClosed = resolve;
      if (this.#drive === undefined) resolve();
      else this.#drive.close();
    });
    await this.#release();
    this.#state = 'closed';
    this.#ended.resolve(undefined);
  }

  #openStore(): Promise<void> {
    this.#becomeReady(this.#tryOpen()).catch(() => {}); // whoever awaits it sees the error; nobody has to
    return this.#ready;
  }

  async #tryOpen(): Promise<void> {
    const { config, ringPath, volatile } = this.#options;
    const file = await openRingFile(ringPath, { volatile });
    this.#file = file;
    // Only now is it known which file this is: while the lock was waited for, a resize may have put another one in its place.
    const home = config.home === undefined ? undefined : homeOf(ringPath);
    const description = {
      durability: file.durability,
      get ioMode() {
        return file.howItWrites;
      },
    };
    const core = new NodeCore(
      { ...config, home },
      {
        file: { path: ringPath, size: file.size },
        checksum: fastChecksum(crc32),
        random: systemRandom,
        carriers: linksAndRelay,
        desks: ALL_DESKS,
        clock: bootClock(),
        describeFile: () => description,
      },
    );
    const broker = this.#options.connectBroker?.();
    const brokers = new Map([...(this.#options.connectBrokers ?? [])].map(([name, connect]) => [name, connect()]));
    this.#core = core;
    this.#brokers = broker === undefined ? [...brokers.values()] : [broker, ...brokers.values()];
    this.#timers = new NodeTimers();
    await new Promise<void>((resolve, reject) => {
      let serves = false;
      const ports = { file, timers: this.#timers, wallClock: new SystemWallClock(), ...(broker && { broker }), brokers };
      this.#drive = new Drive(core, ports, {
        onServing: (report) => {
          serves = true;
          this.report = report;
          this.#reopenMs = REOPEN_MS_MIN;
          this.#drive?.listenToBroker();
          resolve();
        },
        onStopped: (error) => {
          if (serves) void this.#reopen(error);
          else reject(error);
        },
        onClosed: () => this.#whenClosed?.(),
        onLog: (level, text) => this.#log(level, text),
        onConsole: (line, said) => this.#heard(line, said),
      });
      this.#drive.start();
    }).catch(async (error: unknown) => {
      await this.#release();
      throw hasCode(error, 'RING_OTHER_NODE')
        ? new RingmailError('RING_OTHER_NODE', { ...error.details, path: ringPath })
        : error;
    });
  }

  /** Who asks waits for this from now on. */
  async #becomeReady(ready: Promise<void>): Promise<void> {
    this.#ready = ready;
    this.#isReady = false;
    await ready;
    if (this.#ready === ready) this.#isReady = true;
  }

  async #reopen(error: Error): Promise<void> {
    this.#log('warn', `the store stopped: ${error.message}; opening it anew`);
    await this.#becomeReady(this.#release().then(() => this.#openAgain())).catch(() => {}); // told through `ended`
  }

  async #openAgain(): Promise<void> {
    while (this.#state === 'open') {
      await new Promise((resolve) => setTimeout(resolve, this.#reopenMs));
      this.#reopenMs = Math.min(REOPEN_MS_MAX, 2 * this.#reopenMs);
      try {
        return await this.#tryOpen();
      } catch (error) {
        this.#log('warn', `the store does not open: ${String(error)}`);
        if (error instanceof RingmailError && error.code !== 'RING_LOCKED') {
          this.#state = 'failed';
          this.#ended.resolve(error);
          throw error;
        }
      }
    }
  }

  async #release(): Promise<void> {
    this.#drive?.abandon();
    this.#drive = undefined;
    for (const line of this.#lines) line.close();
    this.#lines.clear();
    await Promise.all(this.#brokers.map((broker) => broker.close()));
    await this.#file?.close();
    this.#brokers = [];
    this.#file = undefined;
    this.#whenClosed?.();
  }

  #withAdapters(stats: Stats): Stats {
    const { ingress } = this;
    const detail = ingress?.trouble();
    return {
      ...stats,
      ...(detail !== undefined && { health: red(stats.health, { code: 'INGRESS_HELD', detail }) }),
      ...(ingress && { ingress: ingress.counts() }),
      adapters: this.adapterCounters.totals(),
      ports: this.portCounters.totals(),
      lines: Object.fromEntries(this.lineStates),
    };
  }

  #heard(line: number, said: ConsoleLine): void {
    const { console } = this.#options;
    if (console !== undefined) return console(line, said);
    const isGrave = said.level === 'warn' || said.level === 'error';
    this.#log(isGrave ? 'warn' : 'info', consoleText(line, said));
  }

  #log(level: 'info' | 'warn', text: string): void {
    this.#options.log?.(level, text);
  }
}

/** Nobody waits any more once the signal is given: then the answer is `empty`. */
function askUntil(signal: AbortSignal, drive: Drive, { call, then }: { call: Call; then: (result: CallResult) => void }): void {
  const abort = () => {
    drive.cancel(token);
    then({ kind: 'empty' });
  };
  const token = drive.call(call, (result) => {
    signal.removeEventListener('abort', abort);
    then(result);
  });
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
}

function red({ causes }: Health, cause: Health['causes'][number]): Health {
  return { status: 'red', causes: [...causes, cause] };
}

/** A line of a neighbour's console, as one of a log: never to be taken for the node's own words. */
export function consoleText(line: number, { from, level, text }: ConsoleLine): string {
  return from === 'line' ? `line ${line}, text: ${text}` : `line ${line} says (${level}): ${text}`;
}

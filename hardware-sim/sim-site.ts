/**
 * Whole nodes in virtual time with the library's own verbs on them, for the tests of an application: days pass in milliseconds, power
 * goes, clocks are wrong, and a run is a function of its seed.
 *
 * Time passes while somebody waits for an answer or for `pass`, and stands still otherwise. What the library itself times in real
 * time, `request` and `deliver`, is not for here.
 */
import type { Call, CallResult } from '../shared/core/calls.ts';
import { RingmailError } from '../shared/errors.ts';
import { RingmailClient } from '../shared/node/library/client.ts';
import type { NodeCalls } from '../shared/node/node-calls.ts';
import type { QueueDefinition } from '../shared/queue/queue-options.ts';
import { type Prng, type Seed, stream } from './random.ts';
import { SimLink } from './sim-link.ts';
import { SimNode } from './sim-node.ts';
import { World } from './world.ts';

type Success = Exclude<CallResult, { kind: 'error' }>;

/** Of a queue made when it is first used, in bytes: a few fit into the smallest ring. */
const QUEUE_BYTES = 100_000;
const SYNC_MS_MAX = 5;
/** Between two looks at who waits. */
const STRETCH_MS = 1_000;

export interface SiteNodeOptions {
  /** By name; others are made when they are used. */
  readonly queues?: Readonly<Record<string, QueueDefinition>>;
  /** `link`: it dials another node (`link`), and what is for others goes there. `none` unless said. */
  readonly uplink?: 'none' | 'link';
  /** What its clock shows when virtual time begins, in ms since 1970. 0: it was never set. */
  readonly dateMs?: number;
}

export class SimSite {
  readonly #seed: Seed;
  readonly #world: World;
  readonly #nodes = new Map<string, SiteNode>();
  /** Everybody who waits for an answer. */
  readonly #waiting = new Set<object>();
  #untilMs = 0;
  #running: Promise<void> | undefined;

  constructor(seed: Seed) {
    this.#seed = seed;
    this.#world = new World(this.#random('scheduler'), 'when-due');
  }

  /** Virtual milliseconds since it began. */
  get nowMs(): number {
    return this.#world.nowMs;
  }

  /** A node, switched on. */
  node(name: string, options: SiteNodeOptions = {}): SiteNode {
    const node = new SiteNode(
      { name, world: this.#world, random: this.#random(name), run: (until) => this.#until(until) },
      options,
    );
    this.#nodes.set(name, node);
    node.powerOn();
    return node;
  }

  /** A cable from a node with `uplink: 'link'` to another one, plugged in; it is used again whenever both are there. `baud`: a serial one. */
  link(dials: SiteNode, accepts: SiteNode, options: { readonly baud?: number } = {}): Pick<SimLink, 'plug' | 'unplug'> {
    const random = this.#random(`${dials.name} ${accepts.name}`);
    return new SimLink({ world: this.#world, random, dials: dials.sim, accepts: accepts.sim, ...options });
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    this.#untilMs = Math.max(this.#untilMs, untilMs);
    while (this.nowMs < untilMs) await this.#run();
  }

  #random(name: string): Prng {
    return stream(this.#seed, name);
  }

  async #until(answer: Promise<unknown>): Promise<void> {
    const waiter = {};
    this.#waiting.add(waiter);
    const settle = (): void => void this.#waiting.delete(waiter);
    answer.then(settle, settle);
    while (this.#waiting.has(waiter)) await this.#run();
  }

  #run(): Promise<void> {
    this.#running ??= this.#go().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #go(): Promise<void> {
    const isDone = (): boolean => this.#waiting.size === 0 && this.nowMs >= this.#untilMs;
    while (!isDone()) {
      const untilMs = this.#waiting.size > 0 ? this.nowMs + STRETCH_MS : this.#untilMs;
      await this.#world.run(untilMs, isDone);
    }
  }
}

interface Place {
  readonly name: string;
  readonly world: World;
  readonly random: Prng;
  /** Lets time pass until that is settled. */
  readonly run: (until: Promise<unknown>) => Promise<void>;
}

/** A node of the site, and a program's way to it. */
export class SiteNode extends RingmailClient {
  readonly name: string;
  readonly sim: SimNode;
  readonly #calls: SiteCalls;

  constructor({ name, world, random, run }: Place, { queues = {}, uplink = 'none', dateMs }: SiteNodeOptions) {
    const sim = new SimNode({
      world,
      random,
      syncMsMax: SYNC_MS_MAX,
      ...(dateMs !== undefined && { dateUs: 1_000 * dateMs }),
      config: {
        name,
        queues: Object.entries(queues).map(([queue, definition]) => ({ name: queue, ...definition })),
        unknownQueue: 'create',
        queueBytesLimit: QUEUE_BYTES,
        uplink,
        central: 'central',
        isCentral: 'no',
        partitionCount: 1,
        commitDelayMs: 0,
        home: undefined,
      },
    });
    const calls = new SiteCalls(sim, { run, promised: () => world.promised() });
    super(calls);
    this.name = name;
    this.sim = sim;
    this.#calls = calls;
  }

  /** Gone from one instant to the next; who waits for an answer is told NODE_STOPPED, and knows no more than in life. */
  powerOff(): void {
    this.sim.powerCut();
    this.#calls.stopped();
  }

  powerOn(): void {
    this.sim.start();
  }

  /** Somebody sets its clock, by so many ms. */
  setClock(byMs: number): void {
    this.sim.jumpWallClock(byMs);
  }
}

class SiteCalls implements NodeCalls {
  readonly #sim: SimNode;
  readonly #time: Pick<Place, 'run'> & { readonly promised: () => void };
  readonly #open = new Set<(error: Error) => void>();

  constructor(sim: SimNode, time: Pick<Place, 'run'> & { readonly promised: () => void }) {
    this.#sim = sim;
    this.#time = time;
  }

  call(call: Call, signal?: AbortSignal): Promise<Success> {
    const answer = new Promise<Success>((resolve, reject) => {
      if (!this.#sim.isUp) throw new RingmailError('NODE_STOPPED', { reason: 'switched off' });
      const fail = (error: Error): void => {
        this.#open.delete(fail);
        reject(error);
      };
      this.#open.add(fail);
      const token = this.#sim.call(call, (result) => {
        this.#time.promised();
        signal?.removeEventListener('abort', abort);
        this.#open.delete(fail);
        if (result.kind === 'error') reject(result.error);
        else resolve(result);
      });
      const abort = (): void => {
        if (token !== undefined) this.#sim.cancel(token);
        this.#open.delete(fail);
        resolve({ kind: 'empty' });
      };
      if (signal?.aborted === true) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
    void this.#time.run(answer);
    return answer;
  }

  stopped(): void {
    for (const fail of this.#open) fail(new RingmailError('NODE_STOPPED', { reason: 'power off' }));
  }
}

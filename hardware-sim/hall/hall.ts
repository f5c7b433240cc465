/**
 * A baggage hall: belts, lines, and the processes of the whole path, on one machine. It lets them run, breaks them as planned, brings
 * them back, and draws the ledger when everything that was acknowledged has arrived.
 *
 *   open ──▶ ready ──start──▶ running ──drain──▶ drained ──close──▶ closed
 */

import { type Seed, stream } from '../random.ts';
import { HallBelt, type HallTelegrams, keysOf } from './hall-belt.ts';
import { type Breakable, Breaker } from './hall-breaker.ts';
import { type HallLedger, settle } from './hall-ledger.ts';
import { BELT_COUNT, beltLabel, NEIGHBOUR } from './hall-nodes.ts';
import { COMPACT_HALL_TARGETS, FULL_HALL_TARGETS, planOutages } from './hall-outages.ts';
import { APPLICATION, Plant, type PlantOptions } from './hall-plant.ts';
import { type HallView, type NodeView, nodeView } from './hall-view.ts';
import { ArrivalTail, NodeWatch } from './hall-watch.ts';

/** From the start of the processes until every node answers, in ms. Usually one second; a loaded machine takes a few. */
export const READY_MS_MAX = 60_000;
/** What draining may take, in ms: the longest reconnect and the longest repeat, several times over. */
export const DRAIN_MS_MAX = 60_000;
/** What a drained hall is given to become quiet, in ms: the last receipts, and repeats that should not come. */
export const QUIET_MS_MAX = 3_000;
/** How often it is looked whether something has come, in ms. */
const LOOK_MS = 100;

export interface HallOptions extends Omit<PlantOptions, 'onLine' | 'onTrouble'> {
  readonly seed: Seed;
  readonly telegrams: HallTelegrams;
  /** What happens, in words for people. Troubles are told too. */
  readonly onEvent: (text: string) => void;
}

/** Not every node answered in time, or it was not wanted any more. */
export class HallNotReady extends Error {}

export class Hall {
  /** What must not happen: processes that end by themselves or do not end when told to, outages that could not be made. */
  readonly troubles: string[] = [];
  readonly #options: HallOptions;
  readonly #belts: readonly HallBelt[];
  readonly #plant: Plant;
  readonly #breaker: Breaker;
  readonly #tail: ArrivalTail;
  readonly #watches: ReadonlyMap<string, NodeWatch>;
  readonly #looking: ReturnType<typeof setInterval>;
  readonly #away: Breakable[] = [];
  /** What arrived at a neighbour while broker and central were away; undefined: they never were. */
  #neighbours: number | undefined;
  #isClosed = false;
  #startedMs: number | undefined;
  #drainedMs: number | undefined;

  private constructor(options: HallOptions, parts: { belts: readonly HallBelt[]; plant: Plant; troubles: string[] }) {
    this.#options = options;
    this.#belts = parts.belts;
    this.#plant = parts.plant;
    this.troubles = parts.troubles;
    this.#tail = new ArrivalTail(this.#plant.arrivalsPath);
    this.#watches = new Map(this.#plant.nodes.map(({ name }) => [name, new NodeWatch(this.#plant.socketOf(name))]));
    this.#looking = setInterval(() => this.#tail.read(), LOOK_MS);
    this.#breaker = new Breaker({
      breakables: this.#plant.breakables,
      onEvent: options.onEvent,
      onFailure: (text) => {
        this.troubles.push(text);
        options.onEvent(text);
      },
    });
  }

  /** Resolves when every node answers. @throws HallNotReady after READY_MS_MAX or when `signal` aborts: nothing runs then */
  static async open(options: HallOptions, signal: AbortSignal): Promise<Hall> {
    const belts = Array.from({ length: BELT_COUNT }, (_, i) => new HallBelt(i, BELT_COUNT, options.telegrams));
    const troubles: string[] = [];
    const plant = await Plant.build({
      ...options,
      onLine: (index, line) => belts[index]?.onLine(line),
      onTrouble: (text) => {
        troubles.push(text);
        options.onEvent(text);
      },
    });
    const hall = new Hall(options, { belts, plant, troubles });
    try {
      await plant.start();
      const isReady = (): boolean => [...hall.#watches.values()].every(({ state }) => state === 'answering');
      if (!(await hall.#until(isReady, READY_MS_MAX, signal))) {
        throw new HallNotReady(signal.aborted ? 'stopped before it was ready' : `not ready within ${READY_MS_MAX} ms`);
      }
      return hall;
    } catch (error) {
      await hall.close();
      throw error;
    }
  }

  /** Bytes that noise has damaged on the cables so far. */
  get damagedCount(): number {
    return this.#plant.damagedCount;
  }

  /** The belts begin to tell. With `outages` each kind of them happens once within that many ms, or once in each of `rounds`. */
  start(outages?: { readonly withinMs: number; readonly rounds?: number }): void {
    this.#startedMs = performance.now();
    for (const belt of this.#belts) belt.start();
    if (outages === undefined) return;
    const { shape, seed } = this.#options;
    const targets = shape === 'full' ? FULL_HALL_TARGETS : COMPACT_HALL_TARGETS;
    const counts = Object.fromEntries(targets.map((target) => [target, this.#plant.breakables[target]?.length ?? 0]));
    const rounds = outages.rounds ?? 1;
    const forMs = outages.withinMs / rounds;
    const random = stream(seed, 'outages');
    for (let round = 0; round < rounds; round++) {
      const plan = planOutages({ targets, counts, forMs, random });
      this.#breaker.begin(plan.map((outage) => ({ ...outage, atMs: outage.atMs + round * forMs })));
    }
  }

  /**
   * Broker and central are gone from one instant to the next, and stay away until `drain`: what neighbours tell each other must not
   * need them. Before the belts start: resolves when the gateway has both devices, to false when it has not in time.
   */
  async part(signal: AbortSignal): Promise<boolean> {
    const gateway = this.#plant.nodes.find(({ role }) => role === 'gateway')?.name ?? '';
    const links = (): string => this.#watches.get(gateway)?.stats?.links.join() ?? '';
    const knows = (): boolean => ['device-1', NEIGHBOUR].every((name) => links().includes(name));
    if (!(await this.#until(knows, READY_MS_MAX, signal))) return false;
    const { broker = [], central = [] } = this.#plant.breakables;
    for (const away of [...broker, ...central]) {
      await away.break();
      this.#away.push(away);
      this.#options.onEvent(`${away.name} is gone, and stays away until the end`);
    }
    return true;
  }

  /** Broker and central are there again; what arrived without them is counted. */
  async #rejoin(): Promise<void> {
    if (this.#away.length === 0) return;
    this.#tail.read();
    this.#neighbours = this.#tail.records.filter(
      (record) => record.kind === 'effect' && record.arrival.label === beltLabel(0) && record.arrival.ending === undefined,
    ).length;
    for (const away of this.#away.splice(0)) {
      await away.mend();
      this.#options.onEvent(`${away.name} is back`);
    }
  }

  /** Given telegrams only: resolves when all were acknowledged, at the latest when `signal` aborts. */
  async allTold(signal: AbortSignal): Promise<void> {
    await this.#until(() => this.#belts.every((belt) => belt.isDone), Number.POSITIVE_INFINITY, signal);
  }

  /**
   * No new telegrams, no new outages; what is out comes back. Resolves to true when everything that was acknowledged has arrived, to
   * false when it has not within DRAIN_MS_MAX.
   */
  async drain(): Promise<boolean> {
    const never = new AbortController().signal;
    await this.#rejoin();
    const stopped = Promise.all([this.#breaker.end(), ...this.#belts.map((belt) => belt.stop())]).then(() => 'stopped' as const);
    let isStopped = false;
    void stopped.then(() => {
      isStopped = true;
    });
    const isDrained = await this.#until(() => isStopped && this.#isBalanced(), DRAIN_MS_MAX, never);
    this.#drainedMs = performance.now();
    const isQuiet = (): boolean =>
      this.view().nodes.every(({ forNextNode, forApplication }) => forNextNode + forApplication === 0);
    if (isDrained) await this.#until(isQuiet, QUIET_MS_MAX, never);
    await Promise.all([...this.#watches.values()].map((watch) => watch.ask()));
    return isDrained;
  }

  /** Ends everything. After that the ledger is final. A second call does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#breaker.end();
    for (const belt of this.#belts) belt.close();
    for (const watch of this.#watches.values()) watch.close();
    await this.#plant.stop();
    clearInterval(this.#looking);
    this.#tail.read();
    this.#tail.close();
    if (this.#tail.unreadable > 0) this.troubles.push(`${this.#tail.unreadable} lines of the application's file are no records`);
  }

  ledger(): HallLedger {
    const { telegrams } = this.#options;
    const endedMs = this.#drainedMs ?? performance.now();
    return settle({
      belts: this.#belts.map(({ label, controller }) => ({ label, accepted: controller.accepted })),
      records: this.#tail.records,
      keyOf: keysOf(telegrams),
      outages: this.#breaker.count,
      neighbours: this.#neighbours,
      seconds: (endedMs - (this.#startedMs ?? endedMs)) / 1000,
    });
  }

  view(): HallView {
    const nodes = this.#plant.nodes.map(({ role, name }): NodeView => {
      const watch = this.#watches.get(name);
      const state = !this.#plant.isUp(name) ? 'down' : watch?.state === 'answering' ? 'up' : 'silent';
      return nodeView({ role, name, state }, watch ?? { stats: undefined, framesSeen: 0 });
    });
    return {
      seconds: this.#startedMs === undefined ? 0 : (performance.now() - this.#startedMs) / 1000,
      belts: this.#belts.map(({ label, controller }) => ({
        label,
        acknowledged: controller.accepted.length,
        repeats: controller.counters.repeats,
      })),
      nodes,
      application: { ...this.#tail.counts, state: this.#plant.isUp(APPLICATION) ? 'up' : 'down' },
      out: [...this.#breaker.out],
      outages: this.#breaker.count,
    };
  }

  /** Of the application's file and the belts' acknowledgements. */
  #isBalanced(): boolean {
    const acknowledged = this.#belts.reduce((total, { controller }) => total + controller.accepted.length, 0);
    if (this.#tail.identityCount < acknowledged) return false;
    const { accepted, received, deadLettered, expired, lost } = this.ledger();
    return lost === 0 && accepted === received + deadLettered + expired;
  }

  /** False when the time is over or the signal aborted before `holds` did. */
  async #until(holds: () => boolean, waitMs: number, signal: AbortSignal): Promise<boolean> {
    const endMs = performance.now() + waitMs;
    while (!holds()) {
      if (signal.aborted || performance.now() >= endMs) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return true;
  }
}

/**
 * The yard: whole paths of nodes, lines, a broker and applications in one process and in virtual time, in which a plan's messages are
 * sent while a plan's faults strike. The nodes are the product's own core; everything around them is simulated.
 *
 *   trouble: messages are sent while things break ─▶ heal ─▶ calm: everything must arrive ─▶ all power off and on ─▶ the checks
 *
 * A run is a function of its plan.
 */
import type { NodeConfig } from '../../shared/core/node-io.ts';
import { RingmailError } from '../../shared/errors.ts';
import type { OpenReport } from '../../shared/ring/ring.ts';
import { type Prng, stream } from '../random.ts';
import { SimBroker } from '../sim-broker.ts';
import { SimNode } from '../sim-node.ts';
import { World } from '../world.ts';
import { Leases, Reader, type Stage, sendPlanned } from './applications.ts';
import { judge } from './checks.ts';
import { endOfRun } from './end-of-run.ts';
import type { History, Violation } from './history.ts';
import { BROKER_FAULTS, LINE_FAULTS } from './medium-faults.ts';
import { Blame, cutPower, hasBacklog, strikeNode, type Wreckage } from './node-faults.ts';
import { Oracle } from './oracle.ts';
import { pairsOf } from './pairs.ts';
import { geometryOf, type Plan, type PlannedFault, type PlannedNode } from './plan.ts';
import { Recorder } from './recorder.ts';
import { Wiring } from './wiring.ts';

export interface YardRun {
  readonly history: History;
  readonly violations: readonly Violation[];
  /** How often each check had something to look at. */
  readonly looked: ReadonlyMap<string, number>;
  /** Two runs of a plan agree on it. */
  readonly trace: number;
  readonly virtualMs: number;
  /** Events run. */
  readonly steps: number;
  readonly delivered: number;
  /** Too little arrived to say anything. */
  readonly vacuous: boolean;
  readonly marks: ReadonlySet<string>;
  readonly faults: Readonly<Record<string, number>>;
  readonly pairs: readonly string[];
}

/** Below this many effects a run proves nothing. */
const DELIVERED_COUNT_MIN = 30;
/** After the last fault everything must have arrived within this many virtual milliseconds. */
const HEAL_MS = 900_000;
const LOOK_MS = 250;
/** Longer than any restart takes. */
const SUPERVISE_MS = 4_000;
const STEPS_MAX = 3_000_000;

export function runPlan(plan: Plan): Promise<YardRun> {
  return new Yard(plan).run();
}

class Yard {
  readonly #plan: Plan;
  readonly #world: World;
  readonly #recorder: Recorder;
  readonly #oracle: Oracle;
  readonly #stage: Stage;
  readonly #broker: SimBroker;
  readonly #wiring: Wiring;
  readonly #wreckage: Wreckage;
  readonly #nodes = new Map<string, SimNode>();
  readonly #readers: Reader[] = [];
  readonly #leases = new Leases();
  readonly #openedAt = new Map<string, number>();
  readonly #endings: (() => void)[] = [];
  #unsent: number;
  #lastTroubleMs = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#world = new World(this.#stream('scheduler'), 'when-due');
    const world = this.#world;
    const recorder = new Recorder(world);
    this.#recorder = recorder;
    this.#oracle = new Oracle({ random: this.#stream('oracle'), recorder, world, cutEvery: plan.world.cutEvery });
    this.#stage = { world, recorder, oracle: this.#oracle, random: this.#stream('applications'), phase: 'trouble' };
    this.#broker = new SimBroker({ scheduler: world, random: this.#stream('broker') });
    this.#wiring = new Wiring(world, this.#stream('lines'));
    this.#wreckage = {
      world,
      random: this.#stream('strikes'),
      oracle: this.#oracle,
      recorder,
      leases: this.#leases,
      blame: new Blame(),
    };
    this.#unsent = plan.sends.length;
    for (const node of plan.world.nodes) this.#build(node);
    this.#employ();
  }

  async run(): Promise<YardRun> {
    const world = this.#world;
    for (const planned of this.#plan.world.nodes) {
      const [from, to] = [this.#nodes.get(planned.name), this.#nodes.get(planned.dials ?? '')];
      if (from !== undefined && to !== undefined) this.#wiring.lay(planned, from, to);
    }
    this.#supervise();
    this.#send();
    for (const fault of this.#plan.faults) world.at(fault.atMs, () => this.#strike(fault));
    for (const { atMs, forMs } of this.#plan.faults) this.#lastTroubleMs = Math.max(this.#lastTroubleMs, atMs + forMs);
    await world.run(Number.MAX_SAFE_INTEGER, () => this.#isOver, STEPS_MAX);
    this.#heal();
    await world.run(world.nowMs + HEAL_MS, () => this.#isQuiet, STEPS_MAX);
    const quietMs = world.nowMs;
    await world.run(world.nowMs + 1_000, undefined, STEPS_MAX);
    await this.#restartAll();
    const alive = [...this.#nodes.values()].filter((node) => node.isServing);
    await endOfRun({ stage: this.#stage, nodes: alive, unsentMax: this.#wiring.unsentMax, quietMs });
    return this.#result();
  }

  #result(): YardRun {
    const { events, marks, faults, trace } = this.#recorder;
    const bauds = this.#plan.world.nodes.map(({ baud }) => (baud === undefined ? 1_000_000 : baud / 10));
    const history: History = {
      facts: {
        seed: this.#plan.seed,
        lineBytes: this.#wiring.counters.lineBytes,
        publishes: this.#broker.counters.published,
        lineBytesPerSecond: Math.min(...bauds),
        backlogBytesMax: this.#oracle.backlogBytesMax,
        uncaught: [],
      },
      events,
    };
    const { violations, looked } = judge(history);
    const delivered = events.filter(({ kind }) => kind === 'effect').length;
    return {
      history,
      violations,
      looked,
      trace: (trace ^ this.#world.steps) >>> 0,
      virtualMs: this.#world.nowMs,
      steps: this.#world.steps,
      delivered,
      vacuous: delivered < Math.min(DELIVERED_COUNT_MIN, this.#plan.sends.length / 4),
      marks: new Set(marks.keys()),
      faults,
      pairs: pairsOf(events, marks),
    };
  }

  // Building.

  #stream(name: string): Prng {
    return stream(this.#plan.seed, name);
  }

  #build(plan: PlannedNode): void {
    const world = this.#world;
    const isOnBroker = plan.uplink === 'mqtt' || plan.isCentral === 'yes';
    const node = new SimNode({
      world,
      config: configOf(plan),
      random: this.#stream(`node ${plan.name}`),
      syncMsMax: plan.syncMsMax,
      geometry: geometryOf(plan),
      driftPpm: plan.driftPpm,
      ...(isOnBroker && { connectBroker: () => this.#broker.connect(plan.name) }),
      onOpening: (one) => this.#opening(one),
      onServing: (one, report) => this.#serving(one, report),
      onWriting: (one, write) => this.#oracle.writing(one, write),
      onDurable: (one, write) => this.#oracle.wrote(one, write),
      onStopped: (one, error) => this.#stopped(one, error),
    });
    this.#nodes.set(plan.name, node);
    this.#oracle.watch(node);
  }

  #employ(): void {
    const unready = new Set<string>();
    const effects = new Set<string>();
    const perQueue = new Map<string, number>();
    for (const plan of this.#plan.world.readers) {
      const node = this.#nodes.get(plan.node);
      if (node === undefined) continue;
      this.#readers.push(new Reader(this.#stage, { plan, node, effects, leases: this.#leases, unready }));
      const queue = `${plan.node}/${plan.queue}`;
      perQueue.set(queue, (perQueue.get(queue) ?? 0) + 1);
    }
    if ([...perQueue.values()].some((count) => count > 1)) this.#recorder.mark('two readers of a queue');
  }

  #send(): void {
    for (const [at, send] of this.#plan.sends.entries()) {
      const node = this.#nodes.get(send.node);
      const key = `${send.node}:${at + 1}`;
      if (node === undefined) this.#sent();
      else this.#world.at(send.atMs, () => sendPlanned(this.#stage, { node, send, key }, () => this.#sent()));
    }
  }

  #sent(): void {
    this.#unsent -= 1;
  }

  // What nodes say of themselves.

  #opening(node: SimNode): void {
    this.#openedAt.set(node.name, this.#world.nowMs);
    this.#oracle.opening(node);
    this.#recorder.add({ kind: 'opening', node: node.name });
  }

  #serving(node: SimNode, report: OpenReport): void {
    const tookMs = this.#world.nowMs - (this.#openedAt.get(node.name) ?? 0);
    const stats = node.stats();
    if (stats === undefined) return;
    const { incarnation, ring } = stats;
    if (ring.lost.gaps > 0) this.#recorder.mark('loss on record');
    this.#recorder.add({ kind: 'serving', node: node.name, incarnation, report, tookMs });
    for (const reader of this.#readers) if (reader.node === node) reader.begin();
  }

  #stopped(node: SimNode, error: Error): void {
    const because = this.#wreckage.blame.take(node.name);
    if (error.message.startsWith('forked')) this.#recorder.mark('new incarnation');
    const code = error instanceof RingmailError ? error.code : undefined;
    this.#recorder.add({ kind: 'stopped', node: node.name, code, text: error.message, because });
  }

  // Trouble.

  #strike(fault: PlannedFault): void {
    if (this.#stage.phase === 'calm') return;
    const { atMs, forMs, target } = fault;
    const struck = this.#strikeNow(fault);
    if (!struck) return;
    this.#recorder.add({
      kind: 'fault',
      fault: fault.fault,
      target,
      untilMs: this.#world.nowMs + (struck === 'once' ? 0 : forMs),
    });
    this.#lastTroubleMs = Math.max(this.#lastTroubleMs, atMs + forMs);
  }

  #strikeNow({ fault, target, forMs }: PlannedFault): 'once' | 'lasting' | undefined {
    const { random } = this.#wreckage;
    const line = LINE_FAULTS.find(({ name }) => name === fault);
    const broker = BROKER_FAULTS.find(({ name }) => name === fault);
    if (line !== undefined) {
      const pair = this.#wiring.pairOf(target);
      const node = this.#nodes.get(target);
      if (pair === undefined || pair.isClosed) return undefined;
      if (node !== undefined && hasBacklog(node)) this.#recorder.mark('line gone with a backlog to hand over');
      this.#forAWhile(line.strike(pair, random), forMs);
      return 'lasting';
    }
    if (broker !== undefined) {
      const clients = this.#plan.world.nodes.filter(({ uplink, isCentral }) => uplink === 'mqtt' || isCentral === 'yes');
      const names = clients.map(({ name }) => name) as [string, ...string[]];
      if (names.some((name) => hasBacklogAt(this.#nodes.get(name))))
        this.#recorder.mark('broker gone with a backlog to hand over');
      this.#forAWhile(broker.strike({ broker: this.#broker, clients: names }, random), forMs);
      return 'lasting';
    }
    const node = this.#nodes.get(target);
    if (node === undefined) return undefined;
    const both = [...this.#nodes.values()].some((other) => other !== node && !other.isUp);
    if (!strikeNode(this.#wreckage, fault, { node, forMs })) return undefined;
    if (both && !node.isUp) this.#recorder.mark('power cut of both ends of a hop');
    return 'lasting';
  }

  #forAWhile(off: () => void, forMs: number): void {
    let isOn = true;
    const end = (): void => {
      if (isOn) off();
      isOn = false;
    };
    this.#endings.push(end);
    this.#world.after(forMs, end);
  }

  get #isOver(): boolean {
    return this.#unsent === 0 && this.#world.nowMs >= this.#lastTroubleMs;
  }

  // Calm.

  #heal(): void {
    this.#stage.phase = 'calm';
    const dead = this.#plan.world.dead.filter((name) => this.#nodes.has(name));
    for (const end of this.#endings) end();
    for (const node of this.#nodes.values()) {
      node.disk.healReads();
      node.disk.healWrites();
      node.disk.flush();
      node.disk.latency = undefined;
      this.#oracle.mended(node, 'all');
      node.resume();
      if (dead.includes(node.name) && node.isUp) cutPower(this.#wreckage, node);
    }
    this.#recorder.add({ kind: 'healed', dead });
  }

  /** Whoever is down comes up again, if only slowly; the dead stay down. */
  #supervise(): void {
    const isDead = (name: string) => this.#stage.phase === 'calm' && this.#plan.world.dead.includes(name);
    for (const node of this.#nodes.values()) {
      if (!node.isUp && !isDead(node.name)) node.start();
      if (node.isUp && isDead(node.name)) cutPower(this.#wreckage, node);
    }
    this.#world.after(SUPERVISE_MS, () => this.#supervise());
  }

  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #wasQuiet = false;

  /** Nothing waits anywhere, at two looks in a row. */
  get #isQuiet(): boolean {
    const { nowMs } = this.#world;
    if (nowMs < this.#lookedAtMs + LOOK_MS) return false;
    this.#lookedAtMs = nowMs;
    const dead = new Set(this.#plan.world.dead);
    const isQuiet = [...this.#nodes.values()].every((node) => dead.has(node.name) || isIdle(node));
    const wasQuiet = this.#wasQuiet;
    this.#wasQuiet = isQuiet;
    return isQuiet && wasQuiet;
  }

  /** The power goes everywhere, once more: what was true must be true after it. */
  async #restartAll(): Promise<void> {
    const world = this.#world;
    const up = [...this.#nodes.values()].filter((node) => node.isUp);
    for (const node of up) cutPower(this.#wreckage, node);
    for (const node of up) node.start();
    await world.run(world.nowMs + 60_000, () => up.every((node) => node.isServing), STEPS_MAX);
    await world.run(world.nowMs + 5_000, undefined, STEPS_MAX);
    this.#recorder.mark('everything restarted at the end');
  }
}

function hasBacklogAt(node: SimNode | undefined): boolean {
  return node !== undefined && hasBacklog(node);
}

function isIdle(node: SimNode): boolean {
  const stats = node.isServing ? node.stats() : undefined;
  if (stats === undefined) return false;
  const isQueued = stats.queues.some(({ name, ready, leased, delayed }) => name !== '$dead' && ready + leased + delayed > 0);
  return !isQueued && stats.outgoing.every(({ held }) => held === 0);
}

function configOf(plan: PlannedNode): NodeConfig {
  return {
    name: plan.name,
    queues: plan.queues,
    unknownQueue: 'refuse',
    queueBytesLimit: 40_000,
    uplink: plan.uplink,
    central: plan.central,
    isCentral: plan.isCentral,
    partitionCount: 1,
    commitDelayMs: plan.commitDelayMs,
    home: 'this machine',
  };
}

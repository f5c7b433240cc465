/**
 * The yard: whole paths of nodes, lines, a broker and applications in one process and in virtual time, in which a plan's messages are
 * sent while a plan's faults strike. The nodes are the product's own core; everything around them is simulated.
 *
 *   trouble: messages are sent while things break ─▶ heal ─▶ calm: everything must arrive ─▶ all power off and on ─▶ the checks
 *
 * A run is a function of its plan.
 */

import { InvariantViolation } from '../../shared/assert.ts';
import type { Stats } from '../../shared/core/calls.ts';
import type { NodeConfig, UplinkSetup } from '../../shared/core/node-io.ts';
import { RingmailError } from '../../shared/errors.ts';
import type { Broker } from '../../shared/ports.ts';
import { statusPublish } from '../../shared/relay/status-layout.ts';
import type { OpenReport } from '../../shared/ring/ring.ts';
import { type Prng, stream } from '../random.ts';
import { SimBroker } from '../sim-broker.ts';
import type { SimDisk } from '../sim-disk.ts';
import { SimNode, type SimNodeOptions } from '../sim-node.ts';
import { World } from '../world.ts';
import { Leases, Reader, type Stage, sendPlanned } from './applications.ts';
import { judge } from './checks.ts';
import { Clones } from './clones.ts';
import { endOfRun } from './end-of-run.ts';
import { guarded } from './guard.ts';
import type { History, RunFacts, Violation } from './history.ts';
import { leftOut } from './left-out.ts';
import { RECORD_QUEUES } from './letters.ts';
import { Operator } from './operator.ts';
import { Oracle } from './oracle.ts';
import { pairsOf } from './pairs.ts';
import { type FurtherUplink, geometryOf, type Plan, type PlannedNode, type PlannedSend, type PlannedWorld } from './plan.ts';
import { Recorder } from './recorder.ts';
import { Trouble } from './trouble.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualMqtt, type YardBroker } from './virtual-mqtt.ts';
import { markWays } from './ways-marks.ts';
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

/** `guarded`: whatever would make two runs differ, a clock, a timer, chance or a thread, fails the run. */
export function runPlan(plan: Plan, options: { forbid?: 'guarded' } = {}): Promise<YardRun> {
  const run = (): Promise<YardRun> => {
    const yard = new Yard(plan);
    return plan.world.broker === 'mqtt' ? yard.clock.during(() => yard.run()) : yard.run();
  };
  return options.forbid === undefined ? run() : guarded(run);
}

class Yard {
  /** For what asks the machine for time and chance. */
  readonly clock: VirtualClock;
  readonly #plan: Plan;
  readonly #world: World;
  readonly #recorder: Recorder;
  readonly #oracle: Oracle;
  readonly #stage: Stage;
  readonly #broker: YardBroker;
  /** Where there are two. */
  readonly #secondBroker: SimBroker | undefined;
  readonly #wiring: Wiring;
  readonly #trouble: Trouble;
  readonly #nodes = new Map<string, SimNode>();
  readonly #readers: Reader[] = [];
  readonly #leases = new Leases();
  readonly #operator: Operator;
  readonly #openedAt = new Map<string, number>();
  #unsent: number;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#world = new World(this.#stream('scheduler'), 'when-due');
    const world = this.#world;
    const recorder = new Recorder(world);
    this.#recorder = recorder;
    this.#oracle = new Oracle({ random: this.#stream('oracle'), recorder, world, cutEvery: plan.world.cutEvery });
    this.#stage = { world, recorder, oracle: this.#oracle, phase: 'trouble' };
    this.clock = new VirtualClock({ world, random: this.#stream('globals') });
    const random = this.#stream('broker');
    const isReal = plan.world.broker === 'mqtt';
    this.#broker = isReal ? new VirtualMqtt({ scheduler: world, random }) : new SimBroker({ scheduler: world, random });
    if (plan.world.ways?.brokers === 2)
      this.#secondBroker = new SimBroker({ scheduler: world, random: this.#stream('second broker') });
    this.#wiring = new Wiring(world, (name) => this.#stream(`line ${name}`));
    this.#trouble = new Trouble({
      stage: this.#stage,
      seed: plan.seed,
      nodes: this.#nodes,
      wiring: this.#wiring,
      broker: {
        port: this.#broker,
        kind: plan.world.broker,
        clients: plan.world.nodes.filter(isOnBroker).flatMap((node) => clientsOf(node, node.name)),
      },
      leases: this.#leases,
      clones: new Clones({
        stage: this.#stage,
        plan,
        nodes: this.#nodes,
        wiring: this.#wiring,
        build: (planned, label, disk) => this.#clone(planned, label, disk),
      }),
    });
    this.#operator = new Operator(this.#stage, this.#nodes);
    this.#unsent = plan.sends.length;
    for (const node of plan.world.nodes) this.#build(node);
    this.#employ();
  }

  async run(): Promise<YardRun> {
    const world = this.#world;
    for (const planned of this.#plan.world.nodes) {
      const [from, to] = [this.#nodes.get(planned.name), this.#nodes.get(planned.dials ?? '')];
      if (from !== undefined && to !== undefined) this.#wiring.lay(planned, from, to);
      for (const uplink of planned.uplinks ?? []) {
        const other = uplink.via === 'link' ? this.#nodes.get(uplink.dials) : undefined;
        if (from !== undefined && other !== undefined) this.#wiring.layFurther(planned, { from, to: other }, uplink.name);
      }
    }
    this.#supervise();
    this.#send();
    this.#trouble.plan(this.#plan.faults);
    this.#operator.plan(this.#plan.chores ?? []);
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
    for (const node of this.#nodes.values())
      if (node.disk.counters.bytesWritten > node.disk.bytes) this.#recorder.mark('ring written through');
    const { events, marks, faults, trace } = this.#recorder;
    const bauds = this.#plan.world.nodes.map(({ baud }) => (baud === undefined ? 1_000_000 : baud / 10));
    const history: History = {
      facts: {
        seed: this.#plan.seed,
        lineBytes: this.#wiring.counters.lineBytes,
        publishes: this.#broker.counters.published + (this.#secondBroker?.counters.published ?? 0),
        lineBytesPerSecond: Math.min(...bauds),
        backlogBytesMax: this.#oracle.backlogBytesMax,
        deliveriesMax: deliveriesMaxOf(this.#plan),
        ...keepingOf(this.#plan),
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
    const node = this.#make(plan, plan.name);
    this.#nodes.set(plan.name, node);
    this.#oracle.watch(node);
  }

  #clone(plan: PlannedNode, label: string, disk: SimDisk): SimNode {
    const clone = this.#make(plan, label);
    clone.insert(disk);
    this.#oracle.watch(clone, 'used');
    return clone;
  }

  #make(plan: PlannedNode, label: string): SimNode {
    return new SimNode({
      world: this.#world,
      config: configOf(plan, this.#plan.world),
      label,
      random: this.#stream(`node ${label}`),
      syncMsMax: plan.syncMsMax,
      geometry: geometryOf(plan),
      driftPpm: plan.driftPpm,
      ...(isOnBroker(plan) && this.#brokersOf(plan, label)),
      onOpening: (one) => this.#opening(one),
      onServing: (one, report) => this.#serving(one, report),
      onWriting: (one, write) => this.#oracle.writing(one, write),
      onDurable: (one, write) => this.#oracle.wrote(one, write),
      onStopped: (one, error) => this.#stopped(one, error),
      onDown: (one, how, stats) => {
        this.#recorder.add({ kind: 'down', node: one.name, how, leftOut: leftOut(stats) });
        this.#lookAtWays(stats);
      },
    });
  }

  /** Its connections: one, or one for each of its uplinks, or for each broker of a central. */
  #brokersOf(plan: PlannedNode, label: string): Pick<SimNodeOptions, 'connectBroker' | 'connectBrokers' | 'dropBroker'> {
    const [first, second] = [this.#broker, this.#secondBroker];
    if (plan.uplinks === undefined && (second === undefined || plan.isCentral === 'no'))
      return { connectBroker: () => first.connect(label), dropBroker: () => first.cut(label, 'power cut') };
    const will = statusPublish({ kind: 'offline', node: plan.name });
    const connect = (broker: YardBroker | undefined, client: string) => () => (broker ?? first).connect(client, { will });
    const names = plan.isCentral === 'yes' ? CENTRAL_BROKERS : ['up', ...(plan.uplinks ?? []).map(({ name }) => name)];
    const connectBrokers: Record<string, () => Broker> = {};
    for (const [at, name] of names.entries()) {
      const uplink = at === 0 ? undefined : plan.uplinks?.[at - 1];
      const isSecond = plan.isCentral === 'yes' ? at === 1 : uplink?.via === 'mqtt' && uplink.broker === 2;
      const isOver = plan.isCentral === 'yes' || (at === 0 ? plan.uplink : uplink?.via) === 'mqtt';
      if (isOver) connectBrokers[name] = connect(isSecond ? second : first, at === 0 || isSecond ? label : `${label}+${name}`);
    }
    const dropBroker = (): void => {
      for (const client of clientsOf(plan, label)) first.cut(client, 'power cut');
      second?.cut(label, 'power cut');
    };
    return { connectBrokers, dropBroker };
  }

  /** What of several ways was met: for the coverage. */
  #lookAtWays(stats: Stats | undefined): void {
    if (this.#plan.world.ways !== undefined && stats !== undefined) markWays(this.#recorder, stats);
  }

  #employ(): void {
    const unready = new Set<string>();
    const effects = new Set<string>();
    const perQueue = new Map<string, number>();
    for (const [at, plan] of this.#plan.world.readers.entries()) {
      const node = this.#nodes.get(plan.node);
      const queue = this.#plan.world.nodes.find(({ name }) => name === plan.node)?.queues.find(({ name }) => name === plan.queue);
      if (node === undefined || queue === undefined) continue;
      const random = this.#stream(`reader ${at}`);
      this.#readers.push(
        new Reader(this.#stage, {
          name: `${plan.node}/${plan.queue}#${at}`,
          plan,
          queue,
          node,
          random,
          effects,
          leases: this.#leases,
          unready,
        }),
      );
      const address = `${plan.node}/${plan.queue}`;
      perQueue.set(address, (perQueue.get(address) ?? 0) + 1);
    }
    if ([...perQueue.values()].some((count) => count > 1)) this.#recorder.mark('two readers of a queue');
  }

  #send(): void {
    for (const send of this.#plan.sends) {
      const node = this.#nodes.get(send.node);
      if (node === undefined) this.#sent();
      else
        this.#world.at(send.atMs, () =>
          sendPlanned(this.#stage, { node, send, routed: this.#routedOf(send) }, () => this.#sent()),
        );
    }
  }

  #routedOf({ destination }: PlannedSend): PlannedWorld['routed'] {
    const { routed } = this.#plan.world;
    return routed !== undefined && destination === `${routed.node}/${routed.queue}` ? routed : undefined;
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
    this.#oracle.serving(node);
    const tookMs = this.#world.nowMs - (this.#openedAt.get(node.name) ?? 0);
    const stats = node.stats();
    if (stats === undefined) return;
    const { incarnation, ring } = stats;
    if (ring.lost.gaps > 0) this.#recorder.mark('loss on record');
    this.#recorder.add({ kind: 'serving', node: node.name, incarnation, report, tookMs });
    for (const reader of this.#readers) if (reader.node === node) reader.begin();
  }

  #stopped(node: SimNode, error: Error): void {
    const because = this.#trouble.blame.take(node.name);
    if (error.message.startsWith('forked')) this.#recorder.mark('new incarnation');
    const code = error instanceof RingmailError ? error.code : undefined;
    const text = error instanceof InvariantViolation ? `invariant: ${error.message}` : error.message;
    this.#recorder.add({ kind: 'stopped', node: node.name, code, text, because });
  }

  get #isOver(): boolean {
    return this.#unsent === 0 && this.#world.nowMs >= this.#trouble.lastMs;
  }

  // Calm.

  #heal(): void {
    this.#stage.phase = 'calm';
    const dead = this.#plan.world.dead.filter((name) => this.#nodes.has(name));
    this.#trouble.end();
    for (const node of this.#nodes.values()) {
      node.disk.healReads();
      node.disk.healWrites();
      node.disk.flush();
      node.disk.latency = undefined;
      this.#oracle.mended(node, 'all');
      node.resume();
      if (dead.includes(node.name) && node.isUp) this.#trouble.cutPower(node);
    }
    this.#recorder.add({ kind: 'healed', dead });
    this.#operator.calm(dead);
  }

  /** Whoever is down comes up again, if only slowly; the dead stay down. */
  #supervise(): void {
    const isDead = (name: string) => this.#stage.phase === 'calm' && this.#plan.world.dead.includes(name);
    for (const node of this.#nodes.values()) {
      if (this.#plan.world.ways !== undefined) this.#lookAtWays(node.stats());
      const isOff = isDead(node.name) || this.#trouble.isAway(node.name);
      if (!node.isUp && !isOff) node.start();
      if (node.isUp && isOff) this.#trouble.cutPower(node);
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
    const isQuiet = this.#operator.isDone && this.#isIdle([...this.#nodes.values()].filter(({ name }) => !dead.has(name)));
    const wasQuiet = this.#wasQuiet;
    this.#wasQuiet = isQuiet;
    return isQuiet && wasQuiet;
  }

  /** What a queue holds that is paused for good, and what is on its way there, or to a dead node, waits for nobody. */
  #isIdle(nodes: readonly SimNode[]): boolean {
    const all = nodes.map((node) => (node.isServing ? node.stats() : undefined));
    const paused = all.flatMap((stats) =>
      (stats?.queues ?? []).flatMap(({ name, state }) => (state === 'paused' ? [`${stats?.node}/${name}`] : [])),
    );
    const dead = this.#plan.world.dead.map((name) => `${name}/`);
    return all.every((stats) => stats !== undefined && isIdle(stats, { paused, nowhere: [...paused, ...dead] }));
  }

  /** The power goes everywhere, once more: what was true must be true after it. */
  async #restartAll(): Promise<void> {
    const world = this.#world;
    const up = [...this.#nodes.values()].filter((node) => node.isUp);
    for (const node of up) this.#trouble.cutPower(node);
    for (const node of up) node.start();
    await world.run(world.nowMs + 60_000, () => up.every((node) => node.isServing), STEPS_MAX);
    await world.run(world.nowMs + 5_000, undefined, STEPS_MAX);
    this.#recorder.mark('everything restarted at the end');
  }
}

function isOnBroker({ uplink, isCentral, uplinks = [] }: PlannedNode): boolean {
  return uplink === 'mqtt' || isCentral === 'yes' || uplinks.some(({ via }) => via === 'mqtt');
}

/** The names under which a node is at the first broker. */
function clientsOf({ uplink, isCentral, uplinks = [] }: PlannedNode, label: string): string[] {
  const further = uplinks.flatMap((one) => (one.via === 'mqtt' && one.broker === 1 ? [`${label}+${one.name}`] : []));
  return uplink === 'mqtt' || isCentral === 'yes' ? [label, ...further] : further;
}

/** The brokers of a central that is at both. */
const CENTRAL_BROKERS: readonly [string, string] = ['$first', '$second'];

/** By address, of those queues that have an end of their patience. */
function deliveriesMaxOf({ world }: Plan): Record<string, number> {
  const bounds = world.nodes.flatMap(({ name, queues }) =>
    queues.flatMap((queue) => (queue.deliveriesMax ? [[`${name}/${queue.name}`, queue.deliveriesMax] as const] : [])),
  );
  return Object.fromEntries(bounds);
}

/** `paused`: addresses; `nowhere`: how addresses begin to which nothing gets any more. */
function isIdle({ node, queues, outgoing }: Stats, rest: { paused: readonly string[]; nowhere: readonly string[] }): boolean {
  const { paused, nowhere } = rest;
  const isQueued = queues.some(({ name, ready, leased, delayed, held }) => {
    const waits = paused.includes(`${node}/${name}`) ? leased : ready + leased + delayed + held;
    return waits > 0 && !RECORD_QUEUES.includes(name);
  });
  const isStuck = (text: string) => nowhere.some((address) => text.includes(`:${address}`));
  return !isQueued && outgoing.every(({ held, stream: text }) => held === 0 || isStuck(text));
}

/** What its queues keep, by address. */
function keepingOf({ world }: Plan): Pick<RunFacts, 'journals' | 'letterQueues'> {
  const all = world.nodes.flatMap(({ name, queues }) =>
    queues.map((queue) => ({ address: `${name}/${queue.name}`, queue, queues })),
  );
  const own = all.flatMap(({ address, queue: { deadLetterQueue: to }, queues }) => {
    const letters = queues.find(({ name }) => name === to);
    return letters === undefined ? [] : [[address, { queue: letters.name, bytesLimit: letters.bytesLimit }] as const];
  });
  const journals = all.filter(({ queue }) => queue.journal === 'on').map(({ address }) => address);
  return { journals, letterQueues: Object.fromEntries(own) };
}

function configOf(plan: PlannedNode, { ways, routed }: PlannedWorld): NodeConfig {
  const { uplinks: further, failoverMs, failbackMs, holeWaitMs } = plan;
  const times = {
    ...(failoverMs !== undefined && { failoverMs }),
    ...(failbackMs !== undefined && { failbackMs }),
    ...(holeWaitMs !== undefined && { holeWaitMs }),
  };
  const several = {
    ...(further !== undefined && plan.uplink !== 'none' && { uplinks: uplinksOf(plan, further) }),
    ...(plan.isCentral === 'yes' && ways?.brokers === 2 && { centralBrokers: CENTRAL_BROKERS }),
  };
  return {
    ...times,
    ...several,
    ...(routed?.node === plan.name && { routes: [{ from: routed.queue, to: routed.to }] }),
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

function uplinksOf({ uplink, central, leadsTo: to = ['*'] }: PlannedNode, further: readonly FurtherUplink[]): UplinkSetup[] {
  const kind = uplink === 'mqtt' ? 'mqtt' : 'link';
  const first: UplinkSetup = { name: 'up', kind, to, central: kind === 'mqtt' ? central : '', partitionCount: 1 };
  const others = further.map(({ name, to: nodes, ...how }): UplinkSetup => {
    const via = how.via === 'mqtt' ? { kind: how.via, central: how.central } : { kind: how.via, central: '' };
    return { name, to: nodes, ...via, partitionCount: 1 };
  });
  return [first, ...others];
}

/**
 * A node: queue manager, custody, links and relay over one ring, as one synchronous step. It does no I/O, keeps no timer and knows
 * no clock: `step(input, nowMs)` gives outputs, `wakeAtMs` says when it wants a tick. The date is an argument too, for those who ask us.
 *
 *   opening ──ring serves──▶ loading ──identity durable, rehomed──▶ serving ──close──▶ closing ──▶ closed
 *      │                        │                                     │ write failed, fork
 *      └────────────────────────┴─────────────────────────────────────┴──────▶ stopped (the shell opens the ring anew)
 */

import type { Checksum } from '../crc32.ts';
import { FAILBACK_MS, FAILOVER_MS } from '../custody/hops.ts';
import { Intake } from '../custody/intake.ts';
import { type MetaChange, metaChange, metaValue } from '../custody/meta-keys.ts';
import { MetaRepair, mayNeedRepair } from '../custody/meta-repair.ts';
import { NodeStore } from '../custody/node-store.ts';
import type { Policy } from '../custody/policy.ts';
import type { Rehoming } from '../custody/rehoming.ts';
import { earliest } from '../earliest.ts';
import { RingmailError } from '../errors.ts';
import { BLOCK_MS_MAX } from '../limits.ts';
import type { CborValue } from '../message/cbor.ts';
import type { Like } from '../part.ts';
import type { Random } from '../ports.ts';
import { Ring } from '../ring/ring.ts';
import type { BootClock } from '../ring/superblock-layout.ts';
import type { Stats } from './calls.ts';
import { Desk } from './desk.ts';
import type { HealthWatch } from './health.ts';
import { madeByCalls, releaseReserves, rememberConfig, resolveConfig } from './kept-config.ts';
import type { MoreDesks } from './no-desk.ts';
import { type MakeCarriers, NO_CARRIERS, type NodeCarriers } from './node-carriers.ts';
import type { Asked, FileDescription, NodeConfig, NodeInput, NodeOutput, NodePhase } from './node-io.ts';
import { startQueues } from './queue-start.ts';
import { statsOf } from './stats.ts';

export interface NodeDeps {
  readonly file: { readonly path: string; readonly size: number };
  readonly checksum: Checksum;
  readonly random: Random;
  /** What takes messages to other nodes; `none` for a node that keeps to itself, whose uplink then is none, whatever it is told. */
  readonly carriers: MakeCarriers | 'none';
  /** `ALL_DESKS`, or fewer verbs in less memory. */
  readonly desks: MoreDesks;
  /** The machine's clock as the ring is opened; undefined where it does not tell its boots apart. */
  readonly clock?: BootClock | undefined;
  /** What is let in besides what queues have room for; everything unless said. */
  readonly policy?: Policy | undefined;
  /** For stats and answers. A file that nobody describes is of unknown durability. */
  readonly describeFile?: () => FileDescription;
  /** 1 MiB of bodies and 4 MiB for the disk where nothing is said: much for a small engine. */
  readonly memory?: NodeMemory;
}

export interface NodeMemory {
  /** Bodies kept in memory, in bytes. */
  readonly cacheBytesMax: number;
  /** Bytes waiting for the disk before a send is answered BUSY. */
  readonly pendingBytesMax: number;
}

const MEMORY: NodeMemory = { cacheBytesMax: 1024 * 1024, pendingBytesMax: 4 * 1024 * 1024 };

export class NodeCore {
  phase: NodePhase = 'opening';
  readonly config: NodeConfig;
  readonly #random: Random;
  readonly #policy: Policy | undefined;
  readonly #makeCarriers: MakeCarriers | undefined;
  readonly #desks: MoreDesks;
  readonly #describeFile: () => FileDescription;
  readonly #ring: Ring;
  #outputs: NodeOutput[] = [];
  #wallUs: number | undefined;
  #serving: { store: NodeStore; intake: Intake; desk: Desk; carriers: NodeCarriers; watch: Like<HealthWatch> } | undefined;
  #repair: MetaRepair | undefined;
  #rehoming: Like<Rehoming> | undefined;
  #early: Asked[] = [];

  constructor(config: NodeConfig, deps: NodeDeps) {
    this.config = config;
    this.#random = deps.random;
    this.#policy = deps.policy;
    this.#makeCarriers = deps.carriers === 'none' ? undefined : deps.carriers;
    this.#desks = deps.desks;
    this.#describeFile = deps.describeFile ?? (() => ({ durability: 'unknown', ioMode: '' }));
    const epochRandom = new DataView(deps.random.bytes(4).slice().buffer).getUint32(0, true);
    this.#ring = new Ring({
      ...deps.file,
      checksum: deps.checksum,
      epochRandom,
      clock: deps.clock,
      commitDelayMs: config.commitDelayMs,
      Express: deps.desks.Express,
      ...(deps.memory ?? MEMORY),
    });
  }

  /**
   * One step: takes an input and returns everything that is to be done because of it. `wallUs`: the machine's clock, in µs since 1970;
   * it may be wrong, jump, or not be there. It is told to neighbours that ask, and decides nothing.
   */
  step(input: NodeInput, nowMs: number, wallUs?: number): NodeOutput[] {
    this.#wallUs = wallUs;
    if (this.#serving !== undefined) this.#serving.store.nowMs = nowMs;
    this.#take(input, nowMs);
    if (input.kind === 'tick' || input.kind === 'ring' || this.phase !== 'serving') this.#ring.pump(nowMs);
    this.#advance(nowMs);
    if (this.phase === 'serving') this.#pump(nowMs);
    for (const output of this.#ring.takeOutputs()) this.#outputs.push(output);
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** When a tick is wanted; the present or the past means as soon as the inputs at hand are taken. */
  get wakeAtMs(): number | undefined {
    if (this.phase === 'stopped' || this.phase === 'closed') return undefined;
    const times = [this.#ring.wakeAtMs];
    // Only who is pumped may ask for it: what is due already would be asked for without end.
    const { carriers, desk } = (this.phase === 'serving' ? this.#serving : undefined) ?? {};
    if (carriers !== undefined) times.push(carriers.wakeAtMs, desk?.wakeAtMs);
    return earliest(...times);
  }

  /** What the ring keeps in META under a key. For tools and the simulator. */
  meta(key: string): CborValue {
    return metaValue(this.#ring.metas, key);
  }

  stats(nowMs: number): Stats {
    const { store, desk, carriers, watch, intake } = this.#serving ?? {};
    const file = this.#describeFile();
    return statsOf({
      phase: this.phase,
      config: this.config,
      ring: this.#ring,
      file,
      store,
      desk,
      carriers,
      watch,
      routes: intake?.routes,
      nowMs,
    });
  }

  #take(input: NodeInput, nowMs: number): void {
    switch (input.kind) {
      case 'ring':
        return this.#ring.input(input.input);
      case 'call':
        return this.#call(input);
      case 'calls':
        for (const asked of input.calls) this.#call(asked);
        return;
      case 'cancel':
        return this.#serving?.desk.cancel(input.token);
      case 'close':
        return this.#close(nowMs);
      case 'tick':
        return;
      default:
        if (this.phase === 'serving') this.#serving?.carriers.input(input, nowMs, this.#wallUs);
    }
  }

  #call(asked: Asked): void {
    if (this.phase === 'opening' || this.phase === 'loading') this.#early.push(asked);
    else if (this.phase === 'serving') this.#serving?.desk.call(asked.token, asked.call);
    else this.#refuse(asked.token);
  }

  #refuse(token: number): void {
    const error = new RingmailError('NODE_STOPPED', { reason: this.#ring.failure?.message ?? this.phase });
    this.#outputs.push({ kind: 'answer', token, result: { kind: 'error', error } });
  }

  /** Moves from phase to phase as the ring does. */
  #advance(nowMs: number): void {
    if (this.#ring.state === 'stopped' && this.phase !== 'stopped') return this.#stop(this.#ring.failure ?? new Error('stopped'));
    if (this.phase === 'opening' && this.#ring.state === 'serving' && this.#isMended(nowMs)) this.#load(nowMs);
    if (this.phase !== 'loading' || this.#rehoming === undefined) return;
    this.#rehoming.pump();
    if (!this.#rehoming.isDone) return;
    this.#rehoming = undefined;
    this.phase = 'serving';
    if (this.#serving !== undefined) this.#serving.store.isOpening = false;
    this.#outputs.push({ kind: 'serving', report: this.#ring.report });
    for (const { token, call } of this.#early.splice(0)) this.#serving?.desk.call(token, call);
  }

  /** META makes sense, or is made to. */
  #isMended(nowMs: number): boolean {
    if (this.#repair === undefined) {
      if (!mayNeedRepair(this.#ring)) return true;
      this.#repair = new MetaRepair(this.#ring, this.config.name);
    }
    this.#repair.pump(nowMs);
    if (!this.#repair.isDone) return false;
    for (const note of this.#repair.notes) this.#log('warn', `after damage: ${note}`);
    return true;
  }

  /** What the configuration or the ring makes impossible stops the node, with its code. */
  #load(nowMs: number): void {
    try {
      this.#loadAll(nowMs);
    } catch (error) {
      if (!(error instanceof RingmailError)) throw error;
      this.#stop(error);
    }
  }

  #loadAll(nowMs: number): void {
    const store = new NodeStore(this.#ring, this.#desks.storeParts);
    store.nowMs = nowMs;
    const { config } = this;
    const { unknownQueue, queueBytesLimit } = resolveConfig(config, this.#ring.metas);
    const ways = this.#desks.ways.of(config, this.#ring.metas);
    const { failoverMs = FAILOVER_MS, failbackMs = FAILBACK_MS } = config;
    store.hops.configure(ways, { failoverMs, failbackMs, nowMs });
    const make = this.#makeCarriers;
    const canReach = (node: string) => make !== undefined && store.hops.leadsTo(node);
    const routes = this.#desks.routesOf?.(config, this.#ring.metas);
    const intake = new Intake(store, {
      ...{ unknownQueue, queueBytesLimit, canReach, policy: this.#policy },
      routing: routes?.routing,
    });
    const hasBroker = ways.some(({ uplinks }) => uplinks.some(({ kind }) => kind === 'mqtt')) ? 'yes' : 'no';
    const isKept = config.queueBytesLimit === 'kept';
    store.load(config.name, this.#random);
    if (!isKept) store.room.checkReserves([...config.queues, ...madeByCalls(store, config)]);
    const startCarriers = make?.({ store, intake, random: this.#random, ways });
    for (const note of startQueues(store, intake, { queues: config.queues, hasBroker })) this.#log('warn', note);
    if (!isKept) releaseReserves(store);
    const home = metaValue(this.#ring.metas, 'home');
    const isCopy = config.home !== undefined && home !== undefined && home !== config.home;
    const isForked = metaValue(this.#ring.metas, 'forked') !== undefined;
    const isAtNewHome = config.home !== undefined && home !== config.home;
    const open = metaValue(this.#ring.metas, 'open');
    const suspectIdMax = open === true ? this.#ring.messagesStored : typeof open === 'number' ? open : 0;
    const remembered = [
      ...(isAtNewHome ? [metaChange('home', config.home)] : []),
      ...rememberConfig(config, this.#ring.metas, this.#desks.ways),
    ];
    remembered.push(...(routes?.remembered ?? []));
    if (open !== true) remembered.push(metaChange('open', true));
    if (remembered.length > 0) store.commit({ metas: remembered }, () => {});
    if (isCopy || isForked) this.#log('warn', isCopy ? 'the ring is a copy: new incarnation' : 'forked: new incarnation');
    this.#rehoming = new this.#desks.Rehoming({
      store,
      intake,
      random: this.#random,
      reason: isCopy || isForked ? 'new-incarnation' : 'none',
    });
    const emit = (output: NodeOutput) => void this.#outputs.push(output);
    const carriers = startCarriers?.({ config, emit }) ?? NO_CARRIERS;
    const watch = new this.#desks.HealthWatch(store, carriers);
    const desk = new Desk(store, intake, {
      desks: this.#desks,
      answer: (token, result) => emit({ kind: 'answer', token, result }),
      stats: () => this.stats(store.nowMs),
      durability: () => this.#describeFile().durability,
      intervalMs: config.intervalMs,
      random: this.#random,
      neighbourOn: (hop) => carriers.senders.find((sender) => sender.hop === hop)?.receiver ?? '',
      blockMs: config.blockMs ?? BLOCK_MS_MAX,
      holeWaitMs: config.holeWaitMs,
      suspectIdMax,
    });
    this.#serving = { store, intake, desk, carriers, watch };
    this.phase = 'loading';
  }

  #pump(nowMs: number): void {
    const serving = this.#serving;
    if (serving === undefined) return;
    serving.desk.pump(nowMs);
    serving.carriers.pump(nowMs, this.#wallUs);
    serving.watch.pump(nowMs);
    if (serving.carriers.isForked) this.#fork(serving.store);
  }

  /** The other side knows more of us than we ever handed over: note it durably, then open anew under a new incarnation. */
  #fork(store: NodeStore): void {
    if (this.phase !== 'serving' || metaValue(this.#ring.metas, 'forked') !== undefined) return;
    this.phase = 'forking';
    store.commit({ metas: [metaChange('forked', true)] }, () => {
      // Who closes meanwhile finds it noted at the next opening.
      if (this.phase === 'forking') this.#stop(new Error('forked: this store was rolled back or cloned'));
    });
  }

  #close(nowMs: number): void {
    if (this.phase === 'closing' || this.phase === 'closed' || this.phase === 'stopped') return;
    const closed = () => {
      // Also when its last write failed: whoever closes is told once, and that it is over.
      this.phase = this.#ring.state === 'stopped' ? 'stopped' : 'closed';
      this.#outputs.push({ kind: 'closed' });
    };
    this.#serving?.carriers.stop(nowMs);
    if (this.#ring.state !== 'serving') return closed();
    // Whoever speaks to us from here on is not heard: what it says could not be stored.
    this.phase = 'closing';
    this.#serving?.desk.close();
    this.#serving?.store.commit({ metas: [closedChange(this.#serving.desk.suspectIdMax)] }, () => {});
    this.#ring.close(closed);
  }

  #stop(error: Error): void {
    this.phase = 'stopped';
    for (const { token } of this.#early.splice(0)) this.#refuse(token);
    this.#outputs.push({ kind: 'stopped', error });
  }

  #log(level: 'info' | 'warn', text: string): void {
    this.#outputs.push({ kind: 'log', level, text });
  }
}

/** What the ring remembers of a clean end: which messages were there at an unclean one before, and are as suspect as they were. */
function closedChange(suspectIdMax: number): MetaChange {
  return metaChange('open', suspectIdMax === 0 ? false : suspectIdMax);
}

/** What carries custody to and from other nodes: links over lines, the relay over MQTT. Routes inputs to them and collects outputs. */

import { Attachments } from '../custody/attachments.ts';
import { Digests } from '../custody/digests.ts';
import { FAILBACK_MS, FAILOVER_MS, isUp } from '../custody/hops.ts';
import type { Intake } from '../custody/intake.ts';
import { metaValues } from '../custody/meta-keys.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { OutgoingExpiry } from '../custody/outgoing-expiry.ts';
import { CustodyReceiver } from '../custody/receiver.ts';
import { CustodySender } from '../custody/sender.ts';
import { Turning } from '../custody/turning.ts';
import { earliest } from '../earliest.ts';
import { BELOW_COUNT_CENTRAL_MAX } from '../limits.ts';
import { LinkSession } from '../link/link-session.ts';
import type { AcceptorRoute, DiallerRoute } from '../link/route-talk.ts';
import type { Random } from '../ports.ts';
import { RelayCentral } from '../relay/relay-central.ts';
import type { Relay } from '../relay/relay-uplink.ts';
import { type PlanEnd, TopicPublisher } from '../relay/topic-publisher.ts';
import { Trials } from '../relay/trial.ts';
import type { ClockStats, UplinkStats } from './calls.ts';
import { Endings } from './endings.ts';
import type { CarrierInput, CarrierRoots, CarrierStart, NodeCarriers } from './node-carriers.ts';
import { CENTRAL_BROKER } from './node-io.ts';
import { Uplinks } from './uplinks.ts';
import type { WaySetup } from './way-setup.ts';

interface Parts extends CarrierStart {
  readonly store: NodeStore;
  readonly uplinks: Uplinks;
  readonly receiver: CustodyReceiver;
  readonly random: Random;
  readonly intake: Intake;
  readonly ways: readonly WaySetup[];
}

/** Times that carriers are asked again in one step because another way is taken. More are left to the next step. */
const ROUNDS_MAX = 4;

/** For the core of a node with lines or a broker. */
export function linksAndRelay({ store, intake, random, ways }: CarrierRoots): (start: CarrierStart) => NodeCarriers {
  const receiver = new CustodyReceiver(store, intake);
  receiver.load();
  const uplinks = new Uplinks({ store, random, ways });
  return (start) => new Carriers({ ...start, store, intake, uplinks, receiver, random, ways });
}

export class Carriers implements NodeCarriers {
  readonly #parts: Parts;
  readonly #links = new Map<number, LinkSession>();
  /** By the name of the node below. */
  readonly #down = new Map<string, CustodySender>();
  /** What the links counted whose lines are no more. */
  readonly #ended: Record<string, number> = {};
  readonly #expiry: OutgoingExpiry;
  readonly #attachments: Attachments;
  readonly #digests: Digests;
  readonly #turning: Turning;
  /** Of the central, by the name of its broker. */
  readonly #centrals = new Map<string, RelayCentral>();
  readonly #topics: TopicPublisher;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { config, store, uplinks, receiver } = parts;
    const { central, failoverMs = FAILOVER_MS, failbackMs = FAILBACK_MS } = config;
    const node = store.self.name;
    store.mayHaveHandedOver = (out, number) => this.senders.some((sender) => sender.mayHaveHandedOver(out, number));
    this.#expiry = new OutgoingExpiry(store, parts.intake, () => this.senders);
    const endings = new Endings(store, parts.intake);
    const trials = new Trials();
    const planEnd: PlanEnd = (slot, cause) => endings.plan(slot, cause);
    const meterOf = (broker: string) => uplinks.meterOf(broker);
    this.#topics = new TopicPublisher({ store, brokers: topicBrokers(parts), planEnd, trials, meterOf });
    this.#attachments = this.#makeAttachments(central);
    const session = (): string | undefined => this.#sessionTo(central);
    this.#digests = new Digests({ store, intake: parts.intake, central, session });
    this.#turning = new Turning({ store, intake: parts.intake, receiver, senders: () => this.senders });
    for (const sender of uplinks.senders) this.#neverReturn(sender);
    for (const neighbour of this.#neighboursBelow()) this.#senderTo(neighbour);
    const isAwaited = (broker: string) => this.#topics.awaits(broker);
    if (config.uplink !== 'kept')
      uplinks.begin({ node, receiver, nowMs: store.nowMs, failoverMs, failbackMs, trials, isAwaited });
    if (config.isCentral === 'no') return;
    const senderTo = (neighbour: string) => this.#senderTo(neighbour);
    for (const broker of config.centralBrokers ?? [CENTRAL_BROKER])
      this.#centrals.set(broker, new RelayCentral({ receiver, store, node, central, senderTo, trial: trials.of(broker) }));
  }

  get receiver(): CustodyReceiver {
    return this.#parts.receiver;
  }

  get senders(): readonly CustodySender[] {
    return [...this.#parts.uplinks.senders, ...this.#down.values()];
  }

  /** Everybody who speaks over a broker, with its name. */
  *#relays(): Generator<readonly [string, Relay]> {
    yield* this.#parts.uplinks.relays();
    yield* this.#centrals;
  }

  /** Those of one broker. Where nobody names it there is one. */
  #relaysAt(broker: string | undefined): Relay[] {
    const [first] = this.#centrals.values();
    const both = [this.#parts.uplinks.relayOf(broker), broker === undefined ? first : this.#centrals.get(broker)];
    return both.filter((relay) => relay !== undefined);
  }

  get isForked(): boolean {
    return this.senders.some(({ state }) => state === 'forked');
  }

  input(input: CarrierInput, nowMs: number, wallUs?: number): void {
    switch (input.kind) {
      case 'line-open':
        return this.#open(input, nowMs);
      case 'line-bytes':
        return this.#links.get(input.line)?.bytes(input.bytes, nowMs, wallUs);
      case 'line-unsent':
        return this.#links.get(input.line)?.unsent(input.unsentBytes, nowMs);
      case 'line-closed':
        return this.#closed(input.line, nowMs);
      case 'broker-up':
        for (const relay of this.#relaysAt(input.broker)) relay.up(nowMs, input.packetBytesMax);
        this.#topics.up(input.broker);
        return;
      case 'broker-refused':
        return this.#parts.uplinks.refused(input.broker, input.reason);
      case 'broker-down':
        this.#parts.uplinks.refused(input.broker, input.reason);
        for (const relay of this.#relaysAt(input.broker)) relay.down(nowMs);
        this.#topics.down(input.broker, nowMs);
        return;
      case 'broker-ended':
        return this.#topics.ended(input.token, input.outcome, nowMs);
      case 'broker-message':
        for (const relay of this.#relaysAt(input.broker)) relay.message(input, nowMs);
        return;
    }
  }

  #open(input: CarrierInput & { kind: 'line-open' }, nowMs: number): void {
    const { store, uplinks, receiver, random, emit } = this.#parts;
    const { role, baud, line } = input;
    const { sender, meter } = (role === 'dial' ? uplinks.dialled(input.uplink) : undefined) ?? {};
    if (role === 'dial' && sender === undefined) {
      emit({ kind: 'line-close', line, reason: `no uplink ${input.uplink ?? ''} here` });
      return;
    }
    const session = new LinkSession({ role, store, receiver, random, baud, sender, meter, ...this.#talkOf(sender) });
    this.#links.set(line, session);
    session.opened(nowMs);
  }

  /** What is said on a line of who is attached where. `sender`: of a line that this node dials. */
  #talkOf(sender: CustodySender | undefined): { route: DiallerRoute } | { below: AcceptorRoute } {
    const attachments = this.#attachments;
    const { directory } = this.#parts.store.hops;
    if (sender !== undefined) {
      const { hop } = sender;
      const doubted = (epoch: number) => attachments.doubted(hop, epoch);
      return { route: { epoch: () => attachments.route.epochOn(hop), doubted } };
    }
    return {
      below: {
        met: (node, epoch) => attachments.met(node, epoch),
        toTell: (node) => attachments.toTell(node),
        senderTo: (node) => (directory.wayOf(node) === node ? this.#senderTo(node) : undefined),
      },
    };
  }

  #makeAttachments(central: string): Attachments {
    const { store, intake, uplinks } = this.#parts;
    const isCentral = central === store.self.name;
    if (isCentral) store.hops.belowCountMax = BELOW_COUNT_CENTRAL_MAX;
    return new Attachments({
      store,
      intake,
      central,
      above: () => {
        const hop = isCentral ? undefined : store.hops.upTo(central);
        return hop && uplinks.above(hop);
      },
      receiversAbove: () => uplinks.senders.map(({ receiver }) => receiver),
      strays: (node) => uplinks.senders.flatMap((sender) => sender.strays(node)),
      isThere: (neighbour) => this.#centrals.size > 0 || [...this.#links.values()].some(({ peer }) => peer === neighbour),
      leaves: (node, way) => this.#down.get(way)?.leaves(node) ?? [],
    });
  }

  /** Names the session by which messages for the central leave, while there is one. */
  #sessionTo(central: string): string | undefined {
    const hop = this.#parts.store.hops.upTo(central);
    const above = hop && this.#parts.uplinks.above(hop);
    return above && `${above.way} ${above.node} ${above.incarnation}`;
  }

  /** Those by whom any node is reached, and those who ever were: what they were given is known of them alone. */
  #neighboursBelow(): Set<string> {
    const { hops, ring } = this.#parts.store;
    const neighbours = hops.directory.ways();
    for (const [name] of metaValues(ring.metas, 't/down/')) neighbours.add(name);
    return neighbours;
  }

  #senderTo(node: string): CustodySender {
    const { store, random } = this.#parts;
    let sender = this.#down.get(node);
    if (sender === undefined) {
      sender = new CustodySender(store, `down/${node}`, random);
      sender.load();
      this.#neverReturn(sender);
      this.#down.set(node, sender);
    }
    return sender;
  }

  #neverReturn(sender: CustodySender): void {
    const { receiver, store } = this.#parts;
    const { hop } = sender;
    const below = isUp(hop) ? undefined : hop.slice('down/'.length);
    sender.returned = ({ key }) => (key.origin === store.self.name ? 1 : receiver.takenFrom(below ?? sender.receiver, key));
  }

  #closed(line: number, nowMs: number): void {
    const link = this.#links.get(line);
    if (link === undefined) return;
    link.closed(nowMs);
    addCounts(this.#ended, link.counters());
    this.#links.delete(line);
  }

  pump(nowMs: number, wallUs?: number): void {
    this.#parts.uplinks.pump(nowMs);
    this.#attachments.pump();
    this.#digests.pump();
    this.#turning.pump();
    this.#expiry.pump();
    for (const output of this.#topics.pump(nowMs)) this.#parts.emit(output);
    this.#pumpAll(nowMs, wallUs);
    // What ended or came about just now may be why others go on.
    for (let rounds = 0; rounds < ROUNDS_MAX && this.#parts.uplinks.pump(nowMs) === 'changed'; rounds++)
      this.#pumpAll(nowMs, wallUs);
  }

  #pumpAll(nowMs: number, wallUs?: number): void {
    for (const [line, link] of this.#links) {
      link.pump(nowMs, wallUs);
      for (const output of link.takeOutputs()) {
        switch (output.kind) {
          case 'write':
            this.#parts.emit({ kind: 'line-write', line, bytes: output.bytes });
            break;
          case 'close':
            this.#parts.emit({ kind: 'line-close', line, reason: output.reason });
            break;
          case 'console':
            this.#parts.emit({ ...output, line });
            break;
          case 'log':
            this.#parts.emit({ kind: 'log', level: output.level, text: `line ${line}: ${output.text}` });
            break;
        }
      }
    }
    for (const [broker, relay] of this.#relays()) {
      relay.pump(nowMs);
      for (const output of relay.takeOutputs()) this.#parts.emit({ ...output, broker });
    }
  }

  get wakeAtMs(): number | undefined {
    const { uplinks } = this.#parts;
    const own = [this.#expiry, this.#attachments, this.#turning, this.#digests, this.#topics, uplinks];
    const times = own.map(({ wakeAtMs }) => wakeAtMs);
    for (const [, relay] of this.#relays()) times.push(relay.wakeAtMs);
    for (const link of this.#links.values()) times.push(link.wakeAtMs);
    return earliest(...times);
  }

  stop(nowMs: number): void {
    for (const link of this.#links.values()) link.stop(nowMs);
    this.pump(nowMs);
  }

  describeLinks(): string[] {
    return [...this.#links].map(([line, link]) => `line ${line}: ${link.describe()}`);
  }

  clocks(): ClockStats[] {
    return [...this.#links.values()].flatMap(({ peer, clock }) => (peer && clock ? [{ node: peer, ...clock }] : []));
  }

  describeUplink(): string {
    return this.#parts.uplinks.describe();
  }

  uplinks(nowMs: number): UplinkStats[] {
    return this.#parts.uplinks.stats(nowMs);
  }

  counters(): Record<string, number> {
    const { receiver } = this.#parts;
    const sum = (of: (sender: CustodySender) => number) => this.senders.reduce((total, sender) => total + of(sender), 0);
    const counters: Record<string, number> = {
      freed: sum(({ freedCount }) => freedCount),
      stale: sum(({ staleCount }) => staleCount),
      rolledBack: sum(({ rolledBackCount }) => rolledBackCount),
      elsewhere: sum(({ elsewhereCount }) => elsewhereCount),
      refusedBodiless: sum(({ bodilessCount }) => bodilessCount),
      repeats: receiver.repeatCount,
      forksRefused: receiver.forkCount,
    };
    addCounts(counters, this.#topics.counters());
    const { attached, detached, refused, full } = this.#attachments.counts;
    addCounts(counters, { attached, detached, attachRefused: refused, attachFull: full, turned: this.#turning.carriedCount });
    addCounts(counters, this.#ended);
    for (const link of this.#links.values()) addCounts(counters, link.counters());
    for (const [, relay] of this.#relays()) addCounts(counters, relay.counters());
    return counters;
  }
}

/** Brokers of uplinks, the preferred one first. None of a node that transmits nothing. */
function topicBrokers({ config, ways }: Pick<Parts, 'config' | 'ways'>): string[] {
  if (config.uplink === 'kept') return [];
  return ways.flatMap(({ uplinks }) => uplinks.filter(({ kind }) => kind === 'mqtt').map(({ name }) => name));
}

function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
}

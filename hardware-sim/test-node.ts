/**
 * A node cut down to custody over MQTT: a ring on a simulated disk, a store, and one relay, in virtual time. For tests that look at
 * the relay alone; `SimNode` is the whole product.
 */

import { invariant } from '../shared/assert.ts';
import { ALL_STORE_PARTS } from '../shared/custody/all-store-parts.ts';
import { Intake } from '../shared/custody/intake.ts';
import { NodeStore } from '../shared/custody/node-store.ts';
import { CustodyReceiver } from '../shared/custody/receiver.ts';
import { CustodySender } from '../shared/custody/sender.ts';
import { RingmailError } from '../shared/errors.ts';
import { decodeEnvelope } from '../shared/message/envelope.ts';
import { type Identity, identityText } from '../shared/message/identity.ts';
import type { Ending } from '../shared/message/message.ts';
import type { Broker } from '../shared/ports.ts';
import { RelayCentral } from '../shared/relay/relay-central.ts';
import type { RelayReceiver } from '../shared/relay/relay-receiver.ts';
import type { RelayOutput, RelaySender } from '../shared/relay/relay-sender.ts';
import { RelayUplink, type WantOutput } from '../shared/relay/relay-uplink.ts';
import { statusPublish } from '../shared/relay/status-layout.ts';
import { geometryFor } from '../shared/ring/geometry.ts';
import { NO_SLOT } from '../shared/ring/message-index.ts';
import type { Prng } from './random.ts';
import { formattedDisk, openRing, type RingDriver } from './ring-driver.ts';
import type { Scheduler, SimBroker } from './sim-broker.ts';
import type { SimDisk } from './sim-disk.ts';

const RING_BYTES = 4 * 1024 * 1024;
const QUEUE_BYTES = 1024 * 1024;
const CACHE_BYTES_MAX = 1024 * 1024;

export interface TestNodeOptions {
  readonly time: TestTime;
  readonly broker: SimBroker;
  readonly random: Prng;
  readonly name: string;
  /** The node that takes what this one sends; its own name for the central itself. */
  readonly central: string;
  readonly queues?: readonly { readonly name: string; readonly bytesLimit: number }[];
  /** Longest time a durable write takes, in virtual milliseconds. */
  readonly syncMsMax?: number;
  readonly ringBytes?: number;
  readonly pendingBytesMax?: number;
  readonly partitionCount?: number;
  readonly messagesPerPublish?: number;
}

/** A node that wants more than this without time passing goes round in circles. */
const INSTANT_EVENTS_MAX = 100_000;

type Cancel = () => void;

/** Virtual time without promises: what is due runs, one after the other. Events of one instant are shuffled by the seed. */
export class TestTime implements Scheduler {
  nowMs = 0;
  readonly #random: Prng;
  /** The next one last. */
  readonly #events: { readonly atMs: number; readonly tie: number; readonly run: () => void }[] = [];

  constructor(random: Prng) {
    this.#random = random;
  }

  at(atMs: number, run: () => void): Cancel {
    const event = { atMs: Math.max(atMs, this.nowMs), tie: this.#random.next(), run };
    const events = this.#events;
    let [low, high] = [0, events.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = events[middle];
      if (other !== undefined && (other.atMs > event.atMs || (other.atMs === event.atMs && other.tie > event.tie)))
        low = middle + 1;
      else high = middle;
    }
    events.splice(low, 0, event);
    return () => {
      const found = events.indexOf(event);
      if (found !== -1) events.splice(found, 1);
    };
  }

  after(ms: number, run: () => void): Cancel {
    return this.at(this.nowMs + ms, run);
  }

  /** Runs what is due within `ms`, or until `done` says so. */
  run(ms: number, done: () => boolean = () => false): void {
    const untilMs = this.nowMs + ms;
    let ofInstant = 0;
    for (let next = this.#events.at(-1); next !== undefined && next.atMs <= untilMs; next = this.#events.at(-1)) {
      this.#events.pop();
      ofInstant = next.atMs === this.nowMs ? ofInstant + 1 : 0;
      invariant(ofInstant < INSTANT_EVENTS_MAX, 'time goes on');
      this.nowMs = next.atMs;
      next.run();
      if (done()) return;
    }
    this.nowMs = untilMs;
  }
}

/** One opening of the store. */
interface Opening {
  readonly driver: RingDriver;
  readonly broker: Broker;
  parts: Parts | undefined;
  cancelWake: Cancel;
}

interface Parts {
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly sender: CustodySender;
  readonly receiver: CustodyReceiver;
  readonly down: ReadonlyMap<string, CustodySender>;
  readonly relay: RelayUplink | RelayCentral;
}

export interface StoredMessage {
  readonly identity: Identity;
  readonly body: Uint8Array;
  /** How it ended before. */
  readonly history: readonly Ending[];
}

export class TestNode {
  disk: SimDisk;
  /** What a `send` was told is durable here, in that order. */
  readonly accepted: StoredMessage[] = [];
  /** What the application here took in, in that order. It remembers on a disk of its own, so a redelivery is none of these. */
  readonly received: StoredMessage[] = [];
  /** Came again although its acknowledgement was durable: the one thing that must not happen. */
  readonly duplicates: StoredMessage[] = [];
  /** Taken in and not durably acknowledged: may come again after a power cut. */
  readonly #unsettled = new Set<string>();
  readonly #receivedTexts = new Set<string>();
  readonly #options: TestNodeOptions;
  #opening: Opening | undefined;

  constructor(options: TestNodeOptions) {
    this.#options = options;
    this.disk = formattedDisk(geometryFor(options.ringBytes ?? RING_BYTES), options.random, 'stepped');
  }

  /** Boots. Serves a few virtual milliseconds later. */
  open(): void {
    invariant(this.#opening === undefined, 'a node is open once');
    const { name, random, broker, pendingBytesMax } = this.#options;
    this.#listenTo(this.disk);
    const will = { will: statusPublish({ kind: 'offline', node: name }) };
    const epochRandom = random.uint32();
    const ring = { epochRandom, cacheBytesMax: CACHE_BYTES_MAX, ...(pendingBytesMax !== undefined && { pendingBytesMax }) };
    this.#opening = {
      driver: openRing(this.disk, ring),
      broker: broker.connect(name, will),
      parts: undefined,
      cancelWake: () => {},
    };
    this.#step(() => {});
  }

  /** Power cut: gone from one instant to the next. `disk` keeps what its fate decides. */
  kill(): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    this.#opening = undefined;
    opening.cancelWake();
    this.#options.broker.cut(this.#options.name, 'power cut');
    void opening.broker.close();
    this.disk.powerCut();
  }

  get isServing(): boolean {
    return this.#opening?.parts !== undefined;
  }

  /** The parts of the present opening, for who looks closer. Change them inside `step` only. */
  get parts(): Parts {
    invariant(this.#opening?.parts !== undefined, 'the node serves');
    return this.#opening.parts;
  }

  get relaySender(): RelaySender {
    const { relay } = this.parts;
    invariant(relay instanceof RelayUplink, 'this node sends');
    return relay.sender;
  }

  get relayReceiver(): RelayReceiver {
    return this.parts.relay.receiver;
  }

  /** A node is below from now on, as if it had said so. */
  meet(node: string): void {
    this.step(({ store }) => {
      const met = store.hops.meet(node);
      if (met !== undefined) store.commit({ metas: [met] }, () => {});
    });
  }

  /** Up, and down to each node below. */
  get senders(): CustodySender[] {
    return [this.parts.sender, ...this.parts.down.values()];
  }

  /** One step of the node. */
  step(act: (parts: Parts) => void): void {
    this.#step(() => act(this.parts));
  }

  /** Sends; false when the node has no room now, or is not there. What becomes durable is in `accepted`. */
  send(destination: string, body: Uint8Array, priority = 3): boolean {
    if (!this.isServing) return false;
    let taken = true;
    this.step(({ store, intake }) => {
      try {
        const planned = intake.begin(destination, { body, properties: { priority } });
        store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, (outcome) => {
          if (outcome === 'durable') this.accepted.push({ identity: planned.identity, body, history: [] });
        });
        planned.settle();
      } catch (error) {
        if (!(error instanceof RingmailError)) throw error;
        taken = false;
      }
    });
    return taken;
  }

  /** Receives and acknowledges up to `count` messages, as an application would. */
  consume(queueName: string, count: number): void {
    this.step(({ store }) => {
      const queue = store.queues.get(queueName);
      for (let i = 0; i < count; i++) {
        const slot = store.queues.take(queue);
        if (slot === NO_SLOT) return;
        const text = this.#takeIn(this.#messageAt(store, slot));
        store.commit({ acks: [{ id: store.ring.index.id(slot), reason: 'acknowledged' }] }, (outcome) => {
          if (outcome === 'durable') this.#unsettled.delete(text);
        });
        store.queues.finish(slot);
      }
    });
  }

  #takeIn(message: StoredMessage): string {
    const text = identityText(message.identity);
    if (!this.#receivedTexts.has(text)) this.received.push(message);
    else if (!this.#unsettled.has(text)) this.duplicates.push(message);
    this.#receivedTexts.add(text);
    this.#unsettled.add(text);
    return text;
  }

  /** What lies in a queue, in the order in which it came. */
  contents(queueName: string): StoredMessage[] {
    const { store } = this.parts;
    const slots: number[] = [];
    for (const list of store.queues.get(queueName).ready) {
      for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot)) slots.push(slot);
    }
    slots.sort((a, b) => store.ring.index.id(a) - store.ring.index.id(b));
    return slots.map((slot) => this.#messageAt(store, slot));
  }

  /** Messages this node still has to hand over. */
  get outgoingCount(): number {
    return this.parts.store.outgoing.count;
  }

  #messageAt(store: NodeStore, slot: number): StoredMessage {
    const { message } = decodeEnvelope(this.#bodyOf(store, slot));
    return { identity: message.identity, body: message.body, history: message.history ?? [] };
  }

  #bodyOf(store: NodeStore, slot: number): Uint8Array {
    let body: Uint8Array | undefined;
    store.ring.fetchBody(store.ring.index.id(slot), (result) => {
      invariant(result.kind === 'body', `the body of a stored message is ${result.kind}`);
      body = result.body;
    });
    this.#opening?.driver.play(this.#options.time.nowMs);
    invariant(body !== undefined, 'reads are answered at once');
    return body;
  }

  #listenTo(disk: SimDisk): void {
    const { time, random, syncMsMax = 2 } = this.#options;
    disk.onPending = () =>
      time.after(random.next() * syncMsMax, () => {
        if (this.disk !== disk || !disk.step()) return;
        this.#step(() => {});
      });
  }

  #step(act: () => void): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    const { nowMs } = this.#options.time;
    if (opening.parts !== undefined) opening.parts.store.nowMs = nowMs;
    act();
    opening.driver.play(nowMs);
    if (opening.parts === undefined && opening.driver.ring.state === 'serving') this.#serve(opening, nowMs);
    const { relay } = opening.parts ?? {};
    for (let readsBefore = -1; relay !== undefined && readsBefore !== this.disk.counters.reads; ) {
      readsBefore = this.disk.counters.reads;
      relay.pump(nowMs);
      for (const output of relay.takeOutputs()) perform(opening.broker, output);
      opening.driver.play(nowMs); // a body that was read here may go out now
    }
    this.#schedule(opening);
  }

  #schedule(opening: Opening): void {
    const times = [opening.driver.ring.wakeAtMs, opening.parts?.relay.wakeAtMs];
    opening.cancelWake();
    const atMs = times.reduce((a, b) => (b === undefined || (a !== undefined && a < b) ? a : b), undefined);
    if (atMs !== undefined) opening.cancelWake = this.#options.time.at(atMs, () => this.#step(() => {}));
  }

  #serve(opening: Opening, nowMs: number): void {
    const {
      name,
      central,
      random,
      queues = [{ name: 'bags', bytesLimit: QUEUE_BYTES }],
      partitionCount = 1,
      messagesPerPublish,
    } = this.#options;
    const store = new NodeStore(opening.driver.ring, ALL_STORE_PARTS);
    store.nowMs = nowMs;
    const intake = new Intake(store, {
      unknownQueue: 'refuse',
      queueBytesLimit: QUEUE_BYTES,
      canReach: (node) => name !== central || store.hops.isBelow(node),
    });
    const sender = new CustodySender(store, 'up', random);
    const receiver = new CustodyReceiver(store, intake);
    store.load(name, random);
    sender.load();
    receiver.load();
    intake.define('$dead', QUEUE_BYTES / 4);
    for (const queue of queues) intake.define(queue.name, queue.bytesLimit);
    const down = new Map<string, CustodySender>();
    const senderTo = (node: string) => {
      if (!store.hops.isBelow(node)) return undefined;
      const known = down.get(node) ?? new CustodySender(store, `down/${node}`, random);
      if (!down.has(node)) known.load();
      down.set(node, known);
      return known;
    };
    const relay =
      name === central
        ? new RelayCentral({ receiver, store, node: name, central, senderTo })
        : new RelayUplink({ sender, receiver, store, node: name, central, partitionCount, messagesPerPublish });
    opening.parts = { store, intake, sender, receiver, down, relay };
    const hear = (act: (at: number) => void) => {
      if (this.#opening === opening) this.#step(() => act(this.#options.time.nowMs));
    };
    opening.broker.listen({
      onUp: (packetBytesMax) => hear((at) => relay.up(at, packetBytesMax)),
      onDown: () => hear((at) => relay.down(at)),
      onMessage: (topic, payload) => hear((at) => relay.message({ topic, payload }, at)),
    });
    opening.driver.play(nowMs);
  }
}

function perform(broker: Broker, output: RelayOutput | WantOutput): void {
  if (output.kind === 'subscribe') broker.subscribe(output.topics);
  else if (output.kind === 'want') broker.want?.(output.wanted);
  else broker.publish(output.publish);
}

/** Messages by identity, for sets and messages of failures. */
export function identitiesOf(messages: readonly StoredMessage[]): string[] {
  return messages.map(({ identity }) => identityText(identity));
}

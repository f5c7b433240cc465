/**
 * Two nodes cut down to custody and one link, in virtual time, and somebody who listens in on the line. For tests of the link alone;
 * `SimNode` is the whole product.
 */

import { invariant } from '../shared/assert.ts';
import { ALL_STORE_PARTS } from '../shared/custody/all-store-parts.ts';
import { Intake } from '../shared/custody/intake.ts';
import { NodeStore } from '../shared/custody/node-store.ts';
import { CustodyReceiver } from '../shared/custody/receiver.ts';
import { CustodySender } from '../shared/custody/sender.ts';
import { RingmailError } from '../shared/errors.ts';
import type { ConsoleLine } from '../shared/link/console-text.ts';
import { Deframer } from '../shared/link/deframer.ts';
import { lineProfile } from '../shared/link/line-profile.ts';
import { LinkSession } from '../shared/link/link-session.ts';
import { decodePacket, type Packet, type SessionSide, sealId, sessionId } from '../shared/link/packets.ts';
import { decodeEnvelope } from '../shared/message/envelope.ts';
import { type Identity, identityText, streamText } from '../shared/message/identity.ts';
import type { Message } from '../shared/message/message.ts';
import type { Line } from '../shared/ports.ts';
import { geometryFor } from '../shared/ring/geometry.ts';
import { NO_SLOT } from '../shared/ring/message-index.ts';
import { type Prng, stream } from './random.ts';
import { formattedDisk, openRing, type RingDriver } from './ring-driver.ts';
import type { Scheduler } from './sim-broker.ts';
import type { SimDisk } from './sim-disk.ts';
import { type SimLineFaults, type SimLinePair, simLines } from './sim-line.ts';

/** Virtual time without promises: nothing here waits for one. Few events are pending at any time, so a list will do. */
export class Clock implements Scheduler {
  nowMs = 0;
  /** Events run so far. */
  steps = 0;
  #events: { readonly atMs: number; readonly run: () => void }[] = [];

  /** Events of one instant run in the order in which they were planned. Returns how to cancel it. */
  at(atMs: number, run: () => void): () => void {
    const event = { atMs: Math.max(atMs, this.nowMs), run };
    let place = this.#events.length;
    while (place > 0 && (this.#events[place - 1]?.atMs ?? 0) > event.atMs) place -= 1;
    this.#events.splice(place, 0, event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  /** Runs to that time, or until `isDone`. More than five million steps are a livelock. */
  run(untilMs: number, isDone: () => boolean = () => false): void {
    const stepsMax = this.steps + 5_000_000;
    while (this.#events[0] !== undefined && this.#events[0].atMs <= untilMs) {
      const event = this.#events.shift();
      this.nowMs = event?.atMs ?? this.nowMs;
      this.steps += 1;
      invariant(this.steps <= stepsMax, `no end at ${this.nowMs} ms`);
      event?.run();
      if (isDone()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }
}

export const SMALL_RING_BYTES = 400 * 4096;
/** Large preset: bodies of up to 192 KiB. */
export const LARGE_RING_BYTES = 4110 * 4096;

/** What a clock that was set shows when virtual time begins, in µs since 1970. */
export const SIM_DATE_US = 1_790_000_000_000_000;

export interface LinkNodeOptions {
  readonly world: Clock;
  readonly random: Prng;
  readonly name: string;
  readonly uplink: 'none' | 'link';
  readonly queues?: readonly { readonly name: string; readonly bytesLimit: number }[];
  readonly ringBytes?: number;
  readonly cacheBytesMax?: number;
  readonly accounts?: Accounts;
  /** Its wall clock, in µs since 1970; undefined: it has none. One that was set, unless given. */
  readonly wallUs?: ((nowMs: number) => number) | undefined;
}

/** `kept`: what was sent and heard is remembered for `check`. `none`: for runs so long that it would not fit. */
export type Accounts = 'kept' | 'none';

interface Parts {
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly sender: CustodySender;
  readonly receiver: CustodyReceiver;
}

interface Opening {
  readonly driver: RingDriver;
  parts: Parts | undefined;
  readonly links: Map<Line, LinkSession>;
  cancelWake: () => void;
}

export interface Stored {
  readonly identity: Identity;
  readonly body: Uint8Array;
}

export class LinkNode {
  disk: SimDisk;
  /** Virtual milliseconds of a durable write. */
  syncMs: () => number = () => 1;
  /** What `send` was told is durable here, in that order. */
  readonly accepted: Stored[] = [];
  /** That, and what a power cut left in doubt. */
  readonly tried: Stored[] = [];
  /** Sends that wait for the disk. */
  pendingCount = 0;
  readonly logs: string[] = [];
  /** What the other side said for people; in `logs`, too. */
  readonly console: ConsoleLine[] = [];
  /** `close` wishes of its links. */
  readonly closes: string[] = [];
  /** Times the links were pumped. */
  pumps = 0;
  readonly #options: LinkNodeOptions;
  readonly #wallClock: ((nowMs: number) => number) | undefined;
  #opening: Opening | undefined;

  constructor(options: LinkNodeOptions) {
    this.#options = options;
    this.#wallClock = 'wallUs' in options ? options.wallUs : (nowMs) => SIM_DATE_US + 1_000 * nowMs;
    this.disk = formattedDisk(geometryFor(options.ringBytes ?? SMALL_RING_BYTES), options.random, 'stepped');
  }

  open(): void {
    invariant(this.#opening === undefined, 'a node is open once');
    const { random, world, cacheBytesMax = 1024 * 1024 } = this.#options;
    const { disk } = this;
    disk.onPending = () =>
      world.at(world.nowMs + this.syncMs(), () => {
        if (this.disk === disk && disk.step()) this.step(() => {});
      });
    const driver = openRing(disk, { epochRandom: random.uint32(), cacheBytesMax });
    this.#opening = { driver, parts: undefined, links: new Map(), cancelWake: () => {} };
    this.step(() => {});
  }

  /** Gone from one instant to the next, with its lines. */
  kill(): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    this.#opening = undefined;
    this.pendingCount = 0;
    opening.cancelWake();
    for (const line of opening.links.keys()) line.close();
    this.disk.powerCut();
  }

  get isServing(): boolean {
    return this.#opening?.parts !== undefined;
  }

  /** The parts of the present opening. Change them inside `step` only. */
  get parts(): Parts {
    invariant(this.#opening?.parts !== undefined, 'the node serves');
    return this.#opening.parts;
  }

  get links(): LinkSession[] {
    return [...(this.#opening?.links.values() ?? [])];
  }

  get link(): LinkSession {
    const [link] = this.links;
    invariant(link !== undefined, 'the node has a link');
    return link;
  }

  attach(line: Line, role: 'dial' | 'accept', baud: number | undefined): void {
    const opening = this.#opening;
    invariant(opening?.parts !== undefined, 'the node serves');
    const { store, sender, receiver } = opening.parts;
    const { random, world } = this.#options;
    const link = new LinkSession({ role, store, receiver, random, baud, sender: role === 'dial' ? sender : undefined });
    opening.links.set(line, link);
    const hear = (act: () => void) => {
      if (this.#opening === opening && opening.links.has(line)) this.step(act);
    };
    line.listen({
      onBytes: (bytes) => hear(() => link.bytes(bytes, world.nowMs, this.#wallUs)),
      onDrained: () => hear(() => link.unsent(0, world.nowMs)),
      onClosed: () =>
        hear(() => {
          link.closed(world.nowMs);
          opening.links.delete(line);
        }),
    });
    this.step(() => link.opened(world.nowMs));
  }

  /** Sends; false when there is no room now. */
  send(destination: string, body: Uint8Array, priority = 3): boolean {
    let taken = true;
    const { accounts = 'kept' } = this.#options;
    this.step(() => {
      const { store, intake } = this.parts;
      try {
        const planned = intake.begin(destination, { body, properties: { priority } });
        if (accounts === 'kept') this.tried.push({ identity: planned.identity, body });
        this.pendingCount += 1;
        store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, (outcome) => {
          this.pendingCount -= 1;
          if (outcome === 'durable' && accounts === 'kept') this.accepted.push({ identity: planned.identity, body });
        });
        planned.settle();
      } catch (error) {
        if (!(error instanceof RingmailError)) throw error;
        taken = false;
      }
    });
    return taken;
  }

  /** Receives and acknowledges up to `count` messages, as an application would. Returns how many, and the bytes of their envelopes. */
  consume(queueName: string, count: number): { count: number; bytes: number } {
    const consumed = { count: 0, bytes: 0 };
    this.step(() => {
      const { store } = this.parts;
      const { index } = store.ring;
      const queue = store.queues.get(queueName);
      for (let i = 0; i < count; i++) {
        const slot = store.queues.take(queue);
        if (slot === NO_SLOT) return;
        consumed.count += 1;
        consumed.bytes += index.bodyBytes(slot);
        store.commit({ acks: [{ id: index.id(slot), reason: 'acknowledged' }] }, () => {});
        store.queues.finish(slot);
      }
    });
    return consumed;
  }

  /** What lies in a queue, in the order in which it came. */
  contents(queueName: string): Message[] {
    const { store } = this.parts;
    const slots: number[] = [];
    for (const list of store.queues.get(queueName).ready) {
      for (let slot = list.head; slot !== NO_SLOT; slot = list.next(slot)) slots.push(slot);
    }
    slots.sort((a, b) => store.ring.index.id(a) - store.ring.index.id(b));
    return slots.map((slot) => decodeEnvelope(this.#bodyOf(store, slot)).message);
  }

  /** Messages of a queue, without reading them. */
  count(queueName: string): number {
    return this.parts.store.queues.get(queueName).ready.reduce((count, list) => count + list.count, 0);
  }

  get outgoingCount(): number {
    return this.parts.store.outgoing.count;
  }

  /** One step of the node, then everything that follows from it. */
  step(act: () => void): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    const { nowMs } = this.#options.world;
    if (opening.parts !== undefined) opening.parts.store.nowMs = nowMs;
    act();
    if (opening !== this.#opening) return;
    opening.driver.play(nowMs);
    if (opening.parts === undefined && opening.driver.ring.state === 'serving') this.#serve(opening, nowMs);
    for (let readsBefore = -1; readsBefore !== this.disk.counters.reads; ) {
      readsBefore = this.disk.counters.reads;
      for (const [line, link] of opening.links) this.#pump(line, link, nowMs);
      opening.driver.play(nowMs); // a body that was read here may go out now
    }
    this.#schedule(opening);
  }

  #pump(line: Line, link: LinkSession, nowMs: number): void {
    this.pumps += 1;
    for (let isNew = true; isNew; ) {
      isNew = false;
      link.pump(nowMs, this.#wallUs);
      for (const output of link.takeOutputs()) {
        if (output.kind === 'write') {
          link.unsent(line.write(output.bytes), nowMs);
          isNew = true;
        } else if (output.kind === 'close') {
          this.closes.push(output.reason);
          line.close();
        } else {
          this.logs.push(output.text);
          if (output.kind === 'console') this.console.push(output);
        }
      }
    }
  }

  get #wallUs(): number | undefined {
    return this.#wallClock?.(this.#options.world.nowMs);
  }

  #schedule(opening: Opening): void {
    const { world } = this.#options;
    const times = [opening.driver.ring.wakeAtMs, ...[...opening.links.values()].map((link) => link.wakeAtMs)];
    opening.cancelWake();
    const atMs = times.reduce((a, b) => (b === undefined || (a !== undefined && a < b) ? a : b), undefined);
    if (atMs !== undefined) opening.cancelWake = world.at(atMs, () => this.step(() => {}));
  }

  #serve(opening: Opening, nowMs: number): void {
    const { name, uplink, random, queues = [] } = this.#options;
    const store = new NodeStore(opening.driver.ring, ALL_STORE_PARTS);
    store.nowMs = nowMs;
    const intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 100_000, canReach: () => uplink === 'link' });
    const sender = new CustodySender(store, 'up', random);
    const receiver = new CustodyReceiver(store, intake);
    store.load(name, random);
    sender.load();
    receiver.load();
    intake.define('$dead', 60_000);
    for (const queue of queues) intake.define(queue.name, queue.bytesLimit);
    opening.parts = { store, intake, sender, receiver };
    opening.driver.play(nowMs);
  }

  #bodyOf(store: NodeStore, slot: number): Uint8Array {
    let body: Uint8Array | undefined;
    store.ring.fetchBody(store.ring.index.id(slot), (result) => {
      invariant(result.kind === 'body', `the body of a stored message is ${result.kind}`);
      body = result.body;
    });
    this.#opening?.driver.play(this.#options.world.nowMs);
    invariant(body !== undefined, 'reads are answered at once');
    return body;
  }
}

/** A packet as it was handed to the line. */
export interface Heard {
  readonly atMs: number;
  readonly from: 'device' | 'gateway';
  readonly packet: Packet;
  readonly bytes: number;
}

/** Listens in on both ends of a line and opens the seals: it computes the session's id as the two sides do. */
export class Wiretap {
  readonly heard: Heard[] = [];
  /** Frames that nobody can read, by who sent them: packets that were cut short. */
  readonly cut = { device: 0, gateway: 0 };
  readonly #world: Clock;
  readonly #handing: 'whole' | 'in-pieces';
  readonly #hellos: SessionSide[] = [];
  #sid: number | undefined;

  /** `in-pieces`: a sender may cut a packet short. */
  constructor(world: Clock, handing: 'whole' | 'in-pieces') {
    this.#world = world;
    this.#handing = handing;
  }

  /** The same line, listened to. */
  on(line: Line, from: Heard['from']): Line {
    const deframer = new Deframer(65_535);
    return {
      write: (bytes) => {
        for (const event of deframer.push(bytes)) if (event.kind === 'frame') this.#hear(event.bytes, from);
        return line.write(bytes);
      },
      close: () => line.close(),
      listen: (listener) => line.listen(listener),
    };
  }

  of<K extends Packet['kind']>(kind: K, from?: Heard['from']): (Heard & { packet: Packet & { kind: K } })[] {
    return this.heard.filter((one): one is Heard & { packet: Packet & { kind: K } } => {
      return one.packet.kind === kind && (from === undefined || one.from === from);
    });
  }

  #hear(frame: Uint8Array, from: Heard['from']): void {
    const side = from === 'device' ? 'dial' : 'accept';
    const packet = decodePacket(frame, this.#sid === undefined ? undefined : sealId(this.#sid, side));
    if (packet === undefined) {
      invariant(this.#handing === 'in-pieces', `${from} sends what nobody can read`);
      this.cut[from] += 1;
      return;
    }
    if (packet.kind === 'hello') this.#hellos.push(packet);
    if (packet.kind === 'welcome') {
      const hello = this.#hellos.find(({ nonce }) => nonce.join() === packet.nonceEcho.join());
      if (hello !== undefined) this.#sid = sessionId(hello, packet);
    }
    this.heard.push({ atMs: this.#world.nowMs, from, packet, bytes: frame.length });
  }
}

export interface LinkWorldOptions {
  readonly seed: string | number;
  readonly baud: number | undefined;
  readonly delayMs?: number;
  readonly faults?: { readonly aToB?: Partial<SimLineFaults>; readonly bToA?: Partial<SimLineFaults> };
  readonly queues?: readonly { readonly name: string; readonly bytesLimit: number }[];
  readonly ringBytes?: number;
  readonly gatewayRingBytes?: number;
  readonly cacheBytesMax?: number;
  readonly accounts?: Accounts;
  /** Wall clocks, as LinkNodeOptions has them. */
  readonly clocks?: Partial<Record<'device' | 'gateway', ((nowMs: number) => number) | undefined>>;
}

/** A device that dials and a gateway that accepts. */
export class LinkWorld {
  readonly world: Clock;
  readonly random: Prng;
  readonly device: LinkNode;
  readonly gateway: LinkNode;
  readonly tap: Wiretap;
  lines: SimLinePair | undefined;
  readonly #options: LinkWorldOptions;
  #connections = 0;

  constructor(options: LinkWorldOptions) {
    const { seed, ringBytes, cacheBytesMax, accounts = 'kept', queues = [{ name: 'bags', bytesLimit: 4_000_000 }] } = options;
    this.#options = options;
    this.world = new Clock();
    this.random = stream(seed, 'test');
    this.tap = new Wiretap(this.world, lineProfile(options.baud).handing);
    const bounds = { ...(ringBytes && { ringBytes }), ...(cacheBytesMax !== undefined && { cacheBytesMax }) };
    const shared = { world: this.world, accounts, ...bounds };
    const { clocks = {} } = options;
    const clockOf = (node: 'device' | 'gateway') => (node in clocks ? { wallUs: clocks[node] } : {});
    const device = { name: 'device', uplink: 'link', random: stream(seed, 'device') } as const;
    this.device = new LinkNode({ ...shared, ...device, ...clockOf('device') });
    const { gatewayRingBytes = ringBytes } = options;
    const ring = gatewayRingBytes === undefined ? {} : { ringBytes: gatewayRingBytes };
    const gateway = { name: 'gateway', uplink: 'none', random: stream(seed, 'gateway'), queues } as const;
    this.gateway = new LinkNode({ ...shared, ...ring, ...gateway, ...clockOf('gateway') });
  }

  /** Both nodes serve and are joined. */
  start(): void {
    this.device.open();
    this.gateway.open();
    this.until(() => this.device.isServing && this.gateway.isServing, 10_000);
    this.connect();
  }

  /** A new line between them. */
  connect(): SimLinePair {
    this.#connections += 1;
    const { baud, delayMs, faults, seed, accounts } = this.#options;
    const { world } = this;
    const listened = (line: Line, from: Heard['from']) => (accounts === 'none' ? line : this.tap.on(line, from));
    const random = stream(seed, `line ${this.#connections}`);
    const lines = simLines({ world, random, baud, ...(delayMs !== undefined && { delayMs }), ...(faults && { faults }) });
    this.lines = lines;
    this.gateway.attach(listened(lines.b, 'gateway'), 'accept', baud);
    this.device.attach(listened(lines.a, 'device'), 'dial', baud);
    return lines;
  }

  run(ms: number): void {
    this.world.run(this.world.nowMs + ms);
  }

  /** Runs until it is true, or fails after that much virtual time. Returns how long it took. */
  until(isTrue: () => boolean, msMax: number): number {
    const startMs = this.world.nowMs;
    if (isTrue()) return 0;
    this.world.run(startMs + msMax, isTrue);
    invariant(
      isTrue(),
      `not true within ${msMax} ms: ${this.device.links.map((l) => l.describe()).join()} | ${this.gateway.links.map((l) => l.describe()).join()}`,
    );
    return this.world.nowMs - startMs;
  }

  /** What the device accepted is stored at the gateway, and freed at the device. */
  isDelivered(queue = 'bags'): boolean {
    const { device, gateway } = this;
    if (!device.isServing || !gateway.isServing || device.pendingCount > 0 || device.outgoingCount > 0) return false;
    return gateway.count(queue) >= device.accepted.length;
  }

  /** Everything the device accepted lies in the queue once, in order within each stream, and nothing else but what is in doubt. */
  check(queue = 'bags'): void {
    const got = this.gateway.contents(queue).map(asText);
    const accepted = this.device.accepted.map(asText);
    const tried = new Set(this.device.tried.map(asText));
    const missing = accepted.filter((text) => !got.includes(text));
    const strange = got.filter((text) => !tried.has(text));
    const twice = got.filter((text, i) => got.indexOf(text) !== i);
    const wrong = { missing, strange, twice };
    invariant(
      missing.length + strange.length + twice.length === 0,
      `${accepted.length} accepted, ${got.length} there: ${JSON.stringify(wrong)}`,
    );
    const last = new Map<string, number>();
    for (const { identity } of this.gateway.contents(queue)) {
      const key = streamText(identity);
      invariant(identity.number > (last.get(key) ?? 0), `${identityText(identity)} is out of order`);
      last.set(key, identity.number);
    }
  }
}

function asText({ identity, body }: Stored): string {
  return `${identityText(identity)} ${body.length} ${body.slice(0, 8).join()} ${body.slice(-8).join()}`;
}

/** A body that can be told from others. */
export function bodyOf(n: number, bytes: number): Uint8Array {
  const body = new Uint8Array(bytes);
  let state = (n * 2654435761) >>> 0;
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    body[i] = state >>> 24;
  }
  return body;
}

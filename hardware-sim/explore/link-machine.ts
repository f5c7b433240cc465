/**
 * One end of a link: the real session over the real custody, a ring in memory, and a line that takes whole packets. It has a clock of
 * its own, which stands still but for `tick`: then it is as late as the next deadline. So timers may be as late as they like, and the
 * clocks of the two ends have nothing to do with each other.
 */

import { toUtf8 } from '../../shared/bytes.ts';
import { ALL_STORE_PARTS } from '../../shared/custody/all-store-parts.ts';
import { Intake } from '../../shared/custody/intake.ts';
import { NodeStore } from '../../shared/custody/node-store.ts';
import { CustodyReceiver } from '../../shared/custody/receiver.ts';
import { Rehoming } from '../../shared/custody/rehoming.ts';
import { CustodySender } from '../../shared/custody/sender.ts';
import { lineProfile } from '../../shared/link/line-profile.ts';
import { LinkSession } from '../../shared/link/link-session.ts';
import { type Contents, contentsOf, textOf } from './contents.ts';
import { Fingerprint } from './fingerprint.ts';
import { setHidden } from './hidden.ts';
import type { Dictionary, Machine } from './machine.ts';
import { type Image, MemoryRing } from './memory-ring.ts';
import { SeededBytes } from './seeded-bytes.ts';
import type { Weakening } from './weakenings.ts';

/** What crosses the line between two zeros, these included. */
export interface LinkWord {
  readonly bytes: Uint8Array;
}

export interface EndShape {
  readonly name: string;
  readonly role: 'dial' | 'accept';
  readonly destination: string;
  /** Packet numbers there are: 4 or 8. */
  readonly packetNumbers: number;
  /** Packets that may be under way: half of that, where all is well. */
  readonly window: number;
  readonly disk: 'prompt' | 'stepped';
  readonly weakening: Weakening | undefined;
  readonly words: Dictionary<LinkWord>;
}

export interface LinkFacts {
  readonly power: 'off' | 'loading' | 'serving';
  readonly isWriting: boolean;
  /** A deadline lies ahead. */
  readonly isWaiting: boolean;
  readonly isForked: boolean;
  readonly lost: Contents;
  readonly kept: Contents;
  readonly said: string;
}

interface Running {
  readonly ring: MemoryRing;
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly sender: CustodySender;
  readonly link: LinkSession;
  rehoming: Rehoming | undefined;
  nowMs: number;
}

const START_MS = 1_000;

export class LinkMachine implements Machine<LinkFacts> {
  readonly #shape: EndShape;
  #disk: Image;
  #running: Running | undefined;
  #said: number[] = [];

  constructor(shape: EndShape, image: Image) {
    this.#shape = shape;
    this.#disk = image;
  }

  get off(): Image | undefined {
    return this.#running === undefined ? this.#disk : undefined;
  }

  /** open:SEED  cut:lost|kept  flush  tick  send:KEY  hear:WORD */
  apply(input: string): number[] {
    this.#said = [];
    const [verb = '', first = ''] = input.split(':');
    const running = this.#running;
    if (verb === 'open') this.#open(Number(first));
    else if (running === undefined) return [];
    else if (verb === 'cut') this.#off(first === 'kept' ? running.ring.durableIfKept : running.ring.durable);
    else if (verb === 'flush') running.ring.flush();
    else if (verb === 'tick') this.#tick(running);
    else if (verb === 'send') this.#send(running, Number(first));
    else if (verb === 'hear') running.link.bytes(this.#shape.words.word(Number(first)).bytes, running.nowMs);
    this.#pump();
    return this.#said;
  }

  print(): string {
    return new Fingerprint().value(this.#running).hex;
  }

  facts(): LinkFacts {
    const running = this.#running;
    if (running === undefined) {
      const contents = contentsOf(this.#disk);
      return { power: 'off', isWriting: false, isWaiting: false, isForked: false, lost: contents, kept: contents, said: 'off' };
    }
    const { ring, rehoming, sender, link } = running;
    return {
      power: rehoming === undefined ? 'serving' : 'loading',
      isWriting: ring.isWriting,
      isWaiting: deadlineOf(running) !== undefined,
      isForked: sender.state === 'forked',
      lost: contentsOf(ring.durable),
      kept: contentsOf(ring.durableIfKept),
      said: `${link.describe()} at ${running.nowMs - START_MS} ms`,
    };
  }

  #send({ intake, store }: Running, key: number): void {
    const planned = intake.begin(this.#shape.destination, { body: toUtf8(textOf(key)), properties: {} });
    store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, () => {});
    planned.settle();
  }

  #tick(running: Running): void {
    running.nowMs = Math.max(running.nowMs, deadlineOf(running) ?? running.nowMs);
    running.store.nowMs = running.nowMs;
  }

  #open(seed: number): void {
    if (this.#running !== undefined) return;
    const { name, role, packetNumbers, window, weakening } = this.#shape;
    const random = new SeededBytes(seed);
    const ring = new MemoryRing(this.#disk, seed);
    const store = new NodeStore(ring.asRing, ALL_STORE_PARTS);
    store.nowMs = START_MS;
    const intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 500_000, canReach: () => true });
    store.load(name, random);
    const receiver = new CustodyReceiver(store, intake);
    const sender = new CustodySender(store, 'up', random);
    receiver.load();
    sender.load();
    weakening?.({ ring, store, sender, receiver });
    intake.define('$dead', 50_000);
    intake.define('bags', 200_000);
    const rehoming = new Rehoming({ store, intake, random, reason: 'none' });
    const profile = { ...lineProfile(undefined), window, packetNumbers };
    const link = new LinkSession({ role, store, sender, receiver, random, baud: undefined, profile });
    this.#running = { ring, store, intake, sender, link, rehoming, nowMs: START_MS };
  }

  #off(image: Image): void {
    this.#running = undefined;
    this.#disk = image;
  }

  #pump(): void {
    this.#pumpOnce();
    if (this.#shape.disk === 'stepped') return;
    for (let ring = this.#running?.ring; ring?.isWriting; ring = this.#running?.ring) {
      ring.flush();
      this.#pumpOnce();
    }
  }

  /** What a node does by itself after every step (shared/core/node-core.ts). */
  #pumpOnce(): void {
    const running = this.#running;
    if (running === undefined) return;
    const { ring, link } = running;
    if (running.rehoming !== undefined) {
      running.rehoming.pump();
      if (running.rehoming.isDone) this.#serve(running);
    }
    if (running.rehoming === undefined) link.pump(running.nowMs);
    ring.begin(running.nowMs);
    for (const output of link.takeOutputs()) if (output.kind === 'write') this.#write(output.bytes);
  }

  #serve(running: Running): void {
    running.rehoming = undefined;
    running.link.opened(running.nowMs);
    // Counters are told by the minute, and no two states would be alike for them.
    setHidden(running.link, 'statAtMs', Number.POSITIVE_INFINITY);
  }

  /** Each packet is a word of its own: the line may lose one and bring the next. */
  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = bytes.indexOf(0, at + 1) + 1;
      const packet = bytes.slice(at, end === 0 ? bytes.length : end);
      at += packet.length;
      if (packet.some((byte) => byte !== 0)) this.#said.push(this.#shape.words.intern({ bytes: packet }, keyOf(packet)));
    }
  }
}

function deadlineOf({ ring, link, rehoming }: Running): number | undefined {
  const times = [ring.dueMs, rehoming === undefined ? link.wakeAtMs : undefined].filter((ms) => ms !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}

function keyOf(packet: Uint8Array): string {
  return String.fromCharCode(...packet);
}

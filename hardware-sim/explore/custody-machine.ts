/**
 * One node of custody without any carrier: the real store, intake, sender, receiver and rehoming over a ring in memory. What a carrier
 * would do with their words is done by the exploration: any word ever said may be heard, once, often, late or never.
 *
 *   off ──open──▶ loading ──frames durable, rehomed──▶ serving ──a fork is noted──▶ off, under a new incarnation at the next opening
 *    ▲                │                                   │
 *    └── cut: lost │ kept ────────────────────────────────┘
 */

import { toHex, toUtf8 } from '../../shared/bytes.ts';
import { ALL_STORE_PARTS } from '../../shared/custody/all-store-parts.ts';
import { HoleWait } from '../../shared/custody/hole-wait.ts';
import { Intake } from '../../shared/custody/intake.ts';
import { metaChange, metaValue } from '../../shared/custody/meta-keys.ts';
import { NodeStore } from '../../shared/custody/node-store.ts';
import { CustodyReceiver, type ReceiverSession } from '../../shared/custody/receiver.ts';
import { Rehoming } from '../../shared/custody/rehoming.ts';
import { CustodySender } from '../../shared/custody/sender.ts';
import { type StreamKey, streamText } from '../../shared/message/identity.ts';
import type { Random } from '../../shared/ports.ts';
import { type Contents, contentsOf, textOf } from './contents.ts';
import type { Word } from './custody-words.ts';
import { Fingerprint } from './fingerprint.ts';
import { hidden } from './hidden.ts';
import type { Dictionary, Machine } from './machine.ts';
import { type Image, MemoryRing } from './memory-ring.ts';
import { SeededBytes } from './seeded-bytes.ts';
import type { Weakening } from './weakenings.ts';

export interface NodeShape {
  readonly name: string;
  /** Where its messages go, or '' when none begin here. */
  readonly destination: string;
  /** `prompt`: every write is over when the step is. `stepped`: when `flush` says so. */
  readonly disk: 'prompt' | 'stepped';
  readonly weakening: Weakening | undefined;
  readonly words: Dictionary<Word>;
}

export interface CustodyFacts {
  readonly power: 'off' | 'loading' | 'serving';
  readonly sender: CustodySender['state'];
  readonly isWriting: boolean;
  readonly isDelaying: boolean;
  /** Streams that have something to hand over now. */
  readonly workCount: number;
  /** What a power cut would find: without the frame in flight, and with it. */
  readonly lost: Contents;
  readonly kept: Contents;
  readonly image: Image;
  readonly isForked: boolean;
  /** Streams that end here and wait for a number. */
  readonly holeCount: number;
  /** A cursor of the receiver beyond what was ever handed over. */
  readonly isBeyondSent: boolean;
}

/** A session, its streams, and which cursor of each was told: the durable one, so that this is no state of its own. */
interface Told {
  readonly session: ReceiverSession;
  readonly streams: Map<string, StreamKey>;
  readonly cursors: Map<string, number>;
}

interface Running {
  readonly ring: MemoryRing;
  readonly store: NodeStore;
  readonly intake: Intake;
  readonly sender: CustodySender;
  readonly receiver: CustodyReceiver;
  readonly random: Random;
  readonly sessions: Map<string, Told>;
  rehoming: Rehoming | undefined;
  fork: 'none' | 'noting';
}

/** Far beyond any credit of these few small messages. */
const CREDIT = 1_000_000;
/** Never to be waited for by itself: `late` is when it comes. */
const DELAYED_NOW_MS = 0;

export class CustodyMachine implements Machine<CustodyFacts> {
  readonly #shape: NodeShape;
  #disk: Image;
  #running: Running | undefined;
  #said: number[] = [];
  #workCount = 0;

  constructor(shape: NodeShape, image: Image) {
    this.#shape = shape;
    this.#disk = image;
  }

  get off(): Image | undefined {
    return this.#running === undefined ? this.#disk : undefined;
  }

  /** open:SEED  cut:lost|kept  flush  late  close  send:KEY:PRIORITY  offer:TO  take:N:TO  hear:WORD */
  apply(input: string): number[] {
    this.#said = [];
    const [verb = '', first = '', second = ''] = input.split(':');
    const running = this.#running;
    if (verb === 'open') this.#open(Number(first));
    else if (running === undefined) return [];
    else if (verb === 'cut') this.#off(first === 'kept' ? running.ring.durableIfKept : running.ring.durable);
    else this.#do(running, verb, first, second);
    this.#pump();
    // A sender notes a stream when it is first asked for it: it is asked after every step, as carriers do.
    this.#workCount = this.#isReady ? (this.#running?.sender.streamsWithWork().length ?? 0) : 0;
    return this.#said;
  }

  print(): string {
    return new Fingerprint().value(this.#running).hex;
  }

  facts(): CustodyFacts {
    const running = this.#running;
    if (running === undefined) {
      const contents = contentsOf(this.#disk);
      const idle = { isWriting: false, isDelaying: false, workCount: 0, isForked: false, holeCount: 0, isBeyondSent: false };
      return { power: 'off', sender: 'idle', ...idle, lost: contents, kept: contents, image: this.#disk };
    }
    const { ring, store, sender, rehoming } = running;
    return {
      power: rehoming === undefined ? 'serving' : 'loading',
      sender: sender.state,
      isWriting: ring.isWriting,
      isDelaying: ring.isDelaying,
      workCount: this.#workCount,
      lost: contentsOf(ring.durable),
      kept: contentsOf(ring.durableIfKept),
      image: ring.durable,
      isForked: sender.state === 'forked' || metaValue(ring.metas, 'forked') !== undefined,
      holeCount: [...store.ends.destinations.values()].filter(({ holes }) => holes.length > 0).length,
      isBeyondSent: isBeyondSent(running),
    };
  }

  get #isReady(): boolean {
    const running = this.#running;
    return running !== undefined && running.rehoming === undefined && running.sender.state === 'ready';
  }

  #do(running: Running, verb: string, first: string, second: string): void {
    const { ring, store, sender, rehoming } = running;
    if (verb === 'flush') return ring.flush();
    if (verb === 'late') return ring.begin(Number.POSITIVE_INFINITY);
    if (rehoming !== undefined || running.fork !== 'none') return;
    switch (verb) {
      case 'send': {
        const properties = { priority: Number(second) };
        const planned = running.intake.begin(this.#shape.destination, { body: toUtf8(textOf(Number(first))), properties });
        store.commit({ puts: planned.puts, acks: planned.acks, metas: planned.changes }, () => {});
        return planned.settle();
      }
      case 'close': {
        const waits = new HoleWait(store);
        for (const handle of store.ends.destinations.keys()) waits.close(handle, () => true);
        return;
      }
      case 'offer':
        return this.#say({ kind: 'offer', to: first, offer: sender.offer() });
      case 'take':
        return this.#take(running, Number(first), second);
      case 'hear':
        return this.#hear(running, this.#shape.words.word(Number(first)));
    }
  }

  #take({ sender }: Running, at: number, to: string): void {
    const work = sender.streamsWithWork()[at];
    const taken = work && sender.take(work);
    if (work === undefined || taken?.kind !== 'item') return;
    this.#say({ kind: 'item', to, nonce: hidden<Uint8Array>(sender, 'nonce'), stream: work.key, item: taken.item });
  }

  #hear(running: Running, word: Word): void {
    const { sender, receiver, sessions } = running;
    switch (word.kind) {
      case 'offer': {
        const { offer } = word;
        const offered = receiver.offered(offer);
        if (offered === undefined) return;
        this.#say({ kind: 'answer', to: offer.sender, answer: offered.answer });
        if (offered.session === undefined) return;
        const streams = new Map(offer.streams.map(({ stream }) => [streamText(stream), stream]));
        if (!sessions.has(toHex(offer.nonce))) {
          sessions.set(toHex(offer.nonce), { session: offered.session, streams, cursors: new Map() });
        }
        return;
      }
      case 'answer':
        return sender.answered(word.answer);
      case 'item': {
        const known = sessions.get(toHex(word.nonce));
        if (known === undefined) return;
        known.streams.set(streamText(word.stream), word.stream);
        receiver.item(known.session, { stream: word.stream, item: word.item }, () => {});
        return;
      }
      case 'cursor':
        if (sender.isCurrent(word.nonce)) sender.acknowledged(word.stream, word.cursor, CREDIT);
    }
  }

  #open(seed: number): void {
    if (this.#running !== undefined) return;
    const { name, weakening } = this.#shape;
    const random = new SeededBytes(seed);
    const ring = new MemoryRing(this.#disk, seed);
    const store = new NodeStore(ring.asRing, ALL_STORE_PARTS);
    const intake = new Intake(store, { unknownQueue: 'refuse', queueBytesLimit: 500_000, canReach: () => true });
    store.load(name, random);
    const receiver = new CustodyReceiver(store, intake);
    const sender = new CustodySender(store, 'up', random);
    receiver.load();
    sender.load();
    weakening?.({ ring, store, sender, receiver });
    intake.define('$dead', 50_000);
    intake.define('bags', 200_000);
    const reason = metaValue(ring.metas, 'forked') === undefined ? 'none' : 'new-incarnation';
    const rehoming = new Rehoming({ store, intake, random, reason });
    this.#running = { ring, store, intake, sender, receiver, random, sessions: new Map(), rehoming, fork: 'none' };
  }

  #off(image: Image): void {
    this.#running = undefined;
    this.#disk = image;
  }

  #pump(): void {
    this.#pumpOnce();
    if (this.#shape.disk === 'stepped') return;
    for (let ring = this.#running?.ring; ring?.isWriting || ring?.isDelaying; ring = this.#running?.ring) {
      if (ring.isWriting) ring.flush();
      else ring.begin(Number.POSITIVE_INFINITY);
      this.#pumpOnce();
    }
  }

  /** What a node does by itself after every step (shared/core/node-core.ts). */
  #pumpOnce(): void {
    const running = this.#running;
    if (running === undefined) return;
    const { ring, store, sender } = running;
    running.rehoming?.pump();
    if (running.rehoming?.isDone === true) running.rehoming = undefined;
    if (sender.state === 'forked' && running.fork === 'none') {
      running.fork = 'noting';
      store.commit({ metas: [metaChange('forked', true)] }, () => this.#off(ring.durable));
    }
    ring.begin(DELAYED_NOW_MS);
    if (this.#running !== undefined && running.fork === 'none') this.#tell(running);
  }

  /** Every session is told what is durable; hearing the same again changes nothing. */
  #tell({ receiver, sessions }: Running): void {
    for (const { session, streams, cursors } of sessions.values()) {
      if (session.state === 'fenced') continue;
      for (const [text, stream] of streams) {
        const { cursor } = receiver.cursorOf(session, stream);
        if (cursor <= (cursors.get(text) ?? 1)) continue;
        cursors.set(text, cursor);
        this.#say({ kind: 'cursor', to: session.sender, nonce: session.nonce, stream, cursor });
      }
    }
  }

  #say(word: Word): void {
    this.#said.push(this.#shape.words.intern(word, new Fingerprint().value(word).hex));
  }
}

function isBeyondSent({ store, sender }: Running): boolean {
  const sent = hidden<Map<number, number>>(sender, 'sent');
  const streams = hidden<Map<number, { cursor: number }>>(sender, 'streams');
  for (const out of store.outgoing) {
    const cursor = streams.get(out.handle)?.cursor ?? 1;
    if (out.key.origin === store.self.name && cursor > Math.max(sent.get(out.handle) ?? 1, out.lo)) return true;
  }
  return false;
}

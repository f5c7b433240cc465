/**
 * The streams that we send in this session: declares them, says whose turn it is, and hears what the receiver says of them.
 *
 *   has something ──▶ new ──STREAM──▶ declared ──first cursor──▶ open ──▶ DATA, GAP, ELSEWHERE (packet-maker.ts)
 *                      ▲                 │ lost, or no cursor        │
 *                      └─────────────────┘                           └── REJECT ──▶ the message ends here, its GAP goes out
 *
 * A message that no packet of the other side can hold ends in the same way. Over a metered uplink what is not urgent waits for its meter.
 */
import type { Meter } from '../custody/meter.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { isDrained, type OutStream } from '../custody/outgoing.ts';
import type { CustodySender } from '../custody/sender.ts';
import type { AnsweredStream } from '../custody/session.ts';
import { URGENT_PRIORITY_MIN } from '../limits.ts';
import type { EndingClass } from '../message/classes.ts';
import { refusalClass } from './class-codes.ts';
import { LinkStream, type Lost } from './out-stream.ts';
import type { StreamCursor } from './packet-fields.ts';
import { DATA_HANDLE_FOLLOWS, HANDLE_MAX, NOTE_BYTES } from './packet-layout.ts';
import { type Hurry, type Made, PacketMaker, type SendLimits, type SentContent } from './packet-maker.ts';
import { Scheduler } from './scheduler.ts';
import { type Tlv, tlvBytes } from './tlv.ts';

type Log = (level: 'info' | 'warn', text: string) => void;

/** A STREAM that arrived and was not answered by a cursor is said again. */
export const REDECLARE_MS = 1_000;
/** Refused messages of a stream that are being read or written at once. A REJECT beyond it has no effect, and comes again. */
const REFUSED_COUNT_MAX = 64;
/** Streams without anything to send are declared in a HELLO as long as handles are short. */
const IDLE_DECLARED_MAX = DATA_HANDLE_FOLLOWS;

export interface OutboundOptions {
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly log: Log;
  readonly meter?: Meter | undefined;
}

export class Outbound {
  /** Records that no honest receiver sends. */
  impossibleCount = 0;
  rejectedCount = 0;
  readonly #store: NodeStore;
  readonly #sender: CustodySender;
  readonly #log: Log;
  readonly #meter: Meter | undefined;
  /** By handle in the ring, and by handle on the line. */
  readonly #streams = new Map<number, LinkStream>();
  readonly #byHandle = new Map<number, LinkStream>();
  readonly #scheduler = new Scheduler<LinkStream>();
  #maker: PacketMaker | undefined;
  #packetBytesMax = 0;
  #undeclared: LinkStream[] = [];
  readonly #declared = new Set<LinkStream>();
  /** With something to repeat, or in the middle of a message. */
  readonly #unfinished = new Set<LinkStream>();
  /** With messages that are refused and have not ended here yet. */
  readonly #refusing = new Set<LinkStream>();
  /** With numbers under way that are not known to be durable. */
  readonly #waiting = new Set<LinkStream>();
  #isGathered = false;
  #workSeen = -1;

  constructor({ store, sender, log, meter }: OutboundOptions) {
    this.#store = store;
    this.#sender = sender;
    this.#log = log;
    this.#meter = meter;
  }

  /** Something is handed over and not known to be durable. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Some of that should have moved: its stream has credit, and nothing here holds back what is to go again. */
  get isOwed(): boolean {
    if (this.#sender.isHeldBack) return false;
    for (const stream of this.#waiting) if (this.#sender.stream(stream.out).credit > 0) return true;
    return false;
  }

  /** Nothing can have changed but by an input. */
  get isQuiet(): boolean {
    const isSettled = this.#refusing.size === 0 && this.#maker?.mayRetry !== true;
    return isSettled && this.#store.workCount === this.#workSeen;
  }

  get repeatedCount(): number {
    return this.#maker?.repeatedCount ?? 0;
  }

  get wakeAtMs(): number | undefined {
    let atMs = this.#sender.isHeldBack ? this.#meter?.opensAtMs : undefined;
    for (const { state } of this.#declared) {
      if (state.at === 'declared') atMs = Math.min(atMs ?? Number.POSITIVE_INFINITY, state.sinceMs + REDECLARE_MS);
    }
    return atMs;
  }

  /** STREAMs for a HELLO, those that have something first. Others are declared when they have. */
  hello(bytesMax: number, nowMs: number): Tlv[] {
    const all = this.#sender.offeredStreams();
    const busy = all.filter((out) => !isDrained(out)).sort((a, b) => b.key.priority - a.key.priority);
    const drained = all.filter(isDrained);
    // Those that begin here first: the other side must know of them all to know a store that was rolled back.
    const own = drained.filter((out) => this.#isOwn(out));
    const others = drained.filter((out) => !this.#isOwn(out));
    const idle = [...own, ...others.slice(0, Math.max(0, IDLE_DECLARED_MAX - busy.length - own.length))];
    const tlvs: Tlv[] = [];
    let bytes = 0;
    for (const out of [...busy, ...idle]) {
      const tlv = this.#declaration(this.#byHandle.size, out);
      bytes += tlvBytes(tlv);
      if (bytes > bytesMax) break;
      tlvs.push(tlv);
      this.#declares(this.#enter(out), nowMs);
    }
    return tlvs;
  }

  #isOwn({ key }: OutStream): boolean {
    const { name, incarnation } = this.#store.self;
    return key.origin === name && key.incarnation === incarnation;
  }

  /** What a WELCOME says of the streams of our HELLO, in the words of custody. */
  answered(cursors: readonly StreamCursor[]): AnsweredStream[] {
    const answered: AnsweredStream[] = [];
    for (const { handle, cursor, credit } of cursors) {
      const stream = this.#byHandle.get(handle);
      if (stream !== undefined) answered.push({ stream: stream.key, cursor, credit });
    }
    return answered;
  }

  /** The session may be used: the streams that were answered are open. */
  begin(limits: SendLimits, answered: readonly StreamCursor[]): void {
    const onTooLarge = (stream: LinkStream, number: number) => void this.#refuse(stream, number, 'TOO_LARGE');
    this.#maker = new PacketMaker({ store: this.#store, sender: this.#sender, limits, onTooLarge });
    this.#packetBytesMax = limits.packetBytesMax;
    for (const { handle } of answered) {
      const stream = this.#byHandle.get(handle);
      if (stream !== undefined) this.#opens(stream);
    }
  }

  /** Notices new messages, and STREAMs nobody answered. Called after every step of the node. */
  pump(nowMs: number): void {
    const { workCount } = this.#store;
    // Whether it goes on now is for the line to say.
    if (this.#meter?.isOpen(nowMs) === true) this.#sender.isHeldBack = false;
    if (workCount !== this.#workSeen || this.#maker?.mayRetry === true) this.#isGathered = false;
    this.#workSeen = workCount;
    for (const stream of this.#refusing) this.#endRefused(stream);
    for (const stream of this.#declared) {
      if (stream.state.at === 'declared' && nowMs >= stream.state.sinceMs + REDECLARE_MS) this.#undeclares(stream);
    }
  }

  /** The next packet, if there is anything that may be sent now. */
  next(nowMs: number, hurry: Hurry): Made | undefined {
    const maker = this.#maker;
    if (maker === undefined) return undefined;
    if (!this.#isGathered) this.#gather(maker);
    if (this.#undeclared.length > 0) return this.#declare(nowMs);
    this.#sender.isHeldBack = false;
    if (this.#meter === undefined || this.#meter.isOpen(nowMs)) return this.#make(maker, hurry, () => this.#scheduler.next());
    const made = this.#make(maker, hurry, () => this.#scheduler.nextFrom(URGENT_PRIORITY_MIN));
    this.#sender.isHeldBack = made === undefined && this.#scheduler.nextFrom(0) !== undefined;
    return made;
  }

  /** As `next`, of urgent streams alone, whoever was passed over: what may cut another packet short. */
  urgent(): Made | undefined {
    const maker = this.#maker;
    if (maker === undefined) return undefined;
    if (!this.#isGathered) this.#gather(maker);
    return this.#make(maker, 'yes', () => this.#scheduler.nextFrom(URGENT_PRIORITY_MIN));
  }

  /** An urgent stream may have something that was passed over. */
  get isUrgentWaiting(): boolean {
    return this.#scheduler.nextFrom(URGENT_PRIORITY_MIN) !== undefined;
  }

  #make(maker: PacketMaker, hurry: Hurry, whose: () => LinkStream | undefined): Made | undefined {
    for (let stream = whose(); stream !== undefined; stream = whose()) {
      const made = maker.make(stream, hurry);
      if (stream.lost.length > 0 || stream.parting !== undefined) this.#unfinished.add(stream);
      if (stream.isWaiting) this.#waiting.add(stream);
      if (made !== undefined) {
        this.#scheduler.served(stream);
        return made;
      }
      this.#scheduler.rests(stream);
    }
    return undefined;
  }

  /** A packet of ours is lost: what it carried goes out again. */
  lost(sent: SentContent): void {
    switch (sent.kind) {
      case 'declarations':
        for (const stream of sent.streams) if (stream.state.at === 'declared') this.#undeclares(stream);
        return;
      case 'numbers':
        return this.#lose(sent.stream, { kind: 'numbers', from: sent.from, to: sent.to }, sent.to);
      case 'part': {
        const { stream, number, offset, end } = sent;
        return this.#lose(stream, { kind: 'part', number, offset, end }, number);
      }
    }
  }

  /** A word of the receiver about one of our streams. `moved`: more is durable there than we knew. */
  record({ handle, cursor, credit }: StreamCursor): 'moved' | 'same' | 'impossible' {
    const stream = this.#byHandle.get(handle);
    if (stream === undefined) return this.#impossible();
    const sending = this.#sender.stream(stream.out);
    const before = sending.cursor;
    this.#sender.acknowledged(stream.key, cursor, credit);
    if (cursor > sending.cursor) return this.#impossible();
    this.#opens(stream);
    stream.durableTo(sending);
    this.#maker?.heard(stream, sending);
    if (stream.lost.length > 0) this.#unfinished.add(stream);
    if (!stream.isWaiting) this.#waiting.delete(stream);
    return sending.cursor > before ? 'moved' : 'same';
  }

  /**
   * The receiver can never take `number`: it ends here, durably, and its gap goes out. Again is fine, and sends the gap again. False for
   * what is not under way: numbers that are freed, not sent, or of nobody's stream.
   */
  rejected(handle: number, number: number, reason: number): boolean {
    const stream = this.#byHandle.get(handle);
    return stream?.state.at === 'open' && this.#refuse(stream, number, refusalClass(reason));
  }

  #enter(out: OutStream): LinkStream {
    const stream = new LinkStream(this.#byHandle.size, out);
    this.#streams.set(out.handle, stream);
    this.#byHandle.set(stream.handle, stream);
    return stream;
  }

  #declaration(handle: number, out: OutStream): Tlv {
    const { self } = this.#store;
    const { origin, incarnation, destination: address, priority } = out.key;
    const isOurs = origin === self.name && incarnation === self.incarnation;
    const stream = { kind: 'stream' as const, handle, priority, lo: out.lo, next: out.next, address };
    return isOurs ? stream : { ...stream, origin: { node: origin, incarnation } };
  }

  #declares(stream: LinkStream, nowMs: number): void {
    stream.state = { at: 'declared', sinceMs: nowMs };
    this.#declared.add(stream);
  }

  #undeclares(stream: LinkStream): void {
    this.#declared.delete(stream);
    stream.state = { at: 'new' };
    this.#isGathered = false;
  }

  #opens(stream: LinkStream): void {
    this.#declared.delete(stream);
    stream.state = { at: 'open' };
    this.#isGathered = false;
  }

  #refuse(stream: LinkStream, number: number, why: EndingClass): boolean {
    if (stream.refused.has(number) || stream.refused.size >= REFUSED_COUNT_MAX) return true;
    const refused = this.#sender.refused(stream.key, { number, class: why });
    if (refused === 'unknown') return false;
    if (refused !== 'ended') {
      this.rejectedCount += 1;
      this.#log('warn', `${stream.key.destination}: number ${number} is refused for good (${why}) and goes to $dead here`);
    }
    stream.refuse(number, why);
    this.#maker?.refused(stream, number);
    this.#refusing.add(stream);
    this.#endRefused(stream);
    return true;
  }

  /** What has ended goes out again: it is a gap now. */
  #endRefused(stream: LinkStream): void {
    for (const [number, why] of stream.refused) {
      const refused = this.#sender.refused(stream.key, { number, class: why });
      if (refused !== 'ended' && refused !== 'unknown') continue;
      stream.refused.delete(number);
      if (refused === 'ended') this.#lose(stream, { kind: 'numbers', from: number, to: number }, number);
    }
    if (stream.refused.size === 0) this.#refusing.delete(stream);
  }

  #lose(stream: LinkStream, lost: Lost, last: number): void {
    if (last < this.#sender.stream(stream.out).cursor) return;
    if (lost.kind === 'part' && stream.refused.has(lost.number)) return;
    stream.lose(lost);
    this.#unfinished.add(stream);
    this.#isGathered = false;
  }

  #impossible(): 'impossible' {
    this.impossibleCount += 1;
    return 'impossible';
  }

  /** Everyone who may have something to send, once after each change. */
  #gather(maker: PacketMaker): void {
    this.#isGathered = true;
    maker.isLoading = false;
    this.#undeclared = [];
    const ready = new Set<LinkStream>();
    for (const { out } of this.#sender.streamsWithWork()) {
      const known = this.#streams.get(out.handle);
      if (known === undefined && this.#byHandle.size > HANDLE_MAX) continue;
      const stream = known ?? this.#enter(out);
      if (stream.state.at === 'new') this.#undeclared.push(stream);
      if (stream.state.at === 'open') ready.add(stream);
    }
    for (const stream of this.#unfinished) {
      if (stream.lost.length === 0 && stream.parting === undefined) this.#unfinished.delete(stream);
      else if (stream.state.at === 'open') ready.add(stream);
    }
    if (maker.spareStream?.state.at === 'open') ready.add(maker.spareStream);
    for (const stream of ready) stream.age = this.#sender.ageOf(this.#sender.stream(stream.out));
    this.#scheduler.begin(ready);
  }

  #declare(nowMs: number): Made {
    const tlvs: Tlv[] = [];
    const streams: LinkStream[] = [];
    let bytes = NOTE_BYTES;
    for (const stream of this.#undeclared) {
      const tlv = this.#declaration(stream.handle, stream.out);
      bytes += tlvBytes(tlv);
      if (bytes > this.#packetBytesMax && tlvs.length > 0) break;
      tlvs.push(tlv);
      streams.push(stream);
      this.#declares(stream, nowMs);
    }
    this.#undeclared = this.#undeclared.slice(streams.length);
    return { packet: { kind: 'note', tlvs }, sent: { kind: 'declarations', streams } };
  }
}

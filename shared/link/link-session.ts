/**
 * The link over one line, as a step machine: bytes and time in; bytes to write, words for log and console and the wish to close out.
 * It does no I/O and has no clock; whoever calls it calls `pump` after every step of the node (docs/link-session.md).
 *
 *   bytes ──▶ LineReader ──▶ plain packets ──▶ Dialler | Acceptor ──agreed──▶ Exchange
 *                       └──▶ sealed packets ──────────────────────────────▶ Exchange ──▶ custody receiver, custody sender
 *   Dialler, Acceptor, Exchange ──packets──▶ LineWriter ──▶ write
 *
 *   state of the line     opened ▶ open ▶ stopped (BYE said) | closed
 *   no good packet on a socket for 30 s: the wish to close it, so that the shell connects anew; a serial line is never given up
 */
import { invariant } from '../assert.ts';
import type { Meter } from '../custody/meter.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodyReceiver, ReceiverSession } from '../custody/receiver.ts';
import type { CustodySender } from '../custody/sender.ts';
import { earliest } from '../earliest.ts';
import type { Random } from '../ports.ts';
import { Acceptor } from './acceptor.ts';
import type { Agreed, HandshakeEvent } from './agreed.ts';
import { consoleLevel } from './console-text.ts';
import { Dialler } from './dialler.ts';
import { DownAnswer, DownOffer } from './downstream.ts';
import { type Condition, Exchange, type Verdict } from './exchange.ts';
import { type LineProfile, lineProfile } from './line-profile.ts';
import { LineReader } from './line-reader.ts';
import { LineWriter } from './line-writer.ts';
import { type LinkWord, LinkWords } from './link-words.ts';
import { KEEPALIVE_S } from './offer-packets.ts';
import { BYE_REASON } from './packet-layout.ts';
import { PacketSize } from './packet-size.ts';
import { type PlainPacket, type SealedPacket, sealId } from './packets.ts';
import { type AcceptorRoute, type DiallerRoute, RouteTalk } from './route-talk.ts';
import { SESSION_END, type SessionEnd } from './session-end.ts';
import { STAT_FIRST_MS, STAT_MS, statCounters } from './stat-counters.ts';
import { type ClockOffset, clockText, TimeSync } from './time-sync.ts';
import { toldTimeUs } from './wall-time.ts';

/** `dial`: we offer what we hold. `accept`: we answer offers. */
export type LinkRole = 'dial' | 'accept';

export type LinkOutput =
  | { readonly kind: 'write'; readonly bytes: Uint8Array }
  | { readonly kind: 'close'; readonly reason: string }
  | LinkWord;

export interface LinkSessionOptions {
  readonly role: LinkRole;
  readonly store: NodeStore;
  /** Needed to dial; not used to accept. */
  readonly sender: CustodySender | undefined;
  readonly receiver: CustodyReceiver;
  /** Of a line that is accepted: who is below, and what hands over to them. Undefined: nothing goes that way. */
  readonly below?: AcceptorRoute | undefined;
  /** Of a line that is dialled: where this node is attached. Undefined: nothing is said of it. */
  readonly route?: DiallerRoute | undefined;
  readonly random: Random;
  /** Bits per second; undefined: a socket. */
  readonly baud: number | undefined;
  /** In place of what the baud says. */
  readonly profile?: LineProfile;
  /** Of a line that is dialled, over a metered uplink. */
  readonly meter?: Meter | undefined;
}

/** A socket without a good packet for this long is half open, or leads to somebody else. */
export const SOCKET_SILENCE_MS = 30_000;
/** No cursor of a stream with credit moves for this long: a new session. Doubled each time in vain. */
export const PROGRESS_MS_MIN = 30_000;
const PROGRESS_MS_MAX = 300_000;
/** The acceptor lets the dialler ping first. */
const ACCEPTOR_PATIENCE = 1.2;

interface Current {
  readonly sid: number;
  readonly exchange: Exchange;
  readonly agreed: Agreed;
  /** Of the accepting side, until the other side has proved that it has our answer. */
  unconfirmed: ReceiverSession | undefined;
}

export class LinkSession {
  readonly #role: LinkRole;
  readonly #options: LinkSessionOptions;
  readonly #profile: LineProfile;
  readonly #handshake: Dialler | Acceptor;
  readonly #reader: LineReader;
  readonly #writer: LineWriter;
  readonly #words = new LinkWords();
  readonly #timeSync = new TimeSync();
  readonly #outputs: LinkOutput[] = [];
  #line: 'new' | 'open' | 'stopped' | 'closed' = 'new';
  #current: Current | undefined;
  #goodAtMs = 0;
  #closing: 'not' | 'asked' = 'not';
  #progressMs = PROGRESS_MS_MIN;
  #isBlocked = false;
  /** Something came in since the last `pump`. */
  #isTouched = true;
  #wakeAtMs: number | undefined;
  #nowMs = 0;
  /** The machine's clock at this step; undefined: it has none. */
  #wallUs: number | undefined;
  #statAtMs = Number.POSITIVE_INFINITY;
  readonly #counters = { ignored: 0, sessions: 0, silences: 0 };
  #past: Record<string, number> = {};

  constructor(options: LinkSessionOptions) {
    const { role, store, sender, receiver, random, baud, route, meter } = options;
    this.#role = role;
    this.#options = options;
    this.#profile = options.profile ?? lineProfile(baud);
    this.#reader = new LineReader(this.#profile);
    this.#writer = new LineWriter(this.#profile, meter);
    const shared = {
      store,
      random,
      profile: this.#profile,
      say: (packet: PlainPacket) => this.#writer.say(packet),
      log: this.#log,
    };
    if (role === 'accept') {
      this.#handshake = new Acceptor({ ...shared, receiver, unixTimeUs: () => toldTimeUs(this.#wallUs) });
    } else {
      invariant(sender !== undefined, 'a dialler has something to offer from');
      this.#handshake = new Dialler({ ...shared, sender, route, meter });
    }
  }

  /** The line is open. Once. */
  opened(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#line = 'open';
    this.#goodAtMs = nowMs;
    this.#statAtMs = nowMs + STAT_FIRST_MS;
    if (this.#handshake instanceof Dialler) this.#handshake.start(nowMs);
    else this.#handshake.knock(nowMs);
  }

  /** What the line delivered. Never throws on any bytes. `wallUs`: the machine's clock, in µs since 1970, if it has one. */
  bytes(chunk: Uint8Array, nowMs: number, wallUs?: number): void {
    if (!this.#isUsable) return;
    this.#nowMs = nowMs;
    this.#wallUs = wallUs;
    this.#isTouched = true;
    for (const word of this.#reader.read(chunk)) {
      switch (word.kind) {
        case 'packet':
          this.#packet(word.packet, nowMs);
          break;
        case 'text':
          this.#outputs.push(...this.#words.console({ from: 'line', level: 'info', bytes: word.text }, nowMs));
          break;
        case 'unreadable':
          if (this.#current === undefined && this.#handshake instanceof Acceptor) this.#handshake.knock(nowMs);
          break;
      }
    }
  }

  /** What the line holds unsent; 0: it has drained. */
  unsent(unsentBytes: number, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#isTouched = true;
    this.#writer.unsent(unsentBytes);
  }

  /** The line is gone. */
  closed(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#line = 'closed';
    this.#endCurrent();
    this.#endHandshake();
  }

  /** Says BYE, so that the other side need not wait for silence. Nothing is said after it. */
  stop(nowMs: number): void {
    if (this.#line !== 'open') return;
    this.#nowMs = nowMs;
    this.#writer.cut();
    if (this.#current !== undefined)
      this.#writer.write({ kind: 'bye', reason: BYE_REASON.restart, sid: this.#current.sid }, { sealId: 0, nowMs });
    this.#line = 'stopped';
    this.#flush();
    this.#endCurrent();
    this.#endHandshake();
  }

  /** Goes on as far as line, disk and clock allow. Called after every step of the node. `wallUs` as in `bytes`. */
  pump(nowMs: number, wallUs?: number): void {
    this.#nowMs = nowMs;
    this.#wallUs = wallUs;
    if (!this.#isUsable || this.#isAtRest(nowMs)) return;
    this.#isTouched = false;
    if (this.#handshake instanceof Dialler) this.#event(this.#handshake.pump(nowMs), nowMs);
    const current = this.#current;
    if (current !== undefined) this.#judge(this.#watch(current, nowMs), nowMs);
    this.#tellCounters(nowMs);
    this.#closeIfSilent(nowMs);
    this.#fill(nowMs);
    this.#wakeAtMs = this.#nextWakeAtMs;
  }

  /** When `pump` is wanted next, if nothing else happens. */
  get wakeAtMs(): number | undefined {
    return this.#isUsable ? this.#wakeAtMs : undefined;
  }

  get #nextWakeAtMs(): number | undefined {
    const { exchange, unconfirmed } = this.#current ?? {};
    return earliest(
      this.#handshake instanceof Dialler ? this.#handshake.wakeAtMs : undefined,
      unconfirmed === undefined ? exchange?.wakeAtMs : exchange?.silentAtMs,
      // What is due now and cannot be written is not a reason to wake up.
      this.#isBlocked ? this.#writer.mayWriteAtMs : unconfirmed === undefined ? exchange?.ackAtMs : undefined,
      this.#tellsAtMs,
      this.#closesAtMs,
    );
  }

  takeOutputs(): LinkOutput[] {
    return this.#outputs.length === 0 ? [] : this.#outputs.splice(0);
  }

  /** For people. */
  describe(): string {
    const speed = this.#options.baud === undefined ? 'socket' : `${this.#options.baud} baud`;
    const at = this.#line === 'open' ? this.#handshake.describe() : this.#line;
    const exchange = this.#current === undefined ? '' : `, ${this.#current.exchange.describe()}`;
    const clock = this.clock === undefined ? '' : `, ${clockText(this.clock)}`;
    return `${this.#role} over ${speed}: ${at}${exchange}${clock}`;
  }

  /** How far the other side's clock is from ours, as of the last step. Of a line we dial, once the other side told a time it knows. */
  get clock(): ClockOffset | undefined {
    return this.#wallUs === undefined ? undefined : this.#timeSync.offset(this.#wallUs, this.#nowMs);
  }

  /** Who is at the other end, while there is a session. */
  get peer(): string | undefined {
    return this.#current?.exchange.peer;
  }

  /** Everything that was counted on this line; only ever grows. */
  counters(): Record<string, number> {
    const counters: Record<string, number> = { ...this.#counters, ...this.#reader.counters, ...this.#writer.counters };
    for (const counted of [this.#past, this.#current?.exchange.counters() ?? {}]) {
      for (const [name, count] of Object.entries(counted)) counters[name] = (counters[name] ?? 0) + count;
    }
    return counters;
  }

  /** No input since the last time, no deadline over, nothing new from the disk: most steps of a node are none of a line's business. */
  #isAtRest(nowMs: number): boolean {
    if (this.#isTouched || (this.#wakeAtMs !== undefined && nowMs >= this.#wakeAtMs)) return false;
    const isHandshakeQuiet = this.#handshake instanceof Acceptor || this.#handshake.isQuiet;
    const current = this.#current;
    if (current === undefined) return isHandshakeQuiet;
    return isHandshakeQuiet && current.unconfirmed?.state !== 'fenced' && current.exchange.isQuiet;
  }

  /** A ring that stops or closes takes nothing: neither do we. */
  get #isUsable(): boolean {
    return this.#line === 'open' && this.#options.store.ring.state === 'serving';
  }

  get #closesAtMs(): number | undefined {
    if (this.#options.baud !== undefined || this.#closing === 'asked' || this.#current?.exchange.isPeerSleepy === true)
      return undefined;
    return this.#goodAtMs + SOCKET_SILENCE_MS;
  }

  #packet(packet: PlainPacket | SealedPacket, nowMs: number): void {
    this.#goodAtMs = nowMs;
    switch (packet.kind) {
      case 'log':
        this.#outputs.push(
          ...this.#words.console({ from: 'packet', level: consoleLevel(packet.level), bytes: packet.text }, nowMs),
        );
        return;
      case 'hello':
      case 'knock':
      case 'welcome':
      case 'bye':
        return this.#event(this.#handshake.plain(packet, nowMs), nowMs);
      case 'data':
      case 'ack':
      case 'note':
      case 'time-request':
      case 'time-response':
        return this.#sealed(packet, nowMs);
    }
  }

  #sealed(packet: SealedPacket, nowMs: number): void {
    const current = this.#current;
    if (current === undefined) return;
    if (current.unconfirmed !== undefined) {
      this.#options.receiver.confirm(current.unconfirmed);
      current.unconfirmed = undefined;
      this.#offerBack(current);
    }
    this.#judge(current.exchange.packet(packet, nowMs), nowMs);
  }

  #event(event: HandshakeEvent, nowMs: number): void {
    switch (event.kind) {
      case 'nothing':
        return;
      case 'ignored':
        this.#counters.ignored += 1;
        return;
      case 'agreed':
        return this.#begin(event.agreed, nowMs);
      case 'over':
        return this.#over({ reason: event.reason, bye: undefined, restMs: event.restMs }, nowMs);
      case 'taken':
        this.#endCurrent();
        return this.#log('warn', 'another line took over');
    }
  }

  #begin(agreed: Agreed, nowMs: number): void {
    const { sid, peer, outbound, dataSize, inbound, keepaliveS, told } = agreed;
    this.#endCurrent();
    const keepaliveMs = 1000 * (keepaliveS === 0 ? KEEPALIVE_S : keepaliveS);
    const asksTime = this.#role === 'dial' && this.#wallUs !== undefined;
    if (asksTime) this.#timeSync.begin(`${peer.node} ${peer.incarnation}`, nowMs);
    if (asksTime && told !== undefined) this.#timeSync.welcomed(told);
    const exchange = new Exchange({
      profile: this.#profile,
      peer,
      outbound,
      dataSize,
      inbound: inbound?.streams,
      keepaliveMs,
      pingMs: this.#role === 'dial' ? keepaliveMs : ACCEPTOR_PATIENCE * keepaliveMs,
      progressMs: this.#progressMs,
      nowMs,
      timeSync: asksTime ? this.#timeSync : undefined,
      unixTimeUs: () => toldTimeUs(this.#wallUs),
      write: (packet, handing) => this.#writer.write(packet, { sealId: sealId(sid, this.#role), nowMs: this.#nowMs, handing }),
      cut: () => this.#writer.cut(),
    });
    this.#current = { sid, exchange, agreed, unconfirmed: inbound?.session };
    this.#reader.sealId = sealId(sid, this.#role === 'dial' ? 'accept' : 'dial');
    this.#reader.ownSealId = sealId(sid, this.#role);
    this.#counters.sessions += 1;
    this.#log('info', `session with ${peer.node}`);
    if (this.#role === 'accept') return;
    const answer = this.#downAnswer(agreed);
    answer.heard(agreed.heard);
    const { route } = this.#options;
    const toSay = () => route?.epoch();
    const onHeard = (epoch: number) => route?.doubted(epoch);
    exchange.opposite = route === undefined ? answer : new RouteTalk({ inner: () => answer, toSay, onHeard, said: agreed.route });
    // The acceptor may only speak once it has heard us, and it has to be sure that its answer came.
    exchange.speak();
  }

  /** Who dials has proved to be there: from now on it may be sent to. */
  #offerBack({ exchange, agreed }: Current): void {
    const { below } = this.#options;
    const { peer } = agreed;
    if (below === undefined) return;
    below.met(peer.node, agreed.route);
    const inner = () => this.#downOffer(agreed, below.senderTo(peer.node));
    const toSay = () => below.toTell(peer.node);
    const onHeard = (epoch: number) => below.met(peer.node, epoch);
    exchange.opposite = new RouteTalk({ inner, toSay, onHeard });
  }

  #downOffer({ peer, acceptorNonce: nonce }: Agreed, sender: CustodySender | undefined): DownOffer | undefined {
    if (sender === undefined) return undefined;
    const { store } = this.#options;
    const profile = this.#profile;
    const dataSize = new PacketSize(profile);
    return new DownOffer({ store, sender, peer, nonce, dataSize, profile, log: this.#log });
  }

  #downAnswer({ peer, acceptorNonce: nonce }: Agreed): DownAnswer {
    const { store, receiver } = this.#options;
    return new DownAnswer({ store, receiver, peer, nonce, packetBytesSent: this.#profile.packetBytesSent, log: this.#log });
  }

  /** An unconfirmed session only waits, and not for ever. */
  #watch({ exchange, unconfirmed }: Current, nowMs: number): Condition {
    if (unconfirmed === undefined) return exchange.pump(nowMs);
    if (unconfirmed.state === 'fenced') return 'fenced';
    return exchange.silentAtMs !== undefined && nowMs >= exchange.silentAtMs ? 'silent' : 'good';
  }

  #judge(judgement: Condition | Verdict, nowMs: number): void {
    if (judgement === 'good') return;
    if (judgement === 'silent') this.#counters.silences += 1;
    if (judgement === 'stuck') this.#progressMs = Math.min(PROGRESS_MS_MAX, 2 * this.#progressMs);
    this.#over(SESSION_END[judgement], nowMs);
    // Whoever thinks that the session goes on learns sooner that it does not.
    if (judgement === 'silent' && this.#handshake instanceof Acceptor) this.#handshake.knock(nowMs);
  }

  #over(end: SessionEnd, nowMs: number): void {
    const current = this.#current;
    if (current !== undefined && end.bye !== undefined) this.#writer.say({ kind: 'bye', reason: end.bye, sid: current.sid });
    this.#log('info', `session over: ${end.reason}`);
    this.#endCurrent();
    if (this.#handshake instanceof Dialler) this.#handshake.over(nowMs, end.restMs);
    else this.#handshake.over();
  }

  #endCurrent(): void {
    const current = this.#current;
    if (current === undefined) return;
    const { exchange } = current;
    exchange.end();
    if (exchange.hasMoved) this.#progressMs = PROGRESS_MS_MIN;
    for (const [name, count] of Object.entries(exchange.counters())) this.#past[name] = (this.#past[name] ?? 0) + count;
    this.#writer.cut(); // nothing of a session is said after its end
    this.#reader.formerSealId = this.#reader.sealId;
    this.#reader.sealId = undefined;
    this.#current = undefined;
  }

  #endHandshake(): void {
    if (this.#handshake instanceof Dialler) this.#handshake.end();
    else this.#handshake.over();
  }

  /** A session that is confirmed, with somebody who is awake to hear it. */
  get #tellsAtMs(): number | undefined {
    const current = this.#current;
    if (current === undefined || current.unconfirmed !== undefined || current.exchange.isPeerSleepy) return undefined;
    return this.#statAtMs;
  }

  #tellCounters(nowMs: number): void {
    const atMs = this.#tellsAtMs;
    if (atMs === undefined || nowMs < atMs) return;
    this.#statAtMs = nowMs + STAT_MS;
    const counters = this.counters();
    this.#current?.exchange.tell(statCounters({ ...counters, packetsRepeated: counters.repeated ?? 0 }));
  }

  #closeIfSilent(nowMs: number): void {
    const atMs = this.#closesAtMs;
    if (atMs === undefined || nowMs < atMs) return;
    this.#closing = 'asked';
    this.#outputs.push({ kind: 'close', reason: 'nothing heard' });
  }

  /** Writes what there is to write, as long as the line may take it. */
  #fill(nowMs: number): void {
    const current = this.#current;
    const exchange = current?.unconfirmed === undefined ? current?.exchange : undefined;
    if (this.#writer.isCuttable) exchange?.cutIn();
    this.#writer.goOn(nowMs);
    let isMore = true;
    while (isMore && this.#writer.mayWrite(nowMs)) isMore = this.#writer.writePlain(nowMs) || (exchange?.next(nowMs) ?? false);
    this.#isBlocked = isMore;
    this.#flush();
  }

  #flush(): void {
    const bytes = this.#writer.take();
    if (bytes !== undefined) this.#outputs.push({ kind: 'write', bytes });
  }

  readonly #log = (level: 'info' | 'warn', text: string): void => {
    this.#outputs.push(...this.#words.log(level, text, this.#nowMs));
  };
}

/**
 * One session, from its agreement to its end: both directions of sealed packets.
 *
 *   DATA, NOTE ──▶ Inbound, NoteReader ──▶ Arrivals ──▶ ACK, with records of what is durable
 *   ACK ──▶ Outstanding: arrived, lost ──▶ Outbound: what is free, what goes out again
 *   Liveness: what to ask, and whether anybody is there
 *   Asides: the time, counters
 */

import { earliest } from '../earliest.ts';
import { URGENT_PRIORITY_MIN } from '../limits.ts';
import type { Peer } from './agreed.ts';
import { Arrivals } from './arrivals.ts';
import { Asides, type AsidesOptions } from './asides.ts';
import type { Downstream } from './downstream.ts';
import type { Arrival } from './in-stream.ts';
import type { Inbound } from './inbound.ts';
import type { LineProfile } from './line-profile.ts';
import { Liveness, type UnderWay } from './liveness.ts';
import { NoteReader } from './note-reader.ts';
import type { Outbound } from './outbound.ts';
import { Outstanding, type SentPacket } from './outstanding.ts';
import type { StreamCursor } from './packet-fields.ts';
import { BITMAP_BYTES_MAX, HEADER_BYTES, NOTE_BYTES, TRAILER_BYTES } from './packet-layout.ts';
import type { Made, SentContent } from './packet-maker.ts';
import type { PacketSize } from './packet-size.ts';
import type { SealedPacket } from './packets.ts';
import { RoundTrip } from './round-trip.ts';
import type { AckPacket, NotePacket } from './session-packets.ts';
import { hasTwice, isCritical, type Tlv } from './tlv.ts';

/** Header, largest, delay, length of the bitmap, bitmap, trailer. */
const ACK_BYTES = HEADER_BYTES + 3 + BITMAP_BYTES_MAX + TRAILER_BYTES;

/** `protocol`, `version`: say BYE with that reason. */
export type Verdict = 'good' | 'fenced' | 'protocol' | 'version';
export type Condition = 'good' | 'silent' | 'stuck' | 'fenced' | 'clogged';

/** Undefined: nothing goes that way. `dataSize`: of the DATA packets of `outbound`. */
interface Ways {
  readonly outbound: Outbound | undefined;
  readonly dataSize: PacketSize | undefined;
  readonly inbound: Inbound | undefined;
}

export interface ExchangeOptions extends AsidesOptions, Ways {
  readonly profile: LineProfile;
  readonly peer: Peer;
  /** Silence after which the other side is spoken to, and a third of the one after which it is gone. */
  readonly keepaliveMs: number;
  /** As above, for this side: the acceptor lets the dialler speak first. */
  readonly pingMs: number;
  /** No cursor moved for this long: stuck. */
  readonly progressMs: number;
  readonly nowMs: number;
  /** Puts a packet on the line. Returns what it takes there, and when its last bit leaves. */
  readonly write: (packet: SealedPacket, handing: LineProfile['handing']) => { bytes: number; sentAtMs: number };
  /** The rest of the packet under way is never sent. */
  readonly cut: () => void;
}

/** `once`: a ping, counters, a question for the time. Lost, it is not sent again. */
type Content =
  | SentContent
  | { readonly kind: 'once' }
  | { readonly kind: 'opposite' }
  | { readonly kind: 'rejects'; readonly tlvs: readonly (Tlv & { kind: 'reject' })[] };

export class Exchange {
  readonly #counters = { acksSent: 0, probes: 0, packetsLost: 0, packetsCut: 0, ignored: 0, strange: 0 };
  readonly #options: ExchangeOptions;
  readonly #outstanding: Outstanding<Content>;
  readonly #arrivals: Arrivals;
  readonly #roundTrip: RoundTrip;
  readonly #liveness: Liveness;
  readonly #notes: NoteReader;
  readonly #asides: Asides;
  #movedCount = 0;
  /** `probe`: something has to be sent that asks for an ACK; a ping, if nothing else may be. */
  #wants: 'nothing' | 'ping' | 'probe' = 'nothing';
  /** Of the packet that was numbered last. */
  #handing: LineProfile['handing'] = 'whole';
  #wasCut = false;
  /** What goes out and what comes in: as agreed, or as the other direction came about since. */
  #ways: Ways;
  #opposite: Downstream | undefined;

  constructor(options: ExchangeOptions) {
    const { profile, peer } = options;
    this.#options = options;
    this.#ways = options;
    this.#outstanding = new Outstanding(peer.limits.window, profile.packetNumbers);
    this.#arrivals = new Arrivals(profile);
    this.#roundTrip = new RoundTrip(profile, peer.limits.ackDelayMs);
    this.#asides = new Asides(options);
    this.#liveness = new Liveness({ ...options, awake: peer.awake });
    this.#notes = new NoteReader({
      peer,
      ways: () => this.#ways,
      onCursor: (record, nowMs) => this.#record(record, nowMs),
      onStat: (counters) => this.#asides.told(counters),
    });
  }

  /** The other direction, once it may be asked for. */
  set opposite(opposite: Downstream) {
    this.#opposite = opposite;
    this.#lookOpposite();
  }

  /** The session is over. */
  end(): void {
    this.#opposite?.end();
  }

  /** When the other side will have been silent for too long; undefined: its silence says nothing. */
  get silentAtMs(): number | undefined {
    return this.#liveness.silentAtMs;
  }

  get isPeerSleepy(): boolean {
    return this.#options.peer.awake === 'at-times';
  }

  /** Name of the other side's node. */
  get peer(): string {
    return this.#options.peer.node;
  }

  /** Cursors moved in this session. */
  get hasMoved(): boolean {
    return this.#movedCount > 0;
  }

  /** Without an input, and before `wakeAtMs`, there is nothing to do. */
  get isQuiet(): boolean {
    const { inbound, outbound } = this.#ways;
    return (inbound?.isQuiet ?? true) && (outbound?.isQuiet ?? true) && (this.#opposite?.isQuiet ?? true);
  }

  /** A good packet of this session came. */
  packet(packet: SealedPacket, nowMs: number): Verdict {
    this.#liveness.heard(nowMs);
    switch (packet.kind) {
      case 'data': {
        const { inbound } = this.#ways;
        const take = () => (inbound === undefined ? this.#ignored('dropped') : inbound.data(packet, nowMs));
        return this.#received({ pn: packet.pn, when: packet.acknowledge === 'now' ? 'now' : 'soon' }, nowMs, take);
      }
      case 'note':
        return this.#note(packet, nowMs);
      case 'time-request':
        return this.#received({ pn: packet.pn, when: 'soon' }, nowMs, () => {
          this.#asides.asked(packet);
          return 'arrived';
        });
      case 'time-response':
        if (!this.#asides.answered(packet, nowMs)) this.#ignored('arrived');
        return 'good';
      case 'ack':
        return this.#acknowledged(packet, nowMs);
    }
  }

  /** Notices what the disk and the clock have done. */
  pump(nowMs: number): Condition {
    if (this.#opposite !== undefined) {
      this.#opposite.pump(nowMs);
      this.#lookOpposite();
    }
    const { inbound, outbound } = this.#ways;
    inbound?.pump(nowMs);
    outbound?.pump(nowMs);
    if (inbound?.isFenced === true) return 'fenced';
    if (inbound?.isClogged === true) return 'clogged';
    if (inbound?.hasNews === true) this.#arrivals.due(nowMs);
    this.#asides.pump(nowMs);
    switch (this.#liveness.due(this.#underWay, nowMs)) {
      case 'nothing':
        return 'good';
      case 'silent':
        return 'silent';
      case 'stuck':
        if (outbound?.isOwed === true) return 'stuck';
        this.#liveness.excused(nowMs);
        return 'good';
      case 'probe':
        this.#probe();
        return 'good';
      case 'ask':
        this.#wants = 'ping';
        return 'good';
    }
  }

  /** Something is to be said at once, if only to prove that the session holds. */
  speak(): void {
    this.#wants = 'ping';
  }

  /** The other side is to know how many of what were counted here. */
  tell(counters: readonly number[]): void {
    this.#asides.tell(counters);
  }

  /**
   * The packet under way is not handed over whole, and something urgent came since it was begun: cuts it short for that. What it carried
   * goes out again right after; the other side finds its number missing.
   */
  cutIn(): void {
    const { cut } = this.#options;
    const { outbound } = this.#ways;
    if (this.#handing === 'whole' || outbound === undefined || this.#outstanding.roomWithoutNewest <= 0) return;
    const made = outbound.urgent();
    if (made === undefined) return;
    cut();
    this.#counters.packetsCut += 1;
    this.#wasCut = true;
    const taken = this.#outstanding.takeBackNewest();
    if (taken !== undefined) this.#again(taken.content);
    this.#sendMade(made);
  }

  /** Writes one packet; false when there is nothing to write now. */
  next(nowMs: number): boolean {
    const { dueAtMs } = this.#arrivals;
    if (dueAtMs !== undefined && dueAtMs <= nowMs) return this.#ack(nowMs);
    const answer = this.#asides.takeAnswer();
    if (answer !== undefined) return this.#options.write(answer, 'whole').bytes > 0;
    if (this.#outstanding.room <= 0) return false;
    if (this.#wants === 'ping') return this.#sendPing();
    const aside = this.#asides.take(this.#outstanding.nextPn, nowMs);
    if (aside !== undefined) return this.#sendOnce(aside);
    if (this.#sendRejects(nowMs)) return true;
    const offered = this.#opposite?.takeNote();
    if (offered !== undefined)
      return this.#send({ kind: 'note', pn: this.#outstanding.nextPn, tlvs: offered }, { kind: 'opposite' }, 'whole');
    const { outbound } = this.#ways;
    if (outbound?.isWaiting === false) this.#liveness.excused(nowMs);
    const made = outbound?.next(nowMs, this.#outstanding.count === 0 ? 'yes' : 'no');
    if (made === undefined) return this.#wants === 'probe' && this.#sendPing();
    return this.#sendMade(made);
  }

  /** An acknowledgement is due then, as soon as the line takes it. */
  get ackAtMs(): number | undefined {
    return this.#arrivals.dueAtMs;
  }

  /** When `pump` is wanted. */
  get wakeAtMs(): number | undefined {
    const { inbound, outbound } = this.#ways;
    return earliest(this.#liveness.wakeAtMs(this.#underWay), inbound?.wakeAtMs, outbound?.wakeAtMs, this.#asides.wakeAtMs);
  }

  counters(): Record<string, number> {
    const { inbound, outbound } = this.#ways;
    const ignored = this.#counters.ignored + this.#notes.ignoredCount;
    const out = outbound && {
      repeated: outbound.repeatedCount,
      impossible: outbound.impossibleCount,
      refused: outbound.rejectedCount,
    };
    return { ...this.#counters, ignored, ...inbound?.counters, ...out };
  }

  /** For people. */
  describe(): string {
    const { peer } = this.#options;
    const line = `${this.#outstanding.count} outstanding, round trip ${Math.round(this.#roundTrip.smoothMs)} ms`;
    return `${peer.node}, ${line}${this.#asides.describe()}`;
  }

  get #underWay(): UnderWay {
    const items = this.#ways.outbound?.isWaiting === true ? 'some' : 'none';
    return { packets: this.#outstanding.count, items, probeMs: this.#roundTrip.probeMs };
  }

  #lookOpposite(): void {
    const { inbound, outbound, dataSize } = this.#options;
    const opposite = this.#opposite;
    if (this.#ways.inbound === (inbound ?? opposite?.inbound) && this.#ways.outbound === (outbound ?? opposite?.outbound)) return;
    this.#ways = {
      inbound: inbound ?? opposite?.inbound,
      outbound: outbound ?? opposite?.outbound,
      dataSize: dataSize ?? opposite?.dataSize,
    };
  }

  #received(packet: { readonly pn: number; readonly when: 'now' | 'soon' }, nowMs: number, take: () => Arrival): Verdict {
    const position = this.#arrivals.heard(packet.pn);
    if (position === undefined) {
      this.#counters.strange += 1;
      return 'good';
    }
    const arrival = take();
    if (arrival === 'fenced' || arrival === 'protocol') return arrival;
    if (arrival === 'arrived') this.#arrivals.arrived(position, packet.when, nowMs);
    else this.#arrivals.due(nowMs);
    return 'good';
  }

  #note({ pn, tlvs }: NotePacket, nowMs: number): Verdict {
    if (tlvs.some(isCritical)) return 'version';
    if (tlvs.some(({ kind }) => kind === 'down-offer') && hasTwice(tlvs)) return 'protocol';
    const isPing = tlvs.length === 0;
    if (isPing) this.#ways.inbound?.asked();
    return this.#received({ pn, when: isPing ? 'now' : 'soon' }, nowMs, () => {
      const others = this.#opposite?.heard(tlvs) ?? tlvs;
      return this.#notes.read(others, nowMs);
    });
  }

  #ignored(arrival: Arrival): Arrival {
    this.#counters.ignored += 1;
    return arrival;
  }

  #acknowledged(ack: AckPacket, nowMs: number): Verdict {
    const news = this.#outstanding.acknowledged(ack);
    if (news === undefined) {
      this.#counters.strange += 1;
      return 'good';
    }
    if (news.arrived.length > 0 || news.lost.length > 0) this.#liveness.told(nowMs);
    if (news.newest !== undefined) this.#roundTrip.measured(nowMs - news.newest.sentAtMs, ack.delayMs);
    for (const record of ack.records) this.#record(record, nowMs);
    for (const { bytes } of news.arrived) this.#ways.dataSize?.saw('arrived', bytes);
    for (const packet of news.lost) this.#lost(packet);
    return 'good';
  }

  #record(record: StreamCursor, nowMs: number): void {
    const { outbound } = this.#ways;
    if (outbound === undefined) this.#ignored('arrived');
    else if (outbound.record(record) === 'moved') {
      this.#movedCount += 1;
      this.#liveness.moved(nowMs);
    }
  }

  #lost({ content, bytes }: SentPacket<Content>): void {
    this.#counters.packetsLost += 1;
    this.#ways.dataSize?.saw('lost', bytes);
    this.#again(content);
  }

  /** What a packet carried is to go out once more. */
  #again(content: Content): void {
    const { inbound, outbound } = this.#ways;
    if (content.kind === 'rejects') inbound?.rejectsLost(content.tlvs);
    else if (content.kind === 'opposite') this.#opposite?.lost();
    else if (content.kind !== 'once') outbound?.lost(content);
  }

  /** The oldest packet goes out again: its ACK tells about all after it. */
  #probe(): void {
    this.#counters.probes += 1;
    this.#roundTrip.doubled();
    const oldest = this.#outstanding.giveUpOldest();
    if (oldest !== undefined) this.#lost(oldest);
    this.#wants = 'probe';
  }

  #ack(nowMs: number): true {
    const { profile, peer, write } = this.#options;
    const { inbound } = this.#ways;
    const bytesMax = Math.min(peer.limits.packetBytesMax, profile.packetBytesSent) - ACK_BYTES;
    const records = inbound?.takeRecords(bytesMax, 0) ?? [];
    write({ kind: 'ack', ...this.#arrivals.acknowledge(nowMs), isBusy: inbound?.isBusy ?? false, records }, 'whole');
    if (inbound?.hasNews === true) this.#arrivals.due(nowMs);
    this.#counters.acksSent += 1;
    return true;
  }

  #sendRejects(nowMs: number): boolean {
    const { profile, peer } = this.#options;
    const { inbound } = this.#ways;
    const tlvs = inbound?.takeRejects(Math.min(peer.limits.packetBytesMax, profile.packetBytesSent) - NOTE_BYTES, nowMs) ?? [];
    return (
      tlvs.length > 0 && this.#send({ kind: 'note', pn: this.#outstanding.nextPn, tlvs }, { kind: 'rejects', tlvs }, 'whole')
    );
  }

  #sendPing(): true {
    return this.#sendOnce({ kind: 'note', pn: this.#outstanding.nextPn, tlvs: [] });
  }

  #sendMade({ packet, sent }: Made): true {
    const pn = this.#outstanding.nextPn;
    if (packet.kind === 'note') return this.#send({ ...packet, pn }, sent, 'whole');
    const handing = this.#handingOf(sent);
    // With a small window the other side's delay would be idle time.
    return this.#send({ ...packet, pn, acknowledge: this.#outstanding.room === 1 ? 'now' : 'later' }, sent, handing);
  }

  /**
   * May be cut short: what is not urgent itself, and did not get its turn before something urgent because it was passed over for long.
   * The first packet after one that was cut short is not: whatever comes, every second one gets through.
   */
  #handingOf(sent: SentContent): LineProfile['handing'] {
    if (sent.kind === 'declarations' || sent.stream.priority >= URGENT_PRIORITY_MIN) return 'whole';
    const isDue = this.#wasCut || this.#ways.outbound?.isUrgentWaiting === true;
    this.#wasCut = false;
    return isDue ? 'whole' : 'in-pieces';
  }

  #sendOnce(packet: SealedPacket): true {
    return this.#send(packet, { kind: 'once' }, 'whole');
  }

  #send(packet: SealedPacket, content: Content, handing: LineProfile['handing']): true {
    const { bytes, sentAtMs } = this.#options.write(packet, handing);
    this.#handing = handing;
    this.#wants = 'nothing';
    this.#outstanding.sent({ content, bytes, sentAtMs });
    this.#liveness.asked(sentAtMs);
    return true;
  }
}

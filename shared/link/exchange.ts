/**
 * One session, from its agreement to its end: both directions of sealed packets.
 *
 *   DATA, NOTE ──▶ Inbound, NoteReader ──▶ Arrivals ──▶ ACK, with records of what is durable
 *   ACK ──▶ Outstanding: arrived, lost ──▶ Outbound: what is free, what goes out again
 *   Liveness: what to ask, and whether anybody is there
 */
import type { Peer } from './agreed.ts';
import { Arrivals } from './arrivals.ts';
import { earliest } from './earliest.ts';
import type { Arrival } from './in-stream.ts';
import type { Inbound } from './inbound.ts';
import type { LineProfile } from './line-profile.ts';
import { Liveness, type UnderWay } from './liveness.ts';
import { isCritical, NoteReader } from './note-reader.ts';
import type { Outbound } from './outbound.ts';
import { Outstanding, type SentPacket } from './outstanding.ts';
import type { StreamCursor } from './packet-fields.ts';
import { BITMAP_BYTES_MAX, HEADER_BYTES, TRAILER_BYTES } from './packet-layout.ts';
import type { SentContent } from './packet-maker.ts';
import type { PacketSize } from './packet-size.ts';
import type { SealedPacket } from './packets.ts';
import { RoundTrip } from './round-trip.ts';
import type { AckPacket, NotePacket } from './session-packets.ts';

/** Header, largest, delay, length of the bitmap, bitmap, trailer. */
const ACK_BYTES = HEADER_BYTES + 3 + BITMAP_BYTES_MAX + TRAILER_BYTES;

/** `protocol`, `version`: say BYE with that reason. */
export type Verdict = 'good' | 'fenced' | 'protocol' | 'version';
export type Condition = 'good' | 'silent' | 'stuck' | 'fenced' | 'clogged';

export interface ExchangeOptions {
  readonly profile: LineProfile;
  readonly peer: Peer;
  readonly outbound: Outbound | undefined;
  readonly dataSize: PacketSize | undefined;
  readonly inbound: Inbound | undefined;
  /** Silence after which the other side is spoken to, and a third of the one after which it is gone. */
  readonly keepaliveMs: number;
  /** As above, for this side: the acceptor lets the dialler speak first. */
  readonly pingMs: number;
  /** No cursor moved for this long: stuck. */
  readonly progressMs: number;
  readonly nowMs: number;
  /** Puts a packet on the line. Returns what it takes there, and when its last bit leaves. */
  readonly write: (packet: SealedPacket) => { bytes: number; sentAtMs: number };
}

type Content = SentContent | { readonly kind: 'ping' };

export class Exchange {
  readonly #counters = { acksSent: 0, probes: 0, packetsLost: 0, ignored: 0, strange: 0 };
  readonly #options: ExchangeOptions;
  readonly #outstanding: Outstanding<Content>;
  readonly #arrivals: Arrivals;
  readonly #roundTrip: RoundTrip;
  readonly #liveness: Liveness;
  readonly #notes: NoteReader;
  #movedCount = 0;
  /** `probe`: something has to be sent that asks for an ACK; a ping, if nothing else may be. */
  #wants: 'nothing' | 'ping' | 'probe' = 'nothing';

  constructor(options: ExchangeOptions) {
    const { profile, peer, inbound, outbound } = options;
    this.#options = options;
    this.#outstanding = new Outstanding(peer.limits.window);
    this.#arrivals = new Arrivals(profile);
    this.#roundTrip = new RoundTrip(profile, peer.limits.ackDelayMs);
    this.#liveness = new Liveness({ ...options, awake: peer.awake });
    this.#notes = new NoteReader({ peer, inbound, outbound, onCursor: (record, nowMs) => this.#record(record, nowMs) });
  }

  /** When the other side will have been silent for too long; undefined: its silence says nothing. */
  get silentAtMs(): number | undefined {
    return this.#liveness.silentAtMs;
  }

  get isPeerSleepy(): boolean {
    return this.#options.peer.awake === 'at-times';
  }

  /** Cursors moved in this session. */
  get hasMoved(): boolean {
    return this.#movedCount > 0;
  }

  /** Without an input, and before `wakeAtMs`, there is nothing to do. */
  get isQuiet(): boolean {
    const { inbound, outbound } = this.#options;
    return (inbound?.isQuiet ?? true) && (outbound?.isQuiet ?? true);
  }

  /** A good packet of this session came. */
  packet(packet: SealedPacket, nowMs: number): Verdict {
    this.#liveness.heard(nowMs);
    switch (packet.kind) {
      case 'data': {
        const { inbound } = this.#options;
        const take = () => (inbound === undefined ? this.#ignored('dropped') : inbound.data(packet, nowMs));
        return this.#received({ pn: packet.pn, when: packet.acknowledge === 'now' ? 'now' : 'soon' }, nowMs, take);
      }
      case 'note':
        return this.#note(packet, nowMs);
      case 'time-request':
        // The core has no clock of the world to answer with.
        return this.#received({ pn: packet.pn, when: 'soon' }, nowMs, () => this.#ignored('arrived'));
      case 'time-response':
        this.#ignored('arrived');
        return 'good';
      case 'ack':
        return this.#acknowledged(packet, nowMs);
    }
  }

  /** Notices what the disk and the clock have done. */
  pump(nowMs: number): Condition {
    const { inbound, outbound } = this.#options;
    inbound?.pump(nowMs);
    outbound?.pump(nowMs);
    if (inbound?.isFenced === true) return 'fenced';
    if (inbound?.isClogged === true) return 'clogged';
    if (inbound?.hasNews === true) this.#arrivals.due(nowMs);
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

  /** Writes one packet; false when there is nothing to write now. */
  next(nowMs: number): boolean {
    const { dueAtMs } = this.#arrivals;
    if (dueAtMs !== undefined && dueAtMs <= nowMs) return this.#ack(nowMs);
    if (this.#outstanding.room <= 0) return false;
    if (this.#wants === 'ping') return this.#sendPing();
    const { outbound } = this.#options;
    if (outbound?.isWaiting === false) this.#liveness.excused(nowMs);
    const made = outbound?.next(nowMs, this.#outstanding.count === 0 ? 'yes' : 'no');
    if (made === undefined) return this.#wants === 'probe' && this.#sendPing();
    const { packet, sent } = made;
    const pn = this.#outstanding.nextPn;
    if (packet.kind === 'note') return this.#send({ ...packet, pn }, sent);
    // With a small window the other side's delay would be idle time.
    return this.#send({ ...packet, pn, acknowledge: this.#outstanding.room === 1 ? 'now' : 'later' }, sent);
  }

  /** An acknowledgement is due then, as soon as the line takes it. */
  get ackAtMs(): number | undefined {
    return this.#arrivals.dueAtMs;
  }

  /** When `pump` is wanted. */
  get wakeAtMs(): number | undefined {
    const { inbound, outbound } = this.#options;
    return earliest(this.#liveness.wakeAtMs(this.#underWay), inbound?.wakeAtMs, outbound?.wakeAtMs);
  }

  counters(): Record<string, number> {
    const { inbound, outbound } = this.#options;
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
    return `${peer.node}, ${this.#outstanding.count} outstanding, round trip ${Math.round(this.#roundTrip.smoothMs)} ms`;
  }

  get #underWay(): UnderWay {
    const items = this.#options.outbound?.isWaiting === true ? 'some' : 'none';
    return { packets: this.#outstanding.count, items, probeMs: this.#roundTrip.probeMs };
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
    const isPing = tlvs.length === 0;
    if (isPing) this.#options.inbound?.asked();
    return this.#received({ pn, when: isPing ? 'now' : 'soon' }, nowMs, () => this.#notes.read(tlvs, nowMs));
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
    for (const { bytes } of news.arrived) this.#options.dataSize?.saw('arrived', bytes);
    for (const packet of news.lost) this.#lost(packet);
    return 'good';
  }

  #record(record: StreamCursor, nowMs: number): void {
    const { outbound } = this.#options;
    if (outbound === undefined) this.#ignored('arrived');
    else if (outbound.record(record) === 'moved') {
      this.#movedCount += 1;
      this.#liveness.moved(nowMs);
    }
  }

  #lost({ content, bytes }: SentPacket<Content>): void {
    this.#counters.packetsLost += 1;
    this.#options.dataSize?.saw('lost', bytes);
    if (content.kind !== 'ping') this.#options.outbound?.lost(content);
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
    const { inbound, profile, peer, write } = this.#options;
    const bytesMax = Math.min(peer.limits.packetBytesMax, profile.packetBytesSent) - ACK_BYTES;
    const records = inbound?.takeRecords(bytesMax, 0) ?? [];
    write({ kind: 'ack', ...this.#arrivals.acknowledge(nowMs), isBusy: inbound?.isBusy ?? false, records });
    if (inbound?.hasNews === true) this.#arrivals.due(nowMs);
    this.#counters.acksSent += 1;
    return true;
  }

  #sendPing(): boolean {
    return this.#send({ kind: 'note', pn: this.#outstanding.nextPn, tlvs: [] }, { kind: 'ping' });
  }

  #send(packet: SealedPacket, content: Content): true {
    const { bytes, sentAtMs } = this.#options.write(packet);
    this.#wants = 'nothing';
    this.#outstanding.sent({ content, bytes, sentAtMs });
    this.#liveness.asked(sentAtMs);
    return true;
  }
}

/**
 * One session, from WELCOME to its end: both directions of sealed packets, what is acknowledged, what is asked again, and when the
 * other side is gone.
 *
 *   deadline                                             then
 *   acknowledgement due                                  ACK
 *   no word about a packet sent, `RoundTrip.probeMs`     a ping: its ACK says what arrived and what is lost. Doubled in vain
 *   arrived there, but not known to be durable, 1 s      a ping: its ACK repeats the records. Doubled in vain
 *   nothing heard, `keepaliveMs`                         a ping
 *   nothing heard, three times that                      silent: the session is over
 *   handed over, credit, and no cursor moves             stuck: a new session, whose cursors say where we are
 */
import type { Item } from '../custody/session.ts';
import type { Peer } from './agreed.ts';
import { Arrivals } from './arrivals.ts';
import { earliest } from './earliest.ts';
import type { Arrival, Inbound } from './inbound.ts';
import type { LineProfile } from './line-profile.ts';
import type { Outbound } from './outbound.ts';
import { Outstanding, type SentPacket } from './outstanding.ts';
import { BITMAP_BYTES_MAX, HEADER_BYTES, TLV_CRITICAL_MAX, TLV_CRITICAL_MIN, TLV_TYPE, TRAILER_BYTES } from './packet-layout.ts';
import type { SentContent } from './packet-maker.ts';
import type { PacketSize } from './packet-size.ts';
import type { SealedPacket } from './packets.ts';
import { RoundTrip } from './round-trip.ts';
import type { NotePacket } from './session-packets.ts';
import { streamKeyOf } from './stream-key.ts';
import type { Tlv } from './tlv.ts';

/** Keepalives in vain before the other side is called silent. */
export const MISSED_MAX = 3;
/** First question for a cursor that does not come. */
const ASK_MS_MIN = 1_000;
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
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

type Content = SentContent | { readonly kind: 'rejects'; readonly tlvs: readonly Tlv[] } | { readonly kind: 'ping' };

export class Exchange {
  readonly #counters = { acksSent: 0, probes: 0, packetsLost: 0, ignored: 0, strange: 0 };
  readonly #options: ExchangeOptions;
  readonly #outstanding: Outstanding<Content>;
  readonly #arrivals: Arrivals;
  readonly #roundTrip: RoundTrip;
  #heardAtMs: number;
  /** When the last packet that asks for an ACK left, and when one was last acknowledged. */
  #askedAtMs: number;
  #toldAtMs: number;
  #movedAtMs: number;
  #movedCount = 0;
  #askMs = ASK_MS_MIN;
  #ping: 'none' | 'wanted' = 'none';
  #isProbing = false;
  #rejects: Tlv[] = [];

  constructor(options: ExchangeOptions) {
    const { profile, peer, nowMs } = options;
    this.#options = options;
    this.#outstanding = new Outstanding(peer.limits.window);
    this.#arrivals = new Arrivals(profile);
    this.#roundTrip = new RoundTrip(profile, peer.limits.ackDelayMs);
    this.#heardAtMs = nowMs;
    this.#askedAtMs = nowMs;
    this.#toldAtMs = nowMs;
    this.#movedAtMs = nowMs;
  }

  /** When the other side will have been silent for too long; undefined: its silence says nothing. */
  get silentAtMs(): number | undefined {
    return this.isPeerSleepy ? undefined : this.#heardAtMs + MISSED_MAX * this.#options.keepaliveMs;
  }

  get isPeerSleepy(): boolean {
    return this.#options.peer.awake === 'at-times';
  }

  /** A good packet of this session came. */
  packet(packet: SealedPacket, nowMs: number): Verdict {
    this.#heardAtMs = nowMs;
    switch (packet.kind) {
      case 'data':
        return this.#received(packet.pn, nowMs, packet.acknowledge === 'now' ? 'now' : 'soon', () => {
          const { inbound } = this.#options;
          return inbound === undefined ? this.#ignored() : inbound.data(packet, nowMs);
        });
      case 'note':
        return this.#note(packet, nowMs);
      case 'time-request':
        // The core has no clock of the world to answer with.
        return this.#received(packet.pn, nowMs, 'soon', () => this.#ignored('arrived'));
      case 'time-response':
        this.#ignored();
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
    this.#collectRejects();
    if (isOver(this.silentAtMs, nowMs)) return 'silent';
    if (isOver(this.#stuckAtMs, nowMs)) {
      if (outbound?.isOwed === true) return 'stuck';
      this.#movedAtMs = nowMs;
    }
    if (isOver(this.#probeAtMs, nowMs)) this.#probe(nowMs);
    if (isOver(this.#askAtMs, nowMs)) {
      this.#askMs = Math.min(this.#options.keepaliveMs, 2 * this.#askMs);
      this.#toldAtMs = nowMs;
      this.#ping = 'wanted';
    }
    if (isOver(this.#keepaliveAtMs, nowMs)) this.#ping = 'wanted';
    return 'good';
  }

  /** Cursors moved in this session. */
  get hasMoved(): boolean {
    return this.#movedCount > 0;
  }

  /** Something is to be said at once, if only to prove that the session holds. */
  speak(): void {
    this.#ping = 'wanted';
  }

  /** Writes one packet; false when there is nothing to write now. */
  next(nowMs: number): boolean {
    const { dueAtMs } = this.#arrivals;
    if (dueAtMs !== undefined && dueAtMs <= nowMs) return this.#ack(nowMs);
    if (this.#outstanding.room <= 0) return false;
    if (this.#rejects.length > 0) return this.#sendRejects();
    if (this.#ping === 'wanted') return this.#sendPing(nowMs);
    const { outbound } = this.#options;
    if (outbound?.isWaiting === false) this.#movedAtMs = nowMs;
    const made = outbound?.next(nowMs, this.#outstanding.count === 0 ? 'yes' : 'no');
    if (made === undefined) return this.#isProbing && this.#sendPing(nowMs);
    const { packet, sent } = made;
    const pn = this.#outstanding.nextPn;
    if (packet.kind === 'note') return this.#send({ ...packet, pn }, sent);
    // With a small window the other side's delay would be idle time.
    const acknowledge = this.#outstanding.room === 1 ? 'now' : 'later';
    return this.#send({ ...packet, pn, acknowledge }, sent);
  }

  /** An acknowledgement is due then, as soon as the line takes it. */
  get ackAtMs(): number | undefined {
    return this.#arrivals.dueAtMs;
  }

  /** When `pump` is wanted. */
  get wakeAtMs(): number | undefined {
    const { inbound, outbound } = this.#options;
    return earliest(
      this.silentAtMs,
      this.#stuckAtMs,
      this.#probeAtMs,
      this.#askAtMs,
      this.#keepaliveAtMs,
      inbound?.wakeAtMs,
      outbound?.wakeAtMs,
    );
  }

  counters(): Record<string, number> {
    const { inbound, outbound } = this.#options;
    const out = outbound && {
      repeated: outbound.repeatedCount,
      impossible: outbound.impossibleCount,
      refused: outbound.rejectedCount,
    };
    return { ...this.#counters, ...inbound?.counters, ...out };
  }

  /** For people. */
  describe(): string {
    const { peer } = this.#options;
    return `${peer.node}, ${this.#outstanding.count} outstanding, round trip ${Math.round(this.#roundTrip.smoothMs)} ms`;
  }

  get #stuckAtMs(): number | undefined {
    const { outbound, progressMs } = this.#options;
    return outbound?.isWaiting === true ? this.#movedAtMs + progressMs : undefined;
  }

  get #probeAtMs(): number | undefined {
    if (this.#outstanding.count === 0) return undefined;
    return Math.max(this.#askedAtMs, this.#toldAtMs) + this.#roundTrip.probeMs;
  }

  get #askAtMs(): number | undefined {
    const isUnclear = this.#outstanding.count === 0 && this.#options.outbound?.isWaiting === true;
    return isUnclear ? this.#toldAtMs + this.#askMs : undefined;
  }

  /** While a ping is under way the probes go on asking. */
  get #keepaliveAtMs(): number | undefined {
    const isQuiet = this.#outstanding.count === 0 && this.#ping === 'none';
    return isQuiet && !this.isPeerSleepy ? this.#heardAtMs + this.#options.pingMs : undefined;
  }

  #received(pn: number, nowMs: number, when: 'now' | 'soon', take: () => Arrival): Verdict {
    const position = this.#arrivals.heard(pn);
    if (position === undefined) {
      this.#counters.strange += 1;
      return 'good';
    }
    const arrival = take();
    if (arrival === 'fenced' || arrival === 'protocol') return arrival;
    if (arrival === 'arrived') this.#arrivals.arrived(position, when, nowMs);
    else this.#arrivals.due(nowMs);
    return 'good';
  }

  #ignored(arrival: Arrival = 'dropped'): Arrival {
    this.#counters.ignored += 1;
    return arrival;
  }

  #note(packet: NotePacket, nowMs: number): Verdict {
    if (packet.tlvs.some(isCritical)) return 'version';
    const isPing = packet.tlvs.length === 0;
    if (isPing) this.#options.inbound?.asked();
    return this.#received(packet.pn, nowMs, isPing ? 'now' : 'soon', () => {
      let worst: Arrival = 'arrived';
      for (const tlv of packet.tlvs) {
        const arrival = this.#tlv(tlv, nowMs);
        if (arrival === 'fenced' || arrival === 'protocol') return arrival;
        if (arrival === 'dropped') worst = arrival;
      }
      return worst;
    });
  }

  #tlv(tlv: Tlv, nowMs: number): Arrival {
    const { inbound, outbound, log } = this.#options;
    switch (tlv.kind) {
      case 'stream':
        if (inbound === undefined) return this.#ignored('arrived');
        return inbound.open(tlv.handle, streamKeyOf(tlv, this.#options.peer)) === 'opened' ? 'arrived' : 'protocol';
      case 'gap': {
        const item: Item = { kind: 'gap', number: tlv.from, to: tlv.to, class: tlv.class, node: tlv.node };
        return inbound === undefined ? this.#ignored('arrived') : inbound.gap(tlv.handle, item, nowMs);
      }
      case 'elsewhere': {
        const item: Item = { kind: 'elsewhere', number: tlv.from, to: tlv.to };
        return inbound === undefined ? this.#ignored('arrived') : inbound.gap(tlv.handle, item, nowMs);
      }
      case 'cursor':
        this.#record(tlv, nowMs);
        return 'arrived';
      case 'reject': {
        const stream = outbound?.rejected(tlv.handle);
        if (stream === undefined) return this.#ignored('arrived');
        log(
          'warn',
          `${stream.key.destination}: number ${tlv.number} is refused for good (class ${tlv.reason}); its stream stands still`,
        );
        return 'arrived';
      }
      case 'stat':
      case 'down-offer':
      case 'down-answer':
      case 'unknown':
        return this.#ignored('arrived');
    }
  }

  #acknowledged(ack: SealedPacket & { kind: 'ack' }, nowMs: number): Verdict {
    const news = this.#outstanding.acknowledged(ack);
    if (news === undefined) {
      this.#counters.strange += 1;
      return 'good';
    }
    if (news.arrived.length > 0 || news.lost.length > 0) this.#toldAtMs = nowMs;
    if (news.newest !== undefined) this.#roundTrip.measured(nowMs - news.newest.sentAtMs, ack.delayMs);
    for (const record of ack.records) this.#record(record, nowMs);
    for (const { bytes } of news.arrived) this.#options.dataSize?.saw('arrived', bytes);
    for (const packet of news.lost) this.#lost(packet);
    return 'good';
  }

  #record(record: { handle: number; cursor: number; credit: number }, nowMs: number): void {
    const { outbound } = this.#options;
    if (outbound === undefined) {
      this.#ignored();
      return;
    }
    if (outbound.record(record) !== 'moved') return;
    this.#movedCount += 1;
    this.#movedAtMs = nowMs;
    this.#toldAtMs = nowMs;
    this.#askMs = ASK_MS_MIN;
  }

  #lost({ content, bytes }: SentPacket<Content>): void {
    this.#counters.packetsLost += 1;
    this.#options.dataSize?.saw('lost', bytes);
    switch (content.kind) {
      case 'ping':
        return;
      case 'rejects':
        this.#rejects.push(...content.tlvs);
        return;
      default:
        this.#options.outbound?.lost(content);
    }
  }

  /** The oldest packet goes out again: its ACK tells about all after it. Where that is not possible a ping asks. */
  #probe(nowMs: number): void {
    this.#counters.probes += 1;
    this.#roundTrip.doubled();
    this.#askedAtMs = nowMs;
    const oldest = this.#outstanding.giveUpOldest();
    if (oldest !== undefined) this.#lost(oldest);
    this.#isProbing = true;
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

  #collectRejects(): void {
    const rejects = this.#options.inbound?.takeRejects() ?? [];
    if (rejects.length > 0) this.#rejects.push(...rejects);
  }

  #sendRejects(): boolean {
    const tlvs = this.#rejects.splice(0, REJECTS_MAX);
    return this.#send({ kind: 'note', pn: this.#outstanding.nextPn, tlvs }, { kind: 'rejects', tlvs });
  }

  #sendPing(nowMs: number): boolean {
    this.#ping = 'none';
    this.#askedAtMs = nowMs;
    return this.#send({ kind: 'note', pn: this.#outstanding.nextPn, tlvs: [] }, { kind: 'ping' });
  }

  #send(packet: SealedPacket, content: Content): true {
    const { bytes, sentAtMs } = this.#options.write(packet);
    this.#isProbing = false;
    this.#outstanding.sent({ content, bytes, sentAtMs });
    this.#askedAtMs = Math.max(this.#askedAtMs, sentAtMs);
    return true;
  }
}

function isOver(deadlineMs: number | undefined, nowMs: number): boolean {
  return deadlineMs !== undefined && nowMs >= deadlineMs;
}

/** REJECTs of one NOTE: they fit the smallest packet. */
const REJECTS_MAX = 8;

/** Passing it over would lose something: a type of later that says so, or an account of a class of later. */
function isCritical(tlv: Tlv): boolean {
  if (tlv.kind !== 'unknown') return false;
  return tlv.type === TLV_TYPE.gap || (tlv.type >= TLV_CRITICAL_MIN && tlv.type <= TLV_CRITICAL_MAX);
}

/**
 * The accepting side of the handshake: answers offers, and knocks where it hears something and knows no session.
 *
 *             HELLO                     first good sealed packet
 *   waiting ─────────▶ offered ──────────────────────────────────▶ confirmed
 *      ▲     WELCOME      │  │ the same HELLO: the same WELCOME        │ HELLO with another nonce: offered
 *      └──────────────────┴──┴── BYE, silent, fenced ◀─────────────────┘
 *
 * docs/link.md lets an acceptor keep its old session until the new one is confirmed. Custody fences the old one as soon as it accepts
 * an offer, so there is one session here. A stale HELLO harms nothing all the same: it shows an old ticket, so it is called a fork,
 * and a fork changes nothing here; only while no session is confirmed can it displace one, which then starts over.
 */
import { equalBytes } from '../bytes.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodyReceiver } from '../custody/receiver.ts';
import type { Random } from '../ports.ts';
import type { Agreed, HandshakeEvent } from './agreed.ts';
import type { HelloPacket, WelcomePacket } from './handshake-packets.ts';
import { Inbound } from './inbound.ts';
import type { LineProfile } from './line-profile.ts';
import { KEEPALIVE_S, limitsOf, offerOf, welcomeOf } from './offer-packets.ts';
import { BYE_REASON, HELLO_SLEEPY, NONCE_BYTES, RML_VERSION } from './packet-layout.ts';
import { type PlainPacket, sessionId } from './packets.ts';
import { streamKeyOf } from './stream-key.ts';
import { hasTwice, isCritical, routeIn } from './tlv.ts';

/** Between two KNOCKs. */
const KNOCK_MS = 2_000;
/** A WELCOME without its CURSORs: fixed fields, the longest name, trailer. */
const WELCOME_FIXED_BYTES = 59 + 63 + 4;
/** Type and length of a CURSOR. */
const TLV_HEAD_BYTES = 2;

export interface AcceptorOptions {
  readonly store: NodeStore;
  readonly receiver: CustodyReceiver;
  readonly random: Random;
  readonly profile: LineProfile;
  /** The wall clock at this step, as packets tell it: 0 when it is not known. */
  readonly unixTimeUs: () => number;
  readonly say: (packet: PlainPacket) => void;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

export class Acceptor {
  readonly #options: AcceptorOptions;
  #knockAtMs = Number.NEGATIVE_INFINITY;
  #offered: { readonly nonce: Uint8Array; readonly welcome: WelcomePacket; readonly sid: number } | undefined;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  /** Asks the other side for a HELLO, not too often. */
  knock(nowMs: number): void {
    if (nowMs < this.#knockAtMs) return;
    this.#knockAtMs = nowMs + KNOCK_MS;
    this.#options.say({ kind: 'knock', versionMax: RML_VERSION, versionMin: RML_VERSION });
  }

  plain(packet: PlainPacket): HandshakeEvent {
    switch (packet.kind) {
      case 'hello':
        return this.#hello(packet);
      case 'bye':
        if (this.#offered === undefined || packet.sid !== this.#offered.sid) return { kind: 'ignored' };
        return { kind: 'over', reason: `the other side says goodbye (${packet.reason})`, restMs: 0 };
      case 'welcome': // our own, echoed, or two acceptors on one line
      case 'knock':
      case 'log':
        return { kind: 'ignored' };
    }
  }

  /** The session is over: its HELLO, should it come again, is judged anew. */
  over(): void {
    this.#offered = undefined;
  }

  describe(): string {
    return this.#offered === undefined ? 'waiting' : 'offered';
  }

  #refuse(reason: number): HandshakeEvent {
    this.#options.say({ kind: 'bye', reason, sid: 0 });
    return { kind: 'ignored' };
  }

  #hello(hello: HelloPacket): HandshakeEvent {
    const { receiver, random, profile, unixTimeUs, say, log } = this.#options;
    if (this.#offered !== undefined && equalBytes(hello.nonce, this.#offered.nonce)) {
      say(this.#offered.welcome);
      return { kind: 'nothing' };
    }
    if (hello.versionMin > RML_VERSION || hello.versionMax < RML_VERSION) {
      return this.#refuse(BYE_REASON.version);
    }
    if (hello.tlvs.some(isCritical)) return this.#refuse(BYE_REASON.version);
    if (hasTwice(hello.tlvs)) return this.#refuse(BYE_REASON.protocol);
    const offer = offerOf(hello);
    const offered = receiver.offered(offer);
    if (offered === undefined) return { kind: 'nothing' }; // not now: the HELLO comes again
    const { answer, session } = offered;
    const acceptor = { nonce: random.bytes(NONCE_BYTES), limits: limitsOf(profile), unixTimeUs: unixTimeUs() };
    if (session === undefined) {
      log('warn', `${hello.node} shows a ticket it was never given: fork`);
      say(welcomeOf(answer, acceptor, []));
      return { kind: 'ignored' };
    }
    const { node, incarnation, limits } = hello;
    const { ring } = this.#options.store;
    const streams = new Inbound({ receiver, session, epoch: offer.epoch, messageBytesMax: ring.bodyBytesMax });
    for (const tlv of hello.tlvs) if (tlv.kind === 'stream') streams.open(tlv.handle, streamKeyOf(tlv, hello));
    const cursors = streams.takeRecords(limits.packetBytesMax - WELCOME_FIXED_BYTES, TLV_HEAD_BYTES);
    const welcome = welcomeOf(answer, acceptor, cursors);
    const own = { nonce: acceptor.nonce, incarnation: answer.incarnation };
    const sid = sessionId({ nonce: offer.nonce, incarnation }, own);
    const awake = hello.flags & HELLO_SLEEPY ? ('at-times' as const) : ('always' as const);
    const agreed: Agreed = {
      sid,
      peer: { node, incarnation, epoch: offer.epoch, limits, awake },
      acceptorNonce: acceptor.nonce,
      outbound: undefined,
      dataSize: undefined,
      inbound: { streams, session },
      keepaliveS: KEEPALIVE_S,
      heard: [],
      route: routeIn(hello.tlvs),
      told: undefined,
    };
    this.#offered = { nonce: offer.nonce, welcome, sid };
    say(welcome);
    return { kind: 'agreed', agreed };
  }
}

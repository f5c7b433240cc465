/**
 * The dialling side of the handshake: offers what this node holds until somebody answers.
 *
 *              start                WELCOME                 ticket durable
 *   resting ──────────▶ calling ─────────────▶ ticketing ───────────────────▶ open
 *      ▲                 │   ▲ HELLO again after 1, 2, 4, 8, 8 … s                │
 *      │ BYE, protocol   │   └─────────────── silent, stuck, KNOCK ◀─────────────┤
 *      └─────────────────┴───────────────────────────────────────────────────────┘
 *
 * A repeat has the same nonce; a new attempt has a new offer. Nothing sealed is sent before the new ticket is durable. One sender
 * serves one line: when another line has taken it, this one rests and looks again.
 */
import { equalBytes } from '../bytes.ts';
import type { Meter } from '../custody/meter.ts';
import type { NodeStore } from '../custody/node-store.ts';
import type { CustodySender } from '../custody/sender.ts';
import type { Random } from '../ports.ts';
import type { Agreed, HandshakeEvent } from './agreed.ts';
import type { HelloPacket, WelcomePacket } from './handshake-packets.ts';
import type { LineProfile } from './line-profile.ts';
import { answerOf, cursorsOf, helloOf, limitsOf } from './offer-packets.ts';
import { Outbound } from './outbound.ts';
import { BYE_REASON, HELLO_BYTES_MAX, RML_VERSION } from './packet-layout.ts';
import { PacketSize } from './packet-size.ts';
import { type PlainPacket, sessionId } from './packets.ts';
import type { DiallerRoute } from './route-talk.ts';
import { isCritical, routeIn, type Tlv, tlvBytes } from './tlv.ts';

/** Waits between repeats of a HELLO. */
export const HELLO_MS_MIN = 1_000;
export const HELLO_MS_MAX = 8_000;
/** A KNOCK is answered at most this often. */
const KNOCK_MS = 1_000;
/** HELLO without its TLVs: fixed fields, the longest name, trailer. */
const HELLO_FIXED_BYTES = 53 + 63 + 4;

type State =
  | { readonly at: 'resting'; readonly untilMs: number }
  | {
      readonly at: 'calling';
      readonly hello: HelloPacket;
      readonly outbound: Outbound;
      readonly beganAtMs: number;
      sentAtMs: number;
      repeatAtMs: number;
      waitMs: number;
    }
  | { readonly at: 'ticketing'; readonly agreed: Agreed; readonly begin: () => void; readonly nonce: Uint8Array }
  | { readonly at: 'open'; readonly sid: number; readonly sinceMs: number; readonly nonce: Uint8Array }
  | { readonly at: 'forked' };

export interface DiallerOptions {
  readonly store: NodeStore;
  readonly sender: CustodySender;
  readonly random: Random;
  readonly profile: LineProfile;
  readonly route?: DiallerRoute | undefined;
  readonly meter?: Meter | undefined;
  readonly say: (packet: PlainPacket) => void;
  readonly log: (level: 'info' | 'warn', text: string) => void;
}

export class Dialler {
  readonly #options: DiallerOptions;
  readonly #dataSize: PacketSize;
  #state: State = { at: 'resting', untilMs: Number.POSITIVE_INFINITY };

  constructor(options: DiallerOptions) {
    this.#options = options;
    this.#dataSize = new PacketSize(options.profile);
  }

  /** A new attempt, now. Whatever session there was is over, on this line and on any other. */
  start(nowMs: number): void {
    const { sender, profile, store, route, log, meter } = this.#options;
    if (sender.state === 'forked') {
      this.#state = { at: 'forked' };
      return;
    }
    const offer = sender.offer();
    const outbound = new Outbound({ store, sender, log, meter });
    const told: Tlv[] = route === undefined ? [] : [{ kind: 'route', epoch: route.epoch() }];
    const toldBytes = told.reduce((sum, tlv) => sum + tlvBytes(tlv), 0);
    const tlvs = outbound.hello(HELLO_BYTES_MAX - HELLO_FIXED_BYTES - toldBytes, nowMs);
    const hello = helloOf(offer, limitsOf(profile), [...told, ...tlvs]);
    const times = { beganAtMs: nowMs, sentAtMs: nowMs, repeatAtMs: nowMs };
    this.#state = { at: 'calling', hello, outbound, ...times, waitMs: HELLO_MS_MIN };
    this.pump(nowMs);
  }

  /** The session is over; a new attempt after `restMs`, or a little more. */
  over(nowMs: number, restMs: number): void {
    this.#release();
    if (this.#state.at === 'forked') return;
    if (restMs === 0) this.start(nowMs);
    else this.#state = { at: 'resting', untilMs: nowMs + this.#jittered(restMs) };
  }

  /** Nothing more on this line. */
  end(): void {
    this.#release();
    this.#state = { at: 'resting', untilMs: Number.POSITIVE_INFINITY };
  }

  plain(packet: PlainPacket, nowMs: number): HandshakeEvent {
    switch (packet.kind) {
      case 'knock':
        return this.#knocked(nowMs);
      case 'welcome':
        return this.#welcomed(packet, nowMs);
      case 'bye':
        return this.#dismissed(packet, nowMs);
      case 'hello': // our own, echoed, or two diallers on one line
      case 'log':
        return { kind: 'ignored' };
    }
  }

  /** Goes on with what time and disk allow. */
  pump(nowMs: number): HandshakeEvent {
    const state = this.#state;
    const { sender } = this.#options;
    if (sender.state === 'forked' && state.at !== 'forked') return this.#forked();
    switch (state.at) {
      case 'resting':
        if (nowMs < state.untilMs) return NOTHING;
        // Another line may have the sender now: it keeps it.
        if (sender.state === 'idle') this.start(nowMs);
        else this.#state = { at: 'resting', untilMs: nowMs + this.#jittered(HELLO_MS_MAX) };
        return NOTHING;
      case 'calling':
        if (!this.#isOurs(state.hello.nonce)) return this.#taken(nowMs);
        if (nowMs < state.repeatAtMs) return NOTHING;
        this.#options.say(state.hello);
        state.sentAtMs = nowMs;
        state.repeatAtMs = nowMs + this.#jittered(state.waitMs);
        state.waitMs = Math.min(HELLO_MS_MAX, 2 * state.waitMs);
        return NOTHING;
      case 'ticketing':
        if (!this.#isOurs(state.nonce)) return this.#taken(nowMs);
        if (sender.state !== 'ready') return NOTHING;
        state.begin();
        this.#state = { at: 'open', sid: state.agreed.sid, sinceMs: nowMs, nonce: state.nonce };
        return { kind: 'agreed', agreed: state.agreed };
      case 'open':
        return this.#isOurs(state.nonce) ? NOTHING : this.#taken(nowMs);
      case 'forked':
        return NOTHING;
    }
  }

  /** Neither the disk nor another line has changed anything: `pump` has nothing to do before `wakeAtMs`. */
  get isQuiet(): boolean {
    const { sender } = this.#options;
    const state = this.#state;
    if (state.at === 'calling') return sender.state === 'offered' && this.#isOurs(state.hello.nonce);
    if (state.at === 'ticketing') return sender.state === 'ticketing' && this.#isOurs(state.nonce);
    return state.at !== 'open' || (sender.state === 'ready' && this.#isOurs(state.nonce));
  }

  get wakeAtMs(): number | undefined {
    const state = this.#state;
    if (state.at === 'calling') return state.repeatAtMs;
    return state.at === 'resting' && Number.isFinite(state.untilMs) ? state.untilMs : undefined;
  }

  describe(): string {
    return this.#state.at;
  }

  #knocked(nowMs: number): HandshakeEvent {
    const state = this.#state;
    switch (state.at) {
      case 'calling':
        state.waitMs = HELLO_MS_MIN;
        state.repeatAtMs = Math.min(state.repeatAtMs, Math.max(nowMs, state.sentAtMs + KNOCK_MS));
        return NOTHING;
      case 'open':
        if (nowMs < state.sinceMs + KNOCK_MS) return { kind: 'ignored' };
        return { kind: 'over', reason: 'the other side knows no session', restMs: 0 };
      case 'resting':
        if (!Number.isFinite(state.untilMs)) return { kind: 'ignored' };
        this.#state = { at: 'resting', untilMs: Math.min(state.untilMs, nowMs + KNOCK_MS) };
        return NOTHING;
      case 'ticketing':
      case 'forked':
        return { kind: 'ignored' };
    }
  }

  #welcomed(welcome: WelcomePacket, nowMs: number): HandshakeEvent {
    const state = this.#state;
    const { sender, log } = this.#options;
    if (state.at !== 'calling' || !equalBytes(welcome.nonceEcho, state.hello.nonce)) return { kind: 'ignored' };
    if (welcome.version !== RML_VERSION) return { kind: 'ignored' };
    const { hello, outbound, beganAtMs } = state;
    const acceptor = { nonce: welcome.nonce.slice(), incarnation: welcome.incarnation };
    const sid = sessionId(hello, acceptor);
    if (welcome.tlvs.some(isCritical)) {
      log('warn', `${welcome.node} says what this version does not know`);
      this.#options.say({ kind: 'bye', reason: BYE_REASON.version, sid });
      this.over(nowMs, HELLO_MS_MAX);
      return NOTHING;
    }
    const cursors = cursorsOf(welcome);
    sender.answered(answerOf(welcome, outbound.answered(cursors)));
    if (sender.state === 'forked') return this.#forked();
    if (sender.state === 'idle' && !sender.isRival) {
      // The line leads to a neighbour of before: its ticket is found again.
      this.start(nowMs);
      return NOTHING;
    }
    const { node, incarnation, epoch, limits } = welcome;
    const peer = { node, incarnation, epoch, limits, awake: 'always' as const };
    const { packetBytesMax, features } = limits;
    const { profile } = this.#options;
    const dataSize = this.#dataSize;
    dataSize.limit(Math.min(packetBytesMax, profile.packetBytesSent));
    const told = { askedAtMs: beganAtMs, atMs: nowMs, unixTimeUs: welcome.unixTimeUs };
    const { keepaliveS, tlvs } = welcome;
    const saidRoute = routeIn(hello.tlvs);
    const below = { acceptorNonce: acceptor.nonce, inbound: undefined, heard: tlvs, route: saidRoute };
    const agreed: Agreed = { sid, peer, outbound, dataSize, keepaliveS, told, ...below };
    const { messageForm } = profile;
    const begin = () => outbound.begin({ dataSize, packetBytesMax, features, messageForm }, cursors);
    this.#state = { at: 'ticketing', agreed, begin, nonce: hello.nonce };
    log('info', `${node} answered`);
    return NOTHING;
  }

  #dismissed(bye: PlainPacket & { kind: 'bye' }, nowMs: number): HandshakeEvent {
    const state = this.#state;
    const sid = state.at === 'open' ? state.sid : state.at === 'ticketing' ? state.agreed.sid : 0;
    if (bye.sid !== sid || state.at === 'resting' || state.at === 'forked') return { kind: 'ignored' };
    const restMs = bye.reason === BYE_REASON.restart ? HELLO_MS_MIN : HELLO_MS_MAX;
    const reason = `the other side says goodbye (${bye.reason})`;
    if (state.at === 'open') return { kind: 'over', reason, restMs };
    this.#options.log('warn', reason);
    this.over(nowMs, restMs);
    return NOTHING;
  }

  #isOurs(nonce: Uint8Array): boolean {
    return this.#options.sender.isCurrent(nonce);
  }

  #taken(nowMs: number): HandshakeEvent {
    const wasOpen = this.#state.at === 'open';
    this.#state = { at: 'resting', untilMs: nowMs + this.#jittered(HELLO_MS_MAX) };
    return wasOpen ? { kind: 'taken' } : NOTHING;
  }

  #forked(): HandshakeEvent {
    this.#state = { at: 'forked' };
    this.#options.log('warn', 'forked: the other side knows more of this store than it ever sent');
    return NOTHING;
  }

  /** Whoever asks the sender how it stands learns that it has no session, unless it has one on another line. */
  #release(): void {
    const { sender } = this.#options;
    const state = this.#state;
    const nonce =
      state.at === 'calling' ? state.hello.nonce : state.at === 'ticketing' || state.at === 'open' ? state.nonce : undefined;
    if (nonce !== undefined && sender.state !== 'forked' && this.#isOurs(nonce)) sender.lost();
  }

  /** From three quarters to five quarters of it: two sides that failed together do not meet again. */
  #jittered(ms: number): number {
    const [chance = 0] = this.#options.random.bytes(1);
    return ms * (0.75 + chance / 512);
  }
}

const NOTHING: HandshakeEvent = { kind: 'nothing' };

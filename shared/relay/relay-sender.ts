/**
 * The sending side of custody over MQTT: what a node publishes for its central, or a central for a gateway below, and what receipts free
 * (docs/mqtt.md).
 *
 *            up                answer            ticket durable
 *   down ─────────▶ syncing ───────────▶ ticketing ───────────▶ publishing ──┐
 *    ▲               ▲  │ no answer: the same sync again, later               │ new status of the central, hello, hole,
 *    │ down          └──┴──────────────────────────────────────◀──────────────┘ nothing moved for progressMs
 *    └── (any)           answer is a fork, or impossible ──▶ forked: nothing is published any more
 *
 * One of several brokers that lead to the same central is `standing-by` while another carries the session: it listens for the status of
 * the central there, and says nothing.
 *
 * Who sends down begins a session when something waits for a gateway that says that it is there, and is `down` while it is not. The word
 * that says so may be lost: while something waits it asks all the same, seldom, and gives up soon.
 *
 * The broker is a pipe: its PUBACK means nothing here, and what it forgets is published again after the next sync. Custody itself
 * needs no timer; those here only notice that nothing moves.
 */
import type { Meter } from '../custody/meter.ts';
import type { CustodySender, SenderState } from '../custody/sender.ts';
import type { Answer } from '../custody/session.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_ITEM_COUNT_MAX,
  PROGRESS_MS_MAX,
  PROGRESS_MS_MIN,
  SYNC_MS_MAX,
  SYNC_MS_MIN,
  SYNC_SPACING_MS,
  WINDOW_BYTES_MAX,
  WINDOW_PUBLISH_COUNT_MAX,
} from '../limits.ts';
import type { Publish } from '../ports.ts';
import { Backoff } from './backoff.ts';
import { Passage } from './passage.ts';
import { publishBytes, type Speaker } from './publish-layout.ts';
import { decodeReceipt, type Receipt } from './receipt-layout.ts';
import { type PublisherLimits, RelayPublisher } from './relay-publisher.ts';
import { decodeStatus, type Status } from './status-layout.ts';
import { encodeSync } from './sync-layout.ts';
import { formatTopic, parseTopic, type RelayPath, receiverOf } from './topics.ts';
import { Trial } from './trial.ts';

export type RelayOutput =
  | { readonly kind: 'subscribe'; readonly topics: readonly string[] }
  | { readonly kind: 'publish'; readonly publish: Publish };

/** What the broker brought. */
export interface Arrived {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export interface RelaySenderOptions {
  readonly sender: CustodySender;
  /** Name of this node. */
  readonly node: string;
  readonly path: RelayPath;
  /** Counts the offers of this opening of the store to one receiver; from 1. Several objects for one receiver share it. */
  readonly nextAttempt?: () => number;
  readonly limits?: PublisherLimits;
  /** Of the connection; shared by all who hand over by it. */
  readonly trial?: Trial;
  /** `standing-by` until `takeOver`; on duty unless said. */
  readonly duty?: RelayDuty;
  /** Of a metered uplink. */
  readonly meter?: Meter | undefined;
  /** Of a publish, at the most. Undefined: as many as wait. */
  readonly messagesPerPublish?: number | undefined;
}

export type RelayDuty = 'on-duty' | 'standing-by';

/** For people and for health. */
export interface RelaySenderView {
  readonly state: 'down' | 'standing-by' | 'syncing' | 'ticketing' | 'publishing' | 'forked';
  readonly published: number;
  readonly receipts: number;
  readonly windowPublishes: number;
  readonly windowBytes: number;
  /** Something waits for room at the central, and nothing of it is on its way. */
  readonly isStarved: boolean;
  /** When a receipt last moved anything; undefined: never since the start. */
  readonly lastProgressMs: number | undefined;
}

const LIMITS: PublisherLimits = {
  publishCountMax: WINDOW_PUBLISH_COUNT_MAX,
  bytesMax: WINDOW_BYTES_MAX,
  batchBytesMax: BATCH_BYTES_MAX,
  itemCountMax: BATCH_ITEM_COUNT_MAX,
};
/** Of a PUBLISH packet beside its payload: header, topic, packet id, properties. */
const PUBLISH_PACKET_BYTES = 256;
/** After this many sessions in which nothing moved, items are published one by one until something does. */
const VAIN_SESSIONS_MAX = 2;

export class RelaySender {
  readonly #sender: CustodySender;
  readonly #node: string;
  readonly #path: RelayPath;
  readonly #receiver: string;
  readonly #nextAttempt: () => number;
  readonly #publisher: RelayPublisher;
  readonly #meter: Meter | undefined;
  readonly #passage: Passage;
  readonly #outputs: RelayOutput[] = [];
  readonly #syncDelay = new Backoff({ minMs: SYNC_MS_MIN, maxMs: SYNC_MS_MAX });
  readonly #progressDelay = new Backoff({ minMs: PROGRESS_MS_MIN, maxMs: PROGRESS_MS_MAX });
  readonly #starvedDelay = new Backoff({ minMs: PROGRESS_MS_MIN, maxMs: PROGRESS_MS_MAX });
  readonly #askDelay = new Backoff({ minMs: PROGRESS_MS_MIN, maxMs: PROGRESS_MS_MAX });
  readonly #counts = { receipts: 0, syncs: 0, ignored: 0, twins: 0 };
  #isUp = false;
  #duty: RelayDuty;
  /** The receiver said that it is there, and nothing since has spoken against it. */
  #isReceiverThere = false;
  /** The sync without an answer, and when it is sent again. */
  #sync: { readonly publish: Publish; sentMs: number; dueMs: number } | undefined;
  /** A new session is wanted, not before this. */
  #wantedMs: number | undefined;
  #lastSyncMs = Number.NEGATIVE_INFINITY;
  /** Who sends down asks nobody who is away. */
  #isAway: boolean;
  /** When who is away is asked all the same, or the question is given up. */
  #askMs: number | undefined;
  #speaker: Speaker = { sender: '', incarnation: '', nonce: new Uint8Array(0) };
  /** The opening of the central's store that answered. */
  #answeredBy: { readonly opening: string; readonly incarnation: string } | undefined;
  /** The last status of the central: its opening, and its connection. */
  #seenStatus: string | undefined;
  #starvedSinceMs: number | undefined;
  #vainSessions = 0;
  #lastProgressMs: number | undefined;

  constructor(options: RelaySenderOptions) {
    const { sender, node, path, limits = LIMITS, duty = 'on-duty', meter } = options;
    this.#duty = duty;
    this.#meter = meter;
    let attempts = 0;
    this.#sender = sender;
    this.#node = node;
    this.#path = path;
    this.#receiver = receiverOf(path);
    this.#nextAttempt = options.nextAttempt ?? (() => ++attempts);
    this.#isAway = path.kind === 'down';
    const { messagesPerPublish: itemCountMax = limits.itemCountMax } = options;
    this.#publisher = new RelayPublisher({ sender, path, limits: { ...limits, itemCountMax }, meter });
    const trial = options.trial ?? new Trial();
    this.#passage = new Passage({ sender, publisher: this.#publisher, trial, party: this.#receiver });
  }

  /** The broker is there, with nothing of earlier. `packetBytesMax`: of a packet, as far as it says. */
  up(nowMs: number, packetBytesMax: number = Number.POSITIVE_INFINITY): void {
    this.#isUp = true;
    this.#publisher.payloadBytesMax = packetBytesMax - PUBLISH_PACKET_BYTES;
    // Of many gateways the central hears by one subscription.
    if (this.#path.kind === 'down') return;
    const topics = [formatTopic({ kind: 'receipt', node: this.#node }), formatTopic({ kind: 'status', node: this.#receiver })];
    this.#outputs.push({ kind: 'subscribe', topics });
    if (this.#duty === 'on-duty' && this.#state !== 'forked') this.#startSync(nowMs);
  }

  get duty(): RelayDuty {
    return this.#duty;
  }

  /** Standing by: as far as can be seen there would be a session if it took over. */
  get mayStand(): boolean {
    return this.#isUp && this.#isReceiverThere;
  }

  /** The session is this broker's from now on. The one that had it stands by already. */
  takeOver(nowMs: number): void {
    if (this.#duty === 'on-duty') return;
    this.#duty = 'on-duty';
    if (this.#isUp && this.#state !== 'forked') this.#startSync(nowMs);
  }

  /** Another broker's turn. Without a session at its end it has to hear of the receiver again before it may stand. */
  standBy(): void {
    if (this.#duty === 'standing-by') return;
    if (this.#state !== 'ready') this.#isReceiverThere = false;
    this.#letGo();
    this.#duty = 'standing-by';
  }

  /** The broker is gone, and all that was on its way with it. */
  down(nowMs: number): void {
    if (this.#state === 'ready' && this.#isOurs) this.#passage.lost(nowMs);
    this.#over();
  }

  /** The receiver is gone: the broker has no part in that. */
  away(nowMs: number): void {
    this.#passage.left(nowMs);
    this.#over();
  }

  #over(): void {
    this.#isUp = false;
    this.#isReceiverThere = false;
    this.#outputs.length = 0;
    this.#isAway = this.#path.kind === 'down';
    this.#seenStatus = undefined;
    this.#letGo();
  }

  /** There is no session any more, here. */
  #letGo(): void {
    if (this.#duty === 'standing-by') return;
    if (this.#isOurs) this.#sender.lost();
    this.#publisher.reset();
    this.#sync = undefined;
    this.#wantedMs = undefined;
    this.#starvedSinceMs = undefined;
    this.#answeredBy = undefined;
  }

  /** False while a line has the session: a node below may be dialled in, too. */
  get #isOurs(): boolean {
    return this.#path.kind === 'up' || this.#sender.owns(this.#speaker.nonce);
  }

  /** Hears a message; those that are not for a sender are none of its business. */
  message({ topic, payload }: Arrived, nowMs: number): void {
    const parsed = parseTopic(topic);
    if (parsed?.kind === 'receipt' && parsed.node === this.#node) return this.receipt(decodeReceipt(payload), nowMs);
    if (parsed?.kind === 'status' && parsed.node === this.#receiver) return this.status(decodeStatus(payload), nowMs);
  }

  /** Goes on as far as it may. Call after every step of the node. */
  pump(nowMs: number): void {
    if (this.#mayAsk) return this.#ask(nowMs);
    if (!this.#mayAct) return;
    if (this.#state !== 'idle' && !this.#isOurs) return this.#letGo();
    if (this.#sync !== undefined) {
      if (this.#sync.dueMs <= nowMs) this.#repeatSync(this.#sync, nowMs);
      return;
    }
    if (this.#state === 'idle') {
      if (this.#path.kind === 'down' && this.#sender.streamsWithWork().length === 0) this.#wantedMs = undefined;
      else this.#want(nowMs + (this.#sender.isRival ? SYNC_MS_MAX : 0));
    }
    if (this.#wantedMs === undefined && this.#hasStalled(nowMs)) this.#want(nowMs);
    if (this.#wantedMs !== undefined) {
      if (this.#wantedMs <= nowMs) this.#startSync(nowMs);
      return;
    }
    if (this.#state !== 'ready') return;
    this.#publish(nowMs);
    if (this.#publisher.isStarved) {
      this.#starvedSinceMs ??= nowMs;
    } else {
      this.#starvedSinceMs = undefined;
      this.#starvedDelay.reset();
    }
  }

  #publish(nowMs: number): void {
    const publisher = this.#publisher;
    this.#sender.isHeldBack = false;
    const leave = this.#passage.leave(nowMs);
    if (leave === 'wait') return;
    for (const publish of publisher.publish(this.#speaker, nowMs, leave)) this.#outputs.push({ kind: 'publish', publish });
    this.#passage.published();
  }

  /** When `pump` should be called even if nothing happens. */
  get wakeAtMs(): number | undefined {
    if (this.#mayAsk) return this.#askMs;
    if (!this.#mayAct) return undefined;
    const dueMs = this.#sync?.dueMs ?? this.#wantedMs;
    if (dueMs !== undefined || this.#state !== 'ready') return dueMs;
    const { openAtMs } = this.#publisher;
    const atMs = Math.min(this.#progressDueMs, this.#starvedDueMs, this.#passage.wakeAtMs ?? Number.POSITIVE_INFINITY, openAtMs);
    return atMs === Number.POSITIVE_INFINITY ? undefined : atMs;
  }

  /** The ring reads what is to be published next, or writes how something ends: `pump` after the next step. */
  get isReading(): boolean {
    return this.#publisher.isReading || this.#passage.isEnding;
  }

  /** What to do next, in this order. Empties the list. */
  takeOutputs(): RelayOutput[] {
    return this.#outputs.splice(0);
  }

  view(): RelaySenderView {
    const { window, publishedCount, isStarved } = this.#publisher;
    const state = !this.#isUp ? 'down' : this.#duty === 'standing-by' ? this.#duty : STATE_NAMES[this.#state];
    return {
      state: this.#state === 'forked' ? 'forked' : state,
      published: publishedCount,
      receipts: this.#counts.receipts,
      windowPublishes: window.count,
      windowBytes: window.bytes,
      isStarved,
      lastProgressMs: this.#lastProgressMs,
    };
  }

  counters(): Record<string, number> {
    const { receipts, syncs, ignored, twins } = this.#counts;
    return {
      uplinkPublished: this.#publisher.publishedCount,
      uplinkReceipts: receipts,
      uplinkSyncs: syncs,
      uplinkIgnored: ignored,
      uplinkTwins: twins,
    };
  }

  get #mayAsk(): boolean {
    return this.#isUp && this.#isAway && this.#state !== 'forked';
  }

  /** Nobody else has the session meanwhile, and whoever is there after all may have it soon. */
  #ask(nowMs: number): void {
    const isFree = this.#state === 'idle' || this.#isOurs;
    if (!isFree || this.#sender.streamsWithWork().length === 0) {
      if (this.#sync !== undefined) this.#letGo();
      this.#askMs = undefined;
      return;
    }
    this.#askMs ??= nowMs + this.#askDelay.delayMs;
    if (this.#askMs > nowMs) return;
    if (this.#sync === undefined) {
      this.#askMs = nowMs + PROGRESS_MS_MIN;
      return this.#startSync(nowMs);
    }
    this.#letGo();
    this.#askDelay.lengthen();
    this.#askMs = nowMs + this.#askDelay.delayMs;
  }

  get #mayAct(): boolean {
    return this.#isUp && this.#duty === 'on-duty' && !this.#isAway && this.#state !== 'forked';
  }

  get #state(): SenderState {
    return this.#sender.state;
  }

  /** What a receiver says to this node; undefined: what nobody can read. */
  receipt(receipt: Receipt | 'unknown-version' | undefined, nowMs: number): void {
    if (!this.#isUp || this.#state === 'forked') return;
    if (receipt === undefined || receipt === 'unknown-version' || this.#duty === 'standing-by') {
      this.#counts.ignored += 1;
      return;
    }
    if (receipt.kind === 'answer') return this.#heardAnswer(receipt.answer, nowMs);
    if (this.#state !== 'ready' || !this.#sender.isCurrent(receipt.nonce)) {
      this.#counts.ignored += 1;
      return;
    }
    // Who says hello may be another store than the one that answered: that is what it says.
    if (receipt.kind === 'hello') return this.#want(nowMs);
    if (receipt.incarnation !== this.#answeredBy?.incarnation) {
      this.#counts.ignored += 1;
      return;
    }
    this.#counts.receipts += 1;
    const { hasProgressed, next } = this.#publisher.receipted(receipt.cursors, nowMs);
    if (next === 'sync') this.#want(nowMs);
    if (hasProgressed) this.#progressed(nowMs);
  }

  #heardAnswer(answer: Answer, nowMs: number): void {
    if (this.#sync === undefined) {
      this.#counts.ignored += 1;
      const { incarnation } = this.#answeredBy ?? answer;
      if (incarnation === answer.incarnation || !this.#sender.owns(answer.nonce)) return;
      this.#counts.twins += 1;
      this.#sender.twins = { atMs: nowMs, incarnations: [incarnation, answer.incarnation] };
      return;
    }
    this.#sender.answered(answer);
    if (this.#state === 'offered') return;
    this.#isAway = false;
    this.#askMs = undefined;
    this.#askDelay.reset();
    this.#sync = undefined;
    this.#syncDelay.reset();
    this.#answeredBy = { opening: openingText(answer), incarnation: answer.incarnation };
  }

  /** The receiver subscribed anew when it says so, or when it was away: what was published meanwhile is lost. */
  status(status: Status | 'unknown-version' | undefined, nowMs: number): void {
    if (!this.#isUp || this.#state === 'forked') return;
    if (status === undefined || status === 'unknown-version' || status.node !== this.#receiver) {
      this.#counts.ignored += 1;
      return;
    }
    if (status.kind === 'offline') {
      this.#seenStatus = 'offline';
      this.#isReceiverThere = false;
      if (this.#duty === 'standing-by') return;
      if (this.#path.kind === 'down') {
        // One whose will came late says so itself.
        this.#isAway = true;
        return this.#letGo();
      }
      // An old connection's will may come late: its word is doubted, and a sync finds out.
      if (this.#sync === undefined) this.#want(nowMs + SYNC_MS_MIN);
      return;
    }
    const seen = `${openingText(status)} ${status.hello}`;
    this.#isAway = false;
    this.#askMs = undefined;
    if (seen === this.#seenStatus) return;
    const isFirst = this.#seenStatus === undefined;
    this.#seenStatus = seen;
    this.#isReceiverThere = true;
    if (this.#duty === 'standing-by') return;
    if (this.#sync !== undefined) {
      this.#sync.dueMs = Math.max(nowMs, this.#sync.sentMs + SYNC_SPACING_MS);
      this.#syncDelay.reset();
    } else if (this.#path.kind === 'down' && this.#state === 'idle') {
      this.#wantedMs = undefined; // when something waits
    } else if (!isFirst || this.#answeredBy?.opening !== openingText(status)) {
      this.#want(nowMs);
    }
  }

  #progressed(nowMs: number): void {
    this.#lastProgressMs = nowMs;
    this.#progressDelay.reset();
    this.#vainSessions = 0;
    this.#passage.passed(nowMs);
    this.#publisher.itemCountMax = Number.POSITIVE_INFINITY;
  }

  /** True, once, when something has stood still for too long. */
  #hasStalled(nowMs: number): boolean {
    if (this.#state !== 'ready') return false;
    const isStalled = this.#progressDueMs <= nowMs;
    const isStarved = this.#starvedDueMs <= nowMs;
    if (isStalled) {
      this.#progressDelay.lengthen();
      this.#vainSessions += 1;
      if (this.#vainSessions >= VAIN_SESSIONS_MAX) this.#publisher.itemCountMax = 1;
    }
    if (isStarved) this.#starvedDelay.lengthen();
    return isStalled || isStarved;
  }

  get #progressDueMs(): number {
    const { window } = this.#publisher;
    return window.count === 0 ? Number.POSITIVE_INFINITY : window.headSinceMs + this.#progressDelay.delayMs;
  }

  get #starvedDueMs(): number {
    return this.#starvedSinceMs === undefined ? Number.POSITIVE_INFINITY : this.#starvedSinceMs + this.#starvedDelay.delayMs;
  }

  #want(atMs: number): void {
    const notBeforeMs = Math.max(atMs, this.#lastSyncMs + SYNC_SPACING_MS);
    this.#wantedMs = Math.min(this.#wantedMs ?? notBeforeMs, notBeforeMs);
  }

  #startSync(nowMs: number): void {
    const offer = this.#sender.offer();
    const { sender, incarnation, nonce } = offer;
    this.#speaker = { sender, incarnation, nonce };
    this.#publisher.reset();
    this.#wantedMs = undefined;
    this.#starvedSinceMs = undefined;
    this.#answeredBy = undefined;
    const topic = formatTopic({ kind: 'sync', node: this.#node });
    const payload = encodeSync({ receiver: this.#receiver, attempt: this.#nextAttempt(), offer });
    const publish: Publish = { topic, payload, qos: 1, retain: 'transient' };
    this.#sync = { publish, sentMs: nowMs, dueMs: nowMs };
    this.#sendSync(this.#sync, nowMs);
  }

  #repeatSync(sync: { readonly publish: Publish; sentMs: number; dueMs: number }, nowMs: number): void {
    this.#syncDelay.lengthen();
    this.#sendSync(sync, nowMs);
  }

  #sendSync(sync: { readonly publish: Publish; sentMs: number; dueMs: number }, nowMs: number): void {
    this.#counts.syncs += 1;
    this.#lastSyncMs = nowMs;
    sync.sentMs = nowMs;
    sync.dueMs = nowMs + this.#syncDelay.delayMs;
    this.#meter?.spend(publishBytes(sync.publish), nowMs);
    this.#outputs.push({ kind: 'publish', publish: sync.publish });
  }
}

const STATE_NAMES = {
  idle: 'syncing',
  offered: 'syncing',
  ticketing: 'ticketing',
  ready: 'publishing',
  forked: 'forked',
} as const;

/** One opening of a receiver's store. */
function openingText(who: {
  readonly incarnation: string;
  readonly epoch: { readonly counter: number; readonly random: number };
}): string {
  return `${who.incarnation} ${who.epoch.counter} ${who.epoch.random}`;
}

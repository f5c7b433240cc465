/**
 * Custody with many gateways over one broker, as a central has it: what comes up from them, and what goes down to each.
 *
 *   status of a gateway below: online ──┐
 *   something waits for it ─────────────┴──▶ a sender of its own: session, window, credit ──▶ ringmail/down/<gateway>
 *   status: offline ───────────────────────▶ its session is over, and the sender goes
 *
 * Who never said that it is there is not asked: a gateway of an earlier version hears nothing that comes down, and a node below that
 * dials in over a line has another way. But what says so may be lost in a broker: who began a session up, and was not said to be away
 * since, is asked, seldom.
 */

import type { CustodySender } from '../custody/sender.ts';
import { earliest } from '../earliest.ts';
import { RELAY_PEER_COUNT_MAX } from '../limits.ts';
import { decodeReceipt, type Receipt } from './receipt-layout.ts';
import { RelayReceiver, type RelayReceiverOptions } from './relay-receiver.ts';
import { type Arrived, type RelayOutput, RelaySender, type RelaySenderOptions } from './relay-sender.ts';
import type { Relay } from './relay-uplink.ts';
import { decodeStatus, type Status } from './status-layout.ts';
import { formatTopic, parseTopic, STATUS_FILTER } from './topics.ts';
import { Trial } from './trial.ts';

export interface RelayCentralOptions
  extends Pick<RelayReceiverOptions, 'receiver' | 'store' | 'node'>,
    Pick<RelaySenderOptions, 'trial'> {
  readonly central: string;
  /** What hands messages over to a node below; undefined for any other. */
  readonly senderTo: (node: string) => CustodySender | undefined;
}

interface Below {
  readonly relay: RelaySender;
  readonly sender: CustodySender;
  /** Something was heard since the last `pump`. */
  isTouched: boolean;
}

export class RelayCentral implements Relay {
  readonly receiver: RelayReceiver;
  readonly #options: RelayCentralOptions;
  readonly #outputs: RelayOutput[] = [];
  /** Nodes that say that they are there; bounded, and those that are not below go first. */
  readonly #there = new Map<string, Status & { kind: 'online' }>();
  readonly #below = new Map<string, Below>();
  /** Nodes that began a session up, and were not said to be away since; bounded, the oldest goes. */
  readonly #heard = new Set<string>();
  readonly #trial: Trial;
  #isUp = false;
  #packetBytesMax: number | undefined;
  #attempts = 0;
  /** Nodes that something waits for, as of the last frame. */
  #awaited: ReadonlySet<string> = new Set();
  #workSeen = -1;
  readonly #counts = { published: 0, receipts: 0, syncs: 0, ignored: 0 };

  constructor(options: RelayCentralOptions) {
    const { receiver, store, node, central, trial = new Trial() } = options;
    this.#options = options;
    this.#trial = trial;
    this.receiver = new RelayReceiver({ receiver, store, node, takes: { kind: 'up', central } });
  }

  up(nowMs: number, packetBytesMax?: number): void {
    this.#isUp = true;
    this.#packetBytesMax = packetBytesMax;
    const receipts = formatTopic({ kind: 'receipt', node: this.#options.node });
    this.#outputs.push({ kind: 'subscribe', topics: [receipts, STATUS_FILTER] });
    this.receiver.up(nowMs);
  }

  down(nowMs: number): void {
    this.#isUp = false;
    this.#outputs.length = 0;
    this.#there.clear();
    for (const [node, { relay }] of this.#below) {
      relay.down(nowMs);
      this.#forget(node);
    }
    this.receiver.down(nowMs);
  }

  message(arrived: Arrived, nowMs: number): void {
    if (!this.#isUp) return;
    const parsed = parseTopic(arrived.topic);
    if (parsed?.kind === 'receipt' && parsed.node === this.#options.node) return this.#heardReceipt(arrived.payload, nowMs);
    if (parsed?.kind === 'sync') this.#hears(parsed.node);
    const { node, central } = this.#options;
    if (parsed?.kind === 'status' && parsed.node !== node && parsed.node !== central)
      return this.#heardStatus(parsed.node, arrived.payload, nowMs);
    this.receiver.message(arrived, nowMs);
  }

  pump(nowMs: number): void {
    this.receiver.pump(nowMs);
    if (!this.#isUp) return;
    const { workCount } = this.#options.store;
    const isNew = workCount !== this.#workSeen;
    if (isNew) this.#awaited = this.#waitedFor();
    this.#workSeen = workCount;
    for (const node of this.#awaited) if (!this.#below.has(node)) this.#begin(node, nowMs);
    for (const [node, below] of this.#below) {
      const { relay, isTouched } = below;
      const isDue = (relay.wakeAtMs ?? Number.POSITIVE_INFINITY) <= nowMs;
      // Another broker, or a line, may have had its session, and have it no more.
      const mayNeed = this.#awaited.has(node) && (isNew || below.sender.state === 'idle');
      if (!isTouched && !isDue && !relay.isReading && !mayNeed) continue;
      below.isTouched = false;
      relay.pump(nowMs);
      this.#outputs.push(...relay.takeOutputs());
    }
  }

  get wakeAtMs(): number | undefined {
    return earliest(this.receiver.wakeAtMs, ...[...this.#below.values()].map(({ relay }) => relay.wakeAtMs));
  }

  takeOutputs(): RelayOutput[] {
    return [...this.receiver.takeOutputs(), ...this.#outputs.splice(0)];
  }

  counters(): Record<string, number> {
    const counts = { ...this.#counts };
    for (const { relay } of this.#below.values()) addCounts(counts, relay);
    const { published, receipts, syncs, ignored } = counts;
    const down = { downPublished: published, downReceipts: receipts, downSyncs: syncs, downIgnored: ignored };
    return { ...this.receiver.counters(), ...down };
  }

  /** Nodes that it takes to be there. */
  get thereCount(): number {
    return this.#there.size;
  }

  #waitedFor(): Set<string> {
    const { outgoing, hops } = this.#options.store;
    const nodes = new Set<string>();
    for (const out of outgoing) {
      if (out.list.count === 0 && out.gaps.length === 0) continue;
      const hop = hops.of(out);
      if (hop?.startsWith(DOWN)) nodes.add(hop.slice(DOWN.length));
    }
    return nodes;
  }

  /** Where something waits for somebody who is there, or was heard. */
  #begin(node: string, nowMs: number): void {
    const status = this.#there.get(node);
    if (status === undefined && !this.#heard.has(node)) return;
    const sender = this.#options.senderTo(node);
    // Who only may be there leaves room for those who are.
    const countMax = status === undefined ? RELAY_PEER_COUNT_MAX / 2 : RELAY_PEER_COUNT_MAX;
    if (sender === undefined || this.#below.size >= countMax) return;
    const path = { kind: 'down', gateway: node } as const;
    const relay = new RelaySender({
      sender,
      node: this.#options.node,
      path,
      nextAttempt: () => ++this.#attempts,
      trial: this.#trial,
    });
    relay.up(nowMs, this.#packetBytesMax);
    if (status !== undefined) relay.status(status, nowMs);
    this.#below.set(node, { relay, sender, isTouched: true });
  }

  #hears(node: string): void {
    if (this.#heard.has(node)) return;
    const [oldest] = this.#heard;
    if (this.#heard.size >= RELAY_PEER_COUNT_MAX && oldest !== undefined) this.#heard.delete(oldest);
    this.#heard.add(node);
  }

  #heardReceipt(payload: Uint8Array, nowMs: number): void {
    const receipt = decodeReceipt(payload);
    const from = receipt === undefined || receipt === 'unknown-version' ? undefined : speakerOf(receipt);
    const below = from === undefined ? undefined : this.#below.get(from);
    if (below === undefined) {
      this.#counts.ignored += 1;
      return;
    }
    below.isTouched = true;
    below.relay.receipt(receipt, nowMs);
  }

  #heardStatus(node: string, payload: Uint8Array, nowMs: number): void {
    const status = decodeStatus(payload);
    if (status === undefined || status === 'unknown-version' || status.node !== node) {
      this.#counts.ignored += 1;
      return;
    }
    if (status.kind === 'offline') {
      this.#there.delete(node);
      this.#heard.delete(node);
      this.#below.get(node)?.relay.away(nowMs);
      return this.#forget(node);
    }
    if (!this.#there.has(node) && !this.#makeRoom(node)) return;
    this.#there.set(node, status);
    const below = this.#below.get(node);
    if (below === undefined) return;
    below.isTouched = true;
    below.relay.status(status, nowMs);
  }

  /** Anybody may say that it is there: who is not below gives way. */
  #makeRoom(node: string): boolean {
    if (this.#there.size < RELAY_PEER_COUNT_MAX) return true;
    const { hops } = this.#options.store;
    for (const other of this.#there.keys()) {
      if (hops.isBelow(other)) continue;
      this.#there.delete(other);
      return true;
    }
    return hops.isBelow(node) && this.#there.size < 2 * RELAY_PEER_COUNT_MAX;
  }

  #forget(node: string): void {
    const below = this.#below.get(node);
    if (below === undefined) return;
    addCounts(this.#counts, below.relay);
    this.#below.delete(node);
  }
}

const DOWN = 'down/';

function addCounts(sum: { published: number; receipts: number; syncs: number; ignored: number }, relay: RelaySender): void {
  const { uplinkPublished = 0, uplinkReceipts = 0, uplinkSyncs = 0, uplinkIgnored = 0 } = relay.counters();
  sum.published += uplinkPublished;
  sum.receipts += uplinkReceipts;
  sum.syncs += uplinkSyncs;
  sum.ignored += uplinkIgnored;
}

function speakerOf(receipt: Receipt): string {
  return receipt.kind === 'answer' ? receipt.answer.receiver : receipt.receiver;
}

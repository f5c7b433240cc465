/**
 * A client of the simulated broker, behind the Broker port, with its two ways and their order.
 *
 *            listen            connected                  broken
 *   idle ──────────▶ connecting ────────▶ up ──────────────────────▶ connecting …
 *                                          │ half-open: nothing passes, nobody is told, until a keepalive notices
 *                                          ▼
 *                                        broken
 */
import { invariant } from '../shared/assert.ts';
import { topicMatches } from '../shared/message/topic-filter.ts';
import type { Broker, BrokerListener, Publish, PublishEnd, Wanted } from '../shared/ports.ts';
import type { SimBroker } from './sim-broker.ts';

/** Publishes that a broken connection leaves to be delivered again, at most; the newest. */
const LEFT_MAX = 256;
/** Between two looks at whether a subscription is answered at last, in virtual milliseconds. */
const UNANSWERED_LOOK_MS = 50;

type Ascent =
  | { readonly kind: 'publish'; readonly publish: Publish; readonly ended?: ((outcome: PublishEnd) => void) | undefined }
  | { readonly kind: 'subscribe'; readonly filters: readonly string[] };

export class SimClient implements Broker {
  readonly name: string;
  readonly #broker: SimBroker;
  readonly #will: Publish | undefined;
  readonly #filters = new Set<string>();
  #wanted: Wanted;
  #listener: BrokerListener | undefined;
  #state: 'idle' | 'connecting' | 'up' | 'closed' = 'idle';
  #wire: 'whole' | 'half-open' = 'whole';
  /** Counts connections. */
  #connection = 0;
  /** What is on its way, in order, and when the last of it arrives: later ones don't overtake it. */
  #ascending: Ascent[] = [];
  #descending: Publish[] = [];
  #upMs = 0;
  #downMs = 0;
  /** What earlier connections did not deliver and the broker did not forget. */
  #left: Publish[] = [];

  constructor(options: { broker: SimBroker; name: string; will: Publish | undefined; begins: Wanted }) {
    this.#wanted = options.begins;
    this.#broker = options.broker;
    this.name = options.name;
    this.#will = options.will;
  }

  listen(listener: BrokerListener): void {
    invariant(this.#listener === undefined, 'a broker has one listener');
    this.#listener = listener;
    if (this.#wanted === 'connected') this.#connectAfter(this.#broker.delayMs());
  }

  /** The last word arrives, as the real adapter waits for it; what else was on its way may not. */
  want(wanted: Wanted): void {
    if (wanted === this.#wanted || this.#state === 'closed') return;
    this.#wanted = wanted;
    if (wanted === 'connected') {
      if (this.#state === 'idle' && this.#listener !== undefined) this.#connectAfter(this.#broker.delayMs());
      return;
    }
    const wasUp = this.#state === 'up';
    this.#state = 'idle';
    if (!wasUp) return;
    if (this.#will !== undefined && this.#wire === 'whole') this.#broker.take(this.#will);
    this.#wire = 'whole';
    this.#ascending = [];
    this.#leave(this.#descending);
    this.#descending = [];
    this.#filters.clear();
    this.#connection += 1;
    this.#broker.after(0, () => {
      if (this.#state !== 'closed') this.#listener?.onDown('not needed');
    });
  }

  publish(publish: Publish, ended?: (outcome: PublishEnd) => void): void {
    if (this.#state !== 'up') return;
    this.#ascend({ kind: 'publish', publish: { ...publish, payload: publish.payload.slice() }, ended });
  }

  subscribe(topics: readonly string[]): void {
    if (this.#state !== 'up') return;
    this.#ascend({ kind: 'subscribe', filters: [...topics] });
  }

  /** Says goodbye properly: the will is said by ourselves, as the real adapter does. */
  close(): void {
    if (this.#state === 'up' && this.#will !== undefined) this.publish(this.#will);
    this.#state = 'closed';
    this.#broker.forget(this);
  }

  // What follows is for the broker.

  get isUp(): boolean {
    return this.#state === 'up';
  }

  get will(): Publish | undefined {
    return this.#will;
  }

  wants(topic: string): boolean {
    return this.#state === 'up' && [...this.#filters].some((filter) => topicMatches(filter, topic));
  }

  deliver(publish: Publish): void {
    const connection = this.#connection;
    if (this.#descending.length >= this.#broker.faults.waitingMax) {
      this.#broker.harm.dropped += 1;
      return;
    }
    this.#descending.push(publish);
    this.#downMs = Math.max(this.#downMs, this.#broker.nowMs + this.#broker.delayMs());
    this.#broker.after(this.#downMs - this.#broker.nowMs, () => {
      if (connection !== this.#connection || this.#wire === 'half-open') return;
      const next = this.#descending.shift();
      if (next === undefined || this.#state !== 'up') return;
      this.#listener?.onMessage(next.topic, next.payload.slice());
      this.#perhapsBreak(connection);
    });
  }

  /** Nothing passes from now on, and nobody is told until both notice after `noticeMs`. */
  halfOpen(noticeMs: number): void {
    if (this.#state !== 'up' || this.#wire === 'half-open') return;
    const connection = this.#connection;
    this.#wire = 'half-open';
    this.#broker.afterInLife(noticeMs, () => {
      if (connection !== this.#connection) return;
      if (this.#state === 'up') return this.broken('no answer within the keepalive');
      // Its goodbye never arrived. Who connected meanwhile under its name took over, and the will is no news any more.
      if (this.#will !== undefined && !this.#broker.hasUp(this.name)) this.#broker.take(this.#will);
    });
  }

  /** The connection is gone, as both ends find out at different times. */
  broken(reason: string): void {
    if (this.#state !== 'up') return;
    this.#state = 'connecting';
    this.#wire = 'whole';
    const { faults, random, isRunning } = this.#broker;
    const left = this.#ascending.filter(({ kind }) => kind === 'publish' && isRunning && random.chance(faults.straggle));
    this.#ascending = [];
    this.#leave(this.#descending);
    this.#descending = [];
    this.#filters.clear();
    this.#connection += 1;
    for (const straggler of left) {
      this.#broker.counters.straggled += 1;
      this.#broker.afterInLife(random.next() * 2 * faults.reconnectMsMax, () => {
        if (this.#refusal(straggler) === undefined) this.#arrive(straggler);
      });
    }
    const will = this.#will;
    if (isRunning && will !== undefined)
      this.#broker.afterInLife(random.next() * faults.willMsMax, () => this.#broker.take(will));
    this.#broker.after(0, () => {
      if (this.#state !== 'closed') this.#listener?.onDown(reason);
    });
    this.#connectAfter(1 + random.next() * faults.reconnectMsMax);
  }

  /** The broker forgets what it would have delivered again. */
  forgetLeft(): void {
    this.#left = [];
  }

  #leave(undelivered: readonly Publish[]): void {
    const { faults, random } = this.#broker;
    if (faults.redeliver === 0) return;
    for (const publish of undelivered) {
      // Anywhere among the others: the order does not outlive the connection.
      if (random.chance(faults.redeliver)) this.#left.splice(random.int(this.#left.length + 1), 0, publish);
    }
    this.#left = this.#left.slice(-LEFT_MAX);
  }

  #ascend(ascent: Ascent): void {
    const connection = this.#connection;
    this.#ascending.push(ascent);
    this.#upMs = Math.max(this.#upMs, this.#broker.nowMs + this.#broker.delayMs());
    this.#broker.afterInLife(this.#upMs - this.#broker.nowMs, () => {
      if (connection !== this.#connection || this.#wire === 'half-open') return;
      const next = this.#ascending.shift();
      if (next === undefined) return;
      const refused = this.#refusal(next);
      if (refused !== undefined) return this.broken(refused);
      this.#arrive(next);
      if (next.kind === 'publish' && next.ended !== undefined) this.#confirm(next.ended, connection);
      this.#perhapsBreak(connection);
    });
  }

  /** The PUBACK, on its way down. */
  #confirm(ended: (outcome: PublishEnd) => void, connection: number): void {
    this.#broker.afterInLife(this.#broker.delayMs(), () => {
      if (connection === this.#connection && this.#state === 'up' && this.#wire === 'whole') ended('acknowledged');
    });
  }

  /** Why the broker ends the connection over this packet, as one of MQTT 3.1.1 does that has no word for "no". */
  #refusal(ascent: Ascent): string | undefined {
    const { faults, harm } = this.#broker;
    if (ascent.kind === 'subscribe') return faults.subscriptions === 'refused' ? 'subscription refused' : undefined;
    const { topic, payload } = ascent.publish;
    const isTooLarge = topic.length + payload.length > faults.publishBytesMax;
    if (faults.publishes === 'taken' && !isTooLarge) return undefined;
    harm.refused += 1;
    return isTooLarge ? 'packet too large' : 'not authorised to publish';
  }

  #arrive(ascent: Ascent): void {
    if (ascent.kind === 'publish') return this.#broker.take(ascent.publish);
    if (this.#broker.faults.subscriptions === 'unanswered') return this.#arriveLater(ascent);
    for (const filter of ascent.filters) this.#filters.add(filter);
    this.#broker.replay(this, ascent.filters);
    const again = this.#left.filter(({ topic }) => this.wants(topic));
    this.#left = this.#left.filter(({ topic }) => !this.wants(topic));
    for (const publish of again) {
      this.#broker.harm.redelivered += 1;
      this.deliver(publish);
    }
  }

  #arriveLater(ascent: Ascent): void {
    const connection = this.#connection;
    this.#broker.afterInLife(UNANSWERED_LOOK_MS, () => {
      if (connection === this.#connection) this.#arrive(ascent);
    });
  }

  #perhapsBreak(connection: number): void {
    const { faults, random } = this.#broker;
    if (faults.breakRate > 0 && connection === this.#connection && random.chance(faults.breakRate))
      this.broken('cut after a packet');
  }

  #connectAfter(ms: number): void {
    this.#state = 'connecting';
    this.#broker.after(ms, () => {
      if (this.#state !== 'connecting') return;
      if (!this.#broker.isRunning) return this.#connectAfter(this.#broker.random.next() * this.#broker.faults.reconnectMsMax + 1);
      this.#state = 'up';
      this.#connection += 1;
      this.#broker.connected(this);
      const { publishBytesMax, publishBytesMaxIs } = this.#broker.faults;
      this.#listener?.onUp(publishBytesMaxIs === 'told' ? publishBytesMax : undefined);
    });
  }
}

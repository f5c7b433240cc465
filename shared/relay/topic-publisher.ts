/**
 * What routes send to topics (docs/mqtt.md, "Plain topics"): bodies from `$topic`, published as they are at QoS 1, at least once.
 *
 *   ready ──taken──▶ reading ──body──▶ published ──PUBACK──▶ ending ──durable──▶ gone: received
 *     ▲                                   │  └── refused: back, and nothing more for a while
 *     └── the broker is gone, or another ─┘
 *         is taken: all come again
 *
 * The broker's PUBACK is the end of it: who subscribes knows nothing of ringmail. One that was on its way each time that the broker was lost
 * is suspected, and goes alone; if it is lost then too, it is given up as BROKER_REFUSED, so that it does not take custody's
 * connection down with it for ever.
 */
import { Bodies } from '../custody/bodies.ts';
import type { Meter } from '../custody/meter.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { batchOf, type Planned } from '../custody/planned.ts';
import { RingmailError } from '../errors.ts';
import { TOPIC_RETRY_MS_MAX, TOPIC_RETRY_MS_MIN, TOPIC_WINDOW_COUNT_MAX, URGENT_PRIORITY_MIN } from '../limits.ts';
import { TOPIC_QUEUE } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import { decodeEnvelope } from '../message/envelope.ts';
import { topicOf } from '../message/topic-destination.ts';
import type { Publish } from '../ports.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { Backoff } from './backoff.ts';
import { publishBytes } from './publish-layout.ts';

/** Times that the broker was lost while a message was on its way to it: from then on it goes alone; and then it is given up. */
const LOST_COUNT_SUSPECT = 2;
const LOST_COUNT_MAX = 5;

/** How a message ends; as `Endings.plan`. */
export type PlanEnd = (
  slot: number,
  cause: { readonly class: 'received' } | { readonly class: EndingClass; readonly reason: string },
) => Planned | 'loading';

/** A broker that it may publish over. */
export interface TopicBroker {
  readonly name: string;
  readonly meter: Meter | undefined;
}

export interface TopicPublish {
  readonly kind: 'publish';
  readonly publish: Publish;
  readonly broker: string;
  /** By which the broker's word is known (`ended`). */
  readonly token: number;
}

interface Flying {
  readonly slot: number;
  readonly id: number;
  /** `ending`: the broker has it, and its end is not planned yet. `given-up`: nobody will. */
  at: 'reading' | 'published' | 'ending' | 'given-up';
}

export class TopicPublisher {
  publishedCount = 0;
  confirmedCount = 0;
  refusedCount = 0;
  readonly #store: NodeStore;
  readonly #planEnd: PlanEnd;
  readonly #bodies: Bodies;
  /** By token. */
  readonly #flying = new Map<number, Flying>();
  /** Losses of the broker that each outlived, by id; those without any are not there. */
  readonly #lost = new Map<number, number>();
  /** Brokers that are up, in the order of preference. */
  readonly #brokers: readonly TopicBroker[];
  readonly #up = new Set<string>();
  #broker: TopicBroker | undefined;
  /** When the meter lets go what it holds back. */
  #heldUntilMs: number | undefined;
  #nextToken = 1;
  #notBeforeMs = 0;
  readonly #backoff = new Backoff({ minMs: TOPIC_RETRY_MS_MIN, maxMs: TOPIC_RETRY_MS_MAX });

  /** `brokers`: of the uplinks over MQTT, the preferred one first. */
  constructor(store: NodeStore, brokers: readonly TopicBroker[], planEnd: PlanEnd) {
    this.#store = store;
    this.#brokers = brokers;
    this.#planEnd = planEnd;
    this.#bodies = new Bodies(store.ring);
  }

  /** `broker`: undefined for the only one. */
  up(broker: string | undefined): void {
    this.#up.add(broker ?? this.#brokers[0]?.name ?? '');
  }

  /** What was on its way comes again, by whichever is there. */
  down(broker: string | undefined): void {
    const name = broker ?? this.#brokers[0]?.name ?? '';
    this.#up.delete(name);
    if (name === this.#broker?.name) this.#takeBack('lost');
  }

  /** The broker's word on a publish. Those of an earlier connection are known no more. */
  ended(token: number, outcome: 'acknowledged' | 'failed', nowMs: number): void {
    const flying = this.#flying.get(token);
    if (flying?.at !== 'published') return;
    if (outcome === 'acknowledged') {
      flying.at = 'ending';
      this.confirmedCount += 1;
      this.#lost.delete(flying.id);
      return this.#backoff.reset();
    }
    this.refusedCount += 1;
    this.#flying.delete(token);
    this.#giveBack(flying);
    this.#notBeforeMs = nowMs + this.#backoff.delayMs;
    this.#backoff.lengthen();
  }

  /** Takes what may go, and ends what arrived. Called after every step. */
  pump(nowMs: number): TopicPublish[] {
    const { ring, queues } = this.#store;
    const queue = queues.find(TOPIC_QUEUE);
    if (queue === undefined || ring.state !== 'serving') return [];
    this.#choose();
    for (const [token, flying] of this.#flying) this.#end(token, flying);
    const publishes: TopicPublish[] = [];
    const publish = (token: number, flying: Flying): void => {
      const made = this.#publish(token, flying);
      if (made === undefined) return;
      this.#broker?.meter?.spend(publishBytes(made.publish), nowMs);
      publishes.push(made);
    };
    for (const [token, flying] of this.#flying) publish(token, flying);
    this.#heldUntilMs = undefined;
    while (this.#broker !== undefined && nowMs >= this.#notBeforeMs && this.#flying.size < this.#windowMax()) {
      const { meter } = this.#broker;
      const next = queues.next(queue);
      if (next !== NO_SLOT && meter?.isOpen(nowMs) === false && ring.index.priority(next) < URGENT_PRIORITY_MIN) {
        this.#heldUntilMs = meter.opensAtMs;
        break;
      }
      const slot = queues.take(queue);
      if (slot === NO_SLOT) break;
      const flying: Flying = { slot, id: ring.index.id(slot), at: 'reading' };
      const token = this.#nextToken++;
      this.#flying.set(token, flying);
      if ((this.#lost.get(flying.id) ?? 0) >= LOST_COUNT_MAX) flying.at = 'given-up';
      publish(token, flying);
      this.#end(token, flying);
    }
    return publishes;
  }

  get wakeAtMs(): number | undefined {
    const isWaiting = this.#notBeforeMs > this.#store.nowMs && this.#broker !== undefined;
    return isWaiting ? this.#notBeforeMs : this.#heldUntilMs;
  }

  counters(): Record<string, number> {
    if (this.publishedCount === 0) return {};
    return {
      topicsPublished: this.publishedCount,
      topicsConfirmed: this.confirmedCount,
      topicsRefused: this.refusedCount,
    };
  }

  /** The best that is up. What is on its way to another comes again by this one. */
  #choose(): void {
    const best = this.#brokers.find(({ name }) => this.#up.has(name));
    if (best === this.#broker) return;
    this.#takeBack('left');
    this.#broker = best;
  }

  /** Alone, while something is suspected that is next or on its way. */
  #windowMax(): number {
    return [...this.#lost.values()].some((count) => count >= LOST_COUNT_SUSPECT) ? 1 : TOPIC_WINDOW_COUNT_MAX;
  }

  #publish(token: number, flying: Flying): TopicPublish | undefined {
    if (flying.at !== 'reading' || this.#broker === undefined) return undefined;
    const { ring, streams } = this.#store;
    const body = this.#bodies.get(flying.slot);
    if (body === 'loading') return undefined;
    const payload = body === 'corrupt' ? undefined : payloadOf(body);
    if (payload === undefined) {
      flying.at = 'given-up';
      this.#end(token, flying);
      return undefined;
    }
    const topic = topicOf(streams.key(ring.index.stream(flying.slot)).destination);
    flying.at = 'published';
    this.publishedCount += 1;
    return { kind: 'publish', publish: { topic, payload, qos: 1, retain: 'transient' }, broker: this.#broker.name, token };
  }

  /** Planned as soon as what has to be known of it is read. */
  #end(token: number, { at, slot, id }: Flying): void {
    if (at !== 'ending' && at !== 'given-up') return;
    const isLost = this.#lost.has(id);
    const refused = { class: 'BROKER_REFUSED', reason: `the broker was lost ${LOST_COUNT_MAX} times over it` } as const;
    const unreadable = { class: 'CORRUPT', reason: 'it cannot be read' } as const;
    const cause = at === 'ending' ? ({ class: 'received' } as const) : isLost ? refused : unreadable;
    try {
      const planned = this.#planEnd(slot, cause);
      if (planned === 'loading') return;
      this.#store.commit(batchOf(planned), () => {});
      planned.settle();
    } catch (error) {
      // No room for what goes with its end, or a ring that stops: its turn comes again.
      if (!(error instanceof RingmailError)) throw error;
      return;
    }
    this.#store.queues.finish(slot);
    this.#lost.delete(id);
    this.#flying.delete(token);
  }

  #takeBack(why: 'lost' | 'left'): void {
    for (const [token, flying] of this.#flying) {
      if (flying.at !== 'reading' && flying.at !== 'published') continue;
      if (why === 'lost' && flying.at === 'published') this.#lost.set(flying.id, (this.#lost.get(flying.id) ?? 0) + 1);
      this.#flying.delete(token);
      this.#giveBack(flying);
    }
    // Others may have ended meanwhile: purged, expired.
    for (const id of this.#lost.keys()) if (this.#store.ring.index.find(id) === NO_SLOT) this.#lost.delete(id);
  }

  #giveBack({ slot, id }: Flying): void {
    const { ring, queues, queueTimeMs } = this.#store;
    this.#bodies.forget(id);
    if (ring.index.id(slot) === id) queues.giveBack(slot, queueTimeMs);
  }
}

function payloadOf(envelope: Uint8Array): Uint8Array | undefined {
  try {
    return decodeEnvelope(envelope).message.body;
  } catch (error) {
    if (error instanceof RingmailError) return undefined;
    throw error;
  }
}

/**
 * What routes send to topics (docs/mqtt.md, "Plain topics"): messages from `$topic`, published in the form the route asked for at QoS 1, at least once.
 *
 *   ready ──taken──▶ reading ──body──▶ published ──PUBACK──▶ ending ──durable──▶ gone: received
 *     ▲                                   │  └── refused: back, and nothing more for a while
 *     └── the broker is gone, or another ─┘
 *         is taken: all come again
 *
 * The broker's PUBACK is the end of it: who subscribes knows nothing of ringmail. One over which the broker ends the connection, as the
 * trial of that connection finds (trial.ts), is given up as BROKER_REFUSED, so that it does not take custody down with it for ever.
 */
import { Bodies } from '../custody/bodies.ts';
import type { Meter } from '../custody/meter.ts';
import type { NodeStore } from '../custody/node-store.ts';
import { batchOf, type Planned } from '../custody/planned.ts';
import { earliest } from '../earliest.ts';
import { RingmailError } from '../errors.ts';
import {
  TOPIC_RETRY_MS_MAX,
  TOPIC_RETRY_MS_MIN,
  TOPIC_WINDOW_COUNT_MAX,
  TRIAL_ALONE_COUNT,
  URGENT_PRIORITY_MIN,
} from '../limits.ts';
import { TOPIC_QUEUE } from '../message/address.ts';
import type { EndingClass } from '../message/classes.ts';
import type { Publish } from '../ports.ts';
import { NO_SLOT } from '../ring/message-index.ts';
import { Backoff } from './backoff.ts';
import { publishBytes } from './publish-layout.ts';
import { formPublish } from './topic-formats.ts';
import type { Trial, Trials } from './trial.ts';

/** As a party of the trials of its brokers. */
const PARTY = TOPIC_QUEUE;

/** How a message ends; as `Endings.plan`. */
export type PlanEnd = (
  slot: number,
  cause: { readonly class: 'received' } | { readonly class: EndingClass; readonly reason: string },
) => Planned | 'loading';

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
  /** Why it is given up, where that is not the broker's doing. */
  because?: { readonly class: EndingClass; readonly reason: string };
}

const UNREADABLE = { kind: 'refused', class: 'CORRUPT', reason: 'it cannot be read' } as const;

export interface TopicPublisherOptions {
  readonly store: NodeStore;
  /** Of the uplinks over MQTT, the preferred one first. */
  readonly brokers: readonly string[];
  readonly planEnd: PlanEnd;
  readonly trials: Trials;
  /** Of a broker that a metered uplink leads to. */
  readonly meterOf: (broker: string) => Meter | undefined;
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
  readonly #trials: Trials;
  readonly #meterOf: TopicPublisherOptions['meterOf'];
  /** When the meter lets go what it holds back. */
  #heldUntilMs: number | undefined;
  /** Id of the one over which a broker was lost again and again. */
  #refusedId: number | undefined;
  /** Brokers that are up, in the order of preference. */
  readonly #brokers: readonly string[];
  readonly #up = new Set<string>();
  #broker: string | undefined;
  #nextToken = 1;
  #notBeforeMs = 0;
  readonly #backoff = new Backoff({ minMs: TOPIC_RETRY_MS_MIN, maxMs: TOPIC_RETRY_MS_MAX });

  constructor(options: TopicPublisherOptions) {
    const { store, brokers, planEnd, trials, meterOf } = options;
    this.#store = store;
    this.#brokers = brokers;
    this.#planEnd = planEnd;
    this.#trials = trials;
    this.#meterOf = meterOf;
    this.#bodies = new Bodies(store.ring);
  }

  /** `broker`: undefined for the only one. */
  up(broker: string | undefined): void {
    this.#up.add(broker ?? this.#brokers[0] ?? '');
  }

  /** What was on its way comes again, by whichever is there. */
  down(broker: string | undefined, nowMs: number): void {
    const name = broker ?? this.#brokers[0] ?? '';
    this.#up.delete(name);
    if (name !== this.#broker) return;
    this.#judge(name, nowMs);
    this.#takeBack();
  }

  /** The broker's word on a publish. Those of an earlier connection are known no more. */
  ended(token: number, outcome: 'acknowledged' | 'failed', nowMs: number): void {
    const flying = this.#flying.get(token);
    if (flying?.at !== 'published') return;
    if (outcome === 'acknowledged') {
      flying.at = 'ending';
      this.confirmedCount += 1;
      this.#trial?.passed(PARTY, nowMs);
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
    const meter = this.#broker === undefined ? undefined : this.#meterOf(this.#broker);
    const publish = (token: number, flying: Flying): void => {
      const made = this.#publish(token, flying);
      if (made === undefined) return;
      meter?.spend(publishBytes(made.publish), nowMs);
      publishes.push(made);
    };
    for (const [token, flying] of this.#flying) publish(token, flying);
    this.#heldUntilMs = undefined;
    while (this.#broker !== undefined && nowMs >= this.#notBeforeMs && this.#flying.size < this.#windowMax(nowMs)) {
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
      if (flying.id === this.#refusedId) flying.at = 'given-up';
      publish(token, flying);
      this.#end(token, flying);
    }
    return publishes;
  }

  /** Something is on its way to this broker, or waits while none is there. */
  awaits(broker: string): boolean {
    if (this.#flying.size > 0) return broker === this.#broker;
    const queue = this.#store.queues.find(TOPIC_QUEUE);
    if (queue === undefined || this.#store.queues.next(queue) === NO_SLOT) return false;
    return this.#broker === undefined || broker === this.#broker;
  }

  get wakeAtMs(): number | undefined {
    const isWaiting = this.#notBeforeMs > this.#store.nowMs && this.#broker !== undefined;
    return isWaiting ? this.#notBeforeMs : earliest(this.#trial?.wakeAtMs, this.#heldUntilMs);
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
    const best = this.#brokers.find((name) => this.#up.has(name));
    if (best === this.#broker) return;
    this.#takeBack();
    this.#broker = best;
  }

  get #trial(): Trial | undefined {
    return this.#broker === undefined ? undefined : this.#trials.of(this.#broker);
  }

  #windowMax(nowMs: number): number {
    const leave = this.#trial?.leave(PARTY, nowMs) ?? 'wait';
    return leave === 'wait' ? 0 : Math.min(leave.publishCountMax, TOPIC_WINDOW_COUNT_MAX);
  }

  /** Was the connection lost over what has been on its way for longest? */
  #judge(broker: string, nowMs: number): void {
    const trial = this.#trials.of(broker);
    const published = [...this.#flying.values()].filter(({ at }) => at === 'published');
    const [oldest] = published;
    trial.lost(PARTY, oldest && { item: String(oldest.id), itemCount: 1, bytes: Number.POSITIVE_INFINITY }, nowMs);
    const refused = trial.refusedOf(PARTY);
    if (refused !== undefined) this.#refusedId = Number(refused);
    trial.ended(PARTY);
  }

  #publish(token: number, flying: Flying): TopicPublish | undefined {
    if (flying.at !== 'reading' || this.#broker === undefined) return undefined;
    const { ring, streams } = this.#store;
    const body = this.#bodies.get(flying.slot);
    if (body === 'loading') return undefined;
    const formed = body === 'corrupt' ? UNREADABLE : formPublish(streams.key(ring.index.stream(flying.slot)).destination, body);
    if (formed.kind === 'refused') {
      flying.at = 'given-up';
      flying.because = formed;
      this.#end(token, flying);
      return undefined;
    }
    const { topic, payload, properties } = formed;
    flying.at = 'published';
    this.publishedCount += 1;
    return { kind: 'publish', publish: { topic, payload, qos: 1, retain: 'transient', properties }, broker: this.#broker, token };
  }

  /** Planned as soon as what has to be known of it is read. */
  #end(token: number, { at, slot, id, because = UNREADABLE }: Flying): void {
    if ((at !== 'ending' && at !== 'given-up') || !this.#flying.has(token)) return;
    const isRefused = id === this.#refusedId;
    const reason = `the broker ended the connection each time that it was published, ${TRIAL_ALONE_COUNT} times alone`;
    const refused = { class: 'BROKER_REFUSED', reason } as const;
    const cause = at === 'ending' ? ({ class: 'received' } as const) : isRefused ? refused : because;
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
    if (isRefused) this.#refusedId = undefined;
    this.#flying.delete(token);
  }

  #takeBack(): void {
    for (const [token, flying] of this.#flying) {
      if (flying.at !== 'reading' && flying.at !== 'published') continue;
      this.#flying.delete(token);
      this.#giveBack(flying);
    }
  }

  #giveBack({ slot, id }: Flying): void {
    const { ring, queues, queueTimeMs } = this.#store;
    this.#bodies.forget(id);
    if (ring.index.id(slot) === id) queues.giveBack(slot, queueTimeMs);
  }
}

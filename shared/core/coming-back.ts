/**
 * Messages whose delivery failed: given back, or held until their lease ended. At once ready where the queue has no back-off; else
 * they wait, and are ready when their time has come (queues.ts); after `deliveriesMax` deliveries they are poison.
 *
 *   failed ──▶ last delivery allowed? ──▶ poison
 *        └───▶ a delay? ──▶ written ──▶ delayed
 *        └───▶ ready
 */
import type { NodeStore } from '../custody/node-store.ts';
import type { Random } from '../ports.ts';
import { chanceOf, retryDelayMs } from '../queue/retry-delays.ts';
import { NUMBER_MAX } from '../ring/superblock-layout.ts';
import { type CountedState, type DeliveryCounts, STATES_PER_BATCH } from './delivery-counts.ts';
import { type DeskShell, outcomeResult } from './desk-shell.ts';
import type { LeaseEndings, MessageAt } from './lease-endings.ts';

export interface ComingBackParts {
  readonly store: NodeStore;
  readonly shell: DeskShell;
  readonly counts: DeliveryCounts;
  readonly endings: LeaseEndings;
  readonly random: Random;
}

export class ComingBack {
  readonly #parts: ComingBackParts;

  constructor(parts: ComingBackParts) {
    this.#parts = parts;
  }

  /** True when the next delivery would be one too many. */
  isPoison(message: MessageAt): boolean {
    const { store, counts } = this.#parts;
    const { deliveriesMax } = store.queues.of(message.slot).options;
    return deliveriesMax > 0 && counts.of(message) >= deliveriesMax;
  }

  /** Out of its queue, to be given up instead of being handed out again. */
  poison(message: MessageAt, token?: number): void {
    const { store, counts, endings } = this.#parts;
    const { deliveriesMax } = store.queues.of(message.slot).options;
    const reason = `delivered ${counts.of(message)} times, of at most ${deliveriesMax}`;
    endings.giveUp(message, { class: 'POISON', reason }, token);
  }

  /** Given back by `token`, with a delay of its own or the queue's. */
  back(token: number, message: MessageAt, ownDelayMs: number | undefined): void {
    const { store, shell } = this.#parts;
    if (this.isPoison(message)) return this.poison(message, token);
    const delayMs = ownDelayMs ?? this.#delayOf(message);
    if (delayMs === 0) {
      this.#release(message);
      return shell.answer(token, { kind: 'done' });
    }
    this.#delay([{ message, delayMs }], (outcome) => shell.answer(token, outcomeResult(store.ring, outcome, { kind: 'done' })));
  }

  /** Their leases ended. Those that wait are written in as few batches as hold them. */
  expired(messages: readonly MessageAt[]): void {
    const waits: { message: MessageAt; delayMs: number }[] = [];
    for (const message of messages) {
      if (this.isPoison(message)) {
        this.poison(message);
        continue;
      }
      const delayMs = this.#delayOf(message);
      if (delayMs === 0) this.#release(message);
      else waits.push({ message, delayMs });
    }
    for (let at = 0; at < waits.length; at += STATES_PER_BATCH) this.#delay(waits.slice(at, at + STATES_PER_BATCH), () => {});
  }

  #delayOf(message: MessageAt): number {
    const { store, counts, random } = this.#parts;
    const { options } = store.queues.of(message.slot);
    const chance = options.retryMs > 0 && options.retryJitterPercent > 0 ? chanceOf(random) : 0.5;
    return retryDelayMs(options, counts.of(message), chance);
  }

  /** When the delays are on the disk the messages are back; a restart does not shorten them. */
  #delay(
    waits: readonly { readonly message: MessageAt; readonly delayMs: number }[],
    done: (outcome: Parameters<typeof outcomeResult>[1]) => void,
  ): void {
    const { store, counts } = this.#parts;
    const states: CountedState[] = waits.map(({ message, delayMs }) =>
      counts.stateOf(message, { notBeforeMs: Math.min(Math.ceil(store.queueTimeMs + delayMs), NUMBER_MAX) }),
    );
    store.commit({ states }, (outcome) => {
      if (outcome === 'durable') {
        counts.written(states);
        for (const { message } of waits) this.#release(message);
      }
      done(outcome);
    });
  }

  #release({ slot, messageId }: MessageAt): void {
    const { store } = this.#parts;
    if (store.ring.index.id(slot) === messageId) store.queues.giveBack(slot, store.queueTimeMs);
  }
}

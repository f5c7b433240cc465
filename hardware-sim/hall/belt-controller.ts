/**
 * The controller of a belt, as it stands in halls and cannot be changed: stop and wait over STX/ETX, a counter of four digits, no
 * limit of repeats. And the witness: what it was told is durable, it writes down.
 *
 *            next telegram / write              ACK of it / accepted
 *   resting ───────────────────────▶ waiting ────────────────────────▶ resting
 *      │ gap                          │   ▲
 *      └─ none left: stays            └───┘ REPEAT_MS, or the line came up / write again
 *
 * While the line is down nothing is written and nothing is forgotten. No clock, no timer: time is an argument, `wakeAtMs` says when
 * `tick` has something to do.
 */

import { AckAssembler, encodeTelegram, nextSequence } from '../../device/adapters/stx-etx.ts';

/** Silence after which a telegram is told again, in ms. The timer of the sort controllers at hand. */
export const REPEAT_MS = 3000;
/** Pause between an acknowledgement and the next telegram, in ms: ten bags a second, above what a belt moves. */
export const GAP_MS = 100;

/** A telegram that was acknowledged. Rests on nothing but the bytes of the line. */
export interface Accepted {
  sequence: number;
  telegram: Uint8Array;
  /** What `keyOf` says of the telegram. */
  key: string | undefined;
  atMs: number;
}

export interface BeltControllerOptions {
  /** The next telegram to tell, one that `telegramProblem` has nothing against; undefined when there is none now: asked again at every gap. */
  next: () => Uint8Array | undefined;
  keyOf?: (telegram: Uint8Array) => string | undefined;
  gapMs?: number;
  /** 1 to 9999. A real counter starts anywhere. */
  firstSequence?: number;
}

export interface BeltStep {
  /** For the line, now. */
  writes: readonly Uint8Array[];
  /** When to call `tick`; undefined: only an input can change anything. */
  wakeAtMs: number | undefined;
}

type State =
  | { at: 'resting'; untilMs: number }
  | { at: 'waiting'; sequence: number; telegram: Uint8Array; framed: Uint8Array; repeatAtMs: number };

export class BeltController {
  /** In the order of the acknowledgements. As long as the run: it is the account to be settled at its end. */
  readonly accepted: Accepted[] = [];
  /** Telegrams begun, repeats, and acknowledgements of something else than what waits. */
  readonly counters = { told: 0, repeats: 0, strayAcks: 0 };
  readonly #next: () => Uint8Array | undefined;
  readonly #keyOf: (telegram: Uint8Array) => string | undefined;
  readonly #gapMs: number;
  readonly #acks = new AckAssembler();
  #state: State = { at: 'resting', untilMs: 0 };
  #sequence: number;
  #line: 'up' | 'down' = 'down';
  #telling: 'telling' | 'stopped' = 'telling';

  constructor(options: BeltControllerOptions) {
    this.#next = options.next;
    this.#keyOf = options.keyOf ?? (() => undefined);
    this.#gapMs = options.gapMs ?? GAP_MS;
    this.#sequence = options.firstSequence ?? 1;
  }

  /** The telegram that waits for its acknowledgement. */
  get outstanding(): Uint8Array | undefined {
    return this.#state.at === 'waiting' ? this.#state.telegram : undefined;
  }

  tick(nowMs: number): BeltStep {
    const writes: Uint8Array[] = [];
    if (this.#line === 'up') {
      if (this.#state.at === 'waiting' && nowMs >= this.#state.repeatAtMs) writes.push(this.#repeat(this.#state, nowMs));
      if (this.#state.at === 'resting' && nowMs >= this.#state.untilMs) writes.push(...this.#begin(nowMs));
    }
    return { writes, wakeAtMs: this.#wakeAtMs() };
  }

  bytes(chunk: Uint8Array, nowMs: number): BeltStep {
    for (const event of this.#acks.push(chunk)) {
      if (event.kind !== 'ack') continue;
      if (this.#state.at === 'waiting' && this.#state.sequence === event.sequence) this.#accept(this.#state, nowMs);
      else this.counters.strayAcks += 1;
    }
    return this.tick(nowMs);
  }

  /** A line is there: what waits is told again at once. */
  lineUp(nowMs: number): BeltStep {
    this.#line = 'up';
    if (this.#state.at === 'waiting') this.#state = { ...this.#state, repeatAtMs: nowMs };
    return this.tick(nowMs);
  }

  lineDown(nowMs: number): BeltStep {
    this.#line = 'down';
    this.#acks.end();
    return this.tick(nowMs);
  }

  /** No new telegrams. The one that waits is told until it is acknowledged. */
  stop(): void {
    this.#telling = 'stopped';
  }

  #begin(nowMs: number): Uint8Array[] {
    const telegram = this.#telling === 'stopped' ? undefined : this.#next();
    if (telegram === undefined) {
      this.#state = { at: 'resting', untilMs: nowMs + this.#gapMs };
      return [];
    }
    const framed = encodeTelegram(this.#sequence, telegram);
    this.#state = { at: 'waiting', sequence: this.#sequence, telegram, framed, repeatAtMs: nowMs + REPEAT_MS };
    this.#sequence = nextSequence(this.#sequence);
    this.counters.told += 1;
    return [framed];
  }

  #repeat(state: State & { at: 'waiting' }, nowMs: number): Uint8Array {
    this.#state = { ...state, repeatAtMs: nowMs + REPEAT_MS };
    this.counters.repeats += 1;
    return state.framed;
  }

  #accept(state: State & { at: 'waiting' }, nowMs: number): void {
    const { sequence, telegram } = state;
    this.accepted.push({ sequence, telegram, key: this.#keyOf(telegram), atMs: nowMs });
    this.#state = { at: 'resting', untilMs: nowMs + this.#gapMs };
  }

  #wakeAtMs(): number | undefined {
    if (this.#line === 'down') return undefined;
    if (this.#state.at === 'waiting') return this.#state.repeatAtMs;
    return this.#telling === 'stopped' ? undefined : this.#state.untilMs;
  }
}

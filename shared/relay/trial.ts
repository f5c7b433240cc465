/**
 * Which item it is over which a broker ends the connection, where many hand over by that connection (docs/mqtt.md, 3).
 *
 *   free ──lost three times with the same item on its way first──▶ accused: one after the other is on trial, all others wait
 *    ▲                                                               │ one publish at a time, of half the bytes after each loss
 *    └── a receipt moves it, or for `TRIAL_TURN_MS` nothing happens ◀┤
 *                                                                    └ one item, lost three times with nothing else on its way: refused
 *
 * A party is whoever hands over by itself: the custody of one receiver, the plain topics. Only one that was alone can be refused, so that
 * nobody pays for another; a broker that comes and goes for reasons of its own lets one receipt through and acquits everybody. Where
 * it was the size of a batch, batches stay as small as those that passed, and grow again slowly. Where one item after the other is refused
 * and nothing passes, it is not the items: nothing more is given up, and the parties take turns until something passes.
 */
import {
  BATCH_BYTES_MAX,
  TRIAL_ALONE_COUNT,
  TRIAL_GROW_COUNT,
  TRIAL_LOST_COUNT,
  TRIAL_PARTY_COUNT_MAX,
  TRIAL_REFUSED_COUNT,
  TRIAL_TURN_MS,
} from '../limits.ts';

/** What was on its way first, when the connection was lost. */
export interface Suspect {
  /** Names the item among all of its party. */
  readonly item: string;
  /** Of the publish that it was in: its items, and bytes of its payload. */
  readonly itemCount: number;
  readonly bytes: number;
}

/** What a party may publish now: so many at a time, of so many bytes each where they have several items. `wait`: another is on trial. */
export type Leave = 'wait' | { readonly publishCountMax: number; readonly bytesMax: number };

interface Party {
  item: string;
  lostCount: number;
}

export class Trial {
  readonly #parties = new Map<string, Party>();
  /** The first one is on trial. */
  readonly #accused: string[] = [];
  /** Items that are refused, by party. */
  readonly #refused = new Map<string, string>();
  #turnSinceMs = 0;
  #bytesMax = Number.POSITIVE_INFINITY;
  #passedCount = 0;
  /** Since anything passed. */
  #refusedInRow = 0;

  leave(name: string, nowMs: number): Leave {
    const [first] = this.#accused;
    if (first !== undefined && nowMs - this.#turnSinceMs >= TRIAL_TURN_MS) this.#acquit(first, nowMs);
    const onTrial = this.#accused[0];
    if (onTrial !== undefined && onTrial !== name) return 'wait';
    return { publishCountMax: onTrial === undefined ? Number.POSITIVE_INFINITY : 1, bytesMax: this.#bytesMax };
  }

  /** When who is on trial is let go. */
  get wakeAtMs(): number | undefined {
    return this.#accused.length > 0 ? this.#turnSinceMs + TRIAL_TURN_MS : undefined;
  }

  /** The connection is lost. `suspect`: undefined where nothing was on its way. */
  lost(name: string, suspect: Suspect | undefined, nowMs: number): void {
    if (suspect === undefined) return;
    const known = this.#parties.get(name);
    if (known?.item !== suspect.item) {
      this.#acquit(name, nowMs);
      if (this.#parties.size < TRIAL_PARTY_COUNT_MAX) this.#parties.set(name, { item: suspect.item, lostCount: 1 });
      return;
    }
    known.lostCount += 1;
    if (this.#accused.includes(name)) {
      if (this.#accused[0] === name) this.#lostOnTrial(name, known, suspect, nowMs);
      return;
    }
    if (known.lostCount < TRIAL_LOST_COUNT) return;
    if (this.#accused.push(name) === 1) this.#turnSinceMs = nowMs;
    this.#narrow(known, suspect);
  }

  /** A receipt has moved something of it: whatever it was, it passes. */
  passed(name: string, nowMs: number): void {
    this.#refusedInRow = 0;
    this.#acquit(name, nowMs);
    if (this.#bytesMax === Number.POSITIVE_INFINITY || ++this.#passedCount < TRIAL_GROW_COUNT) return;
    this.#passedCount = 0;
    this.#bytesMax = 2 * this.#bytesMax < BATCH_BYTES_MAX ? 2 * this.#bytesMax : Number.POSITIVE_INFINITY;
  }

  /** It hands nothing over any more, for now. */
  left(name: string, nowMs: number): void {
    this.#acquit(name, nowMs);
  }

  /** The item of this party that the broker refuses, until it has `ended`. */
  refusedOf(name: string): string | undefined {
    return this.#refused.get(name);
  }

  ended(name: string): void {
    this.#refused.delete(name);
  }

  #lostOnTrial(name: string, known: Party, suspect: Suspect, nowMs: number): void {
    this.#turnSinceMs = nowMs;
    if (suspect.itemCount > 1) return this.#narrow(known, suspect);
    if (known.lostCount < TRIAL_ALONE_COUNT) return;
    this.#acquit(name, nowMs);
    // Then it is another one's turn, who may pass.
    if (this.#refusedInRow >= TRIAL_REFUSED_COUNT) return;
    this.#refusedInRow += 1;
    this.#refused.set(name, suspect.item);
    // It was the item, whatever the size of its batch.
    this.#bytesMax = Number.POSITIVE_INFINITY;
  }

  #narrow(known: Party, { bytes }: Suspect): void {
    known.lostCount = 0;
    this.#bytesMax = Math.ceil(Math.min(this.#bytesMax, bytes) / 2);
    this.#passedCount = 0;
  }

  #acquit(name: string, nowMs: number): void {
    this.#parties.delete(name);
    const at = this.#accused.indexOf(name);
    if (at < 0) return;
    this.#accused.splice(at, 1);
    this.#turnSinceMs = nowMs;
  }
}

/** One for each connection to a broker, by its name. */
export class Trials {
  readonly #trials = new Map<string, Trial>();

  of(broker: string): Trial {
    let trial = this.#trials.get(broker);
    if (trial === undefined) {
      trial = new Trial();
      this.#trials.set(broker, trial);
    }
    return trial;
  }
}

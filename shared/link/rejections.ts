/**
 * Messages of the other side that this node can never take, until their gaps come.
 *
 *   refused ──▶ due ──REJECT in a NOTE──▶ said ──a gap or elsewhere of that number arrived──▶ forgotten
 *                ▲                          │
 *                └── NOTE lost; ping; the message again, a second later; 1, 2, 4, 8, 8 … s ──┘
 *
 * Nothing of such a message is kept, and no cursor moves for it. What was refused stays refused in this session.
 */
import type { EndingClass } from '../message/classes.ts';
import { CLASS_CODE } from './class-codes.ts';
import { type Tlv, tlvBytes } from './tlv.ts';

/** What stands is said again after this; doubled each time in vain. */
export const REJECT_MS_MIN = 1_000;
export const REJECT_MS_MAX = 8_000;
/** Numbers above their cursors; of those at a cursor there is one in each stream. */
export const REJECTED_AHEAD_MAX = 64;
/** Said so often, it is not known to be heard. */
const IN_VAIN_COUNT = 3;

export interface Rejected {
  readonly handle: number;
  readonly number: number;
  readonly class: EndingClass;
}

interface Standing extends Rejected {
  state: 'due' | 'said';
  saidCount: number;
}

type RejectTlv = Tlv & { kind: 'reject' };

export class Rejections {
  readonly #standing = new Map<string, Standing>();
  #dueCount = 0;
  #saidAtMs = 0;
  #againAtMs: number | undefined;
  #waitMs = REJECT_MS_MIN;

  /** False when there are too many above their cursors: as if the line had lost it. */
  add(rejected: Rejected, place: 'at-cursor' | 'ahead'): boolean {
    if (this.has(rejected.handle, rejected.number)) return true;
    if (place === 'ahead' && this.#standing.size >= REJECTED_AHEAD_MAX) return false;
    this.#standing.set(keyOf(rejected), { ...rejected, state: 'due', saidCount: 0 });
    this.#dueCount += 1;
    this.#waitMs = REJECT_MS_MIN;
    return true;
  }

  has(handle: number, number: number): boolean {
    return this.#standing.has(keyOf({ handle, number }));
  }

  /** As `has`, of a message that came: it may have come again because this was not heard. */
  meets(handle: number, number: number, nowMs: number): boolean {
    if (this.#standing.size === 0) return false;
    const one = this.#standing.get(keyOf({ handle, number }));
    if (one !== undefined && nowMs >= this.#saidAtMs + REJECT_MS_MIN) this.#becomesDue(one);
    return one !== undefined;
  }

  /** Something else has the place of these numbers now. */
  ended(handle: number, from: number, to: number): void {
    for (const [key, one] of this.#standing) {
      if (one.handle !== handle || one.number < from || one.number > to) continue;
      if (one.state === 'due') this.#dueCount -= 1;
      this.#standing.delete(key);
    }
    if (this.#standing.size === 0) this.#againAtMs = undefined;
  }

  /** The other side asks how things stand. */
  asked(): void {
    for (const one of this.#standing.values()) this.#becomesDue(one);
  }

  /** Notices that it is time to say them again. */
  pump(nowMs: number): void {
    if (this.#againAtMs === undefined || nowMs < this.#againAtMs) return;
    this.#againAtMs = undefined;
    this.#waitMs = Math.min(REJECT_MS_MAX, 2 * this.#waitMs);
    this.asked();
  }

  get isEmpty(): boolean {
    return this.#standing.size === 0;
  }

  get wakeAtMs(): number | undefined {
    return this.#againAtMs;
  }

  /** What to say now, as much as fits. It counts as said. */
  take(bytesMax: number, nowMs: number): RejectTlv[] {
    const tlvs: RejectTlv[] = [];
    if (this.#dueCount === 0) return tlvs;
    let bytes = 0;
    for (const one of this.#standing.values()) {
      if (one.state === 'said') continue;
      const tlv = { kind: 'reject' as const, handle: one.handle, number: one.number, reason: CLASS_CODE[one.class] };
      bytes += tlvBytes(tlv);
      if (bytes > bytesMax && tlvs.length > 0) break;
      tlvs.push(tlv);
      one.state = 'said';
      one.saidCount += 1;
      this.#dueCount -= 1;
    }
    this.#saidAtMs = nowMs;
    this.#againAtMs = nowMs + this.#waitMs;
    return tlvs;
  }

  /** The NOTE that said these is lost. */
  lost(tlvs: readonly RejectTlv[]): void {
    for (const tlv of tlvs) {
      const one = this.#standing.get(keyOf(tlv));
      if (one === undefined) continue;
      one.saidCount -= 1;
      this.#becomesDue(one);
    }
  }

  /** Handles of streams whose sender does not seem to understand. */
  get inVain(): number[] {
    return [...this.#standing.values()].filter(({ saidCount }) => saidCount >= IN_VAIN_COUNT).map(({ handle }) => handle);
  }

  #becomesDue(one: Standing): void {
    if (one.state === 'said') this.#dueCount += 1;
    one.state = 'due';
  }
}

function keyOf({ handle, number }: { readonly handle: number; readonly number: number }): string {
  return `${handle}/${number}`;
}

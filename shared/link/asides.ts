/**
 * What the two sides of a session say beside messages: the time, and what was counted. All of it is said once; what is lost is not
 * missed, and none of it decides anything.
 *
 *   TIME request heard ──▶ answered by the wall clock of the step, as soon as the line takes it; of several, the newest
 *   TimeSync is due    ──▶ TIME request, of the dialling side
 *   counters to tell   ──▶ NOTE with STAT; those of the other side are kept for people
 */
import type { NotePacket, TimeRequestPacket, TimeResponsePacket } from './session-packets.ts';
import { statText } from './stat-counters.ts';
import type { TimeSync } from './time-sync.ts';
import { UNKNOWN_TIME_US } from './wall-time.ts';

export interface AsidesOptions {
  /** Asks the other side for the time; undefined: this side only answers. */
  readonly timeSync: TimeSync | undefined;
  /** This side's wall clock at this step, as packets tell it: 0 when it is not known. */
  readonly unixTimeUs: () => number;
}

export class Asides {
  readonly #options: AsidesOptions;
  #question: { readonly id: number; readonly t1Us: number; readonly t2Us: number } | undefined;
  #asks: 'now' | 'not' = 'not';
  #toTell: readonly number[] | undefined;
  #told: readonly number[] | undefined;

  constructor(options: AsidesOptions) {
    this.#options = options;
  }

  /** The other side asks for the time. */
  asked({ id, t1Us }: TimeRequestPacket): void {
    this.#question = { id, t1Us, t2Us: this.#options.unixTimeUs() };
  }

  /** False for what answers no question of ours, or cannot be believed. */
  answered(response: TimeResponsePacket, nowMs: number): boolean {
    return this.#options.timeSync?.answered(response, nowMs) ?? false;
  }

  /** The other side told its counters. */
  told(counters: readonly number[]): void {
    this.#told = counters;
  }

  /** The other side is to know these. */
  tell(counters: readonly number[]): void {
    this.#toTell = counters;
  }

  pump(nowMs: number): void {
    if (this.#options.timeSync?.isDue(nowMs) === true) this.#asks = 'now';
  }

  get wakeAtMs(): number | undefined {
    return this.#options.timeSync?.askAtMs;
  }

  /** What is to be said without a packet number. A side that does not know the time says so by zeros; one that learnt it meanwhile, too. */
  takeAnswer(): TimeResponsePacket | undefined {
    if (this.#question === undefined) return undefined;
    const { id, t1Us, t2Us } = this.#question;
    this.#question = undefined;
    const t3Us = this.#options.unixTimeUs();
    const isKnown = t2Us !== UNKNOWN_TIME_US && t3Us !== UNKNOWN_TIME_US;
    const stamps = isKnown ? { t2Us, t3Us } : { t2Us: UNKNOWN_TIME_US, t3Us: UNKNOWN_TIME_US };
    return { kind: 'time-response', id, t1Us, ...stamps };
  }

  /** What is to be said under the packet number `pn`. */
  take(pn: number, nowMs: number): TimeRequestPacket | NotePacket | undefined {
    const { timeSync } = this.#options;
    if (this.#asks === 'now' && timeSync !== undefined) {
      this.#asks = 'not';
      return { kind: 'time-request', pn, ...timeSync.ask(nowMs) };
    }
    const counters = this.#toTell;
    this.#toTell = undefined;
    return counters && { kind: 'note', pn, tlvs: [{ kind: 'stat', counters }] };
  }

  /** For people; '' when the other side told nothing. */
  describe(): string {
    return this.#told === undefined ? '' : `, counted there: ${statText(this.#told)}`;
  }
}

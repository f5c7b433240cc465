/**
 * How far the clock of the other side is from ours, for a node that has no clock worth the name [RFC 5905 §8].
 *
 *   t1 asked, by our steady clock ──▶ t2 heard, t3 answered, by their wall clock ──▶ t4 heard, by our steady clock
 *
 *   offset    (t2 + t3 − t1 − t4) / 2       to be added to our clock
 *   quality   (t4 − t1 − (t3 − t2)) / 2     the error is not larger, however the two ways differ; and 50 µs more for each second since
 *
 * A question goes out 1, 2, 4 … 512 s after the one before it, the first a second after the session began, and every 512 s from then on.
 * Of the last eight answers the best one counts: the one with the least of that error. A new one that contradicts an older one puts an
 * end to it: one of the clocks was set, or stood still. The WELCOME is the first answer; its question was the HELLO.
 *
 * Ours is the clock of the step, which nobody sets; what is told is relative to our wall clock as it stands then.
 */
import type { TimeResponsePacket } from './session-packets.ts';
import { isKnownTime } from './wall-time.ts';

/** Answers that are kept. */
export const TIME_SAMPLES_MAX = 8;
/** From the beginning of a session, or from one question, to the next. */
export const TIME_MS_MIN = 1_000;
export const TIME_MS_MAX = 512_000;
/** Two crystals of 25 ppm that drift apart: what a difference is worth an hour later is 180 ms. */
const DRIFT_PPM = 50;
const IDS = 256;

/** What to add to this node's wall clock to get the other side's time, and how wrong that is at most. */
export interface ClockOffset {
  readonly offsetUs: number;
  readonly qualityUs: number;
}

interface Sample {
  /** Their wall clock less our steady one. */
  readonly offsetUs: number;
  readonly errorUs: number;
  readonly atMs: number;
}

export class TimeSync {
  #peer = '';
  #samples: Sample[] = [];
  #askAtMs = Number.POSITIVE_INFINITY;
  #waitMs = TIME_MS_MIN;
  #asked: { readonly id: number; readonly t1Us: number } | undefined;
  #nextId = 0;

  /** A session with this store. What was learnt from it before still holds. */
  begin(peer: string, nowMs: number): void {
    this.#asked = undefined;
    if (peer === this.#peer) return;
    this.#peer = peer;
    this.#samples = [];
    this.#waitMs = TIME_MS_MIN;
    this.#askAtMs = nowMs + TIME_MS_MIN;
  }

  /** When the next question is due. */
  get askAtMs(): number {
    return this.#askAtMs;
  }

  /** A question is due, once; the next one is planned. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#askAtMs) return false;
    this.#waitMs = Math.min(TIME_MS_MAX, 2 * this.#waitMs);
    this.#askAtMs = nowMs + this.#waitMs;
    return true;
  }

  /** What a question that is written now says. Another one that is still open has no answer any more. */
  ask(nowMs: number): { readonly id: number; readonly t1Us: number } {
    const asked = { id: this.#nextId, t1Us: steadyUs(nowMs) };
    this.#nextId = (this.#nextId + 1) % IDS;
    this.#asked = asked;
    return asked;
  }

  /** Takes an answer to the open question. False: it answers nothing we asked, or makes no sense. */
  answered({ id, t1Us, t2Us, t3Us }: TimeResponsePacket, nowMs: number): boolean {
    const asked = this.#asked;
    if (asked === undefined || id !== asked.id || t1Us !== asked.t1Us) return false;
    this.#asked = undefined;
    return this.#take({ t1Us, t2Us, t3Us, t4Us: steadyUs(nowMs) }, nowMs);
  }

  /** What a WELCOME said that was heard at `atMs`; its HELLO was said first at `askedAtMs`, and the answer may be to any repeat. */
  welcomed({ askedAtMs, atMs, unixTimeUs }: { askedAtMs: number; atMs: number; unixTimeUs: number }): void {
    this.#take({ t1Us: steadyUs(askedAtMs), t2Us: unixTimeUs, t3Us: unixTimeUs, t4Us: steadyUs(atMs) }, atMs);
  }

  /** Undefined as long as the other side told no time that could be believed. */
  offset(wallUs: number, nowMs: number): ClockOffset | undefined {
    let best: Sample | undefined;
    for (const sample of this.#samples) if (best === undefined || errorUs(sample, nowMs) < errorUs(best, nowMs)) best = sample;
    if (best === undefined) return undefined;
    return {
      offsetUs: Math.round(best.offsetUs + steadyUs(nowMs) - wallUs),
      qualityUs: Math.ceil(errorUs(best, nowMs)),
    };
  }

  #take({ t1Us, t2Us, t3Us, t4Us }: Record<'t1Us' | 't2Us' | 't3Us' | 't4Us', number>, atMs: number): boolean {
    if (!isKnownTime(t2Us) || !isKnownTime(t3Us)) return false;
    const wayUs = t4Us - t1Us - (t3Us - t2Us);
    if (t3Us < t2Us || wayUs < 0) return false;
    // A microsecond more: both clocks are read in whole ones.
    const taken = { offsetUs: t2Us - t1Us + (t3Us - t2Us) / 2 - (t4Us - t1Us) / 2, errorUs: wayUs / 2 + 1, atMs };
    const agreeing = this.#samples.filter(
      (sample) => Math.abs(sample.offsetUs - taken.offsetUs) <= errorUs(sample, atMs) + taken.errorUs,
    );
    this.#samples = [...agreeing, taken].slice(-TIME_SAMPLES_MAX);
    return true;
  }
}

/** For people. */
export function clockText({ offsetUs, qualityUs }: ClockOffset): string {
  const ms = (us: number) => `${(us / 1_000).toFixed(1)} ms`;
  const way = offsetUs < 0 ? 'behind' : 'ahead of';
  return `its clock is ${ms(Math.abs(offsetUs))} ${way} ours, ${ms(qualityUs)} more or less`;
}

/** How wrong the sample can be by now. */
function errorUs(sample: Sample, nowMs: number): number {
  return sample.errorUs + (DRIFT_PPM * (nowMs - sample.atMs)) / 1_000;
}

function steadyUs(nowMs: number): number {
  return Math.round(1_000 * nowMs);
}

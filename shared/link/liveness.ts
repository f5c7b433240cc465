/**
 * When to ask, and when to give up. Deadlines of one session:
 *
 *   a packet without an ACK for `probeMs`               probe: send the oldest again. Doubled in vain, without end
 *   arrived there, not known to be durable, 1 s         ask: a ping, whose ACK repeats the records. Doubled in vain, to the keepalive
 *   nothing heard for `pingMs`                          ask
 *   nothing heard for three keepalives                  silent: the session is over
 *   handed over, and no cursor moved for `progressMs`   stuck: perhaps only a new session helps
 */
import { earliest } from '../earliest.ts';

/** Keepalives in vain before the other side is called silent. */
export const MISSED_MAX = 3;
const ASK_MS_MIN = 1_000;

export interface LivenessOptions {
  readonly keepaliveMs: number;
  readonly pingMs: number;
  readonly progressMs: number;
  /** `at-times`: the other side sleeps, its silence says nothing. */
  readonly awake: 'always' | 'at-times';
  readonly nowMs: number;
}

/** What is under way: packets without an ACK, and numbers not known to be durable. */
export interface UnderWay {
  readonly packets: number;
  readonly items: 'none' | 'some';
  readonly probeMs: number;
}

export type Due = 'nothing' | 'silent' | 'stuck' | 'probe' | 'ask';

export class Liveness {
  readonly #options: LivenessOptions;
  #heardAtMs: number;
  /** When the last packet that asks for an ACK left, and when one was last acknowledged. */
  #askedAtMs: number;
  #toldAtMs: number;
  #movedAtMs: number;
  #askMs = ASK_MS_MIN;
  #isAsking = false;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#heardAtMs = options.nowMs;
    this.#askedAtMs = options.nowMs;
    this.#toldAtMs = options.nowMs;
    this.#movedAtMs = options.nowMs;
  }

  /** A good packet of the session. */
  heard(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  /** A packet that asks for an ACK leaves then. */
  asked(atMs: number): void {
    this.#askedAtMs = Math.max(this.#askedAtMs, atMs);
    this.#isAsking = false;
  }

  /** An ACK brought news of packets. */
  told(nowMs: number): void {
    this.#toldAtMs = nowMs;
  }

  /** A cursor moved. */
  moved(nowMs: number): void {
    this.#movedAtMs = nowMs;
    this.#toldAtMs = nowMs;
    this.#askMs = ASK_MS_MIN;
  }

  /** Nothing is owed, or it is known why nothing moves. */
  excused(nowMs: number): void {
    this.#movedAtMs = nowMs;
  }

  /** What is due now, the gravest first. A probe or a question is due once; its next deadline starts here. */
  due(underWay: UnderWay, nowMs: number): Due {
    if (isOver(this.silentAtMs, nowMs)) return 'silent';
    if (isOver(this.#stuckAtMs(underWay), nowMs)) return 'stuck';
    if (isOver(this.#probeAtMs(underWay), nowMs)) {
      this.#askedAtMs = nowMs;
      return 'probe';
    }
    if (isOver(this.#askAtMs(underWay), nowMs)) {
      this.#askMs = Math.min(this.#options.keepaliveMs, 2 * this.#askMs);
      this.#toldAtMs = nowMs;
      this.#isAsking = true;
      return 'ask';
    }
    if (!isOver(this.#pingAtMs(underWay), nowMs)) return 'nothing';
    this.#isAsking = true;
    return 'ask';
  }

  wakeAtMs(underWay: UnderWay): number | undefined {
    return earliest(
      this.silentAtMs,
      this.#stuckAtMs(underWay),
      this.#probeAtMs(underWay),
      this.#askAtMs(underWay),
      this.#pingAtMs(underWay),
    );
  }

  /** When the other side will have been silent for too long. */
  get silentAtMs(): number | undefined {
    const { awake, keepaliveMs } = this.#options;
    return awake === 'always' ? this.#heardAtMs + MISSED_MAX * keepaliveMs : undefined;
  }

  #stuckAtMs({ items }: UnderWay): number | undefined {
    return items === 'some' ? this.#movedAtMs + this.#options.progressMs : undefined;
  }

  #probeAtMs({ packets, probeMs }: UnderWay): number | undefined {
    return packets > 0 ? Math.max(this.#askedAtMs, this.#toldAtMs) + probeMs : undefined;
  }

  #askAtMs({ packets, items }: UnderWay): number | undefined {
    return packets === 0 && items === 'some' && !this.#isAsking ? this.#toldAtMs + this.#askMs : undefined;
  }

  /** While something is under way the probes ask. */
  #pingAtMs({ packets }: UnderWay): number | undefined {
    const isIdle = packets === 0 && !this.#isAsking && this.#options.awake === 'always';
    return isIdle ? this.#heardAtMs + this.#options.pingMs : undefined;
  }
}

function isOver(deadlineMs: number | undefined, nowMs: number): boolean {
  return deadlineMs !== undefined && nowMs >= deadlineMs;
}

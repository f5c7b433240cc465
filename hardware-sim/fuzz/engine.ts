/**
 * Fuzzing of whatever reads bytes that others wrote (docs/reliability.md, "Fuzzing"). Seeded, and guided by behaviour: an input after
 * which a target says something that it never said before is kept, and changed further.
 *
 *   corpus ──pick──▶ mutate ──▶ repair (checksums) ──▶ run ──▶ says something new: kept
 *                                                       └── broken: made smaller, told once for each way of breaking
 *
 * Broken is: anything thrown but a RingmailError, a promise of the target, a slow input, another outcome the second time, a changed
 * prototype. The engine has no clock: time is given.
 */
import { RingmailError } from '../../shared/errors.ts';
import { type Prng, stream } from '../random.ts';
import { mutated, smaller } from './mutations.ts';

export interface FuzzTarget {
  readonly name: string;
  /** For people. */
  readonly what: string;
  /** Longest input. */
  readonly bytesMax: number;
  readonly dictionary?: readonly Uint8Array[];
  /** Good inputs, to begin with. */
  seeds(): Uint8Array[];
  /** Makes checksums right again, so that what lies behind them is reached. */
  repair?(input: Uint8Array): Uint8Array;
  /**
   * Reads the input, and says what came of it, in a few words: inputs of which it says the same went the same way. `random` is seeded
   * by the input. @throws Broken where a promise is; RingmailError where that is how the input is refused
   */
  run(input: Uint8Array, random: Prng): string;
}

/** A promise of a target does not hold. */
export class Broken extends Error {}

export function promise(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Broken(what);
}

export interface Finding {
  readonly target: string;
  readonly what: string;
  /** As small as it became. */
  readonly input: Uint8Array;
}

export interface FuzzReport {
  readonly target: string;
  executions: number;
  /** Different outcomes, and inputs that are kept for them. */
  behaviours: number;
  /** Microseconds of processor time of the slowest one. */
  slowestUs: number;
  readonly findings: Finding[];
}

export interface FuzzLimits {
  readonly seed: string;
  readonly executionsMax?: number;
  readonly msMax?: number;
  /** Monotonic; microseconds. `cpuUs`: of this process alone, so that a busy machine makes nobody slow. */
  readonly nowUs: () => number;
  readonly cpuUs: () => number;
  readonly onProgress?: (report: FuzzReport) => void;
}

const CORPUS_COUNT_MAX = 2_000;
/** An input that takes so long, and a microsecond for each of its bytes, three times, is slow. */
const SLOW_US = 250_000;
const AGAIN_EVERY = 32;
const PROGRESS_EVERY = 256;
const FINDINGS_MAX = 20;
const SHRINK_RUNS_MAX = 2_000;

export function fuzz(target: FuzzTarget, limits: FuzzLimits): FuzzReport {
  const { seed, executionsMax = Number.POSITIVE_INFINITY, msMax = Number.POSITIVE_INFINITY, nowUs, cpuUs } = limits;
  const random = stream(seed, `fuzz ${target.name}`);
  const report: FuzzReport = { target: target.name, executions: 0, behaviours: 0, slowestUs: 0, findings: [] };
  const judge = new Judge(target, cpuUs);
  const corpus = target.seeds();
  const seen = new Set<string>();
  const untilUs = nowUs() + msMax * 1_000;
  for (let at = 0; report.executions < executionsMax && nowUs() < untilUs; at++) {
    const input = at < corpus.length && at < SEEDS_MAX ? (corpus[at] ?? NONE) : next(target, corpus, random);
    const verdict = judge.of(input, report.executions % AGAIN_EVERY === 0 ? 'twice' : 'once');
    report.executions += 1;
    report.slowestUs = Math.max(report.slowestUs, verdict.us);
    if (verdict.broken !== undefined) {
      if (!report.findings.some(({ what }) => what === verdict.broken))
        report.findings.push(found(target, judge, input, verdict.broken));
      if (report.findings.length >= FINDINGS_MAX) break;
    } else if (!seen.has(verdict.said)) {
      seen.add(verdict.said);
      if (corpus.length < CORPUS_COUNT_MAX) corpus.push(input);
      else corpus[random.int(corpus.length)] = input;
      report.behaviours = seen.size;
    }
    if (report.executions % PROGRESS_EVERY === 0) limits.onProgress?.(report);
  }
  return report;
}

const SEEDS_MAX = 64;
const NONE = new Uint8Array(0);

function next(target: FuzzTarget, corpus: readonly Uint8Array[], random: Prng): Uint8Array {
  const from = corpus[random.int(Math.max(1, corpus.length))] ?? NONE;
  const other = corpus[random.int(Math.max(1, corpus.length))] ?? NONE;
  const input = mutated(from, { other, random, dictionary: target.dictionary ?? [], bytesMax: target.bytesMax });
  return target.repair !== undefined && random.chance(0.9) ? target.repair(input) : input;
}

function found(target: FuzzTarget, judge: Judge, input: Uint8Array, what: string): Finding {
  let smallest = input;
  let runs = 0;
  const isStill = (candidate: Uint8Array): boolean => {
    if (runs++ > SHRINK_RUNS_MAX || judge.of(candidate, 'twice').broken !== what) return false;
    smallest = candidate;
    return true;
  };
  smaller(input, isStill);
  return { target: target.name, what, input: smallest };
}

interface Verdict {
  readonly said: string;
  readonly broken: string | undefined;
  readonly us: number;
}

/** Runs an input, and says whether everything held. */
export class Judge {
  readonly #target: FuzzTarget;
  readonly #cpuUs: () => number;
  readonly #prototypes = prototypesText();

  constructor(target: FuzzTarget, cpuUs: () => number) {
    this.#target = target;
    this.#cpuUs = cpuUs;
  }

  of(input: Uint8Array, times: 'once' | 'twice'): Verdict {
    const first = this.#once(input);
    if (first.broken !== undefined) return first;
    const slowUs = SLOW_US + input.length;
    if (first.us > slowUs && this.#once(input).us > slowUs && this.#once(input).us > slowUs)
      return { ...first, broken: 'it takes too long' };
    if (times === 'once') return first;
    const second = this.#once(input);
    if (second.said !== first.said) return { ...first, broken: `another outcome the second time: ${first.said}; ${second.said}` };
    if (prototypesText() !== this.#prototypes) return { ...first, broken: 'a prototype was changed' };
    return first;
  }

  #once(input: Uint8Array): Verdict {
    const random = stream(input.length + (input[0] ?? 0) * 65_536 + (input.at(-1) ?? 0) * 16_777_216, 'run');
    const startUs = this.#cpuUs();
    const us = () => this.#cpuUs() - startUs;
    try {
      const said = this.#target.run(input.slice(), random);
      return { said, broken: undefined, us: us() };
    } catch (error) {
      if (error instanceof RingmailError) return { said: refusal(error), broken: undefined, us: us() };
      const broken = error instanceof Broken ? error.message : `${errorName(error)} at ${placeOf(error)}`;
      return { said: 'broken', broken, us: us() };
    }
  }
}

/** How it was refused; numbers in it make no difference. */
function refusal({ message }: RingmailError): string {
  return message.replaceAll(/\d+/g, 'N').slice(0, 100);
}

function errorName(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message.replaceAll(/\d+/g, 'N').slice(0, 120)}` : String(error);
}

/** The function that threw: two errors of one place are one finding. */
function placeOf(error: unknown): string {
  const [, line = 'an unknown place'] = (error instanceof Error ? (error.stack ?? '') : '').split('\n    at ');
  return line.replace(/[(:].*/, '').trim();
}

function prototypesText(): string {
  const all = [Object, Array, Map, Set, Uint8Array, String, Number, Function].map(({ prototype }) => prototype as object);
  return all.map((one) => Reflect.ownKeys(one).length).join();
}

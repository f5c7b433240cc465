/**
 * Runs seeds of a yard, one after the other as far as anybody can tell, and says what they found: failures as they come, the smallest
 * plans that still fail, the table of totals, and the verdict in one last line.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeRecord } from '../records.mjs';
import { bundleYard } from './bundle.mjs';
import { makeCrew } from './crew.mjs';
import { loadYard } from './jobs.mjs';
import { makeVoice } from './voice.mjs';

const PROGRESS_MS = 2000;
/** A product that fails in so many seeds needs no more of them. */
const FAILURES_MAX = 20;
/** Failures that are made small: the first of each check, and no more than these. */
const SHRUNK_MAX = 3;
const SHRINK_RUNS_MAX = 300;
/** So many seeds are run twice, and must end alike. Which ones is drawn from the seed. */
const TWICE_SHARE = 0.05;
const EXIT_INTERRUPTED = 130;
/** A signal so long after another one was meant. */
const AGAIN_MS = 1000;

/**
 * @param {object} request
 * @param {string} request.name of the command
 * @param {Record<string, string>} request.yard modules, like YARD
 * @param {(keptSeeds: string[]) => Iterable<object>} request.jobs seeds or plans, each `{ seed, plan?, twice?, events? }`
 * @param {number | undefined} request.count of them, without the kept ones; undefined: until the time is up
 * @param {boolean} [request.replays] known seeds, to see them again: their totals say nothing
 * @param {boolean} [request.records] keeps the totals (records.mjs)
 * @param {number} request.endMs by the clock of this machine
 * @returns {Promise<number>} the exit code
 */
export async function runCampaign(request) {
  const bundle = await bundleYard(request.yard);
  try {
    const yard = await loadYard(bundle.file);
    if (request.workers === 0) bundle.remove(); // nobody else will load it, and whoever is killed cleans nothing up
    return await new Campaign(request, yard, makeCrew(bundle.file, request.workers)).run();
  } finally {
    bundle.remove();
  }
}

class Campaign {
  #request;
  #yard;
  #crew;
  #voice;
  #space;
  #coverage;
  #failures = [];
  #ending = 'running';
  #interruptedMs = Number.POSITIVE_INFINITY;
  #startMs = Date.now();
  #saidMs = Date.now();

  constructor(request, yard, crew) {
    this.#request = request;
    this.#yard = yard;
    this.#crew = crew;
    this.#voice = makeVoice(request.json ? 'json' : 'words');
    this.#space = { faults: yard.FAULT_NAMES, marks: yard.MARKS };
    this.#coverage = yard.NO_COVERAGE;
  }

  async run() {
    const signals = ['SIGINT', 'SIGTERM'];
    for (const signal of signals) process.on(signal, this.#interrupt);
    try {
      await this.#runSeeds();
      if (this.#request.shrinks) await this.#shrinkFailures();
    } finally {
      for (const signal of signals) process.off(signal, this.#interrupt);
      this.#crew.dismiss();
    }
    return this.#conclude();
  }

  #interrupt = () => {
    // Once more, and not the same again, which npm passes on beside the terminal: without the totals.
    if (Date.now() - this.#interruptedMs >= AGAIN_MS) process.exit(EXIT_INTERRUPTED);
    if (this.#ending === 'interrupted') return;
    this.#ending = 'interrupted';
    this.#interruptedMs = Date.now();
    this.#crew.dismiss();
  };

  /** Results are taken in the order of the seeds, whoever was faster: the same seeds always tell the same story. */
  async #runSeeds() {
    const kept = this.#yard.SEEDS_THAT_FAILED.map(({ seed }) => seed);
    const jobs = this.#request.jobs(kept)[Symbol.iterator]();
    const results = new Map();
    let started = 0;
    let taken = 0;
    const work = async (hand) => {
      while (this.#ending === 'running' && Date.now() < this.#request.endMs) {
        const { value: job, done } = jobs.next();
        if (done) return;
        const number = started++;
        results.set(number, { job, result: await hand.do({ kind: 'run', ...job, twice: job.twice ?? this.#isTwice(job.seed) }) });
        for (let next = results.get(taken); next !== undefined; next = results.get(taken)) {
          results.delete(taken++);
          this.#take(next.job, next.result);
        }
        await new Promise((resolve) => setImmediate(resolve)); // lets a signal in
      }
    };
    await Promise.all(this.#crew.hands.map(work));
  }

  #isTwice(seed) {
    return this.#yard.stream(seed, 'run twice').chance(TWICE_SHARE);
  }

  #take(job, result) {
    if (result === undefined || this.#ending === 'failed') return;
    const { coverage, violations, crash, events } = result;
    for (const event of events ?? []) this.#voice.event(event);
    if (coverage !== undefined) this.#coverage = this.#yard.addCoverage(this.#coverage, coverage);
    if (violations.length > 0 || crash !== undefined) {
      const failure = { job, violations, crash, replay: this.#replay(job) };
      this.#failures.push(failure);
      this.#voice.failure(failure);
      if (this.#ending === 'running' && (this.#request.stopsAtFirst || this.#failures.length >= FAILURES_MAX))
        this.#ending = 'failed';
    }
    this.#progress(() => this.#soFar(job.seed));
  }

  #replay({ seed, file }) {
    return file === undefined ? `npm run sim -- --seed ${seed}` : `npm run sim -- --plan ${file}`;
  }

  async #shrinkFailures() {
    const checks = new Set();
    const left = this.#failures.filter(({ job, violations: [first] }) => {
      if (job.plan !== undefined || first === undefined || checks.has(first.check) || checks.size >= SHRUNK_MAX) return false;
      checks.add(first.check);
      return true;
    });
    await Promise.all(
      this.#crew.hands.map(async (hand) => {
        for (let failure = left.shift(); failure !== undefined; failure = left.shift()) {
          if (this.#ending === 'interrupted') return;
          await this.#shrinkFailure(hand, failure);
        }
      }),
    );
  }

  async #shrinkFailure(hand, failure) {
    const { seed } = failure.job;
    const { check } = failure.violations[0];
    const shrunk = await hand.do({ kind: 'shrink', seed, check, runsMax: SHRINK_RUNS_MAX }, ({ runs, of, step, ...left }) =>
      this.#progress(() => `shrinking seed ${seed}: run ${runs} of at most ${of}, ${step}; left: ${sizes(left)}`),
    );
    if (shrunk === undefined) return; // interrupted
    if (shrunk.plan === undefined || shrunk.ended === 'did-not-fail-again') {
      this.#voice.say(`seed ${seed} could not be made smaller: ${shrunk.crash ?? `it did not fail ${check} again`}`);
      return;
    }
    const { plan, runs, ended, texts } = shrunk;
    mkdirSync(this.#request.out, { recursive: true });
    const file = join(this.#request.out, `${seed}.json`);
    writeFileSync(file, `${JSON.stringify(plan, undefined, 2)}\n`);
    const left = { nodes: plan.world.nodes.length, sends: plan.sends.length, faults: plan.faults.length };
    failure.shrunk = { file, check, text: texts[0] ?? '', runs, ended, ...left, words: sizes(left) };
  }

  #conclude() {
    const { sumOf, shortfalls, describeCoverage, duration } = this.#yard;
    for (const failure of this.#failures) this.#voice.story(failure);
    const isReplay = this.#request.replays === true;
    if (!isReplay) this.#voice.totals(this.#coverage, () => describeCoverage(this.#coverage, this.#space));
    const crashes = this.#failures.filter(({ crash }) => crash !== undefined).length;
    const violations = sumOf(this.#coverage.violations);
    const why = isReplay ? [] : shortfalls(this.#coverage, this.#space);
    if (crashes > 0) why.unshift(`${many(crashes, 'seed')} made the yard crash`);
    if (violations > 0) why.unshift('promises are broken');
    if (this.#coverage.seeds === 0 && crashes === 0) why.push('nothing was run');
    const { seeds, virtualMs, faults } = this.#coverage;
    if (this.#request.records && !isReplay) this.#record({ violations, crashes });
    this.#voice.verdict({
      name: this.#request.name,
      ok: why.length === 0,
      seeds,
      virtualMs,
      faults: sumOf(faults),
      violations,
      crashes,
      endedEarly: this.#ending !== 'running',
      why,
      words: `${many(seeds, 'seed')}, ${duration(virtualMs)} virtual time, ${many(sumOf(faults), 'fault')}, ${many(violations, 'violation')}`,
    });
    if (why.length > 0) return 1;
    return this.#ending === 'interrupted' && this.#request.count !== undefined ? EXIT_INTERRUPTED : 0;
  }

  #record(wrong) {
    const { seeds, virtualMs, accepted, delivered, faults } = this.#coverage;
    const figures = {
      seeds,
      virtualMs,
      accepted,
      delivered,
      faults: Object.fromEntries(Object.entries(faults).sort()),
      ...wrong,
    };
    writeRecord(this.#request.name, { startMs: this.#startMs, figures });
  }

  #progress(words) {
    const nowMs = Date.now();
    if (nowMs - this.#saidMs < PROGRESS_MS) return;
    this.#saidMs = nowMs;
    this.#voice.say(words());
  }

  #soFar(seed) {
    const { sumOf, duration } = this.#yard;
    const { seeds, virtualMs, faults, violations } = this.#coverage;
    const seconds = (Date.now() - this.#startMs) / 1000;
    const of = this.#request.count === undefined ? '' : `/${this.#request.count}`;
    return `${seeds}${of} seeds in ${Math.round(seconds)} s, ${(seeds / seconds).toFixed(1)} seeds/s, ${duration(virtualMs)} virtual time, ${many(sumOf(faults), 'fault')}, ${many(sumOf(violations), 'violation')}, now seed ${seed}`;
  }
}

function sizes({ nodes, sends, faults }) {
  return `${many(nodes, 'node')}, ${many(sends, 'send')}, ${many(faults, 'fault')}`;
}

function many(count, one) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : `${one}s`}`;
}

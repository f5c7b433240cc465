/**
 * Makes a plan that breaks a promise smaller, as long as it still breaks the same one. What is left tells the story.
 *
 *   the end, the beginning ▶ kinds of fault ▶ nodes ▶ sends ▶ single faults ▶ sizes ▶ durations ▶ the special in the world ──┐
 *     ▲                                                                                                                     │
 *     └──────────────────────────────────── again, while anything got smaller ──────────────────────────────────────────────┘
 *
 * A plan with a part taken out meets other chances than before, and may pass by luck. Where it stays large, what was tried is tried again
 * with other luck: the seed of the plan gets a number behind it, which changes what is drawn while it runs, and nothing in the plan.
 *
 * Nothing is drawn here: the same plan and the same answers of `run` lead to the same result.
 */

import { halve, keepFewest, simplifyEach } from './fewer.ts';
import type { Plan, PlannedFault, PlannedNode, PlannedReader, PlannedSend, PlannedWorld } from './plan.ts';
import { withoutNode } from './plan-parts.ts';

export interface ShrinkRequest {
  /** Runs a plan and says what it broke. A plan that cannot be run may reject: it is then not what is looked for. */
  readonly run: (plan: Plan) => Promise<readonly { readonly check: string }[]>;
  /** The check that must go on failing. */
  readonly check: string;
  readonly runsMax?: number;
  /** Called after every run. */
  readonly say?: (progress: ShrinkProgress) => void;
}

export interface ShrinkProgress {
  readonly runs: number;
  readonly runsMax: number;
  /** What is tried to be taken away. */
  readonly step: string;
  /** The smallest plan so far. */
  readonly plan: Plan;
}

export interface Shrunk {
  /** The smallest plan that was found; the one given where it did not fail again. */
  readonly plan: Plan;
  readonly runs: number;
  /** `smallest`: no single part can be left out any more. `out-of-runs`: perhaps it can. */
  readonly ended: 'smallest' | 'out-of-runs' | 'did-not-fail-again';
}

export const SHRINK_RUNS_MAX = 300;
/** So many times a large plan is given other luck. */
const LUCK_MAX = 5;
/** Into so many parts a list is cut at most while coarse parts may still go: one by one costs a run each. */
const PARTS_COARSE = 16;
/** Sends and faults of a plan that is no longer large. */
const PARTS_FEW = 6;
/** A body of a few bytes is as good as any where the size does not matter. */
const BYTES_SMALL = 20;
const FAULT_MS_SMALL = 20;

export async function shrink(plan: Plan, request: ShrinkRequest): Promise<Shrunk> {
  const hunt = new Hunt(plan, request);
  if (!(await hunt.fails(plan))) return { plan, runs: hunt.runs, ended: 'did-not-fail-again' };
  while (!hunt.isSpent()) {
    const before = hunt.plan;
    await shrinkOnce(hunt);
    if (hunt.plan !== before) continue;
    if (hunt.grain === 'fine') break;
    if (hunt.luck < LUCK_MAX && before.sends.length + before.faults.length > PARTS_FEW) hunt.luck += 1;
    else hunt.grain = 'fine';
  }
  return { plan: hunt.plan, runs: hunt.runs, ended: hunt.isSpent() ? 'out-of-runs' : 'smallest' };
}

async function shrinkOnce(hunt: Hunt): Promise<void> {
  // First of all, because what comes before the end is as it was without it.
  hunt.step = 'the end';
  await halve(timesOf(hunt.plan).reverse(), (ms) => hunt.accepts(within(hunt.plan, 0, ms)));
  hunt.step = 'the beginning';
  await halve(timesOf(hunt.plan), (ms) => hunt.accepts(within(hunt.plan, ms, Number.POSITIVE_INFINITY)));
  hunt.step = 'kinds of fault';
  await keepFewest([...new Set(hunt.plan.faults.map(({ fault }) => fault))], hunt.partsMax, (kinds) =>
    hunt.accepts({ ...hunt.plan, faults: hunt.plan.faults.filter(({ fault }) => kinds.includes(fault)) }),
  );
  hunt.step = 'nodes';
  // From the far end: a device is more easily spared than what it hangs on.
  for (const { name } of [...hunt.plan.world.nodes].reverse()) await hunt.accepts(withoutNode(hunt.plan, name));
  hunt.step = 'sends';
  await keepFewest(hunt.plan.sends, hunt.partsMax, (sends) => hunt.accepts({ ...hunt.plan, sends }));
  hunt.step = 'faults';
  await keepFewest(hunt.plan.faults, hunt.partsMax, (faults) => hunt.accepts({ ...hunt.plan, faults }));
  hunt.step = 'chores';
  await keepFewest(hunt.plan.chores ?? [], hunt.partsMax, (chores) => hunt.accepts({ ...hunt.plan, chores }));
  hunt.step = 'sizes';
  await simplifyEach(hunt.plan.sends, { simpler: smallerSend, partsMax: hunt.partsMax }, (sends) =>
    hunt.accepts({ ...hunt.plan, sends }),
  );
  await simplifyEach(hunt.plan.sends, { simpler: plainerSend, partsMax: hunt.partsMax }, (sends) =>
    hunt.accepts({ ...hunt.plan, sends }),
  );
  hunt.step = 'durations';
  await simplifyEach(hunt.plan.faults, { simpler: shorterFault, partsMax: hunt.partsMax }, (faults) =>
    hunt.accepts({ ...hunt.plan, faults }),
  );
  hunt.step = 'the world';
  await hunt.acceptsWorld({ readers: hunt.plan.world.readers.filter(isFirstOfQueue) });
  await simplifyEach(hunt.plan.world.readers, { simpler: calmerReader, partsMax: hunt.partsMax }, (readers) =>
    hunt.acceptsWorld({ readers }),
  );
  for (const plainer of PLAINER_WORLDS) await hunt.acceptsWorld(plainer(hunt.plan.world));
}

/** Times at which anything is planned, in order. */
function timesOf({ sends, faults }: Plan): number[] {
  return [...new Set([...sends, ...faults].map(({ atMs }) => atMs))].sort((a, b) => a - b);
}

/** The plan with nothing planned before `fromMs` or after `toMs`. */
function within(plan: Plan, fromMs: number, toMs: number): Plan {
  const isIn = ({ atMs }: { readonly atMs: number }) => atMs >= fromMs && atMs <= toMs;
  return {
    ...plan,
    sends: plan.sends.filter(isIn),
    faults: plan.faults.filter(isIn),
    ...(plan.chores && { chores: plan.chores.filter(isIn) }),
  };
}

/** A queue that nobody reads fails promises of its own. */
function isFirstOfQueue({ node, queue }: PlannedReader, at: number, readers: readonly PlannedReader[]): boolean {
  return readers.findIndex((other) => other.node === node && other.queue === queue) === at;
}

function smallerSend(send: PlannedSend): PlannedSend {
  return send.bytes <= BYTES_SMALL ? send : { ...send, bytes: BYTES_SMALL };
}

function plainerSend(send: PlannedSend): PlannedSend {
  const {
    timeToBeReceivedMs: _ttl,
    deliverAfterMs: _after,
    acknowledge: _ask,
    deadLetter: _letter,
    journal: _copy,
    ...plain
  } = send;
  return { ...plain, priority: 3 };
}

function shorterFault(fault: PlannedFault): PlannedFault {
  return fault.forMs <= FAULT_MS_SMALL ? fault : { ...fault, forMs: FAULT_MS_SMALL };
}

function calmerReader({ commit: _, dislike: __, ...reader }: PlannedReader): PlannedReader {
  return { ...reader, workMsMax: 0, crash: 0, giveBack: 0, giveUp: 0 };
}

const PLAINER_WORLDS: readonly ((world: PlannedWorld) => Partial<PlannedWorld>)[] = [
  () => ({ dead: [] }),
  ({ nodes }) => ({ nodes: nodes.map((node) => ({ ...node, driftPpm: 0, lineDelayMs: 0, commitDelayMs: 0 })) }),
  ({ nodes }) => ({ nodes: nodes.map((node) => ({ ...node, syncMsMax: 1 })) }),
  ({ nodes }) => ({ nodes: nodes.map((node) => ({ ...node, baud: undefined })) }),
  ({ nodes }) => ({ nodes: nodes.map((node) => ({ ...node, queues: node.queues.map(keepsNothing) })) }),
];

function keepsNothing(queue: PlannedNode['queues'][number]): PlannedNode['queues'][number] {
  const { journal: _copies, deadLetterQueue: _own, ...plain } = queue;
  return plain;
}

/** The smallest plan so far, and the runs that are left to find a smaller one. */
class Hunt {
  plan: Plan;
  runs = 0;
  step = 'the plan itself';
  /** 0: the plan's own. */
  luck = 0;
  grain: 'coarse' | 'fine' = 'coarse';
  readonly #seed: string;
  readonly #request: ShrinkRequest;
  readonly #runsMax: number;
  /** Plans that were tried, as JSON. */
  readonly #tried = new Set<string>();

  constructor(plan: Plan, request: ShrinkRequest) {
    this.plan = plan;
    this.#seed = plan.seed;
    this.#request = request;
    this.#runsMax = request.runsMax ?? SHRINK_RUNS_MAX;
  }

  /** Into how many parts a list is cut at most. */
  get partsMax(): number {
    return this.grain === 'coarse' ? PARTS_COARSE : Number.POSITIVE_INFINITY;
  }

  isSpent(): boolean {
    return this.runs >= this.#runsMax;
  }

  /** Takes the candidate for the plan if it breaks the same promise. Without a run where it was tried, or no runs are left. */
  async accepts(smaller: Plan): Promise<boolean> {
    if (this.isSpent() || JSON.stringify(smaller) === JSON.stringify(this.plan)) return false;
    const candidate = this.luck === 0 ? smaller : { ...smaller, seed: `${this.#seed}-${this.luck}` };
    if (this.#tried.has(JSON.stringify(candidate))) return false;
    if (!(await this.fails(candidate))) return false;
    this.plan = candidate;
    return true;
  }

  acceptsWorld(change: Partial<PlannedWorld>): Promise<boolean> {
    return this.accepts({ ...this.plan, world: { ...this.plan.world, ...change } });
  }

  async fails(candidate: Plan): Promise<boolean> {
    this.#tried.add(JSON.stringify(candidate));
    this.runs += 1;
    let violations: readonly { readonly check: string }[] = [];
    try {
      violations = await this.#request.run(candidate);
    } catch {
      // A plan with parts missing that it needs: whatever it shows, it is not the promise that was broken.
    }
    this.#request.say?.({ runs: this.runs, runsMax: this.#runsMax, step: this.step, plan: this.plan });
    return violations.some(({ check }) => check === this.#request.check);
  }
}

/**
 * What can be asked of a yard, in this process or in a worker. Questions and answers are plain JSON.
 *
 *   { kind: 'run', seed, plan?, twice, events }  ▶ { coverage, violations, crash?, events? }
 *   { kind: 'shrink', seed, check, runsMax }     ▶ { plan, runs, ended, texts }
 */
import { pathToFileURL } from 'node:url';

/** The check that fails when two runs of one seed differ. */
export const NOT_DETERMINISTIC = 'not deterministic';

/** @param {string} file the bundle of a yard */
export async function loadYard(file) {
  process.setSourceMapsEnabled(true);
  return await import(pathToFileURL(file).href);
}

/** @param {(progress: object) => void} say is told how a long answer comes along */
export async function answer(yard, job, say) {
  return job.kind === 'run' ? await run(yard, job) : await shrink(yard, job, say);
}

/** A yard that throws says nothing about the product: that is a crash, and no violation. */
async function run(yard, { seed, plan, twice, events }) {
  try {
    const planned = plan ?? yard.drawPlan(seed);
    const first = await yard.runPlan(planned);
    const violations = [...first.violations];
    if (twice) violations.push(...(await compare(yard, plan ?? yard.drawPlan(seed), first)));
    return {
      coverage: yard.coverageOf({ ...first, violations }),
      violations,
      ...(events && { events: first.history.events }),
    };
  } catch (error) {
    return { violations: [], crash: textOf(error) };
  }
}

/** The second run also watches for real time, real chance and real files. */
async function compare(yard, plan, first) {
  try {
    const { trace } = await yard.runPlan(plan, { forbid: 'guarded' });
    if (trace === first.trace) return [];
    return [{ check: NOT_DETERMINISTIC, text: `the same plan ended with trace ${first.trace}, then with ${trace}` }];
  } catch (error) {
    return [{ check: NOT_DETERMINISTIC, text: `the same plan went through, then not: ${textOf(error)}` }];
  }
}

async function shrink(yard, { seed, check, runsMax }, say) {
  let texts = [];
  const run = async (plan) => {
    const first = await yard.runPlan(plan);
    return check === NOT_DETERMINISTIC ? await compare(yard, plan, first) : first.violations;
  };
  const shrunk = await yard.shrink(yard.drawPlan(seed), {
    check,
    runsMax,
    run: async (plan) => {
      const violations = await run(plan);
      const found = violations.filter((violation) => violation.check === check).map(({ text }) => text);
      if (found.length > 0) texts = found; // of the smallest plan so far: one that fails is kept
      return violations;
    },
    say: ({ runs, runsMax: of, step, plan }) =>
      say({ runs, of, step, nodes: plan.world.nodes.length, sends: plan.sends.length, faults: plan.faults.length }),
  });
  return { ...shrunk, texts };
}

function textOf(error) {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The command line of `npm run sim`, for a yard that is told by its modules. */
import { readFileSync } from 'node:fs';
import { runCampaign } from './campaign.mjs';
import { COMMON_HELP, readOptions, seed, seedJobs, wholeNumber } from './options.mjs';

const SEEDS_DEFAULT = 200;
const SEEDS_MAX = 100_000_000;

const HELP = `npm run sim -- [options]

Runs seeds of the yard: a world of devices, gateways and centrals in virtual time, in which everything breaks, and in which the product's
own code must keep every promise. Seeds that once failed are run first. A failure is made smaller, and told with a line that replays it.

  --seeds N         so many seeds (default ${SEEDS_DEFAULT})
  --from S          the first one (default 1); a word, such as the hash of a commit, gets numbers behind it
  --seed X          this one, twice; may be given several times
  --plan FILE       this plan, twice: one that an earlier failure left
  --trace           tells everything that happens; with --seed or --plan
${COMMON_HELP}

Progress on stderr; the last line of stdout is the verdict. Exit code 0: no promise was broken, and enough was tried to say so.`;

const OPTIONS = {
  seeds: { type: 'string' },
  seed: { type: 'string', multiple: true },
  plan: { type: 'string' },
  trace: { type: 'boolean', default: false },
};

/** @param {string[]} argv @param {Record<string, string>} yard its modules, like YARD */
export async function sim(argv, yard) {
  const options = readOptions(argv, { options: OPTIONS, help: HELP, check });
  if (options !== undefined)
    process.exitCode = await runCampaign({ ...options, name: 'sim', yard, endMs: Number.POSITIVE_INFINITY });
}

function check(values) {
  const named = ['seeds', 'seed', 'plan'].filter((name) => values[name] !== undefined);
  if (named.length > 1) throw new Error(`--${named.join(' and --')} exclude each other`);
  if (values.from !== undefined && (values.seed ?? values.plan) !== undefined) throw new Error('--from goes with --seeds only');
  if (values.trace && (values.seed ?? values.plan) === undefined) throw new Error('--trace needs --seed or --plan');
  if (values.plan !== undefined) {
    const plan = readPlan(values.plan);
    return {
      count: 1,
      replays: true,
      jobs: () => [{ seed: plan.seed, plan, file: values.plan, twice: true, events: values.trace }],
    };
  }
  if (values.seed !== undefined) {
    const jobs = values.seed.map((text) => ({ seed: seed('--seed', text), twice: true, events: values.trace }));
    return { count: jobs.length, replays: true, jobs: () => jobs };
  }
  const count = wholeNumber('--seeds', values.seeds ?? String(SEEDS_DEFAULT), [1, SEEDS_MAX]);
  const from = seed('--from', values.from ?? '1');
  return { count, jobs: (kept) => seedJobs(kept, from, count) };
}

function readPlan(file) {
  const plan = JSON.parse(readFileSync(file, 'utf8'));
  const isPlan =
    typeof plan?.seed === 'string' && Array.isArray(plan.sends) && Array.isArray(plan.faults) && plan.world !== undefined;
  if (!isPlan) throw new Error(`${file} is no plan of the yard`);
  return plan;
}

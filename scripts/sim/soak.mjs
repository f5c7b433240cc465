/** The command line of `npm run soak`, for a yard that is told by its modules. */
import { runCampaign } from './campaign.mjs';
import { COMMON_HELP, readOptions, seed, seedJobs } from './options.mjs';

const HELP = `npm run soak -- [options]

Runs seeds of the yard that nobody ran before, after those that once failed, until the time is up or Ctrl-C. See npm run sim -- --help.

  --minutes N       for so long (without it: until Ctrl-C)
  --from S          the first seed (without it: drawn from the clock); a word gets numbers behind it
${COMMON_HELP}

Progress on stderr; the last line of stdout is the verdict. Exit code 0: no promise was broken, and enough was tried to say so.`;

const OPTIONS = { minutes: { type: 'string' } };

/** @param {string[]} argv @param {Record<string, string>} yard its modules, like YARD */
export async function soak(argv, yard) {
  const options = readOptions(argv, { options: OPTIONS, help: HELP, check });
  if (options !== undefined) process.exitCode = await runCampaign({ ...options, name: 'soak', yard, count: undefined });
}

function check(values) {
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
  if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: a number above 0 is needed`);
  const from = seed('--from', values.from ?? String(Date.now()));
  return { endMs: Date.now() + minutes * 60_000, jobs: (kept) => seedJobs(kept, from, Number.POSITIVE_INFINITY) };
}

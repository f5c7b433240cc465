/** Options of the commands that run the yard. What cannot be understood is said, with the help, and ends with exit code 64. */
import { parseArgs } from 'node:util';

const EXIT_USAGE = 64;
/** What a seed, and with it the name of a file, may look like. */
const SEED = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;
const WORKERS_DEFAULT = 2;
const WORKERS_MAX = 64;

/** Options that all of them have. */
export const COMMON_OPTIONS = {
  from: { type: 'string' },
  workers: { type: 'string' },
  json: { type: 'boolean', default: false },
  'first-failure': { type: 'boolean', default: false },
  'no-shrink': { type: 'boolean', default: false },
  out: { type: 'string' },
  record: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};
export const COMMON_HELP = `  --workers N       processes that do the work (default ${WORKERS_DEFAULT}); 0: this one alone
  --first-failure   ends with the first seed that fails, and what it found
  --no-shrink       leaves a failing plan as it is
  --out FOLDER      where the plans go that failed, made small (default .ringmail/failures)
  --json            one JSON object per line on stdout, and nothing else
  --record          keeps the figures in docs/records
  --help            this`;

/**
 * @template T
 * @param {string[]} argv
 * @param {{ options: object, help: string, check: (values: object) => T }} command `check` throws where a value makes no sense
 * @returns {T | undefined} undefined: there is nothing to do but to end
 */
export function readOptions(argv, { options, help, check }) {
  try {
    const { values } = parseArgs({ args: argv, options: { ...COMMON_OPTIONS, ...options } });
    if (values.help) {
      console.log(help);
      return undefined;
    }
    return { ...common(values), ...check(values) };
  } catch (error) {
    console.error(`${error.message}\n\n${help}`);
    process.exitCode = EXIT_USAGE;
    return undefined;
  }
}

function common(values) {
  return {
    workers: wholeNumber('--workers', values.workers ?? String(WORKERS_DEFAULT), [0, WORKERS_MAX]),
    json: values.json,
    stopsAtFirst: values['first-failure'],
    shrinks: !values['no-shrink'],
    out: values.out ?? '.ringmail/failures',
    records: values.record,
  };
}

/** @param {[number, number]} range smallest and largest */
export function wholeNumber(name, text, [min, max]) {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(number >= min && number <= max)) throw new Error(`${name} ${text}: a whole number from ${min} to ${max} is needed`);
  return number;
}

export function seed(name, text) {
  if (!SEED.test(text)) throw new Error(`${name} ${text}: up to 64 letters, digits, - and _ are needed`);
  return text;
}

/** Kept seeds, then `count` others: a number is counted up, a word (the hash of a commit, say) gets a number behind it. */
export function* seedJobs(kept, from, count) {
  for (const keptSeed of kept) yield { seed: keptSeed };
  const isNumber = /^\d{1,15}$/.test(from);
  for (let i = 0; i < count; i++) yield { seed: isNumber ? String(Number(from) + i) : `${from}-${i}` };
}

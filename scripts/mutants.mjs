/**
 * Plants bugs, one at a time, in copies of the tree, and wants each of them noticed by a test, or by the yard. A bug that survives shows a
 * hole in the tests, and fails the run; so does one whose text is no longer in the sources.
 *
 *   node scripts/mutants.mjs <area | all> [--only <name>] [--every <n>] [--search] [--learn] [--list] [--json] [--record] [--help]
 *
 * An area is a file test/mutants/<area>.mjs that exports MUTANTS: [{ name, breaks, edits: [{ file, find, replace }], tests: [file] }].
 * `sim: { seeds }` instead of `tests`: so many seeds of the yard (scripts/sim.mjs) must find a broken promise; that the yard itself
 * breaks, or finds no end, does not count. What noticed a bug the last time (test/mutants/noticed.json: one test, or one seed) is asked
 * first, all the others where that notices nothing. The unmutated copies run all the tests first, and all those seeds, and must pass;
 * their time bounds that of the mutants: a test that does not end has noticed.
 */
import { parseArgs } from 'node:util';
import { Copies } from './mutants/copies.mjs';
import { endAll, runTestsWhole, runYard } from './mutants/detectors.mjs';
import { areaNames, keepNoticed, misfits, noticersOf, readMutants, YARD } from './mutants/sets.mjs';
import { seconds, tryMutant } from './mutants/trial.mjs';
import { writeRecord } from './records.mjs';

const AT_ONCE = 2;
const CONTROL_MS_MAX = 600_000;
/** Seeds that must find nothing where there is no bug, beside those that noticed one. */
const CONTROL_SEEDS = 60;

const HELP = `npm run mutants -- <area | all> [options]

Plants bugs in copies of the tree and wants each noticed, by a test or by the yard. Areas: ${areaNames().join(', ')}.

  --only NAME   this bug alone; may be given several times
  --every N     a sample: the first of every N of each area
  --search      asks everything that must notice, and not first what noticed the last time
  --learn       keeps what noticed each, to be asked first the next time
  --list        names the bugs, the rules they break and what must notice
  --json        one object per line instead of the table
  --record      keeps the figures in docs/records; of whole areas only
  --help        this

Exit code 0: all were noticed. The last line of stdout is the verdict.`;

const copies = new Copies();
const options = readOptions();
if (options.help) end(0, HELP);
const all = await readMutants(areaNames());
const mutants = chosenOf(all);
if (options.list) end(0, mutants.map((mutant) => listed(mutant)).join('\n'));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => cleanUp(130));
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  cleanUp(1);
}
copies.remove();

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        every: { type: 'string', default: '1' },
        search: { type: 'boolean', default: false },
        learn: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const areas = positionals.includes('all') ? areaNames() : positionals;
    const unknown = areas.filter((area) => !areaNames().includes(area));
    if (unknown.length > 0) throw new Error(`no such area: ${unknown.join(', ')}`);
    if (areas.length === 0 && !values.help) throw new Error('which area?');
    const every = Number(values.every);
    if (!Number.isInteger(every) || every < 1) throw new Error(`--every takes a whole number, not ${values.every}`);
    if (values.record && (every !== 1 || values.only !== undefined)) throw new Error('--record is of whole areas');
    return { ...values, every, areas };
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    process.exit(64);
  }
}

/** @param {number} code @param {string} text */
function end(code, text) {
  console.log(text);
  process.exit(code);
}

function chosenOf(known) {
  const inAreas = known.filter(({ area }) => options.areas.includes(area));
  const unknown = (options.only ?? []).filter((name) => !inAreas.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    console.error(`no such bug: ${unknown.join(', ')}`);
    process.exit(64);
  }
  const chosen = inAreas.filter(({ at, name }) => options.only?.includes(name) ?? at % options.every === 0);
  return options.search ? chosen.map((mutant) => ({ ...mutant, noticed: undefined })) : chosen;
}

/** @param {import('./mutants/sets.mjs').Mutant} mutant */
function listed(mutant) {
  if (options.json) return JSON.stringify(mutant);
  const files = [...new Set(mutant.edits.map(({ file }) => file))].join(', ');
  const by = noticersOf(mutant).map((noticer) => (noticer === YARD ? `${mutant.sim.seeds} seeds of the yard` : noticer));
  return `${mutant.name}\n    breaks   ${mutant.breaks}\n    in       ${files}\n    noticed  ${by.join(', ')}`;
}

async function main() {
  const startMs = Date.now();
  const wrong = mutants.flatMap((mutant) => misfits(mutant));
  if (wrong.length > 0) {
    for (const text of wrong) console.error(text);
    console.log(`${mutants.length} mutants: ${wrong.length} edits do not apply`);
    return 1;
  }
  copies.make(AT_ONCE);
  const controls = await runControls();
  const failed = [...controls].filter(([, { failure }]) => failure !== undefined);
  if (failed.length > 0) {
    for (const [test, { failure }] of failed) console.error(`without any bug ${test} fails: ${failure}`);
    console.log(`${mutants.length} mutants: the tests fail without any of them`);
    return 1;
  }
  say(`${controls.size} test files and the yard's seeds: passed without a bug, after ${seconds(Date.now() - startMs)}`);
  const results = [];
  await copies.each(mutants, async (mutant, copy) => {
    const result = await tryMutant(mutant, copy, controls);
    results.push(result);
    const outcome = result.caught ? 'caught' : 'SURVIVED';
    say(`${results.length}/${mutants.length} ${mutant.name}: ${outcome} after ${seconds(result.allMs)}`);
  });
  const places = new Map(mutants.map(({ name }, i) => [name, i]));
  results.sort((a, b) => places.get(a.name) - places.get(b.name));
  for (const { noticed: _, ...result } of results) console.log(options.json ? JSON.stringify(result) : row(result));
  const survivors = results.filter(({ caught }) => !caught);
  if (options.learn) learn(results);
  if (options.record) writeRecord('mutants', { startMs, figures: figuresOf(results) });
  console.log(`${results.length} mutants, ${results.length - survivors.length} caught, ${survivors.length} survived`);
  return survivors.length === 0 ? 0 : 1;
}

/** Every test file that is asked for, and the yard, without a bug: how long it takes, and why it fails if it does. */
async function runControls() {
  const noticers = [...new Set(mutants.flatMap((mutant) => noticersOf(mutant)))];
  const tests = noticers.filter((noticer) => noticer !== YARD);
  const controls = new Map();
  const known = [...new Set(mutants.flatMap(({ noticed }) => noticed?.seed ?? []))];
  const runs = [];
  if (tests.length > 0) runs.push({ kind: 'tests' });
  if (tests.length < noticers.length) runs.push({ kind: 'yard' });
  await copies.each(runs, async ({ kind }, copy) => {
    if (kind === 'tests') {
      for (const [test, result] of await runTestsWhole(tests, copy, CONTROL_MS_MAX)) controls.set(test, result);
      return;
    }
    const fresh = await runYard({ seeds: CONTROL_SEEDS }, copy, CONTROL_MS_MAX);
    const again = known.length === 0 ? fresh : await runYard({ seed: known }, copy, CONTROL_MS_MAX);
    const failure = [fresh, again].find(({ outcome }) => outcome !== 'passed');
    const ms = fresh.ms / CONTROL_SEEDS;
    controls.set(YARD, { ms, failure: failure === undefined ? undefined : `${failure.outcome} ${failure.detail}` });
  });
  return controls;
}

function learn(results) {
  const news = results.filter(({ noticed }) => noticed !== undefined).map(({ name, noticed }) => [name, noticed]);
  keepNoticed(
    new Map(news),
    all.map(({ name }) => name),
  );
}

function figuresOf(results) {
  const sets = {};
  for (const { area, caught } of results) {
    sets[area] ??= { planted: 0, caught: 0 };
    sets[area].planted += 1;
    if (caught) sets[area].caught += 1;
  }
  const rows = results.map(({ area, name, breaks, caught, test, by, ms, seeds }) => {
    return { area, name, breaks, caught, test, by, seconds: Math.round(ms / 100) / 10, ...(seeds !== undefined && { seeds }) };
  });
  return { sets, rows };
}

function row({ name, caught, test, by, ms, seeds }) {
  const time = (seeds === undefined ? seconds(ms) : `${seeds} ${seeds === 1 ? 'seed' : 'seeds'}`).padStart(9);
  return `${name.padEnd(36)} ${time}  ${caught ? `${test}: ${by}` : `SURVIVED${by === '' ? '' : `: ${by}`}`}`;
}

function say(text) {
  console.error(text);
}

function cleanUp(code) {
  endAll();
  copies.remove();
  process.exit(code);
}

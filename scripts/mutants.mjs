/**
 * Plants bugs, one at a time, in copies of the tree, and wants each of them noticed by a test, or by the yard. A bug that survives shows a
 * hole in the tests, and fails the run; so does one whose text is no longer in the sources.
 *
 *   node scripts/mutants.mjs <area | all> [--only <name>] [--every <n>] [--list] [--json] [--help]
 *
 * An area is a file test/mutants/<area>.mjs that exports MUTANTS: [{ name, breaks, edits: [{ file, find, replace }], tests: [file] }].
 * `sim: { seeds }` instead of `tests`: so many seeds of the yard (scripts/sim.mjs) must find a broken promise; that the yard itself
 * breaks, or finds no end, does not count. The unmutated copies run the same tests first, and some seeds, and must pass; their time
 * bounds that of the mutants: a test that does not end has noticed.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const AREAS = join(ROOT, 'test', 'mutants');
/** Left out of the copies: what is made, what is large, and what is nobody's source. */
const NOT_COPIED = new Set(['node_modules', 'dist', '.git', '.ringmail']);
const AT_ONCE = 2;
/** A mutant may take so many times what the unmutated tests need, and this much more, before it counts as never ending. */
const PATIENCE_FACTOR = 5;
const PATIENCE_MS_MIN = 20_000;
const CONTROL_MS_MAX = 300_000;
/** Stands for the yard among the test files. */
const YARD = 'the yard';
/** Seeds that must find nothing where there is no bug. */
const CONTROL_SEEDS = 60;
/** An edit that makes no program, rather than a wrong one. */
const NONSENSE =
  /\b(SyntaxError|ReferenceError|Transform failed|Build failed|Build failed|Failed to resolve|is not a function)\b/;

const HELP = `npm run mutants -- <area | all> [options]

Plants bugs in copies of the tree and wants each noticed, by a test or by the yard. Areas: ${areaNames().join(', ')}.

  --only NAME   this bug alone; may be given several times
  --every N     a sample: the first of every N of each area
  --list        names the bugs, the rules they break and what must notice
  --json        one object per line instead of the table
  --help        this

Exit code 0: all were noticed. The last line of stdout is the verdict.`;

const running = new Set();
const copies = [];
const options = readOptions();
if (options.help) end(0, HELP);
const mutants = await readMutants();
if (options.list) end(0, mutants.map((mutant) => listed(mutant)).join('\n'));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => cleanUp(130));
try {
  process.exitCode = await main();
} catch (error) {
  console.error(error);
  cleanUp(1);
}
removeCopies();

function areaNames() {
  return readdirSync(AREAS)
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => basename(name, '.mjs'))
    .sort();
}

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: 'string', multiple: true },
        every: { type: 'string', default: '1' },
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const areas = positionals.includes('all') ? areaNames() : positionals;
    const unknown = areas.filter((area) => !areaNames().includes(area));
    if (unknown.length > 0) throw new Error(`no such area: ${unknown.join(', ')}`);
    if (areas.length === 0 && !values.help) throw new Error('which area?');
    const every = Number(values.every);
    if (!Number.isInteger(every) || every < 1) throw new Error(`--every takes a whole number, not ${values.every}`);
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

async function readMutants() {
  const all = [];
  for (const area of options.areas) {
    const { MUTANTS } = await import(pathToFileURL(join(AREAS, `${area}.mjs`)).href);
    for (const [at, mutant] of MUTANTS.entries()) all.push({ area, at, ...mutant });
  }
  const sample = all.filter(({ at }) => at % options.every === 0);
  const chosen = options.only === undefined ? sample : all.filter(({ name }) => options.only.includes(name));
  const unknown = (options.only ?? []).filter((name) => !all.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    console.error(`no such bug: ${unknown.join(', ')}`);
    process.exit(64);
  }
  const twice = all.find(({ name }, i) => all.findIndex((other) => other.name === name) !== i);
  if (twice !== undefined) throw new Error(`two bugs are called ${twice.name}`);
  return chosen;
}

/** @param {{ area: string, name: string, breaks: string, edits: { file: string }[], tests?: string[], sim?: { seeds: number } }} mutant */
function listed(mutant) {
  if (options.json) return JSON.stringify(mutant);
  const files = [...new Set(mutant.edits.map(({ file }) => file))].join(', ');
  const by = noticersOf(mutant).map((noticer) => (noticer === YARD ? `${mutant.sim.seeds} seeds of the yard` : noticer));
  return `${mutant.name}\n    breaks   ${mutant.breaks}\n    in       ${files}\n    noticed  ${by.join(', ')}`;
}

/** Test files, and the yard, in the order in which they are asked. */
function noticersOf({ tests = [], sim }) {
  return sim === undefined ? tests : [...tests, YARD];
}

async function main() {
  const startMs = Date.now();
  const wrong = mutants.flatMap((mutant) => misfits(mutant));
  if (wrong.length > 0) {
    for (const text of wrong) console.error(text);
    console.log(`${mutants.length} mutants: ${wrong.length} edits do not apply`);
    return 1;
  }
  for (let i = 0; i < AT_ONCE; i++) copies.push(copyTree());
  const controls = await runControls();
  const failed = [...controls].filter(([, { failure }]) => failure !== undefined);
  if (failed.length > 0) {
    for (const [test, { failure }] of failed) console.error(`without any bug ${test} fails: ${failure}`);
    console.log(`${mutants.length} mutants: the tests fail without any of them`);
    return 1;
  }
  say(`${[...controls.keys()].join(', ')}: passed without a bug, after ${seconds(Date.now() - startMs)}`);
  const results = [];
  await inCopies(mutants, async (mutant, copy) => {
    const result = await tryMutant(mutant, copy, controls);
    results.push(result);
    say(
      `${results.length}/${mutants.length} ${mutant.name}: ${result.caught ? 'caught' : 'SURVIVED'} after ${seconds(result.ms)}`,
    );
  });
  results.sort((a, b) => mutants.findIndex(({ name }) => name === a.name) - mutants.findIndex(({ name }) => name === b.name));
  for (const result of results) console.log(options.json ? JSON.stringify(result) : row(result));
  const survivors = results.filter(({ caught }) => !caught);
  console.log(`${results.length} mutants, ${results.length - survivors.length} caught, ${survivors.length} survived`);
  return survivors.length === 0 ? 0 : 1;
}

/** What of a mutant does not apply: its text must stand in the file exactly once. */
function misfits({ name, edits }) {
  const wrong = [];
  for (const { file, find } of edits) {
    const path = join(ROOT, file);
    const count = existsSync(path) ? readFileSync(path, 'utf8').split(find).length - 1 : -1;
    if (count !== 1)
      wrong.push(`${name} does not apply: ${count < 0 ? `no file ${file}` : `${count} times in ${file}: ${find.trim()}`}`);
  }
  return wrong;
}

function copyTree() {
  const copy = mkdtempSync(join(tmpdir(), 'ringmail-mutant-'));
  for (const name of readdirSync(ROOT)) {
    if (NOT_COPIED.has(name)) continue;
    cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: (from) => !NOT_COPIED.has(basename(from)) });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Runs `work` for each item, in as many copies as there are, one at a time in each. */
async function inCopies(items, work) {
  const left = [...items];
  await Promise.all(
    copies.map(async (copy) => {
      for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item, copy);
    }),
  );
}

/** Every test file that is asked for, and the yard, without a bug: how long it takes, and why it fails if it does. */
async function runControls() {
  const tests = [...new Set(mutants.flatMap((mutant) => noticersOf(mutant)))];
  const controls = new Map();
  await inCopies(tests, async (test, copy) => {
    if (test !== YARD && !existsSync(join(copy, test))) return controls.set(test, { ms: 0, failure: 'there is no such file' });
    const { outcome, ms, detail } = await (test === YARD
      ? runYard(CONTROL_SEEDS, copy, CONTROL_MS_MAX)
      : runTest(test, copy, CONTROL_MS_MAX));
    controls.set(test, { ms, failure: outcome === 'passed' ? undefined : `${outcome} ${detail}` });
    say(`without a bug: ${test} ${outcome} after ${seconds(ms)}`);
  });
  return controls;
}

async function tryMutant(mutant, copy, controls) {
  const before = new Map();
  for (const { file, find, replace } of mutant.edits) {
    const path = join(copy, file);
    const source = readFileSync(path, 'utf8');
    if (!before.has(path)) before.set(path, source);
    writeFileSync(
      path,
      source.replace(find, () => replace),
    );
  }
  let ms = 0;
  let found;
  let excuse = '';
  for (const test of noticersOf(mutant)) {
    const enoughMs = controls.get(test).ms * (test === YARD ? mutant.sim.seeds / CONTROL_SEEDS : 1);
    const patienceMs = PATIENCE_MS_MIN + PATIENCE_FACTOR * enoughMs;
    const result = await (test === YARD ? runYard(mutant.sim.seeds, copy, patienceMs) : runTest(test, copy, patienceMs));
    ms += result.ms;
    if (result.outcome === 'passed') continue;
    if (result.outcome === 'broken') throw new Error(`${mutant.name} is no bug but nonsense: ${test}: ${result.detail}`);
    const never = `does not end within ${seconds(patienceMs)}; without the bug ${seconds(enoughMs)} are enough`;
    const by = result.outcome === 'endless' ? never : result.detail;
    if (test === YARD && result.outcome !== 'failed') {
      excuse = `${YARD} found no broken promise, but ${by}`;
      continue;
    }
    found = { test, by };
    break;
  }
  for (const [path, source] of before) writeFileSync(path, source);
  return {
    area: mutant.area,
    name: mutant.name,
    breaks: mutant.breaks,
    caught: found !== undefined,
    test: found?.test ?? '',
    by: found?.by ?? excuse,
    ms,
  };
}

/**
 * One test file, up to its first failure. `broken`: not a single test ran, so nothing can be said.
 * @returns {Promise<{ outcome: 'passed' | 'failed' | 'endless' | 'broken', ms: number, detail: string }>}
 */
async function runTest(test, copy, patienceMs) {
  const report = join(copy, 'mutant-report.json');
  rmSync(report, { force: true });
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', test, '--bail', '1', '--maxWorkers', '1', '--reporter', 'json', '--outputFile', report];
  const { code, ms, said, isLate } = await runNode(args, copy, patienceMs);
  if (isLate) return { outcome: 'endless', ms, detail: '' };
  if (code === 0) return { outcome: 'passed', ms, detail: '' };
  const failed = existsSync(report) ? failedIn(JSON.parse(readFileSync(report, 'utf8'))) : undefined;
  return failed === undefined ? { outcome: 'broken', ms, detail: said } : { outcome: 'failed', ms, detail: failed };
}

/**
 * Seeds of the copy's yard, in one process, up to the first that fails. Passed: no promise was broken, even if too little was met to be
 * content. `crashed`: the yard threw; `broken`: what it runs is no program.
 * @returns {Promise<{ outcome: 'passed' | 'failed' | 'endless' | 'broken' | 'crashed', ms: number, detail: string }>}
 */
async function runYard(seeds, copy, patienceMs) {
  const args = ['--seeds', String(seeds), '--workers', '0', '--first-failure', '--no-shrink', '--json'];
  const { ms, out, said, isLate } = await runNode([join(copy, 'scripts', 'sim.mjs'), ...args], copy, patienceMs);
  if (isLate) return { outcome: 'endless', ms, detail: '' };
  const lines = out.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}')); // whole ones
  const results = lines.map((line) => JSON.parse(line));
  const of = (kind) => results.find((result) => result.kind === kind);
  const failure = of('failure');
  const isOver = of('verdict') !== undefined;
  if (NONSENSE.test(isOver ? (failure?.text ?? '') : said)) return { outcome: 'broken', ms, detail: failure?.text ?? said };
  if (!isOver) return { outcome: 'crashed', ms, detail: `it ended without a verdict: ${firstError(said)}` };
  if (failure !== undefined) return { outcome: 'failed', ms, detail: `seed ${failure.seed}, ${failure.check}: ${failure.text}` };
  const crash = of('crash');
  return crash === undefined
    ? { outcome: 'passed', ms, detail: '' }
    : { outcome: 'crashed', ms, detail: `seed ${crash.seed} crashes it: ${crash.text.split('\n')[0]}` };
}

function firstError(said) {
  const lines = said.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
}

/** Node in a copy, until it ends or patience does. `out`: stdout; `said`: the end of all it said. */
async function runNode(args, copy, patienceMs) {
  const startMs = Date.now();
  const child = spawn(process.execPath, args, {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // its workers go with it
  });
  running.add(child);
  let said = '';
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said = (said + chunk).slice(-4000)));
  child.stdout.setEncoding('utf8').on('data', (chunk) => (out += chunk));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    killGroup(child);
  }, patienceMs);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  running.delete(child);
  return { code, ms: Date.now() - startMs, out, said, isLate };
}

/** What failed first: a test, or the setting up of one. Undefined where nothing ran, or what ran is no program. */
function failedIn({ testResults }) {
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const failed = tests.find(({ status }) => status === 'failed');
  const messages = failed?.failureMessages ?? testResults.map(({ message }) => message);
  if (messages.every((message) => message === '') || NONSENSE.test(messages.join('\n'))) return undefined;
  return failed?.fullName.trim() ?? `setting up: ${messages.join(' ').split('\n')[0]}`;
}

function row({ name, caught, test, by, ms }) {
  const time = seconds(ms).padStart(7);
  return `${name.padEnd(32)} ${time}  ${caught ? `${test}: ${by}` : `SURVIVED${by === '' ? '' : `: ${by}`}`}`;
}

function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

function say(text) {
  console.error(text);
}

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}

function removeCopies() {
  for (const copy of copies) rmSync(copy, { recursive: true, force: true });
}

function cleanUp(code) {
  for (const child of running) killGroup(child);
  removeCopies();
  process.exit(code);
}

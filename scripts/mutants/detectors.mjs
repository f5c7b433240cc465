/** Tests and the yard, run in a copy of the tree, and what came of it. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ROOT } from '../bundle-module.mjs';

/** An edit that makes no program, rather than a wrong one. */
const NONSENSE = /\b(SyntaxError|ReferenceError|Transform failed|Build failed|Failed to resolve|is not a function)\b/;
const SAID_CHARS_MAX = 4000;
const running = new Set();

/**
 * `broken`: not a single test ran, or what runs is no program, so nothing can be said. `crashed`: the yard threw.
 * @typedef {{ outcome: 'passed' | 'failed' | 'endless' | 'broken' | 'crashed', ms: number, detail: string, noticed?: object }} Outcome
 */

/**
 * One test file, or what of it has this title, up to its first failure.
 * @param {{ test: string, title?: string }} what @param {string} copy @param {number} patienceMs @returns {Promise<Outcome>}
 */
export async function runTest({ test, title }, copy, patienceMs) {
  const only = title === undefined ? [] : ['--testNamePattern', title.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')];
  const { code, ms, said, isLate, report } = await runVitest(
    [test, '--bail', '1', '--maxWorkers', '1', ...only],
    copy,
    patienceMs,
  );
  const noticed = title === undefined ? { test } : { test, title };
  if (isLate) return { outcome: 'endless', ms, detail: '', noticed };
  if (code === 0) return { outcome: 'passed', ms, detail: '' };
  const failed = report === undefined ? undefined : failedIn(report);
  if (failed === undefined) return { outcome: 'broken', ms, detail: said };
  return {
    outcome: 'failed',
    ms,
    detail: failed.text,
    noticed: failed.title === undefined ? { test } : { test, title: failed.title },
  };
}

/**
 * Whole test files together, two at a time.
 * @param {string[]} tests @param {string} copy @param {number} patienceMs
 * @returns {Promise<Map<string, { ms: number, failure?: string }>>} what each took alone, and why it failed if it did
 */
export async function runTestsWhole(tests, copy, patienceMs) {
  const { isLate, report, said } = await runVitest([...tests, '--maxWorkers', '2'], copy, patienceMs);
  const results = new Map();
  for (const file of report?.testResults ?? []) {
    const failed = file.status === 'passed' ? undefined : (failedIn({ testResults: [file] })?.text ?? file.message);
    results.set(relative(copy, file.name), { ms: file.endTime - file.startTime, failure: failed });
  }
  const why = isLate ? 'it does not end' : said;
  return new Map(tests.map((test) => [test, results.get(test) ?? { ms: 0, failure: why }]));
}

/**
 * Seeds of the copy's yard, in one process, up to the first that fails. Passed: no promise was broken, even if too little was met to be
 * content.
 * @param {{ seeds: number } | { seed: string[] }} what @param {string} copy @param {number} patienceMs @returns {Promise<Outcome>}
 */
export async function runYard(what, copy, patienceMs) {
  const which = what.seed === undefined ? ['--seeds', String(what.seeds)] : what.seed.flatMap((seed) => ['--seed', seed]);
  const args = [...which, '--workers', '0', '--first-failure', '--no-shrink', '--json'];
  const { ms, out, said, isLate } = await runNode([join(copy, 'scripts', 'sim.mjs'), ...args], copy, patienceMs);
  if (isLate) return { outcome: 'endless', ms, detail: '' };
  const lines = out.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}')); // whole ones
  const results = lines.map((line) => JSON.parse(line));
  const of = (kind) => results.find((result) => result.kind === kind);
  const [failure, crash, verdict] = [of('failure'), of('crash'), of('verdict')];
  if (NONSENSE.test(verdict === undefined ? said : (failure?.text ?? '')))
    return { outcome: 'broken', ms, detail: failure?.text ?? said };
  if (verdict === undefined) return { outcome: 'crashed', ms, detail: `it ended without a verdict: ${firstError(said)}` };
  if (failure !== undefined) {
    const noticed = { seed: failure.seed, seeds: verdict.seeds };
    return { outcome: 'failed', ms, detail: `seed ${failure.seed}, ${failure.check}: ${failure.text}`, noticed };
  }
  return crash === undefined
    ? { outcome: 'passed', ms, detail: '' }
    : { outcome: 'crashed', ms, detail: `seed ${crash.seed} crashes it: ${crash.text.split('\n')[0]}` };
}

/** Ends everything that runs, by its process group. */
export function endAll() {
  for (const child of running) killGroup(child);
}

async function runVitest(args, copy, patienceMs) {
  const file = join(copy, 'mutant-report.json');
  rmSync(file, { force: true });
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const run = await runNode([vitest, 'run', ...args, '--reporter', 'json', '--outputFile', file], copy, patienceMs);
  return { ...run, report: existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined };
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
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said = (said + chunk).slice(-SAID_CHARS_MAX)));
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
  const title = failed?.fullName.trim();
  return { title, text: title ?? `setting up: ${messages.join(' ').split('\n')[0]}` };
}

function firstError(said) {
  const lines = said.trim().split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1);
}

function killGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}

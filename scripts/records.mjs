/**
 * Records of runs that are worth keeping: docs/records/<date>-<name>.json, one file each, written only when `--record` is given. What the
 * scoreboard says (scripts/scoreboard.mjs) is read from them.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { ROOT } from './bundle-module.mjs';

const FOLDER = join(ROOT, 'docs', 'records');
/** A run may write there itself, and what is there changes none. */
const NO_SOURCES = [':!docs', ':!test/mutants/noticed.json'];

/**
 * @typedef {{ name: string, command: string, commit: string, date: string, seconds: number, node: string, machine: string, figures: object }}
 *   Record `commit` ends in `+` where files differed from it
 * @param {string} name of the command
 * @param {{ startMs: number, figures: object }} run
 * @returns {string} the file
 */
export function writeRecord(name, { startMs, figures }) {
  const date = new Date(startMs).toISOString().slice(0, 19);
  const record = {
    name,
    command: `npm run ${name} -- ${process.argv.slice(2).join(' ')}`,
    commit: COMMIT,
    date: `${date}Z`,
    seconds: Math.round((Date.now() - startMs) / 1000),
    node: process.version,
    machine: machine(),
    figures,
  };
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, `${date.replaceAll(':', '')}-${name}.json`);
  writeFileSync(file, `${JSON.stringify(record, undefined, 2)}\n`);
  console.error(`recorded in docs/records/${basename(file)}`);
  return file;
}

/** @returns {Record[]} the oldest first */
export function readRecords() {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')));
}

/** As the run began: the sources may go on meanwhile. */
const COMMIT = process.argv.includes('--record') ? commit() : 'unknown';

/**
 * Of each set of planted bugs what the newest record says that has it: a run may be of some sets only.
 * @param {Record[]} records the oldest first
 */
export function newestOfMutants(records) {
  const sets = new Map();
  for (const { name, commit, date, figures } of records) {
    if (name !== 'mutants') continue;
    for (const [set, counts] of Object.entries(figures.sets)) {
      const rows = figures.rows.filter(({ area }) => area === set);
      sets.set(set, { set, commit, date, ...counts, rows });
    }
  }
  return [...sets.values()].sort((a, b) => (a.set < b.set ? -1 : 1));
}

function commit() {
  try {
    const how = { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    const git = (...args) => execFileSync('git', args, how).trim();
    const isChanged = git('status', '--porcelain', '--', '.', ...NO_SOURCES) !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${isChanged ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}

function machine() {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`;
}

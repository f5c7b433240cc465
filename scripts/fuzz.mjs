/**
 * Fuzzes whatever reads bytes that others wrote (hardware-sim/fuzz).
 *
 *   node scripts/fuzz.mjs [--seconds N | --executions N] [--seed S] [--replay TARGET:HEX] [--json] [--record] [--help] [TARGET … | all]
 *
 * Builds what it needs. Progress on stderr; the last line of stdout is the verdict. Exit code 0: nothing was broken.
 */
import { availableParallelism } from 'node:os';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleFuzz } from './fuzz/bundle.mjs';
import { fuzzAll } from './fuzz/jobs.mjs';
import { writeRecord } from './records.mjs';

const SECONDS = 60;
const PROCESSES = Math.min(2, availableParallelism());
const PROGRESS_MS = 5_000;

const HELP = `npm run fuzz -- [options] [TARGET … | all]

Changes good inputs at random, and whatever a target says something new to further, and looks whether a reader throws anything but a
coded error, takes too long, says something else the second time, or breaks a promise of its own. Inputs that broke one before are
tried first. An input that breaks one is made smaller and told with a line that replays it.

  --seconds N          for all targets together (default ${SECONDS})
  --executions N       so many of each target, however long that takes
  --seed S             of all chance (default: 1); a word, such as the hash of a commit, will do
  --replay TARGET:HEX  runs one input, and says what came of it
  --list               the targets, and what each reads
  --json               one JSON object a line, and nothing else, on stdout
  --record             keeps the figures in docs/records
  --help               this`;

const options = readOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const { file, remove } = await bundleFuzz();
process.on('exit', remove);
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
const { TARGETS, REGRESSIONS, Judge } = await import(pathToFileURL(file).href);
if (options.list) list();
else if (options.replay !== undefined) replay(options.replay);
else await run();
process.exit();

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: 'string' },
        executions: { type: 'string' },
        seed: { type: 'string', default: '1' },
        replay: { type: 'string' },
        list: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    for (const name of ['seconds', 'executions']) {
      if (values[name] !== undefined && !/^[1-9]\d{0,8}$/.test(values[name])) {
        throw new Error(`--${name} ${values[name]}: a whole number from 1 to 999,999,999 is needed`);
      }
    }
    return { ...values, names: positionals.filter((name) => name !== 'all') };
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(text) {
  console.error(`${text}\n\n${HELP}`);
  process.exit(2);
}

function targets() {
  for (const name of options.names) {
    if (!TARGETS.some((one) => one.name === name))
      refuse(`no target ${name}: there are ${TARGETS.map((one) => one.name).join(', ')}`);
  }
  return options.names.length === 0 ? TARGETS : TARGETS.filter(({ name }) => options.names.includes(name));
}

function list() {
  for (const { name, what } of TARGETS) console.log(options.json ? JSON.stringify({ name, what }) : `${name.padEnd(12)} ${what}`);
}

function replay(text) {
  const [, name, hex] = /^([a-z]+):((?:[0-9a-f]{2})*)$/.exec(text) ?? [];
  const target = TARGETS.find((one) => one.name === name);
  if (target === undefined) refuse(`--replay ${text}: TARGET:HEX is needed`);
  const { said, broken, us } = new Judge(target, cpuUs).of(Uint8Array.from(Buffer.from(hex, 'hex')), 'twice');
  const isBroken = broken !== undefined;
  if (options.json) console.log(JSON.stringify({ kind: 'replay', target: name, said, broken, us: Math.round(us) }));
  else console.log(`${name}: ${isBroken ? `BROKEN: ${broken}` : said}, ${Math.round(us)} us`);
  process.exitCode = isBroken ? 1 : 0;
}

async function run() {
  const chosen = targets();
  const findings = [];
  const known = REGRESSIONS.filter(({ target }) => chosen.some(({ name }) => name === target));
  for (const { target, hex, found } of known) {
    const judge = new Judge(
      TARGETS.find(({ name }) => name === target),
      nowUs,
    );
    const { broken } = judge.of(Uint8Array.from(Buffer.from(hex, 'hex')), 'twice');
    if (broken !== undefined) findings.push({ target, what: `${broken} (again: ${found})`, hex });
  }
  const seconds = Number(options.seconds ?? SECONDS);
  const msEach = options.executions === undefined ? (seconds * 1_000 * PROCESSES) / chosen.length : undefined;
  const executionsMax = options.executions === undefined ? undefined : Number(options.executions);
  const jobs = chosen.map(({ name }) => ({ name, seed: options.seed, msMax: msEach, executionsMax }));
  const reports = [];
  const counts = new Map();
  const total = () => [...counts.values()].reduce((sum, count) => sum + count, 0);
  const startMs = Date.now();
  let saidMs = startMs;
  await fuzzAll(file, jobs, {
    processes: PROCESSES,
    onProgress: ({ target, executions, behaviours }) => {
      counts.set(target, executions);
      if (Date.now() - saidMs < PROGRESS_MS) return;
      saidMs = Date.now();
      const after = Math.round((saidMs - startMs) / 1_000);
      console.error(`${total().toLocaleString('en')} executions in ${after} s; ${target}: ${behaviours} behaviours`);
    },
    onResult: (report) => {
      counts.set(report.target, report.executions);
      findings.push(...report.findings);
      const { target, executions, behaviours, slowestUs } = report;
      reports.push({ target, executions, behaviours, slowestMs: Math.round(slowestUs / 100) / 10 });
      tell(report);
    },
  });
  for (const one of findings) tellFinding(one);
  const verdict = { targets: chosen.length, executions: total(), findings: findings.length, seed: options.seed };
  const { executions } = verdict;
  if (options.record) writeRecord('fuzz', { startMs, figures: { executions, findings: findings.length, targets: reports } });
  if (options.json) console.log(JSON.stringify({ kind: 'verdict', ...verdict }));
  else console.log(`fuzz: ${total()} executions of ${chosen.length} targets, ${findings.length} findings`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}

function tell({ target, executions, behaviours, slowestUs, findings }) {
  const slowestMs = Math.round(slowestUs / 100) / 10;
  if (options.json)
    return console.log(JSON.stringify({ kind: 'target', target, executions, behaviours, slowestMs, findings: findings.length }));
  const counted = `${String(executions).padStart(9)} executions, ${String(behaviours).padStart(5)} behaviours`;
  console.log(`${target.padEnd(12)} ${counted}, slowest ${slowestMs} ms, ${findings.length} findings`);
}

function tellFinding({ target, what, hex }) {
  if (options.json) return console.log(JSON.stringify({ kind: 'finding', target, what, hex, replay: `${target}:${hex}` }));
  console.log(`\n${target}: ${what}\n  npm run fuzz -- --replay ${target}:${hex}\n`);
}

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

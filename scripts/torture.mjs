/**
 * Tortures the ring: lives drawn from seeds, one after the other, on a simulated disk, until Ctrl-C or for a number of minutes.
 *
 *   node scripts/torture.mjs [--minutes N] [--seed S [--seed S …]] [--from S] [--record] [--help]
 *
 * Builds what it needs. Progress on stderr; the last line of stdout is the verdict. Exit code 0: no promise was broken.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import * as esbuild from 'esbuild';
import { writeRecord } from './records.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const PROGRESS_MS = 2000;

const HELP = `npm run torture [-- options]

Lives of rings on a simulated disk: power cuts that tear, kills, failed syncs, lying flushes, rot, full rings, hostile messages.
Every opening is checked against a model. Stops at the first broken promise, with the seed that tells it again.

  --minutes N   for N minutes (without it: until Ctrl-C)
  --seed S      only this life; may be given several times
  --from S      first seed (without it: drawn)
  --record      keeps the figures in docs/records
  --help        this

The seeds that once broke a promise are lived first.`;

const options = readOptions();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const { tortureRing, SEEDS_THAT_FAILED, drawTorture } = await bundle();
await torture();

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string', multiple: true },
        from: { type: 'string' },
        record: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
    if (!(minutes > 0)) throw new Error(`--minutes ${values.minutes}: a number above 0 is needed`);
    return {
      help: values.help,
      record: values.record,
      minutes,
      seeds: values.seed?.map(wholeNumber),
      from: values.from === undefined ? undefined : wholeNumber(values.from),
    };
  } catch (error) {
    console.error(`${error.message}\n\n${HELP}`);
    process.exit(64);
  }
}

/** @param {string} text */
function wholeNumber(text) {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`seed ${text}: a whole number is needed`);
  return Number(text);
}

/** The engine and its lists, bundled from the sources: Node runs no TypeScript before version 22. */
async function bundle() {
  const directory = mkdtempSync(join(tmpdir(), 'ringmail-torture-'));
  try {
    const outfile = join(directory, 'torture.mjs');
    await esbuild.build({
      absWorkingDir: ROOT,
      stdin: {
        contents: ['ring-torture', 'torture-seeds', 'torture-draw']
          .map((name) => `export * from './hardware-sim/${name}.ts';`)
          .join('\n'),
        resolveDir: ROOT,
        loader: 'ts',
      },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'inline',
      outfile,
      logLevel: 'warning',
    });
    process.setSourceMapsEnabled(true);
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function torture() {
  const startMs = Date.now();
  const endMs = startMs + options.minutes * 60_000;
  let ending = 'running';
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      ending = 'asked to end';
    });
  }
  const total = { histories: 0, crashes: 0, syncFailures: 0, rottedBlocks: 0, laps: 0 };
  const from = options.from ?? randomInt(1_000_000_000);
  if (options.seeds === undefined) console.log(`seeds that once failed, then ${from}, ${from + 1}, …`);
  let saidMs = startMs;
  for (const seed of options.seeds ?? seeds(from)) {
    try {
      const toll = tortureRing(seed);
      total.histories += 1;
      for (const what of ['crashes', 'syncFailures', 'rottedBlocks', 'laps']) total[what] += toll[what];
    } catch (error) {
      report(seed, error);
      console.log(`torture: ${said(total)}; A PROMISE IS BROKEN, seed ${seed}: npm run torture -- --seed ${seed}`);
      process.exitCode = 1;
      return;
    }
    if (options.seeds !== undefined) console.log(`seed ${seed}: ${JSON.stringify(drawTorture(seed))}`);
    const nowMs = Date.now();
    if (nowMs - saidMs >= PROGRESS_MS) {
      saidMs = nowMs;
      const perSecond = (total.histories / ((nowMs - startMs) / 1000)).toFixed(1);
      console.error(`${said(total)} in ${Math.round((nowMs - startMs) / 1000)} s, ${perSecond} histories/s, now seed ${seed}`);
    }
    await new Promise((resolve) => setImmediate(resolve)); // lets a signal in
    if (ending !== 'running' || nowMs >= endMs) break;
  }
  if (options.record) writeRecord('torture', { startMs, figures: { ...total, laps: Math.round(total.laps), violations: 0 } });
  console.log(`torture: ${said(total)}; no promise broken`);
}

/** @param {number} from */
function* seeds(from) {
  for (const { seed } of SEEDS_THAT_FAILED) yield seed;
  for (let seed = from; ; seed++) yield seed;
}

function said({ histories, crashes, syncFailures, rottedBlocks, laps }) {
  return `${histories} histories, ${crashes} crashes, ${syncFailures} sync failures, ${rottedBlocks} rotted blocks, ${Math.round(laps)} laps`;
}

/** @param {number} seed @param {{ message: string, story?: string[], cause?: Error }} error */
function report(seed, error) {
  console.error(`\nseed ${seed}: ${error.message}\n`);
  for (const line of error.story ?? []) console.error(`  ${line}`);
  console.error(`\n${error.cause?.stack ?? error.stack}`);
}

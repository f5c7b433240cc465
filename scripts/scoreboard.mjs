/**
 * Writes what the records say (docs/records) into docs/reliability.md and docs/planted-bugs.md, between two marks; or runs what is
 * recorded, in pieces of bounded time.
 *
 *   node scripts/scoreboard.mjs [--check] [--run [PIECE …]] [--list] [--help]
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './bundle-module.mjs';
import { readRecords } from './records.mjs';
import { plantedPage } from './scoreboard/planted.mjs';
import { scoreboard } from './scoreboard/tables.mjs';

const PIECE_MS_MAX = 12 * 60_000;
const BEGIN = '<!-- begin of what npm run scoreboard writes -->';
const END = '<!-- end of what npm run scoreboard writes -->';
/** What is run, and recorded by itself: each ends within PIECE_MS_MAX on two cores. */
const PIECES = {
  mutants: ['scripts/mutants.mjs', 'all', '--record'],
  soak: ['scripts/soak.mjs', '--minutes', '10', '--record'],
  explore: ['scripts/explore.mjs', '--record'],
  torture: ['scripts/torture.mjs', '--minutes', '8', '--record'],
  fuzz: ['scripts/fuzz.mjs', '--seconds', '480', '--record'],
  kills: ['scripts/kills.mjs', '--record'],
};

const HELP = `npm run scoreboard -- [options]

Writes the figures of docs/records into docs/reliability.md, and each planted bug into docs/planted-bugs.md.

  --check        writes nothing; fails where a page says something else than the records
  --run [PIECE]  first runs what is recorded, all of it or these pieces; each takes 12 minutes at the most
  --list         the pieces, and what each runs
  --help         this`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    check: { type: 'boolean', default: false },
    run: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => PIECES[name] === undefined);
if (unknown.length > 0 || (positionals.length > 0 && !values.run)) {
  console.error(`${unknown.length > 0 ? `no piece ${unknown.join(', ')}` : 'pieces go with --run'}\n\n${HELP}`);
  process.exit(64);
}
if (values.help) console.log(HELP);
else if (values.list) for (const [name, args] of Object.entries(PIECES)) console.log(`${name.padEnd(10)} node ${args.join(' ')}`);
else await main();

async function main() {
  for (const name of values.run ? (positionals.length > 0 ? positionals : Object.keys(PIECES)) : []) {
    console.error(`\n${name}: node ${PIECES[name].join(' ')}`);
    const ended = await runPiece(PIECES[name]);
    if (ended === 0) continue;
    console.error(`${name} ended with ${ended}`);
    process.exitCode = 1;
  }
  const records = readRecords();
  const pages = { 'docs/reliability.md': scoreboard(records), 'docs/planted-bugs.md': plantedPage(records) };
  const stale = Object.entries(pages).filter(([page, text]) => !isWritten(page, text));
  if (!values.check) {
    console.log(
      `${records.length} records, ${stale.length === 0 ? 'nothing new' : `written: ${stale.map(([page]) => page).join(', ')}`}`,
    );
  } else if (stale.length > 0) {
    console.log(`other than the records, so run npm run scoreboard: ${stale.map(([page]) => page).join(', ')}`);
    process.exitCode = 1;
  } else {
    console.log(`${records.length} records, and the pages say what they do`);
  }
}

/** Whether a page has this text between its marks; it has after this, unless it is only to be checked. */
function isWritten(page, text) {
  const file = join(ROOT, page);
  const whole = readFileSync(file, 'utf8');
  const [begin, end] = [whole.indexOf(BEGIN), whole.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${page} has no place for it: ${BEGIN} … ${END}`);
  const next = `${whole.slice(0, begin + BEGIN.length)}\n\n${text.trim()}\n\n${whole.slice(end)}`;
  if (next !== whole && !values.check) writeFileSync(file, next);
  return next === whole;
}

function runPiece(args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
    const timer = setTimeout(() => child.kill('SIGTERM'), PIECE_MS_MAX);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve(code ?? signal);
    });
  });
}

/**
 * Reads what `ringmail demo --json` wrote to stdout and says what is wrong with it. Exits 0 only for one line of JSON, with exactly the
 * keys below, that accounts for every telegram.
 *
 *   node scripts/check-ledger.mjs FILE --outages COUNT [--neighbours]
 *
 * `--neighbours`: of a run with that option, in which something has to have reached the neighbour.
 */
import { readFileSync } from 'node:fs';

const KEYS = [
  'accepted',
  'received',
  'deadLettered',
  'expired',
  'lost',
  'duplicates',
  'redelivered',
  'outOfOrder',
  'outages',
  'seconds',
  'messagesPerSecond',
];
/** Four belts in 15 seconds accept many times this. Fewer means that the demo stood still. */
const ACCEPTED_MIN = 100;
/** One belt of the four in a few seconds. */
const NEIGHBOURS_MIN = 10;

const [path, , outages, option] = process.argv.slice(2);
if (option === '--neighbours') KEYS.push('neighbours');
const problems = findProblems(readFileSync(path, 'utf8'), Number(outages));
for (const problem of problems) console.error(`ledger: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;

/** @param {string} text @param {number} outagesExpected @returns {string[]} */
function findProblems(text, outagesExpected) {
  const lines = text.split('\n').filter((line) => line !== '');
  if (lines.length !== 1) return [`stdout has ${lines.length} lines`];
  let ledger;
  try {
    ledger = JSON.parse(lines[0]);
  } catch (error) {
    return [`not JSON: ${error.message}`];
  }
  console.log(lines[0]);
  const problems = [];
  const check = (holds, problem) => {
    if (!holds) problems.push(problem);
  };
  check(Object.keys(ledger).sort().join() === [...KEYS].sort().join(), `keys are ${Object.keys(ledger).join(', ')}`);
  for (const key of KEYS) check(Number.isFinite(ledger[key]) && ledger[key] >= 0, `${key} is ${ledger[key]}`);
  for (const key of ['lost', 'duplicates', 'outOfOrder']) check(ledger[key] === 0, `${key} is ${ledger[key]}`);
  const accounted = ledger.received + ledger.deadLettered + ledger.expired;
  check(ledger.accepted === accounted, `${ledger.accepted} accepted, ${accounted} accounted for`);
  check(ledger.accepted >= ACCEPTED_MIN, `only ${ledger.accepted} accepted`);
  if (option === '--neighbours') check(ledger.neighbours >= NEIGHBOURS_MIN, `only ${ledger.neighbours} reached the neighbour`);
  check(ledger.outages === outagesExpected, `${ledger.outages} outages instead of ${outagesExpected}`);
  return problems;
}

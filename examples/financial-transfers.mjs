// Money moves between accounts. Each transfer becomes a debit and a credit in one transaction; each of these becomes a line in a ledger
// outside, exactly once. The process that does it is killed with kill -9 again and again, and in the end the books balance.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { openNode } from 'ringmail';

const FOLDER = '.ringmail/financial-transfers';
const LEDGER = `${FOLDER}/ledger.txt`;
const ACCOUNTS = ['anna', 'ben', 'carla', 'dora'];
const TRANSFER_COUNT = 60;
/** Lines that a worker writes before it is killed. */
const KILLS = [20, 35, 1, 40];

const openBank = () => openNode({ name: 'bank', ring: `${FOLDER}/bank.ring` });

if (process.argv[2] === 'worker') await work();
else await main();

async function main() {
  rmSync(FOLDER, { recursive: true, force: true });
  const bank = await openBank();
  for (let i = 0; i < TRANSFER_COUNT; i += 1) {
    const [from, to] = [ACCOUNTS[i % 4], ACCOUNTS[(i * 7 + 1) % 4]];
    await bank.send('transfers', { from, to, cents: 100 + i }, { label: `transfer ${i}` });
  }
  await bank.send('transfers', { from: 'anna', to: 'zoe', cents: 5 });
  await bank.close();

  for (const lines of KILLS) await runWorker(lines);
  await runWorker(Number.POSITIVE_INFINITY);

  const ledger = readLedger();
  const balance = ledger.reduce((sum, { cents }) => sum + cents, 0);
  const after = await openBank();
  const letter = await after.receive('$dead');
  const left = (await after.queues()).filter(({ name, ready }) => !name.startsWith('$') && ready > 0);
  await after.close();
  console.log(`${KILLS.length} kills, ${ledger.length} lines in the ledger, balance ${balance}`);
  console.log(`not booked: ${letter.message.history[0].reason}`);
  assert.equal(balance, 0);
  assert.equal(ledger.length, 2 * TRANSFER_COUNT);
  assert.equal(new Set(ledger.map(({ identity }) => identity)).size, ledger.length);
  assert.deepEqual(left, []);
}

/** Runs the worker until it has written so many lines, then kills it, in the middle of whatever it does. */
async function runWorker(lineCount) {
  const worker = spawn(process.execPath, [process.argv[1], 'worker'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  worker.stdout.on('data', (chunk) => {
    told += chunk;
    if (told.split('\n').length > lineCount) worker.kill('SIGKILL');
  });
  const code = await new Promise((resolve) => worker.on('exit', (exitCode, signal) => resolve(signal ?? exitCode)));
  const again = told.split('\n').filter((line) => line.startsWith('again')).length;
  console.log(`a worker ended (${code}); it found ${again} in the ledger that came again`);
  assert.equal(code, lineCount === Number.POSITIVE_INFINITY ? 0 : 'SIGKILL');
}

async function work() {
  const bank = await openBank();
  const written = new Set(readLedger().map(({ identity }) => identity));
  const ledger = openLedger();
  let isBusy = true;
  while (isBusy) isBusy = (await book(bank)) | (await post(bank, 'debits')) | (await post(bank, 'credits'));
  await bank.close();

  /** Inside ringmail: what the transaction receives and sends is one write. A crash leaves all of it, or nothing. */
  async function book(node) {
    const { value } = await node.transaction(async (tx) => {
      const transfer = await tx.receive('transfers');
      if (transfer === undefined) return false;
      const { from, to, cents } = Object.fromEntries(transfer.value());
      if (ACCOUNTS.includes(to)) {
        tx.send('debits', { account: from, cents: -cents });
        tx.send('credits', { account: to, cents });
      } else tx.deadLetter(transfer, `nobody has an account ${to}`);
      return true;
    });
    return value;
  }

  /** Outside: a crash between the line and the ack brings the message again. Its identity says whether the line is there. */
  async function post(node, queue) {
    const entry = await node.receive(queue);
    if (entry === undefined) return false;
    const { account, cents } = Object.fromEntries(entry.value());
    const isRepeat = written.has(entry.identity);
    if (!isRepeat) {
      writeSync(ledger, `${entry.identity} ${account} ${cents}\n`);
      fdatasyncSync(ledger);
    }
    console.log(isRepeat ? 'again' : 'written'); // the kill comes here
    await entry.ack();
    return true;
  }
}

/** Whole lines; one that a crash tore is not there. */
function readLedger() {
  const text = existsSync(LEDGER) ? readFileSync(LEDGER, 'utf8') : '';
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => line.split(' ')).map(([identity, account, cents]) => ({ identity, account, cents: Number(cents) }));
}

function openLedger() {
  if (existsSync(LEDGER)) {
    const file = openSync(LEDGER, 'r+');
    ftruncateSync(file, readFileSync(LEDGER).lastIndexOf(10) + 1);
    closeSync(file);
  }
  return openSync(LEDGER, 'a');
}

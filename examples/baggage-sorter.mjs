// A sorter on a serial port, a hall that reads its scans, and a command back. Two nodes: `sorter-1` beside the belt, `hall` where the
// programs run. The belt is simulated, the port, the nodes and the link between them are real. A rush bag overtakes, a scan that is too old
// becomes a dead letter, and the rush bag is redirected.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connectNode } from 'ringmail';
import { BeltController, BeltDrive, openPty } from 'ringmail/sim';

const FOLDER = '.ringmail/baggage-sorter';
const RINGMAIL = fileURLToPath(new URL('cli.js', import.meta.resolve('ringmail')));

const telegram = (plate, more = []) =>
  new TextEncoder().encode(['BSM', '.V/1LZRH', '.F/SR101/18APR/JFK', `.N/${plate}001`, ...more, 'ENDBSM'].join('\r\n'));
const plateOf = (scan) => /\.N\/(\d{10})/.exec(new TextDecoder().decode(scan.value()))[1];

const HALL = `
name = "hall"
[log]
level = "warn"
[[links]]
listen = "unix:link.sock"
# A scan that nobody read within four seconds is about a bag that has gone by.
[queues.scans]
limit = "1 MiB"
timeToBeReceivedMs = 4000
`;
const sorterConfig = (port) => `
name = "sorter-1"
[log]
level = "warn"
[uplink]
kind = "link"
line = "unix:link.sock"
[queues.commands]
limit = "1 MiB"
[[adapters]]
kind = "belt"
name = "belt-1"
port = "serial:${port}"
destination = "hall/scans"
`;

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER, { recursive: true });

// The controller as it stands in halls: tells a telegram again and again until it is answered. The answer means: on the disk.
const port = await openPty();
const toTell = [];
const controller = new BeltController({ next: () => toTell.shift(), gapMs: 20 });
const belt = new BeltDrive(controller);
belt.attach(port);

const nodes = [await start('hall', HALL), await start('sorter-1', sorterConfig(port.path))];
const hall = await connectNode({ socketPath: `${FOLDER}/hall.sock` });
const sorter = await connectNode({ socketPath: `${FOLDER}/sorter-1.sock` });

// 1. Nobody reads: the scan waits in the hall, and its time runs out.
await tell(telegram('0085000001'));
const letter = await hall.receive('$dead', { waitMs: 10_000 });
console.log(`${plateOf(letter)} was read by nobody: ${letter.message.history[0].class}`);
assert.equal(plateOf(letter), '0085000001');
await letter.ack();

// 2. Four bags, the last one in a hurry: it is the first to be read.
await tell(telegram('0085000002'), telegram('0085000003'), telegram('0085000004'), telegram('0085000005', ['.E/RUSH']));
const read = [];
for await (const scan of hall.messages('scans')) {
  read.push(plateOf(scan));
  await scan.ack();
  if (read.length === 4) break;
}
console.log(`told 2, 3, 4 and 5 in a hurry; read ${read.map((plate) => Number(plate.slice(-1))).join(', ')}`);
assert.deepEqual(read, ['0085000005', '0085000002', '0085000003', '0085000004']);

// 3. A command down to the sorter's node. It is worth something as long as the bag is on the belt; the hall hears what became of it.
const chutes = new Map();
const commands = sorter.consume('commands', (command) => {
  const { plate, chute } = Object.fromEntries(command.value());
  chutes.set(plate, chute);
});
const { class: end } = await hall.deliver('sorter-1/commands', { plate: read[0], chute: 7 }, { priority: 7, waitMs: 10_000 });
console.log(`${read[0]} goes to chute ${chutes.get(read[0])}: ${end}`);
assert.deepEqual([end, chutes.get(read[0])], ['ACK_RECEIVE', 7]);
assert.equal(controller.accepted.length, 5);

await commands.stop();
await Promise.all([hall.close(), sorter.close()]);
for (const node of nodes) node.kill('SIGTERM');
belt.close();
await port.close();

/** Resolves when the hall has them all: each answered to the belt, and over the link. */
async function tell(...telegrams) {
  const { arrived } = await scans();
  toTell.push(...telegrams);
  while ((await scans()).arrived < arrived + telegrams.length) await rest(10);
}

async function scans() {
  return (await hall.queues()).find(({ name }) => name === 'scans');
}

/** A node is there once it says so, and does not outlive this process. */
function start(name, config) {
  writeFileSync(`${FOLDER}/${name}.toml`, config);
  const args = [RINGMAIL, 'node', '--config', `${FOLDER}/${name}.toml`];
  const node = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => node.kill());
  return new Promise((resolve, reject) => {
    node.stdout.once('data', () => resolve(node));
    node.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)));
  });
}

import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { EmbeddedNode, formatStorage, fromUtf8, toUtf8 } from 'ringmail/embedded';

// A storage is two calls over bytes that survive a power cut: flash, an EEPROM, or here a file that is written through.
const SIZE = 256 * 1024;
const isNew = !existsSync('embedded.ring');
if (isNew) {
  const fd = openSync('embedded.ring', 'wx');
  writeSync(fd, new Uint8Array(SIZE));
  closeSync(fd);
}
const file = openSync('embedded.ring', 'rs+');
const storage = {
  size: SIZE,
  read: (offset, into) => void readSync(file, into, 0, into.length, offset),
  writeDurable: (offset, bytes) => void writeSync(file, bytes, 0, bytes.length, offset),
};
const random = { bytes: (count) => randomFillSync(new Uint8Array(count)) };
if (isNew) formatStorage(storage, random.bytes(16));

const config = { name: 'scale-3', queues: [{ name: 'weights', bytesLimit: 60_000 }] };
const node = new EmbeddedNode(config, { storage, random, durability: 'sync' });

// The host's loop: pass the time, look at what happened, come again at `node.wakeAtMs`. Here nothing is ever waited for.
const answers = new Map();
const run = () => {
  for (const event of node.run(performance.now())) {
    if (event.kind === 'answer') answers.set(event.token, event.result);
    if (event.kind === 'stopped') throw event.error;
  }
};
const call = (asked) => {
  const token = node.ask(asked);
  run();
  return answers.get(token);
};

const sent = call({ verb: 'send', destination: 'weights', body: toUtf8('17.4 kg'), properties: { priority: 5 } });
console.log('stored', sent.identity);
const { received } = call({ verb: 'receive', queue: 'weights', waitMs: 0, leaseMs: 10_000 });
console.log('received', fromUtf8(received.message.body), 'for the', received.deliveryCount, 'time');
call({ verb: 'ack', lease: received.lease });
node.close();
run();
console.log(node.phase);

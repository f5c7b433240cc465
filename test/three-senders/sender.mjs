/**
 * Sends 1, 2, 3 … as the producer `typescript`: node sender.mjs <socket> <stop file>. Begins with the first number that the node does
 * not have yet, and says the last one when it stops.
 */
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiClient, hasCode } from 'ringmail';

const [socketPath = '', stopFile = ''] = process.argv.slice(2);
const client = new ApiClient({ socketPath });
const producer = 'typescript';

/** Repeats until there is an answer: a number makes that safe. */
async function send(number) {
  for (;;) {
    try {
      return await client.send('bags', Buffer.from(`${producer} ${number}`), { by: { producer, number } });
    } catch (error) {
      if (!['IN_DOUBT', 'NODE_UNREACHABLE', 'NODE_STOPPED', 'BUSY'].includes(error.code)) throw error;
      await pause(20);
    }
  }
}

let number = await send(Number.MAX_SAFE_INTEGER).then(
  () => Promise.reject(new Error('a number out of its turn was taken')),
  (error) => (hasCode(error, 'PRODUCER_NUMBER_INVALID') ? error.details.expected : Promise.reject(error)),
);
for (; !existsSync(stopFile); number++) {
  await send(number);
  await pause(4);
}
console.log(`last ${number - 1}`);
client.close();

/** Writes down what it gets, then acknowledges it: node receiver.mjs <socket> <stop file> <effects file>. Stops when nothing is left. */
import { existsSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ApiClient, identityText } from 'ringmail';

const [socketPath = '', stopFile = '', effectsFile = ''] = process.argv.slice(2);
const client = new ApiClient({ socketPath });
const effects = openSync(effectsFile, 'a');

for (;;) {
  try {
    const isLast = existsSync(stopFile);
    const received = await client.receive('bags', { waitMs: 200, leaseMs: 5_000 });
    if (received === undefined) {
      if (isLast) break;
      continue;
    }
    const { identity, body } = received.message;
    writeSync(effects, `${identityText(identity)} ${Buffer.from(body)}\n`);
    await client.ack(received.lease);
  } catch (error) {
    if (!['IN_DOUBT', 'NODE_UNREACHABLE', 'NODE_STOPPED', 'BUSY', 'LEASE_UNKNOWN'].includes(error.code)) throw error;
    if (error.code === 'LEASE_UNKNOWN') console.log('late');
    await pause(20);
  }
}
client.close();

/** One real node, killed in a loop while programs send and receive: what was acknowledged is there, and no more than once. */
import { afterEach, expect, test } from 'vitest';
import { stream } from '../hardware-sim/random.ts';
import { RingmailError } from '../shared/errors.ts';
import { identityText } from '../shared/message/identity.ts';
import { ApiClient } from '../shared/node/api/client.ts';
import { type Child, startCli, temporaryFolder } from './child.ts';

const KILLS = 20;
const SENDERS = 4;
let node: Child | undefined;

afterEach(async () => {
  await node?.kill('SIGKILL');
});

async function startNode(folder: string): Promise<Child> {
  const started = startCli(['node', '--dev'], folder);
  await started.said(/pid \d+/);
  return started;
}

test(`${KILLS} kills of a node: nothing accepted is lost, nothing is there twice`, { timeout: 120_000 }, async () => {
  const folder = temporaryFolder('killed');
  const random = stream('node-killed', 'kills');
  const client = new ApiClient({ socketPath: `${folder.path}/.ringmail/ringmail.sock` });
  const accepted = new Set<string>();
  const received = new Map<string, number>();
  /** Acknowledged by us while the node died: it may have heard, then the message is gone, or not, then it comes again. */
  const inDoubt = new Set<string>();
  let isOver = false;

  const send = async (sender: number): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const body = new TextEncoder().encode(JSON.stringify({ sender, i }));
      await client.send('bags', body, { priority: i % 8 }).then(
        (identity) => accepted.add(identity),
        (error: unknown) => pauseAfter(error, 20),
      );
    }
  };
  const receive = async (until: () => boolean): Promise<void> => {
    while (!until()) {
      try {
        const got = await client.receive('bags', { waitMs: 200, leaseMs: 60_000 });
        if (got === undefined) continue;
        const identity = identityText(got.message.identity);
        inDoubt.add(identity);
        await client.ack(got.lease);
        inDoubt.delete(identity);
        received.set(identity, (received.get(identity) ?? 0) + 1);
      } catch (error) {
        await pauseAfter(error, 20);
      }
    }
  };

  node = await startNode(folder.path);
  const working = [receive(() => isOver), ...Array.from({ length: SENDERS }, (_, sender) => send(sender))];
  for (let kill = 0; kill < KILLS; kill++) {
    await pause(100 + random.int(500));
    await node.kill('SIGKILL');
    node = await startNode(folder.path);
  }
  isOver = true;
  await Promise.all(working);
  await receive(() => [...accepted].every((identity) => received.has(identity) || inDoubt.has(identity)));
  await drain(client, received);
  expect(await node.kill('SIGTERM')).toBe(0);
  expect([...accepted].filter((identity) => !received.has(identity) && !inDoubt.has(identity))).toEqual([]);
  expect(accepted.size).toBeGreaterThan(500);
  // An acknowledged receive is final: the same identity is never acknowledged twice.
  expect([...received].filter(([, count]) => count > 1)).toEqual([]);
  folder.remove();
});

/** What nobody waits for any more: sent without an answer, or acknowledged in doubt and not heard. */
async function drain(client: ApiClient, received: Map<string, number>): Promise<void> {
  for (let got = await client.receive('bags'); got !== undefined; got = await client.receive('bags')) {
    await client.ack(got.lease);
    const identity = identityText(got.message.identity);
    received.set(identity, (received.get(identity) ?? 0) + 1);
  }
}

async function pauseAfter(error: unknown, ms: number): Promise<void> {
  if (!(error instanceof RingmailError)) throw error;
  await pause(ms);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

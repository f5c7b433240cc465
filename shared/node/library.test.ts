/** ringmail inside an application, over a real file: queues with their policies, timers, and how durable an answer was. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasCode } from '../errors.ts';
import { type LocalNode, type OpenOptions, openNode } from './library.ts';

const RING_BYTES = 388 * 4096;

let folder: string;
let node: LocalNode | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ringmail-library-'));
});
afterEach(async () => {
  await node?.close();
  node = undefined;
  rmSync(folder, { recursive: true });
});

async function open(options: Partial<OpenOptions> = {}): Promise<LocalNode> {
  const ring = join(folder, 'box.ring');
  node = await openNode({ name: 'box', ring, ringBytes: RING_BYTES, allowVolatile: true, ...options });
  return node;
}

const body = (name: number) => new Uint8Array(1_000).fill(name);

async function drain(from: LocalNode, queue: string): Promise<number[]> {
  const got: number[] = [];
  for (let next = await from.receive(queue); next !== undefined; next = await from.receive(queue)) {
    got.push(next.message.body[0] ?? -1);
    await next.ack();
  }
  return got;
}

test('policies hold, and are remembered', async () => {
  const queues = {
    latest: { bytesLimit: 3_500, whenFull: 'drop-oldest' as const },
    patient: { bytesLimit: 3_500, whenFull: 'block' as const },
  };
  const first = await open({ queues, blockMs: 100 });
  for (let i = 0; i < 10; i++) await first.send('latest', body(i));
  for (let i = 0; i < 3; i++) await first.send('patient', body(i));
  const refused = first.send('patient', body(9));
  await expect(refused).rejects.toSatisfy((error) => hasCode(error, 'QUEUE_FULL') && error.details.queue === 'patient');
  const waits = first.send('patient', body(3), { waitMs: 10_000 });
  expect((await first.receive('patient'))?.message.body[0]).toBe(0);
  const lease = await first.receive('patient');
  await lease?.ack();
  expect(await waits).toContain('box/patient');
  await first.close();
  const second = await open({ queues, blockMs: 100 });
  expect(await drain(second, 'latest')).toEqual([7, 8, 9]);
  expect(await drain(second, 'patient')).toEqual([0, 2, 3]);
  expect(second.stats()?.queues.find(({ name }) => name === 'latest')).toMatchObject({ whenFull: 'drop-oldest', dropped: 7 });
});

test('an answer says how durable it is', async () => {
  const first = await open({ intervalMs: 200 });
  const sent = await first.sendDetailed('bags', body(1));
  const inMemory = first.stats()?.ring.durability === 'volatile';
  expect(sent.durability).toBe(inMemory ? 'volatile' : 'interval');
  expect(await first.receive('bags')).toBeUndefined();
  expect((await first.receive('bags', { waitMs: 2_000 }))?.deliveryCount).toBe(1);
  await first.close();
  const second = await open();
  expect((await second.sendDetailed('bags', body(2))).durability).toBe(inMemory ? 'volatile' : 'sync');
  expect((await second.receive('bags'))?.deliveryCount).toBe(2);
});

test('timers: a message comes neither before its time nor after it', async () => {
  const only = await open();
  await only.send('bags', body(1), { deliverAfterMs: 150 });
  await only.send('bags', body(2), { timeToBeReceivedMs: 20 });
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(await only.receive('bags')).toBeUndefined();
  expect((await only.receive('bags', { waitMs: 5_000 }))?.message.body[0]).toBe(1);
  expect(only.stats()?.queues.find(({ name }) => name === 'bags')).toMatchObject({ expired: 1, leased: 1 });
});

test('triggers that a node is opened with run from the opening on, and see what is taken as it arrives', async () => {
  const seen: (number | undefined)[] = [];
  const triggers = [
    { name: 'copies', queue: 'bags', do: { send: 'copies' } },
    { name: 'handler', queue: 'bags', do: ({ message }: { message: { body: Uint8Array } }) => void seen.push(message.body[0]) },
  ];
  const first = await open({ triggers });
  const taking = first.receive('bags', { waitMs: 5_000 });
  await first.send('bags', body(1));
  await (await taking)?.ack();
  expect((await first.receive('copies', { waitMs: 5_000 }))?.message.body[0]).toBe(1);
  await first.close();
  expect(seen).toEqual([1]);
  await expect(open({ triggers: [{ ...triggers[0], name: 'No Name' } as never] })).rejects.toSatisfy((error) =>
    hasCode(error, 'NAME_INVALID'),
  );
  await (await open({ triggers })).close();
  expect(seen).toEqual([1]);
});

/** Telemetry never makes an alarm fail: what is reserved for a queue is there for it, whatever else fills the ring. */
import { describe, expect, test } from 'vitest';
import { QueueBox } from '../../hardware-sim/queue-box.ts';
import { stream } from '../../hardware-sim/random.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SIM_RING_BYTES, SimNode } from '../../hardware-sim/sim-node.ts';
import { hasCode } from '../errors.ts';
import type { NodeConfig } from './node-io.ts';

const RESERVE = 60_000;
const QUEUES: NodeConfig['queues'] = [
  { name: 'alarms', bytesLimit: 200_000, bytesReserved: RESERVE },
  { name: 'telemetry', bytesLimit: SIM_RING_BYTES },
];

async function boxWith(name: string, config: Partial<NodeConfig> = {}): Promise<QueueBox> {
  const box = new QueueBox(name, { queues: QUEUES, uplink: 'link', ...config });
  await box.start();
  return box;
}

async function fill(box: QueueBox, destination: string, bytes = 1_000): Promise<number> {
  for (let count = 0; ; count++) if ((await box.send(destination, 'x'.repeat(bytes))) !== 'sent') return count;
}

/** Alarms of 200 bytes take about 370 of the ring each. */
const ALARM = 'alarm '.padEnd(200, '!');

async function alarm(box: QueueBox): Promise<number> {
  for (let count = 0; ; count++) if ((await box.send('alarms', ALARM)) !== 'sent') return count;
}

describe('a ring that is full of what has no reserve', () => {
  test.each<[string, string]>([
    ['telemetry here', 'telemetry'],
    ['what goes elsewhere', 'central/telemetry'],
  ])('%s: takes alarms to the last byte of their reserve, and after a restart what is left of it', async (_name, destination) => {
    const box = await boxWith(destination);
    expect(await fill(box, destination)).toBeGreaterThan(200);
    await fill(box, destination, 1);
    for (let i = 0; i < 60; i++) expect(await box.send('alarms', ALARM), `alarm ${i}`).toBe('sent');
    await box.restart('power cut');
    expect(await box.send(destination, 'x')).toBe('QUEUE_FULL');
    const more = await alarm(box);
    expect(more + 60).toBeGreaterThan(RESERVE / 400);
    await box.restart('closed');
    expect(await box.drain('alarms')).toHaveLength(60 + more);
  });

  test('the refusal names what is kept from it', async () => {
    const box = await boxWith('numbers');
    await fill(box, 'telemetry');
    const result = await box.ask(box.sending('telemetry', 'x'.repeat(1_000)));
    expect(result?.kind === 'error' && hasCode(result.error, 'QUEUE_FULL') && result.error.details.bytesLimit).toBeLessThan(
      box.stats.ring.bytesMax - RESERVE,
    );
    expect(box.queue('alarms')).toMatchObject({ bytesReserved: RESERVE, bytes: 0 });
    expect(box.stats.health.causes.map(({ code }) => code)).toEqual(['RING_FULL']);
  });

  test('what the alarms used comes back to them, not to the others', async () => {
    const box = await boxWith('back');
    await fill(box, 'telemetry');
    const first = await alarm(box);
    expect(await box.drain('alarms')).toHaveLength(first);
    expect(await box.send('telemetry', 'x'.repeat(1_000))).toBe('QUEUE_FULL');
    expect(await alarm(box)).toBeGreaterThanOrEqual(first - 1);
  });

  test('a queue that drops leaves the reserve of another alone', async () => {
    const queues = [QUEUES[0], { name: 'telemetry', bytesLimit: SIM_RING_BYTES, whenFull: 'drop-oldest' as const }];
    const box = await boxWith('drops', { queues: queues.filter((queue) => queue !== undefined) });
    for (let i = 0; i < 700; i++) expect(await box.send('telemetry', `t${i} `.padEnd(1_000, '.'))).toBe('sent');
    expect(box.queue('telemetry').dropped).toBeGreaterThan(100);
    expect(await alarm(box)).toBeGreaterThan(RESERVE / 400);
  });
});

test('alarms of other nodes arrive when telemetry of theirs has no room any more', async () => {
  const box = await boxWith('remote', { uplink: 'none' });
  const random = stream('remote', 'device');
  const config: NodeConfig = {
    ...{ name: 'device', queues: [], unknownQueue: 'refuse', queueBytesLimit: 50_000, uplink: 'link', central: 'central' },
    ...{ isCentral: 'no', partitionCount: 1, commitDelayMs: 0, home: undefined },
  };
  const device = new SimNode({ world: box.world, config, random, syncMsMax: 5 });
  device.start();
  await box.pass(1_000);
  const line = { dials: device, accepts: box.node };
  new SimLink({ world: box.world, random: stream('remote', 'line'), ...line });
  await fill(box, 'telemetry');
  const send = (queue: string) =>
    device.call({ verb: 'send', destination: `box/${queue}`, body: new Uint8Array(900), properties: {} }, () => {});
  for (let i = 0; i < 20; i++) for (const queue of ['telemetry', 'alarms']) send(queue);
  await box.pass(120_000);
  expect(box.queue('alarms').ready).toBe(20);
  expect(
    device
      .stats()
      ?.outgoing.map(({ held }) => held)
      .sort(),
  ).toEqual([0, 20]);
});

describe('a configuration that cannot be kept', () => {
  test('does not start, says both numbers, and leaves what was configured before', async () => {
    const box = await boxWith('too much');
    await box.stop('closed');
    const queues = [{ name: 'alarms', bytesLimit: SIM_RING_BYTES, bytesReserved: 600_000 }];
    await expect(box.restart('closed', { queues })).rejects.toThrow('serves');
    const [stop] = box.node.stops;
    expect(hasCode(stop, 'RESERVE_TOO_LARGE') && stop.details.bytes).toBe(600_000);
    expect(hasCode(stop, 'RESERVE_TOO_LARGE') && stop.details.bytesMax).toBeLessThan(600_000);
    box.node.powerCut();
    await box.restart('power cut', { queues: QUEUES });
    expect(box.queue('alarms').bytesReserved).toBe(RESERVE);
  });
});

test('a command without a node keeps the reserve; a configuration that does not name the queue gives it up', async () => {
  const box = await boxWith('kept');
  await box.send('alarms', 'a');
  const kept = { name: '', queues: [], unknownQueue: 'kept', queueBytesLimit: 'kept', uplink: 'kept' } as const;
  await box.restart('closed', kept);
  expect(box.queue('alarms').bytesReserved).toBe(RESERVE);
  await box.restart('closed', { name: 'box', unknownQueue: 'refuse', queueBytesLimit: 50_000, uplink: 'none' });
  expect(box.queue('alarms')).toMatchObject({ bytesReserved: 0, bytesLimit: 200_000, ready: 1 });
});

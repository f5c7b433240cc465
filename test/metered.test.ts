/** Uplinks that are paid by the byte: what goes over the connection is counted there, by a witness of its own. Whole nodes, in virtual time. */
import { describe, expect, test } from 'vitest';
import { WaysWorld } from '../hardware-sim/ways-world.ts';
import type { ByteCap } from '../shared/custody/meter.ts';

const CAP: ByteCap = { bytesPerSecond: 2_000, burstBytes: 4_000 };
const ALARM = { priority: 6 };

let world: WaysWorld;
/** Bytes that the device put on its connection. */
let sentBytes = 0;
/** What was counted before the witness came: the handshake. */
let unseenBytes = 0;

async function site(carrier: 'link' | 'mqtt', cap: ByteCap = CAP): Promise<void> {
  world = new WaysWorld(`metered ${carrier}`);
  const via = carrier === 'link' ? carrier : { broker: 'hub', central: 'central' };
  world.box('central', { queues: ['bags', 'alarms'], centralAt: ['hub'] });
  world.box('device', { queues: ['commands'], uplinks: [{ via, cap }], central: 'central' });
  if (carrier === 'link') world.lay('device', 'central');
  await world.start();
  sentBytes = 0;
  if (carrier === 'link') {
    world.link('device').pair?.tap('aToB', (bytes) => {
      sentBytes += bytes.length;
    });
  } else await listen();
  unseenBytes = metered()?.sentBytes ?? 0;
}

/** Everything of the device that passes the broker, with the 9 bytes that MQTT takes for a publish at the most. */
async function listen(): Promise<void> {
  const ear = world.broker('hub').connect('ear');
  ear.listen({
    onUp: () => ear.subscribe(['ringmail/queue/#', 'ringmail/sync/device', 'ringmail/receipt/central']),
    onDown: () => {},
    onMessage: (topic, payload) => {
      sentBytes += topic.length + payload.length + 9;
    },
  });
  await world.pass(2_000);
  sentBytes = 0;
}

async function send(count: number, bodyBytes: number, properties = {}, queue = 'bags'): Promise<void> {
  for (let i = 0; i < count; i++)
    expect(await world.send('device', `central/${queue}`, `${i}`.padEnd(bodyBytes, '.'), properties)).toMatchObject({
      kind: 'sent',
    });
}

const ready = (queue: string): number => {
  const stats = world.get('central').stats();
  return stats?.queues.find(({ name }) => name === queue)?.ready ?? 0;
};
const metered = () => world.uplink('device')?.metered;
const bytesDuring = async (ms: number): Promise<number> => {
  const before = sentBytes;
  await world.pass(ms);
  return sentBytes - before;
};

describe.each(['link', 'mqtt'] as const)('over %s', (carrier) => {
  test('a backlog takes what the cap says, within 5 % of a minute', async () => {
    await site(carrier);
    await send(300, 500);
    await world.pass(5_000);
    const bytes = await bytesDuring(60_000);
    expect(world.held('device')).toBeGreaterThan(10);
    expect(bytes).toBeGreaterThan(0.95 * 60 * CAP.bytesPerSecond);
    expect(bytes).toBeLessThan(1.05 * 60 * CAP.bytesPerSecond);
    await world.until(() => world.held('device') === 0);
    expect(ready('bags')).toBe(300);
  });

  test('what went at once is a burst, and a publish or packet more', async () => {
    await site(carrier);
    const atMs = world.world.nowMs;
    await send(60, 500);
    const allowed = 2 * CAP.burstBytes + ((world.world.nowMs - atMs) / 1000) * CAP.bytesPerSecond;
    expect(sentBytes).toBeGreaterThan(CAP.burstBytes / 2);
    expect(sentBytes).toBeLessThan(allowed);
  });

  test('an alarm passes a backlog and a debt at once, and counts; what is more urgent than a backlog goes as soon as anything may', async () => {
    await site(carrier);
    await send(150, 500);
    await world.until(() => (metered()?.waitMs ?? 0) > 0);
    const debtMs = metered()?.waitMs ?? 0;
    await send(5, 3_000, ALARM, 'alarms');
    await world.pass(1_500);
    expect(ready('alarms')).toBe(5);
    expect(metered()?.waitMs).toBeGreaterThan(debtMs + 4_000);
    await send(1, 50, { priority: 4 }, 'alarms');
    await world.until(() => ready('alarms') === 6, 15_000);
    expect(ready('alarms')).toBe(6);
    expect(world.held('device')).toBeGreaterThan(80);
  });

  test('what is larger than the burst goes, and what follows waits for the debt', async () => {
    await site(carrier, { bytesPerSecond: 2_000, burstBytes: 500 });
    await send(1, 20_000);
    await send(1, 10, { priority: 2 });
    await world.pass(8_000);
    expect(world.held('device')).toBeGreaterThan(0);
    await world.pass(6_000);
    expect(ready('bags')).toBe(2);
  });

  test('what comes down is taken and acknowledged, whatever the debt', async () => {
    await site(carrier, { bytesPerSecond: 20, burstBytes: 2_000 });
    await send(2, 4_000);
    await world.pass(3_000);
    expect(metered()?.waitMs).toBeGreaterThan(60_000);
    for (const text of ['stop', 'go']) await world.send('central', 'device/commands', text);
    await world.pass(3_000);
    expect(world.held('central')).toBe(0);
    expect(await world.texts('device', 'commands')).toEqual(['stop', 'go']);
    expect(metered()?.sentBytes).toBe(unseenBytes + sentBytes); // receipts cost as well
  });

  test('slow is not stuck: health is green, and stats say what was sent and how long the rest waits', async () => {
    await site(carrier, { bytesPerSecond: 10, burstBytes: 2_000 });
    await send(3, 3_000);
    await world.pass(10_000);
    expect(metered()?.sentBytes).toBe(unseenBytes + sentBytes);
    expect(metered()?.waitMs).toBeGreaterThan(80_000);
    await world.pass(70_000);
    expect(metered()).toMatchObject({ bytesPerSecond: 10, burstBytes: 2_000 });
    expect(world.held('device')).toBe(2);
    expect(world.get('device').stats()?.health).toEqual({ status: 'green', causes: [] });
    await world.pass(400_000);
    expect(ready('bags')).toBe(3);
    expect(world.stops()).toEqual([]);
  });
});

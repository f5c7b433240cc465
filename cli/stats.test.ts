import { afterEach, beforeEach, expect, test } from 'vitest';
import { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(() => cli.end());

test('shows a node to people', async () => {
  for (const queue of ['bags', 'bags', 'telemetry-of-belts']) {
    await cli.node.call({ verb: 'send', destination: queue, body: new Uint8Array(1000), properties: {} });
  }
  await cli.node.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1000 });
  expect(await cli.run(['stats'])).toEqual({
    code: 0,
    err: '',
    out: [
      'node     belt1, incarnation 00c0ffee00c0ffee, epoch 1',
      'health   green',
      'ring     4 KiB of 8 MiB (0 %), 2000 blocks free, 3 frames written',
      'disk     sync, inline',
      'uplink   none',
      '',
      'queue               ready  leased  delayed    size  limit  reserve  when full  dropped  expired',
      'bags                    1       1        0  1000 B  1 MiB      0 B     reject        0        0',
      'telemetry-of-belts      1       0        0  1000 B  1 MiB      0 B     reject        0        0',
      '',
      'outgoing                               held  first  next',
      'belt1:00c0ffee00c0ffee:central/bags:3     2      1     3',
      '',
      'counter      value',
      'redelivered      0',
      '',
    ].join('\n'),
  });
});

test('shows why a node is red', async () => {
  cli.node.health = { status: 'red', causes: [{ code: 'RING_FULL', detail: '96 of 100 bytes' }] };
  const { code, out } = await cli.run(['stats']);
  expect(code).toBe(0);
  expect(out).toContain('health   red\n         RING_FULL: 96 of 100 bytes\n');
});

test('shows what each adapter has counted', async () => {
  cli.node.adapters = { 'belt-1': { telegrams: 12, discardedChecksum: 1 }, 'belt-2': { telegrams: 0 } };
  const { out } = await cli.run(['stats']);
  expect(out).toContain('\nadapter belt-1     value\ntelegrams             12\ndiscardedChecksum      1\n');
  expect(out).toContain('\nadapter belt-2  value\ntelegrams           0\n');
});

test('shows what an MQTT ingress took and refused', async () => {
  cli.node.ingress = { clients: 2, accepted: 12, refusedFull: 1 };
  expect((await cli.run(['stats'])).out).toContain(
    '\ningress      value\nclients          2\naccepted        12\nrefusedFull      1\n',
  );
});

test('shows several uplinks one by one: which is in use, and for how long each has stood or has not', async () => {
  cli.node.uplinks = [
    { name: 'up', kind: 'link', state: 'idle', node: 'gateway-1', use: 'spare', sinceMs: 61_900 },
    { name: 'b', kind: 'mqtt', state: 'ready', node: 'central', use: 'in-use', sinceMs: 3_000 },
    { name: 'c', kind: 'link', state: 'idle', node: '', use: 'spare', sinceMs: 0 },
  ];
  expect((await cli.run(['stats'])).out).toContain(
    '\nuplink   up: link to gateway-1, idle for 61 s\nuplink   b: mqtt to central, ready for 3 s, in use\nuplink   c: link, idle for 0 s\n',
  );
});

test('shows what a metered uplink has sent, and how long the rest waits', async () => {
  const metered = { bytesPerSecond: 2_000, burstBytes: 8_192, sentBytes: 61_000, waitMs: 1_200 };
  cli.node.uplinks = [{ name: 'up', kind: 'mqtt', state: 'ready', node: 'central', use: 'in-use', sinceMs: 3_000, metered }];
  expect((await cli.run(['stats'])).out).toContain(', 2000 bytes/s at the most: 61000 sent, the next in 2 s\n');
});

test('says it when a power cut would empty the ring', async () => {
  cli.node.durability = 'volatile';
  expect((await cli.run(['stats'])).out).toContain('\ndisk     volatile, inline: a power cut empties the ring\n');
  expect(JSON.parse((await cli.run(['stats', '--json'])).out).ring).toMatchObject({ durability: 'volatile', ioMode: 'inline' });
});

test('says how much of what was answered a power cut may take back', async () => {
  cli.node.durability = 'interval';
  const { out } = await cli.run(['stats']);
  expect(out).toContain('\ndisk     interval, inline: a power cut may take back the last 50 ms of what was sent\n');
});

test('--json is all of it on one line', async () => {
  const { out } = await cli.run(['stats', '--json']);
  expect(out.split('\n')).toHaveLength(2);
  expect(JSON.parse(out)).toMatchObject({ node: 'belt1', health: { status: 'green' } });
});

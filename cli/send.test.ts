import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, RingmailError } from '../shared/errors.ts';
import { BODY_BYTES_MAX } from '../shared/node/api/api-limits.ts';
import { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(() => cli.end());

const IDENTITY = 'belt1:00c0ffee00c0ffee:belt1/bags:3:1';
const sent = () => {
  const [call] = cli.node.calls;
  return call?.verb === 'send' ? { ...call, text: Buffer.from(call.body).toString() } : undefined;
};

test('prints the identity of the stored message', async () => {
  expect(await cli.run(['send', 'bags', 'hello'])).toEqual({ code: 0, out: `${IDENTITY}\n`, err: '' });
  expect((await cli.run(['send', 'bags', 'hello', '--json'])).out).toBe(
    `{"identity":"${IDENTITY.slice(0, -1)}2","durable":true,"durability":"sync"}\n`,
  );
});

test.each(['volatile', 'interval'] as const)('says durable: false where it is %s', async (durability) => {
  cli.node.durability = durability;
  const { out } = await cli.run(['send', 'bags', 'hello', '--json']);
  expect(JSON.parse(out)).toEqual({ identity: IDENTITY, durable: false, durability });
});

test('says how long it would wait for room, or leaves that to the node', async () => {
  await cli.run(['send', 'bags', 'x', '--max-wait', '2m']);
  await cli.run(['send', 'bags', 'x']);
  expect(cli.node.calls.map((call) => (call.verb === 'send' ? call.waitMs : call.verb))).toEqual([120_000, undefined]);
});

test('takes every property', async () => {
  const argv =
    'send central/bags x -p 7 --label L --correlation-id c --response-queue belt1/replies --app-specific 9 -H a=b=c -H d= ' +
    '--content-type a/b --time-to-reach-queue 2m --time-to-be-received 1h --deliver-after 5s';
  expect((await cli.run(argv.split(' '))).code).toBe(0);
  expect(sent()).toMatchObject({
    destination: 'central/bags',
    text: 'x',
    properties: {
      priority: 7,
      label: 'L',
      correlationId: 'c',
      responseQueue: 'belt1/replies',
      appSpecific: 9,
      headers: new Map([
        ['a', 'b=c'],
        ['d', ''],
      ]),
      contentType: 'a/b',
      timeToReachQueueMs: 120_000,
      timeToBeReceivedMs: 3_600_000,
      deliverAfterMs: 5_000,
    },
  });
});

test.each<[string, string]>([
  ['{"tag":"0117814872"}', 'application/json'],
  ['0117814872', 'text/plain'],
  ['', 'text/plain'],
])('the type of %j is %s', async (body, contentType) => {
  await cli.run(['send', 'bags', body]);
  expect(sent()).toMatchObject({ text: body, properties: { contentType } });
});

describe('a body from stdin', () => {
  test.each([[['send', 'bags']], [['send', 'bags', '-']]])('is kept byte for byte: %j', async (argv) => {
    const world = cli.newWorld();
    world.input = [Uint8Array.from({ length: 256 }, (_, i) => i), Uint8Array.of(10)];
    expect((await cli.run(argv, world)).code).toBe(0);
    expect(sent()).toMatchObject({
      body: new Uint8Array(Buffer.concat(world.input)),
      properties: { contentType: 'application/octet-stream' },
    });
  });

  test('that does not end is refused, not collected', async () => {
    const world = cli.newWorld();
    let chunks = 0;
    Object.defineProperty(world, 'stdin', {
      value: (async function* () {
        while (true) {
          chunks += 1;
          yield new Uint8Array(65_536);
        }
      })(),
    });
    const { code, err } = await cli.run(['send', 'bags', '-'], world);
    expect([code, err.split('\n')[0]]).toEqual([3, 'ringmail: MESSAGE_TOO_LARGE']);
    expect(chunks).toBeLessThan(BODY_BYTES_MAX / 65_536 + 2);
  });

  test('is not waited for once asked to end, and nothing is sent', async () => {
    const world = cli.newWorld();
    Object.defineProperty(world, 'stdin', { value: { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) } });
    const running = cli.run(['send', 'bags'], world);
    world.stop.abort();
    expect((await running).code).toBe(130);
    expect(cli.node.calls).toEqual([]);
  });
});

describe('exit codes', () => {
  test.each<[string[], number, string]>([
    [['send'], 2, 'USAGE_INVALID'],
    [['send', 'bags', 'x', 'y'], 2, 'USAGE_INVALID'],
    [['send', 'bags', '-5'], 2, 'USAGE_INVALID'],
    [['send', 'bags', 'x', '--prioritiy', '7'], 2, 'USAGE_INVALID'],
    [['send', 'bags', 'x', '--priority', 'high'], 2, 'USAGE_INVALID'],
    [['send', 'bags', 'x', '--header', 'novalue'], 2, 'USAGE_INVALID'],
    [['send', 'bags', 'x', '--time-to-reach-queue', '5'], 2, 'USAGE_INVALID'],
    [['send', 'Bags', 'x'], 3, 'NAME_INVALID'],
    [['send', 'a/b/c', 'x'], 3, 'NAME_INVALID'],
    [['send', 'bags', 'x', '--priority', '8'], 3, 'PROPERTY_INVALID'],
    [['send', 'bags', 'x', '--socket', 'absent.sock'], 4, 'NODE_UNREACHABLE'],
    [['send', 'bags', 'x', '--ring', 'absent.ring'], 4, 'RING_NOT_FOUND'],
  ])('%j ends with %i and %s', async (argv, code, error) => {
    const ran = await cli.run(argv);
    expect([ran.code, ran.out, ran.err.split('\n')[0]]).toEqual([code, '', `ringmail: ${error}`]);
    expect(ran.err.includes('Try: ringmail send --help')).toBe(code === 2);
    expect(cli.node.queues.size).toBe(0);
  });

  test.each<[RingmailError<ErrorCode>, number]>([
    [new RingmailError('QUEUE_FULL', { queue: 'bags', bytesLimit: 1, bytesUsed: 1, bytesNeeded: 1 }), 5],
    [new RingmailError('BUSY', { pending: 1, pendingMax: 1 }), 5],
    [new RingmailError('NODE_STOPPED', { reason: 'closing' }), 5],
    [new RingmailError('IN_DOUBT', { identity: IDENTITY, epoch: 7, reason: 'EIO' }), 6],
    [new RingmailError('ROUTE_NOT_FOUND', { address: 'a/b' }), 3],
  ])('%s ends with %i', async (error, code) => {
    cli.node.refusals.push(error);
    const ran = await cli.run(['send', 'bags', 'x']);
    expect([ran.code, ran.out]).toEqual([code, '']);
    for (const [name, value] of Object.entries(error.details)) expect(ran.err).toContain(`${name}: ${value}`);
  });
});

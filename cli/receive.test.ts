import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../shared/node/api/api-fixture.ts';
import { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(() => cli.end());

async function put(...bodies: (string | Uint8Array)[]): Promise<void> {
  for (const body of bodies) {
    const properties = { contentType: typeof body === 'string' && body.startsWith('{') ? 'application/json' : 'text/plain' };
    await cli.node.call({ verb: 'send', destination: 'bags', body: new Uint8Array(Buffer.from(body)), properties });
  }
}
const held = (): number => (cli.node.queues.get('bags')?.length ?? 0) + cli.node.leases.size;

test('prints one message and acknowledges it', async () => {
  await put('first', 'second');
  expect(await cli.run(['receive', 'bags'])).toEqual({ code: 0, out: 'first\n', err: '' });
  expect(await cli.run(['receive', 'bags'])).toEqual({ code: 0, out: 'second\n', err: '' });
  expect(held()).toBe(0);
});

test('ends with 1 when nothing is there within the wait', async () => {
  cli.node.queues.set('bags', []);
  expect(await cli.run(['receive', 'bags'])).toEqual({ code: 1, out: '', err: '' });
  expect((await cli.run(['receive', 'bags', '--wait', '30ms'])).code).toBe(1);
  expect(cli.node.calls.at(-1)).toEqual({ verb: 'receive', queue: 'bags', waitMs: 30, leaseMs: 30_000 });
});

test('waits for a message that comes later', async () => {
  cli.node.queues.set('bags', []);
  const running = cli.run(['receive', 'bags', '-w', '1m']);
  await until(() => cli.node.waiting.length === 1);
  await put('late');
  expect(await running).toMatchObject({ code: 0, out: 'late\n' });
});

test('--count takes up to so many, and is content with less', async () => {
  await put('a', 'b', 'c');
  expect(await cli.run(['receive', 'bags', '-n', '2'])).toMatchObject({ code: 0, out: 'a\nb\n' });
  expect(await cli.run(['receive', 'bags', '-n', '2'])).toMatchObject({ code: 0, out: 'c\n' });
});

test('--follow goes on until it is stopped, and that is success', async () => {
  await put('a');
  const world = cli.newWorld();
  const running = cli.run(['receive', 'bags', '--follow'], world);
  await until(() => world.out === 'a\n' && cli.node.waiting.length === 1);
  await put('b');
  await until(() => world.out === 'a\nb\n' && cli.node.waiting.length === 1);
  world.stop.abort();
  expect(await running).toEqual({ code: 0, out: 'a\nb\n', err: '' });
  expect(held()).toBe(0);
});

test('--no-ack leaves the message leased', async () => {
  await put('a');
  expect((await cli.run(['receive', 'bags', '--no-ack', '--lease', '5s'])).out).toBe('a\n');
  expect(cli.node.leases.size).toBe(1);
});

test('what nobody reads goes back to its queue, and is not acknowledged', async () => {
  await put('a', 'b', 'c');
  const world = cli.newWorld();
  world.readsLeft = 1;
  expect(await cli.run(['receive', 'bags', '-n', '3'], world)).toMatchObject({ code: 7, out: 'a\n' });
  expect(cli.node.queues.get('bags')?.length).toBe(2);
  expect(cli.node.leases.size).toBe(0);
});

describe('prints', () => {
  const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

  test('--raw: the bytes and nothing else', async () => {
    await put(ALL_BYTES, ALL_BYTES);
    const world = cli.newWorld();
    await cli.run(['receive', 'bags', '--raw', '-n', '2'], world);
    expect(world.outBytes).toEqual(Buffer.concat([ALL_BYTES, ALL_BYTES]));
  });

  test('--json: the answer of the local API, a line each', async () => {
    await put('{\n"tag":"0117814872"\n}', 'plain');
    const { out } = await cli.run(['receive', 'bags', '--json', '-n', '2']);
    const [first, second] = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(first).toMatchObject({ lease: '1.k3v9-1', message: { body: { tag: '0117814872' } } });
    expect(second).toMatchObject({ message: { bodyText: 'plain' } });
  });

  test('bytes that are no text as base64, and says so', async () => {
    await put(Uint8Array.of(0xff, 0));
    expect(await cli.run(['receive', 'bags'])).toEqual({
      code: 0,
      out: '/wA=\n',
      err: 'the body is not UTF-8: shown as base64\n',
    });
  });

  test('to a terminal nothing that would steer it', async () => {
    await put('\u001b[2J\u009b31mred\u0007\r\nnext\tcolumn');
    const world = cli.newWorld();
    world.isTty = true;
    expect((await cli.run(['receive', 'bags'], world)).out).toBe('\\x1b[2J\\x9b31mred\\x07\nnext\tcolumn\n');
  });
});

test.each<[string[], number, string]>([
  [['receive'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', 'belts'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', '--wait', '5'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', '--count', '0'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', '--count', '-1'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', '--follow', '--wait', '5s'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', '--follow', '--count', '5'], 2, 'USAGE_INVALID'],
  [['receive', 'bags', '--raw', '--json'], 2, 'USAGE_INVALID'],
  [['receive', 'absent'], 3, 'QUEUE_NOT_FOUND'],
  [['receive', 'bags', '--wait', '2d'], 3, 'REQUEST_INVALID'],
  [['receive', 'bags', '--socket', 'absent'], 4, 'NODE_UNREACHABLE'],
])('%j ends with %i and %s', async (argv, code, error) => {
  const ran = await cli.run(argv);
  expect([ran.code, ran.out, ran.err.split('\n')[0]]).toEqual([code, '', `ringmail: ${error}`]);
});

test('a lease that ended before its acknowledgement is told: the message may come again', async () => {
  await put('a');
  const world = cli.newWorld();
  const stdout = world.stdout.bind(world);
  world.stdout = async (data) => {
    cli.node.leases.clear();
    return stdout(data);
  };
  expect(await cli.run(['receive', 'bags'], world)).toMatchObject({ code: 6, out: 'a\n' });
});

import { afterEach, beforeEach, expect, test } from 'vitest';
import { QUEUE_DEFAULTS } from '../shared/queue/queue-options.ts';
import { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(() => cli.end());

const asked = () => cli.node.calls.filter(({ verb }) => verb !== 'stats');
const DONE = { code: 0, out: '', err: '' };

test('create says all that a queue can be', async () => {
  const said =
    '--bytes-limit 64KiB --bytes-reserved 1KiB --when-full block --remote-when-full dead-letter --label Belt --state paused ' +
    '--journal on --replay latest --dead-letter-queue lost --time-to-be-received 1h --deliveries-max 5 --retry 5s --retry-factor 3 ' +
    '--retry-max 1d --retry-jitter 10 --ordering strict';
  expect(await cli.run(['queue', 'create', 'bags', ...said.split(' ')])).toEqual(DONE);
  const options = {
    bytesLimit: 65_536,
    bytesReserved: 1_024,
    whenFull: 'block',
    remoteWhenFull: 'dead-letter',
    label: 'Belt',
    state: 'paused',
    journal: 'on',
    replay: 'latest',
    deadLetterQueue: 'lost',
    timeToBeReceivedMs: 3_600_000,
    deliveriesMax: 5,
    retryMs: 5_000,
    retryFactor: 3,
    retryMsMax: 86_400_000,
    retryJitterPercent: 10,
    ordering: 'strict',
  };
  expect(asked()).toEqual([{ verb: 'createQueue', queue: 'bags', options }]);
  expect(Object.keys(options).sort()).toEqual([...Object.keys(QUEUE_DEFAULTS), 'bytesLimit'].sort());
});

test('set changes what is said, and only that', async () => {
  await cli.run(['queue', 'create', 'bags']);
  expect(await cli.run(['queue', 'set', 'bags', '--label', '', '--retry', '0', '--json'])).toEqual({
    ...DONE,
    out: '{"queue":"bags"}\n',
  });
  expect(await cli.run(['queue', 'pause', 'bags'])).toEqual(DONE);
  expect(await cli.run(['queue', 'resume', 'bags'])).toEqual(DONE);
  expect(asked()).toEqual([
    { verb: 'createQueue', queue: 'bags', options: {} },
    { verb: 'setQueue', queue: 'bags', changes: { label: '', retryMs: 0 } },
    { verb: 'setQueue', queue: 'bags', changes: { state: 'paused' } },
    { verb: 'setQueue', queue: 'bags', changes: { state: 'running' } },
  ]);
});

test('list and show: tables for people, lines of JSON for programs', async () => {
  const long = 'a'.repeat(63);
  await cli.run(['queue', 'create', long, '--bytes-limit', '8MiB']);
  await cli.run(['queue', 'create', 'bags', '--retry', '5s', '--deliveries-max', '5', '--label', 'Belt\u001b[2J']);
  await cli.run(['send', 'bags', 'hello']);
  const { out } = await cli.run(['queue', 'list']);
  const [head = '', first = '', second = ''] = out.split('\n');
  expect(head.split(/ {2,}/)).toEqual(['queue', 'ready', 'leased', 'delayed', 'size', 'limit', 'state']);
  expect(first).toMatch(/^a{20,}… +0 +0 +0 +0 B +8 MiB {2}running$/);
  expect(second).toMatch(/^bags +1 +0 +0 +5 B +1 MiB {2}running$/);
  expect(Math.max(...out.split('\n').map((line) => line.length))).toBe(80);
  const lines = (await cli.run(['queue', 'list', '--json'])).out.trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).name)).toEqual([long, 'bags']);
  const shown = (await cli.run(['queue', 'show', 'bags'])).out;
  expect(shown).toContain('label                Belt\\x1b[2J\n');
  expect(shown).toContain('retry                after 5s, then × 2 up to 1h\n');
  expect(shown).toContain('messages             1 ready, 0 leased, 0 delayed, 0 held, 5 B\n');
  expect(JSON.parse((await cli.run(['queue', 'show', 'bags', '--json'])).out)).toMatchObject({ name: 'bags', retryMs: 5_000 });
});

test('purge says how many, delete says nothing, and both are done', async () => {
  await cli.run(['send', 'bags', 'a']);
  await cli.run(['send', 'bags', 'b']);
  expect(await cli.run(['queue', 'purge', 'bags'])).toEqual({ ...DONE, out: '2\n' });
  expect(await cli.run(['queue', 'purge', 'bags', '--json'])).toEqual({ ...DONE, out: '{"queue":"bags","count":0}\n' });
  expect(await cli.run(['queue', 'delete', 'bags'])).toEqual(DONE);
  expect(cli.node.queues.has('bags')).toBe(false);
});

const CLOSE = { verb: 'closeHoles', of: 'bags' };

test('holes', async () => {
  const { out, code } = await cli.run(['holes', 'list']);
  expect(code).toBe(0);
  const [head = '', open = '', missing = ''] = out.split('\n');
  expect(head.split(/ {2,}/)).toEqual(['stream', 'from', 'to', 'state', 'left', 'held']);
  expect(open.split(/ {2,}/).slice(1)).toEqual(['2', '3', 'open', '1 s', '4']);
  expect(missing.split(/ {2,}/).slice(1)).toEqual(['9', '9', 'missing', '0']);
  const json = await cli.run(['holes', 'list', '--json']);
  expect(JSON.parse(json.out)).toMatchObject({ holes: [{ state: 'open', leftMs: 1_000 }, { state: 'missing' }] });
  expect(await cli.run(['holes', 'close', 'bags'])).toEqual({ code: 0, out: '2 missing\n', err: '' });
  expect((await cli.run(['holes', 'close', 'bags', '--json'])).out).toBe('{"count":2}\n');
  expect(asked()).toEqual([{ verb: 'holes' }, { verb: 'holes' }, CLOSE, CLOSE]);
});

test('ledger: what became of all that a node sent', async () => {
  const { out, code } = await cli.run(['ledger', 'belt1']);
  expect(code).toBe(0);
  const [head = '', line = '', ...rest] = out.trimEnd().split('\n');
  expect(head.split(/ +/)).toEqual(['stream', 'here', 'numbers', 'received', 'waiting', 'open', 'missing']);
  expect(line.split(/ +/).slice(1)).toEqual(['ends', '9', '5', '1', '1', '2']);
  expect(rest).toEqual([
    'belt1:00c0ffee00c0ffee:central/bags:3: numbers 8 waited for',
    'belt1:00c0ffee00c0ffee:central/bags:3: RECEIVE_TIMEOUT 2, numbers 3-4',
    'verified equal: 7 numbers of 1 streams, 60 s ago',
    'belt1 says: belt1:00c0ffee00c0ffee:belt1/gates:3: DROPPED 4',
  ]);
  expect(JSON.parse((await cli.run(['ledger', 'belt1', '--json'])).out)).toMatchObject({
    node: 'belt1',
    digest: { state: 'equal' },
  });
});

test('producer retire', async () => {
  await cli.run(['send', 'bags', 'x', '--producer', 'scanner', '--number', '1']);
  expect(await cli.run(['producer', 'retire', 'scanner'])).toEqual(DONE);
  expect(asked().at(-1)).toEqual({ verb: 'retireProducer', producer: 'scanner' });
  expect(await cli.run(['producer', 'retire', 'nobody'])).toMatchObject({
    code: 3,
    err: expect.stringMatching(/PRODUCER_NOT_FOUND\n.*nobody/),
  });
});

test.each<[string[], number, string]>([
  [['queue'], 2, 'USAGE_INVALID'],
  [['queue', 'create'], 2, 'USAGE_INVALID'],
  [['queue', 'create', 'bags', '--when-full', 'explode'], 2, 'USAGE_INVALID'],
  [['queue', 'create', 'bags', '--bytes-limit', '5 KB'], 2, 'USAGE_INVALID'],
  [['queue', 'create', 'bags', '--retry', '5'], 2, 'USAGE_INVALID'],
  [['queue', 'set', 'bags'], 2, 'USAGE_INVALID'],
  [['queue', 'set', 'bags', '--ordering', 'strict'], 2, 'USAGE_INVALID'],
  [['queue', 'set', 'bags', '--ordering=strict', '--label', 'x'], 2, 'USAGE_INVALID'],
  [['producer', 'retire', 'nobody'], 3, 'PRODUCER_NOT_FOUND'],
  [['queue', 'create', 'Bags'], 3, 'NAME_INVALID'],
  [['queue', 'show', 'absent'], 3, 'QUEUE_NOT_FOUND'],
  [['queue', 'purge', 'absent'], 3, 'QUEUE_NOT_FOUND'],
  [['queue', 'delete', '$dead'], 3, 'ACCESS_MODE_INVALID'],
  [['queue', 'list', '--socket', 'absent'], 4, 'NODE_UNREACHABLE'],
])('%j ends with %i and %s', async (argv, code, error) => {
  const ran = await cli.run(argv);
  expect([ran.code, ran.out, ran.err.split('\n')[0]]).toEqual([code, '', `ringmail: ${error}`]);
});

test.each<[string[], RegExp]>([
  [
    ['queue', 'set', 'bags', '--ordering', 'strict'],
    /^ringmail: USAGE_INVALID\n.*--ordering: it is set when a queue is made, and cannot be changed\n/s,
  ],
  [['move', 'bags', 'x', 'bags;later'], /<lookup> x: not a whole number/],
  [['redrive', 'x'], /<lookup> x: not a whole number/],
])('%j says what is wrong in words of its own', async (argv, said) => {
  const { code, err } = await cli.run(argv);
  expect([code, err.includes('positional argument'), err.includes('--lookup')]).toEqual([2, false, false]);
  expect(err).toMatch(said);
});

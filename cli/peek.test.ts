/** Looking into queues, and putting right what lies wrong: peek, dead, move, redrive, outcome, transaction. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CliFixture } from './cli-fixture.ts';

let cli: CliFixture;
beforeEach(async () => {
  cli = new CliFixture();
  await cli.serve();
});
afterEach(() => cli.end());

const held = (queue: string): string[] =>
  (cli.node.queues.get(queue) ?? []).map(({ message }) => Buffer.from(message.body).toString());
async function put(body: string, ...more: string[]): Promise<void> {
  expect((await cli.run(['send', 'bags', body, ...more])).code).toBe(0);
}

describe('peek', () => {
  test('shows what is ready, in the order in which it would be received, and takes nothing', async () => {
    await put('first\nline', '--label', 'late bag');
    await put('urgent', '--priority', '7');
    await put('x'.repeat(200));
    const { code, out } = await cli.run(['peek', 'bags']);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^place {2}tries +size {2}label +body$/);
    expect(lines[1]).toMatch(/^7\.2 +0 +6 B +urgent$/);
    expect(lines[2]).toMatch(/^3\.1 +0 +10 B {2}late bag {2}first\\nline$/);
    expect(lines[3]).toMatch(/^3\.3 +0 +200 B +x+…$/);
    expect(Math.max(...lines.map((line) => line.length))).toBe(80);
    expect(held('bags').length).toBe(3);
  });

  test('goes on from a place, as far as it is told, and shows one that is named', async () => {
    for (const body of ['a', 'b', 'c']) await put(body, '--correlation-id', `c${body}`);
    const bodies = async (...argv: string[]): Promise<string> => (await cli.run(['peek', 'bags', '--raw', ...argv])).out;
    expect(await bodies()).toBe('abc');
    expect(await bodies('-n', '2')).toBe('ab');
    expect(await bodies('--after', '3.1')).toBe('bc');
    expect(await bodies('--last')).toBe('c');
    expect(await bodies('--lookup', '2')).toBe('b');
    expect(await bodies('--correlation', 'cb')).toBe('b');
    expect(await bodies('--identity', 'belt1:00c0ffee00c0ffee:belt1/bags:3:3')).toBe('c');
  });

  test('--headers-only leaves the bodies, --json says all of it', async () => {
    await put('{"tag":1}');
    expect((await cli.run(['peek', 'bags', '--headers-only'])).out).toMatch(/9 B +application\/json\n$/);
    expect(cli.node.calls.at(-1)).toMatchObject({ bodies: 'without' });
    expect(JSON.parse((await cli.run(['peek', 'bags', '--json'])).out)).toMatchObject({
      lookupId: 1,
      message: { body: { tag: 1 } },
    });
    expect(JSON.parse((await cli.run(['peek', 'bags', '--json', '--headers-only'])).out).message).not.toHaveProperty('body');
  });

  test('ends with 1 when there is nothing', async () => {
    cli.node.queues.set('bags', []);
    expect(await cli.run(['peek', 'bags', '--wait', '10ms'])).toEqual({ code: 1, out: '', err: '' });
  });
});

describe('dead letters', () => {
  async function bury(reason: string): Promise<void> {
    await put('lost');
    const received = await cli.node.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 });
    if (received.kind === 'received') await cli.node.call({ verb: 'deadLetter', lease: received.received.lease, reason });
  }

  test('are listed with how they ended, whose they were, and why', async () => {
    await bury('no such flight, and nobody who knows what to do about that, even after a while');
    const { code, out } = await cli.run(['dead']);
    expect(code).toBe(0);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]?.split(/ {2,}/)).toEqual(['lookup', 'class', 'from', 'reason']);
    expect(lines[1]).toMatch(/^ {5}2 {2}POISON {2}belt1 to belt1\/bags {2}no such flight, .*…$/);
    expect(lines[1]?.length).toBe(80);
    expect((await cli.run(['dead', '--class', 'Q_PURGED'])).code).toBe(1);
    const json = JSON.parse((await cli.run(['dead', '--class', 'POISON', '--json'])).out);
    expect(json).toMatchObject({ lookupId: 2, message: { history: [{ class: 'POISON' }] } });
    expect(json.message).not.toHaveProperty('bodyText');
  });

  test('go where they were going, or elsewhere', async () => {
    await bury('a');
    await bury('b');
    expect(await cli.run(['redrive', '2'])).toMatchObject({ code: 0, out: 'belt1:00c0ffee00c0ffee:belt1/bags:3:3\n' });
    expect(JSON.parse((await cli.run(['redrive', '4', 'notes', '--json'])).out)).toEqual({
      queue: '$dead',
      lookupId: 4,
      identity: 'belt1:00c0ffee00c0ffee:belt1/notes:3:1',
    });
    expect([held('$dead'), held('bags'), held('notes')]).toEqual([[], ['lost'], ['lost']]);
  });
});

test('move puts a message into a part of its queue, and back', async () => {
  await put('a');
  expect(await cli.run(['move', 'bags', '1', 'bags;later'])).toEqual({ code: 0, out: '', err: '' });
  expect(held('bags')).toEqual([]);
  expect((await cli.run(['move', 'bags;later', '1', 'bags', '--json'])).out).toBe(
    '{"queue":"bags;later","lookupId":1,"to":"bags"}\n',
  );
  expect(held('bags')).toEqual(['a']);
});

test('outcome says it in a word and by its exit code', async () => {
  await put('a');
  expect(await cli.run(['outcome', 'belt1:00c0ffee00c0ffee:belt1/bags:3:1', '--epoch', '1'])).toMatchObject({
    code: 0,
    out: 'kept\n',
  });
  const absent = 'belt1:00c0ffee00c0ffee:belt1/bags:3:9';
  expect(await cli.run(['outcome', absent, '--json'])).toMatchObject({
    code: 1,
    out: `{"identity":"${absent}","outcome":"absent"}\n`,
  });
});

describe('transaction', () => {
  test('does all steps of a file, or of stdin, as one', async () => {
    await put('a');
    const received = await cli.node.call({ verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 1_000 });
    const lease = received.kind === 'received' ? received.received.lease : '';
    const steps = [
      { do: 'send', destination: 'out', body: { tag: 1 }, priority: 6 },
      { do: 'send', destination: 'notes', bodyText: 'hello', contentType: 'text/plain' },
      { do: 'ack', lease },
    ];
    writeFileSync(join(cli.folder, 'steps.json'), JSON.stringify({ steps }));
    expect(await cli.run(['transaction', 'steps.json'])).toEqual({
      code: 0,
      out: 'belt1:00c0ffee00c0ffee:belt1/out:6:1\nbelt1:00c0ffee00c0ffee:belt1/notes:3:1\n',
      err: '',
    });
    expect([held('out'), held('notes'), cli.node.leases.size]).toEqual([['{"tag":1}'], ['hello'], 0]);
    const world = cli.newWorld();
    world.input = [Buffer.from(JSON.stringify({ steps: steps.slice(0, 1) }))];
    const argv = ['transaction', '-', '--producer', 'scanner', '--number', '1', '--json'];
    const once = await cli.run(argv, world);
    expect(JSON.parse(once.out)).toMatchObject({ identities: ['belt1:00c0ffee00c0ffee:belt1/out:6:2'], durability: 'sync' });
    const again = cli.newWorld();
    again.input = world.input;
    expect((await cli.run(argv, again)).out).toBe(once.out);
    expect(held('out').length).toBe(2);
  });

  test('a lease that ended refuses all of it', async () => {
    writeFileSync(
      join(cli.folder, 'steps.json'),
      JSON.stringify({
        steps: [
          { do: 'send', destination: 'out', bodyText: 'x' },
          { do: 'ack', lease: 'gone' },
        ],
      }),
    );
    expect((await cli.run(['transaction', 'steps.json'])).code).toBe(6);
    expect(held('out')).toEqual([]);
  });
});

test('send says how, and receive which', async () => {
  const how = '--acknowledge full --no-dead-letter --journal --express --send-key k --producer scanner --number 1 --max-wait 5s';
  await put('a', ...how.split(' '));
  expect(cli.node.calls.at(-1)).toMatchObject({
    properties: { acknowledge: 'full', deadLetter: 'off', journal: 'on' },
    ...{ delivery: 'express', sendKey: 'k', by: { producer: 'scanner', number: 1 }, waitMs: 5_000 },
  });
  await put('b', '--correlation-id', 'c');
  await put('c');
  await put('d');
  const get = async (...argv: string[]): Promise<string> => (await cli.run(['receive', 'bags', '--raw', ...argv])).out;
  expect(await get('--correlation', 'c')).toBe('b');
  expect(await get('--lookup', '3')).toBe('c');
  expect(await get('--last')).toBe('d');
  expect(await get('--identity', 'belt1:00c0ffee00c0ffee:belt1/bags:3:1')).toBe('a');
});

test.each<[string[], number, string]>([
  [['peek'], 2, 'USAGE_INVALID'],
  [['peek', 'bags', '--after', 'third'], 2, 'USAGE_INVALID'],
  [['peek', 'bags', '--last', '--lookup', '3'], 2, 'USAGE_INVALID'],
  [['peek', 'bags', '--lookup', '3', '--count', '2'], 2, 'USAGE_INVALID'],
  [['peek', 'bags', '--raw', '--headers-only'], 2, 'USAGE_INVALID'],
  [['peek', 'absent'], 3, 'QUEUE_NOT_FOUND'],
  [['peek', '$dead', '--lookup', '9'], 1, 'MESSAGE_NOT_FOUND'],
  [['receive', '$dead', '--lookup', '9', '--follow'], 2, 'USAGE_INVALID'],
  [['receive', '$dead', '--lookup', '9'], 1, 'MESSAGE_NOT_FOUND'],
  [['dead', '--class', 'LOST'], 2, 'USAGE_INVALID'],
  [['redrive', 'third'], 2, 'USAGE_INVALID'],
  [['redrive', '9'], 1, 'MESSAGE_NOT_FOUND'],
  [['move', '$dead', '9'], 2, 'USAGE_INVALID'],
  [['move', '$dead', '9', '$dead;x'], 1, 'MESSAGE_NOT_FOUND'],
  [['outcome', 'third'], 2, 'USAGE_INVALID'],
  [['transaction', 'absent.json'], 2, 'USAGE_INVALID'],
  [['transaction', '-', '--producer', 'p'], 2, 'USAGE_INVALID'],
  [['transaction', '-'], 3, 'REQUEST_INVALID'],
  [['send', 'bags', 'x', '--acknowledge', 'maybe'], 2, 'USAGE_INVALID'],
])('%j ends with %i and %s', async (argv, code, error) => {
  cli.node.queues.set('$dead', []);
  const ran = await cli.run(argv);
  expect([ran.code, ran.out, ran.err.split('\n')[0]]).toEqual([code, '', `ringmail: ${error}`]);
});

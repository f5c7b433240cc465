/** What became of a command is told to who sent it, whatever became of it, and once: over two hops, in virtual time (docs/routes.md, section 6). */
import { beforeEach, expect, test } from 'vitest';
import { WaysWorld } from '../hardware-sim/ways-world.ts';
import type { Call } from '../shared/core/calls.ts';
import { decodeCbor } from '../shared/message/cbor.ts';
import type { Properties } from '../shared/message/message.ts';

let world: WaysWorld;
beforeEach(async () => {
  world = new WaysWorld('command outcomes');
  world.box('central', { centralAt: ['hub'] });
  world.box('gateway', { uplinks: [{ via: { broker: 'hub', central: 'central' } }], central: 'central' });
  world.box('device', { queues: ['commands', 'others'], uplinks: [{ via: 'link' }], central: 'central' });
  world.lay('device', 'gateway');
  await world.start(10_000);
});

const cable = () => world.link('device');

/** Its identity. */
async function command(properties: Properties = {}, queue = 'commands', text = 'go'): Promise<string> {
  const sent = await world.send('central', `device/${queue}`, text, { acknowledge: 'full', ...properties });
  if (sent?.kind !== 'sent') throw new Error(JSON.stringify(sent));
  return sent.identity;
}

/** What the centre was told of a command: class and node, in the order in which it came. All words are for commands that were asked for. */
async function told(): Promise<Map<string, string[]>> {
  const words = new Map<string, string[]>();
  reasons = [];
  for (const { correlationId = '', label, body } of await world.drain('central', '$admin')) {
    const fields = decodeCbor(body) as Map<string, string>;
    expect([fields.get('class'), fields.get('identity')]).toEqual([label, correlationId]);
    reasons.push(fields.get('reason'));
    words.set(correlationId, [...(words.get(correlationId) ?? []), `${label}@${fields.get('node')}`]);
  }
  return words;
}

async function at(name: string, call: Call): Promise<void> {
  expect((await world.ask(name, call))?.kind, call.verb).not.toBe('error');
}

async function inHand(): Promise<string> {
  const got = await world.ask('device', { verb: 'receive', queue: 'commands', waitMs: 0, leaseMs: 600_000 });
  return got?.kind === 'received' ? got.received.lease : '';
}

/** What was said to that word. */
let reasons: (string | undefined)[] = [];

const REACHED = 'ACK_REACH_QUEUE@device';

test.each<[string, Properties, () => Promise<void>, string[]]>([
  [
    'was carried out',
    {},
    async () => {
      await world.pass(2_000);
      await at('device', { verb: 'ack', lease: await inHand() });
    },
    [REACHED, 'ACK_RECEIVE@device'],
  ],
  [
    'was refused by who received it',
    {},
    async () => {
      await world.pass(2_000);
      await at('device', { verb: 'deadLetter', lease: await inHand(), reason: 'the belt is locked' });
    },
    [REACHED, 'POISON@device'],
  ],
  [
    'failed as often as its queue lets it',
    {},
    async () => {
      await at('device', { verb: 'setQueue', queue: 'commands', changes: { deliveriesMax: 2 } });
      await world.pass(2_000);
      for (let i = 0; i < 2; i++) await at('device', { verb: 'nack', lease: await inHand(), delayMs: 0 });
    },
    [REACHED, 'POISON@device'],
  ],
  [
    'waited too long in its queue',
    { timeToBeReceivedMs: 20_000 },
    async () => world.pass(30_000),
    [REACHED, 'RECEIVE_TIMEOUT@device'],
  ],
  [
    'was purged',
    {},
    async () => {
      await world.pass(2_000);
      await at('device', { verb: 'purge', queue: 'commands' });
    },
    [REACHED, 'Q_PURGED@device'],
  ],
  [
    'lost its queue',
    {},
    async () => {
      await world.pass(2_000);
      await at('device', { verb: 'deleteQueue', queue: 'commands' });
    },
    [REACHED, 'Q_DELETED@device'],
  ],
])('a command that %s', async (_what, properties, happens, expected) => {
  const identity = await command(properties);
  await happens();
  await world.pass(30_000);
  expect(await told()).toEqual(new Map([[identity, expected]]));
});

test('who refuses a command may say why, and that is told as well', async () => {
  await command();
  await world.pass(2_000);
  await at('device', { verb: 'deadLetter', lease: await inHand(), reason: 'the belt is locked' });
  await world.pass(5_000);
  await told();
  expect(reasons).toEqual([undefined, 'the belt is locked']);
});

test('a command for a queue that is not there', async () => {
  const identity = await command({}, 'nowhere');
  await world.pass(10_000);
  expect(await told()).toEqual(new Map([[identity, ['BAD_DST_Q@device']]]));
});

test('a command that finds its queue full, where that is the end of it', async () => {
  const changes = { remoteWhenFull: 'dead-letter', bytesLimit: 900 } as const;
  await at('device', { verb: 'setQueue', queue: 'commands', changes });
  const fits = await command({}, 'commands', 'a'.repeat(500));
  const full = await command({}, 'commands', 'b'.repeat(500));
  await world.pass(10_000);
  expect(await told()).toEqual(
    new Map([
      [fits, [REACHED]],
      [full, ['Q_EXCEED_QUOTA@device']],
    ]),
  );
});

test('not after: over while the device is away, where it waits; and the device checks last', async () => {
  await command();
  await world.pass(5_000);
  await told();
  // It leaves the gateway, and never arrives: only the device may say now that it came too late.
  cable().pair?.silence('bToA');
  const underWay = await command({ timeToReachQueueMs: 60_000 });
  await world.pass(500);
  cable().unplug();
  await world.pass(1_000);
  const waiting = await command({ timeToReachQueueMs: 60_000 }, 'others');
  await world.pass(90_000);
  expect(await told()).toEqual(new Map([[waiting, ['REACH_QUEUE_TIMEOUT@gateway']]]));
  cable().plug();
  await world.pass(30_000);
  expect(await told()).toEqual(new Map([[underWay, ['REACH_QUEUE_TIMEOUT@device']]]));
});

test('the replay class of its queue: commands that waited are not let in, or give way to the newest', async () => {
  const replay = (queue: string, how: 'never' | 'latest') => at('device', { verb: 'setQueue', queue, changes: { replay: how } });
  await replay('commands', 'never');
  await replay('others', 'latest');
  for (const queue of ['commands', 'others']) await command({}, queue);
  await world.pass(5_000);
  // The first one begins the session down, and has waited for it.
  for (const queue of ['others', '$dead']) await world.drain('device', queue);
  await world.pass(5_000);
  await told();
  cable().unplug();
  await world.pass(1_000);
  const late = await command();
  const older = await command({}, 'others');
  const newest = await command({}, 'others');
  await world.pass(3_600_000);
  expect(await told()).toEqual(new Map());
  cable().plug();
  await world.pass(30_000);
  const words = await told();
  expect([words.get(late), words.get(newest)]).toEqual([['NOT_REPLAYED@device'], [REACHED]]);
  expect(words.get(older)).toEqual([REACHED, 'SUPERSEDED@device']);
  expect(await world.texts('device', '$dead')).toHaveLength(1); // the one that was not let in
});

test('each is told once, in order, whatever crashes meanwhile and however long the device is away', async () => {
  cable().unplug();
  await world.pass(1_000);
  const identities = [await command(), await command(), await command()];
  await world.pass(3 * 86_400_000);
  for (const name of ['gateway', 'central']) await world.powerCut(name);
  cable().plug();
  await world.pass(20_000);
  await at('device', { verb: 'ack', lease: await inHand() });
  await world.powerCut('device');
  await world.pass(20_000);
  await at('device', { verb: 'deadLetter', lease: await inHand(), reason: 'no' });
  world.link('device').unplug();
  await world.powerCut('device');
  await world.pass(2_000);
  await at('device', { verb: 'purge', queue: 'commands' });
  world.link('device').plug();
  await world.powerCut('gateway');
  await world.pass(30_000);
  const words = await told();
  expect(identities.map((identity) => words.get(identity))).toEqual([
    [REACHED, 'ACK_RECEIVE@device'],
    [REACHED, 'POISON@device'],
    [REACHED, 'Q_PURGED@device'],
  ]);
  expect(words.size).toBe(3);
});

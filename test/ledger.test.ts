/** What the centre knows of a device: 1..N, received, waiting, and exactly which are missing, because. Whole nodes, in virtual time. */
import { beforeEach, describe, expect, test } from 'vitest';
import { numbered, type PlannedUplink, WaysWorld } from '../hardware-sim/ways-world.ts';
import type { Ledger, LedgerStream } from '../shared/core/calls.ts';
import { countOf, type Range } from '../shared/custody/holes.ts';

const CARRIERS: Readonly<Record<'link' | 'mqtt', PlannedUplink>> = {
  link: { via: 'link' },
  mqtt: { via: { broker: 'hub', central: 'central' } },
};

let world: WaysWorld;
let carrier: keyof typeof CARRIERS;

async function site(): Promise<void> {
  world = new WaysWorld(`ledger ${carrier}`);
  world.box('central', { queues: ['bags', 'alarms'], centralAt: ['hub'] });
  world.box('device', { queues: ['own'], uplinks: [CARRIERS[carrier]], central: 'central' });
  if (carrier === 'link') world.lay('device', 'central');
  await world.start();
}

async function ledger(at = 'central', node = 'device'): Promise<Ledger> {
  const answer = await world.ask(at, { verb: 'ledger', node });
  if (answer?.kind !== 'ledger') throw new Error(`no ledger: ${JSON.stringify(answer)}`);
  for (const line of answer.ledger.streams) expect(sumOf(line), line.stream).toBe(line.numbers);
  return answer.ledger;
}

function sumOf({ received, waiting, holes, missing }: LedgerStream): number {
  const here = Object.values(waiting).reduce((sum, count) => sum + count, 0);
  return received + here + countOf(holes) + missing.reduce((sum, { count }) => sum + count, 0);
}

function lineOf({ streams }: Ledger, destination: string): LedgerStream {
  const line = streams.find(({ stream }) => stream.includes(`:${destination}:`));
  if (line === undefined) throw new Error(`no ${destination} in ${streams.map(({ stream }) => stream)}`);
  return line;
}

const missingOf = (line: LedgerStream): Record<string, string> =>
  Object.fromEntries(line.missing.map((loss) => [loss.class, `${shown(loss.ranges)} ${loss.detail}`]));
const shown = (ranges: readonly Range[]): string => ranges.map(({ from, to }) => `${from}-${to}`).join(' ');

async function send(count: number, properties = {}, destination = 'central/bags'): Promise<void> {
  for (const text of numbered(count))
    expect(await world.send('device', destination, text, properties)).toMatchObject({ kind: 'sent' });
}

async function take(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const got = await world.ask('central', { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 60_000 });
    if (got?.kind === 'received') await world.ask('central', { verb: 'ack', lease: got.received.lease });
  }
}

/** The device comes back, and says what it has. */
async function reconnect(): Promise<void> {
  await world.pass(11_000);
  await world.powerCut('device');
  await world.pass(15_000);
}

describe.each(['link', 'mqtt'] as const)('over %s', (name) => {
  beforeEach(async () => {
    carrier = name;
    await site();
  });

  test('every number is received, waits, or is named among the missing, and why', async () => {
    await send(3, { timeToBeReceivedMs: 60_000 });
    await send(4);
    await world.pass(2_000);
    await take(2);
    await world.pass(90_000);
    expect(missingOf(lineOf(await ledger(), 'central/bags'))).toEqual({ RECEIVE_TIMEOUT: '3-3 exact' });
    await world.ask('central', { verb: 'purge', queue: 'bags' });
    await send(5);
    await world.pass(2_000);
    await take(1);
    const leased = await world.ask('central', { verb: 'receive', queue: 'bags', waitMs: 0, leaseMs: 600_000 });
    expect(leased).toMatchObject({ kind: 'received' });
    const line = lineOf(await ledger(), 'central/bags');
    expect(line).toMatchObject({ at: 'ends', numbers: 12, received: 3, waiting: { ready: 3, leased: 1, delayed: 0, held: 0 } });
    expect(missingOf(line)).toEqual({ RECEIVE_TIMEOUT: '3-3 exact', Q_PURGED: '4-7 exact' });
  });

  test('what expired on the device is missing here, by its numbers', async () => {
    world.get('central').powerCut();
    await world.pass(1_000);
    await send(2);
    await send(3, { timeToReachQueueMs: 10_000 });
    await send(1);
    await world.pass(60_000);
    const before = lineOf(await ledger('device'), 'central/bags');
    expect([before.at, before.numbers, before.received, before.waiting.onItsWay]).toEqual(['passes', 6, 0, 3]);
    expect(missingOf(before)).toEqual({ REACH_QUEUE_TIMEOUT: '3-5 exact' });
    world.get('central').start();
    await world.pass(60_000);
    const line = lineOf(await ledger(), 'central/bags');
    expect([line.numbers, line.received, line.waiting.ready]).toEqual([6, 0, 3]);
    expect(missingOf(line)).toEqual({ REACH_QUEUE_TIMEOUT: '3-5 exact' });
    expect(lineOf(await ledger('device'), 'central/bags')).toMatchObject({ numbers: 6, received: 6, missing: [] });
  });

  test('after a reconnect the centre has verified that it has all, and both may have crashed since', async () => {
    await send(5);
    await send(2, {}, 'central/alarms');
    expect((await ledger()).digest?.streams ?? []).toEqual([]);
    await reconnect();
    const { digest } = await ledger();
    expect(digest).toMatchObject({ state: 'equal', losses: [], lossesLeftOut: 0 });
    expect(digest?.streams.map(({ numbers }) => numbers).sort()).toEqual([2, 5]);
    expect(digest?.agreedAgoMs).toBe(digest?.agoMs);
    await world.powerCut('central');
    await world.pass(20_000);
    expect((await ledger()).digest).toMatchObject({ state: 'equal', streams: digest?.streams });
  });

  test('what the device lost in its own queues it says itself, once however often', async () => {
    await send(4, { timeToBeReceivedMs: 1_000 }, 'device/own');
    await world.pass(5_000);
    await world.ask('device', { verb: 'setQueue', queue: 'own', changes: { bytesLimit: 2_000, whenFull: 'drop-oldest' } });
    await send(60, {}, 'own');
    const kept =
      world
        .get('device')
        .stats()
        ?.queues.find((queue) => queue.name === 'own')?.ready ?? 0;
    await reconnect();
    await reconnect();
    const losses = (await ledger()).digest?.losses.map((loss) => `${loss.class} ${loss.count}`);
    expect(losses?.filter((text) => !text.endsWith('$dead'))).toEqual([`DROPPED ${60 - kept}`, 'RECEIVE_TIMEOUT 4']);
    const own = lineOf(await ledger('device'), 'device/own');
    expect(missingOf(own)).toEqual({ RECEIVE_TIMEOUT: '1-4 exact', DROPPED: `5-${64 - kept} exact` });
  });
});

describe('a digest', () => {
  beforeEach(async () => {
    carrier = 'link';
    await site();
  });

  test('that came before the messages is behind, and equal by itself when they are there', async () => {
    await send(1);
    await reconnect();
    const first = (await ledger()).digest;
    expect(first).toMatchObject({ state: 'equal' });
    world.link('device').unplug();
    await world.pass(11_000);
    await world.ask('central', { verb: 'setQueue', queue: 'bags', changes: { bytesLimit: 1_000 } });
    await send(30);
    world.link('device').plug();
    await world.pass(15_000);
    const behind = (await ledger()).digest;
    expect(behind).toMatchObject({ state: 'behind', streams: [{ numbers: 31 }] });
    expect(behind?.agreedAgoMs).toBeGreaterThan(behind?.agoMs ?? 0);
    for (let i = 0; i < 40; i++) {
      await take(1);
      await world.pass(500);
    }
    await world.pass(20_000);
    expect((await ledger()).digest).toMatchObject({ state: 'equal', streams: [{ numbers: 31 }] });
  });

  test('is not said again while nothing is new, and a line that flaps says few', async () => {
    await send(3);
    await reconnect();
    const heard = (): number => world.get('central').stats()?.counters.nodeWords ?? 0;
    const before = heard();
    for (let i = 0; i < 8; i++) {
      world.link('device').unplug();
      await world.pass(500);
      world.link('device').plug();
      await world.pass(1_000);
    }
    expect(heard()).toBe(before);
    for (let i = 0; i < 8; i++) {
      world.link('device').unplug();
      await send(1);
      await world.pass(500);
      world.link('device').plug();
      await world.pass(1_000);
    }
    expect(heard() - before).toBeLessThanOrEqual(2);
  });

  test('costs a card nothing where a line comes back every second: one frame, the ticket, for each session, and that is all', async () => {
    await send(3);
    await reconnect();
    await world.pass(15_000);
    const frames = (name: string): number => world.get(name).stats()?.ring.framesWritten ?? 0;
    const sessions = (): number => world.get('device').stats()?.counters.sessions ?? 0;
    const before = { device: frames('device'), central: frames('central'), sessions: sessions() };
    for (let i = 0; i < 40; i++) {
      world.link('device').unplug();
      await world.pass(200);
      world.link('device').plug();
      await world.pass(800);
    }
    const made = sessions() - before.sessions;
    expect(made).toBeGreaterThan(30);
    expect(frames('device') - before.device).toBeLessThanOrEqual(made + 1);
    expect(frames('central') - before.central).toBeLessThanOrEqual(made + 1);
  });

  test('of a node that nobody heard of is absent, and a name that is none is refused', async () => {
    expect(await ledger('central', 'nobody')).toEqual({ node: 'nobody', streams: [], streamsLeftOut: 0 });
    expect(await world.ask('central', { verb: 'ledger', node: 'No/body' })).toMatchObject({ error: { code: 'NAME_INVALID' } });
  });
});

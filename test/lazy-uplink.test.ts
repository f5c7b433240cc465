/** Uplinks that connect only when they must: what an ear at the broker hears of them. Whole nodes, in virtual time. */
import { describe, expect, test } from 'vitest';
import { type PlannedBox, type PlannedUplink, WaysWorld } from '../hardware-sim/ways-world.ts';
import { decodeStatus } from '../shared/relay/status-layout.ts';

const LAZY = { idleMs: 5_000, checkEveryMs: 600_000 };
const MINUTE = 60_000;

let world: WaysWorld;
/** What the gateway said of itself, changes only: who hears his own goodbye, retained, says once more that he is there. */
let said: string[];

interface Site {
  readonly uplinks?: readonly PlannedUplink[];
  readonly centralAt?: readonly string[];
  readonly routes?: PlannedBox['routes'];
}

async function site(name: string, plan: Site = {}): Promise<void> {
  const { uplinks = [{ via: { broker: 'hub', central: 'central' }, lazy: LAZY }], centralAt = ['hub'], routes } = plan;
  world = new WaysWorld(name);
  world.box('central', { centralAt });
  world.box('gateway', { uplinks, central: 'central', routes });
  said = [];
  const ear = world.broker('hub').connect('ear');
  ear.listen({
    onUp: () => ear.subscribe(['ringmail/status/gateway']),
    onDown: () => {},
    onMessage: (_topic, payload) => {
      const status = decodeStatus(payload);
      const word = typeof status === 'object' ? status.kind : 'unreadable';
      if (word !== said.at(-1)) said.push(word);
    },
  });
  await world.start();
}

const state = (uplink = 'up') => world.uplink('gateway', uplink)?.state;
const health = (name: string) => world.get(name).stats()?.health.status;
const rested = (uplink = 'up') => world.until(() => state(uplink) === 'resting' && said.at(-1) === 'offline');

test('it connects once at the start, says goodbye when nothing comes, and rests', async () => {
  await site('start');
  expect(said).toEqual(['online']);
  await rested();
  said = [];
  await world.pass(9 * MINUTE);
  expect([said, state(), health('gateway'), health('central')]).toEqual([[], 'resting', 'green', 'green']);
});

test('what is sent calls it; it leaves with the receipt, and nothing comes twice', async () => {
  await site('sends');
  await rested();
  for (let i = 0; i < 5; i++) {
    said = [];
    expect(await world.send('gateway', 'central/inbox', `${i}`)).toMatchObject({ kind: 'sent' });
    await world.until(() => world.held('gateway') === 0);
    expect(said).toEqual(['online']);
    await rested();
    await world.pass(MINUTE);
    expect(said).toEqual(['online', 'offline']);
  }
  expect(await world.texts('central')).toEqual(['0', '1', '2', '3', '4']);
});

test('what waits at the central comes when it looks, and not before', async () => {
  await site('looks');
  await rested();
  expect(await world.send('gateway', 'central/inbox', 'up')).toMatchObject({ kind: 'sent' });
  await rested();
  expect(await world.send('central', 'gateway/inbox', 'down')).toMatchObject({ kind: 'sent' });
  said = [];
  await world.pass(9 * MINUTE);
  expect([said, await world.texts('gateway'), health('central')]).toEqual([[], [], 'green']);
  await world.pass(2 * MINUTE);
  expect([said, await world.texts('gateway')]).toEqual([['online', 'offline'], ['down']]);
  expect(world.held('central')).toBe(0);
});

test('while the central is away it stays as long as anything waits', async () => {
  await site('central away');
  await rested();
  world.get('central').powerCut();
  said = [];
  await world.send('gateway', 'central/inbox', 'patient');
  await world.pass(10 * MINUTE);
  expect([said, health('gateway')]).toEqual([['online'], 'red']);
  world.get('central').start();
  await world.until(() => world.held('gateway') === 0);
  await rested();
  expect(await world.texts('central')).toEqual(['patient']);
});

test('a power cut at any time of its comings and goings loses nothing', async () => {
  await site('cuts');
  const sent: string[] = [];
  for (let i = 0; i < 40; i++) {
    const answer = await world.send('gateway', 'central/inbox', `${i}`);
    if (answer?.kind === 'sent') sent.push(`${i}`);
    await world.pass(i * 173);
    if (i % 3 === 0) await world.powerCut('gateway');
    if (i % 7 === 0) world.broker('hub').restart(300);
    await world.pass(2_000);
  }
  await world.until(() => world.held('gateway') === 0);
  await rested();
  const got = await world.texts('central');
  expect(got).toEqual(sent);
  expect(sent.length).toBe(40);
});

describe('beside one that is always connected', () => {
  const uplinks: readonly PlannedUplink[] = [
    { via: { broker: 'fibre', central: 'central' } },
    { name: 'radio', via: { broker: 'hub', central: 'central' }, lazy: LAZY },
  ];

  test('it rests while the other carries, takes over when that is gone, and rests again', async () => {
    await site('spare', { uplinks, centralAt: ['fibre', 'hub'] });
    await rested('radio');
    expect([state('up'), state('radio'), world.inUse('gateway')]).toEqual(['ready', 'resting', ['up']]);
    said = [];
    await world.send('gateway', 'central/inbox', 'by fibre');
    await world.pass(MINUTE);
    expect(said).toEqual([]);
    world.broker('fibre').restart(3 * MINUTE);
    await world.pass(10_000);
    expect([world.inUse('gateway'), said]).toEqual([['radio'], []]);
    await world.send('gateway', 'central/inbox', 'by radio');
    await world.until(() => world.held('gateway') === 0, 10_000);
    expect(said).toEqual(['online']);
    await rested('radio');
    await world.pass(5 * MINUTE);
    await world.send('gateway', 'central/inbox', 'by fibre again');
    await world.until(() => world.held('gateway') === 0, 10_000);
    expect([world.inUse('gateway'), said]).toEqual([['up'], ['online', 'offline']]);
    expect(await world.texts('central')).toEqual(['by fibre', 'by radio', 'by fibre again']);
    expect(world.stops()).toEqual([]);
  });
});

test('one that rests counts as one that stands, beside another way', async () => {
  world = new WaysWorld('two ways');
  const radio: PlannedUplink = { name: 'radio', via: { broker: 'hub', central: 'central' }, lazy: LAZY };
  world.box('central', { centralAt: ['hub', 'fibre'] });
  world.box('site', { centralAt: ['plant'], uplinks: [{ via: { broker: 'fibre', central: 'central' } }] });
  world.box('gateway', { central: 'central', uplinks: [{ via: { broker: 'plant', central: 'site' } }, radio] });
  await world.start();
  await world.pass(MINUTE);
  expect([world.inUse('gateway'), state('radio')]).toEqual([['up'], 'resting']);
  world.get('site').powerCut();
  await world.pass(10_000);
  expect([world.inUse('gateway'), state('radio')]).toEqual([['radio'], 'resting']);
  await world.send('gateway', 'central/inbox', 'by radio');
  await world.until(() => world.held('gateway') === 0, 10_000);
  expect(await world.texts('central')).toEqual(['by radio']);
});

test('what is for a topic calls it, and it leaves when the broker has it', async () => {
  await site('topics', { routes: [{ from: 'inbox', to: ['topic:hall/1'] }] });
  await rested();
  said = [];
  const ear = world.broker('hub').connect('listener');
  const heard: string[] = [];
  ear.listen({
    onUp: () => ear.subscribe(['hall/#']),
    onDown: () => {},
    onMessage: (topic) => heard.push(topic),
  });
  await world.send('gateway', 'gateway/inbox', 'loud');
  await world.until(() => heard.length > 0);
  await rested();
  expect([heard, said]).toEqual([['hall/1'], ['online', 'offline']]);
});

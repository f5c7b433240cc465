/** Two brokers that lead to one central are one way to it, with one ticket: who of them carries it changes, and nobody is called a fork. */
import { beforeEach, describe, expect, test } from 'vitest';
import { numbered, WaysWorld } from '../hardware-sim/ways-world.ts';

let plant: WaysWorld;

async function begin(seed: string): Promise<void> {
  plant = new WaysWorld(seed);
  plant.box('central', { centralAt: ['east', 'west'] });
  plant.box('gateway', {
    central: 'central',
    uplinks: [{ via: { broker: 'east', central: 'central' } }, { name: 'b', via: { broker: 'west', central: 'central' } }],
  });
  await plant.start(3_000);
}

async function accepted(...texts: readonly string[]): Promise<void> {
  for (const text of texts) expect(await plant.send('gateway', 'central/inbox', text)).toMatchObject({ kind: 'sent' });
}

/** Nothing passes this broker until `back`. */
function lost(broker: string): { back: () => void } {
  const { faults } = plant.broker(broker);
  const before = { ...faults };
  Object.assign(faults, { publishes: 'refused', subscriptions: 'unanswered' });
  plant.broker(broker).restart(500);
  return { back: () => Object.assign(faults, before) };
}

describe('a gateway with two brokers to one central', () => {
  beforeEach(() => begin('two brokers'));

  test('has one session, over the first; the other stands by', async () => {
    await accepted(...numbered(5));
    await plant.pass(3_000);
    expect(await plant.texts('central')).toEqual(numbered(5));
    expect([plant.uplink('gateway')?.state, plant.uplink('gateway', 'b')?.state]).toEqual(['ready', 'stands-by']);
    expect(plant.inUse('gateway')).toEqual(['up']);
    expect(plant.get('central').stats()?.counters.relaySyncs ?? 0).toBeLessThan(3);
  });

  test('the first broker is gone: five seconds later the second carries on where it was, and nothing is elsewhere', async () => {
    await accepted(...numbered(3, 'east'));
    await plant.pass(2_000);
    plant.broker('east').restart(600_000);
    await accepted(...numbered(3, 'west'));
    await plant.pass(4_000);
    expect(plant.held('gateway')).toBe(3);
    await plant.pass(4_000);
    expect(plant.held('gateway')).toBe(0);
    expect(plant.inUse('gateway')).toEqual(['b']);
    expect(await plant.texts('central')).toEqual([...numbered(3, 'east'), ...numbered(3, 'west')]);
    expect(plant.get('gateway').stats()?.counters.elsewhere).toBe(0);
    expect(plant.stops()).toEqual([]);
  });

  test('it is back: after half a minute it carries on, and what is on its way meanwhile arrives once', async () => {
    plant.broker('east').restart(20_000);
    await plant.pass(10_000);
    for (let i = 1; i <= 120; i++) {
      await accepted(`number ${i}`);
      await plant.pass(400);
    }
    await plant.pass(10_000);
    expect(plant.inUse('gateway')).toEqual(['up']);
    expect(await plant.texts('central')).toEqual(numbered(120, 'number'));
    expect(plant.stops()).toEqual([]);
  });

  test('a broker that is there, with a central that is not, does not stand', async () => {
    const east = lost('east');
    await accepted('by west');
    await plant.pass(12_000);
    expect(await plant.texts('central')).toEqual(['by west']);
    expect(plant.inUse('gateway')).toEqual(['b']);
    await plant.pass(60_000);
    expect(plant.inUse('gateway')).toEqual(['b']);
    east.back();
    await plant.pass(90_000);
    expect(plant.inUse('gateway')).toEqual(['up']);
    await accepted('by east');
    await plant.pass(3_000);
    expect(await plant.texts('central')).toEqual(['by east']);
  });

  test('the central dies with its connections: the session begins anew, over the broker that is left', async () => {
    await accepted('hello');
    await plant.pass(3_000);
    await plant.powerCut('central');
    await plant.pass(5_000);
    plant.broker('east').restart(600_000);
    await accepted('still there');
    await plant.pass(12_000);
    expect(await plant.texts('central')).toEqual(['hello', 'still there']);
    expect(plant.stops()).toEqual([]);
  });

  test('what comes down finds the gateway, and who is below it, by the broker that is left', async () => {
    plant.box('device', { central: 'central', uplinks: [{ via: 'link' }] });
    plant.lay('device', 'gateway');
    await plant.start(3_000);
    // Who is attached where is told by the way of the messages.
    expect(await plant.send('device', 'central/inbox', 'here I am')).toMatchObject({ kind: 'sent' });
    await plant.pass(5_000);
    const down = (text: string) => plant.send('central', 'device/inbox', text);
    expect(await down('by east')).toMatchObject({ kind: 'sent' });
    await plant.pass(5_000);
    plant.broker('east').restart(600_000);
    expect(await down('by west')).toMatchObject({ kind: 'sent' });
    await plant.pass(20_000);
    expect(await plant.texts('device')).toEqual(['by east', 'by west']);
    expect(plant.held('central')).toBe(0);
    expect(plant.stops()).toEqual([]);
  });
});

test.each(numbered(8, 'seed'))(
  '%s: power cuts, brokers that come and go: each message once and in order, and no fork',
  async (seed) => {
    await begin(seed);
    const chance = plant.random('trouble');
    const sent: string[] = [];
    for (let i = 1; i <= 60; i++) {
      if ((await plant.send('gateway', 'central/inbox', `number ${i}`))?.kind === 'sent') sent.push(`number ${i}`);
      if (chance.chance(0.08)) await plant.powerCut(chance.pick(['gateway', 'central']), chance.int(1_500));
      if (chance.chance(0.1)) plant.broker(chance.pick(['east', 'west'])).restart(chance.int(15_000));
      if (chance.chance(0.1))
        plant.broker(chance.pick(['east', 'west'])).cut(chance.pick(['gateway-up', 'gateway-b', 'central']));
      await plant.pass(chance.int(1_500));
    }
    await plant.pass(60_000);
    const got = await plant.texts('central');
    expect(got.filter((text) => sent.includes(text))).toEqual(sent);
    expect(new Set(got).size).toBe(got.length);
    expect(plant.held('gateway')).toBe(0);
    expect(plant.stops()).toEqual([]);
  },
);

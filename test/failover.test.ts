/** Several ways up: which is taken, what becomes of messages when it changes, and that no power cut makes one of them two or none. */
import { beforeEach, describe, expect, test } from 'vitest';
import { numbered, WaysWorld } from '../hardware-sim/ways-world.ts';

const LINKS = [{ via: 'link' }, { name: 'b', via: 'link' }] as const;
/** Cables are laid and sessions made. */
const SETTLED_MS = 3_000;

let plant: WaysWorld;

/** A device that two gateways reach the hall for. */
async function twoGateways(seed: string): Promise<void> {
  plant = new WaysWorld(seed);
  plant.box('hall');
  for (const name of ['gw-a', 'gw-b']) plant.box(name, { uplinks: [{ via: 'link' }] });
  plant.box('device', { uplinks: LINKS });
  plant.lay('gw-a', 'hall');
  plant.lay('gw-b', 'hall');
  plant.lay('device', 'gw-a', { baud: 115_200 });
  plant.lay('device', 'gw-b', { uplink: 'b', baud: 115_200 });
  await plant.start(SETTLED_MS);
}

async function accepted(...texts: readonly string[]): Promise<void> {
  for (const text of texts) expect(await plant.send('device', 'hall/inbox', text)).toMatchObject({ kind: 'sent' });
}

describe('a device with two gateways', () => {
  beforeEach(() => twoGateways('two gateways'));

  test('uses the first while both stand, and nothing goes over the second', async () => {
    await accepted(...numbered(10));
    await plant.pass(3_000);
    expect(await plant.texts('hall')).toEqual(numbered(10));
    expect([plant.inUse('device'), plant.uplink('device', 'b')?.state]).toEqual([['up'], 'ready']);
    expect(plant.get('gw-b').stats()?.outgoing).toEqual([]);
    expect(plant.stops()).toEqual([]);
  });

  test('the first gateway dies: five seconds later what is new goes by the second, also over a restart', async () => {
    await accepted(...numbered(3, 'before'));
    await plant.pass(3_000);
    plant.get('gw-a').powerCut();
    plant.link('device').unplug();
    await accepted(...numbered(3, 'after'));
    await plant.pass(4_500);
    expect(plant.held('device')).toBe(3);
    await plant.pass(4_000);
    expect(plant.held('device')).toBe(0);
    expect(plant.inUse('device')).toEqual(['b']);
    await plant.powerCut('device');
    await accepted('after a restart');
    await plant.pass(10_000);
    expect(await plant.texts('hall')).toEqual([...numbered(3, 'before'), ...numbered(3, 'after'), 'after a restart']);
    expect(plant.stops()).toEqual([]);
  });

  test('it comes back: half a minute later it is used again, and each message arrives once', async () => {
    plant.link('device').unplug();
    await plant.pass(6_000);
    await accepted(...numbered(3, 'by b'));
    await plant.pass(2_000);
    plant.link('device').plug();
    await plant.pass(20_000);
    await accepted('still by b');
    await plant.pass(1_000);
    expect(plant.inUse('device')).toEqual(['b']);
    await plant.pass(15_000);
    expect(plant.inUse('device')).toEqual(['up']);
    await accepted(...numbered(3, 'by a'));
    await plant.pass(3_000);
    expect(await plant.texts('hall')).toEqual([...numbered(3, 'by b'), 'still by b', ...numbered(3, 'by a')]);
    expect(plant.get('device').stats()?.counters.elsewhere).toBe(4);
    expect(plant.stops()).toEqual([]);
  });

  test('what the first has and has not said goes by both, and arrives once', async () => {
    await accepted('first');
    await plant.pass(2_000);
    plant.link('device').pair?.silence('bToA');
    await accepted(...numbered(5, 'unsure'));
    await plant.pass(30_000);
    expect(plant.held('device')).toBe(0);
    expect(plant.get('gw-b').stats()?.outgoing).toMatchObject([{ next: 7 }]);
    expect(await plant.texts('hall')).toEqual(['first', ...numbered(5, 'unsure')]);
    plant.link('device').pair?.restore();
    await plant.pass(60_000);
    expect(await plant.texts('hall')).toEqual([]);
    expect(plant.stops()).toEqual([]);
  });

  test('what was written to the first and never came there goes by the second', async () => {
    await accepted('first');
    await plant.pass(2_000);
    plant.link('device').pair?.silence('aToB');
    await accepted(...numbered(5, 'vanished'));
    await plant.pass(30_000);
    expect(plant.held('device')).toBe(0);
    expect(await plant.texts('hall')).toEqual(['first', ...numbered(5, 'vanished')]);
    expect(plant.stops()).toEqual([]);
  });

  test('the first answers late for what it had: that frees here, and the second says elsewhere for it further on', async () => {
    plant.link('gw-b').unplug();
    plant.link('device').pair?.silence('bToA');
    plant.link('device', 'b').unplug();
    await accepted(...numbered(4, 'had by a'));
    await plant.pass(9_000);
    expect(plant.held('device')).toBe(4);
    plant.link('device').pair?.restore();
    await plant.until(() => plant.held('device') === 0);
    plant.link('device').unplug();
    plant.link('device', 'b').plug();
    await plant.pass(8_000);
    await accepted('by b');
    plant.link('gw-b').plug();
    await plant.pass(20_000);
    expect(plant.get('device').stats()?.counters.elsewhere).toBe(4);
    expect(await plant.texts('hall')).toEqual([...numbered(4, 'had by a'), 'by b']);
    expect(plant.stops()).toEqual([]);
  });

  test('a line that comes and goes is not taken back, and both gateways are not asked in turn', async () => {
    plant.link('device').unplug();
    await plant.pass(6_000);
    for (let i = 0; i < 8; i++) {
      plant.link('device').plug();
      await plant.pass(12_000);
      expect(plant.inUse('device')).toEqual(['b']);
      plant.link('device').unplug();
      await plant.pass(3_000);
      expect(plant.inUse('device')).toEqual(['b']);
    }
  });

  test('both away: it stays where it was, waits, is red after a minute, and green when one of them is there', async () => {
    plant.link('device').unplug();
    plant.link('device', 'b').unplug();
    await accepted('waits');
    await plant.pass(30_000);
    expect(plant.get('device').stats()?.health.status).toBe('green');
    await plant.pass(45_000);
    expect(plant.get('device').stats()?.health).toMatchObject({ status: 'red', causes: [{ code: 'UPLINK_DOWN' }] });
    plant.link('device', 'b').plug();
    await plant.pass(10_000);
    expect(plant.get('device').stats()?.health.status).toBe('green');
    expect(await plant.texts('hall')).toEqual(['waits']);
  });

  test('what may have been handed over on any way does not expire here: how it ends is decided where it goes', async () => {
    plant.link('device').unplug();
    await plant.pass(7_000);
    await accepted('before');
    await plant.pass(1_000);
    plant.link('device', 'b').pair?.silence('bToA');
    expect(await plant.send('device', 'hall/inbox', 'in time', { timeToReachQueueMs: 10_000 })).toMatchObject({ kind: 'sent' });
    await plant.pass(14_000);
    expect(plant.held('device')).toBe(1);
    plant.link('device', 'b').pair?.restore();
    await plant.pass(30_000);
    expect([plant.accounted('REACH_QUEUE_TIMEOUT'), await plant.texts('hall')]).toEqual([0, ['before', 'in time']]);
    expect(plant.held('device')).toBe(0);
  });

  test('a way that was used, left, and is asked again after restarts is no fork: its offers name what went there once', async () => {
    plant.link('device').unplug();
    await plant.pass(7_000);
    await accepted(...numbered(2, 'by b'));
    await plant.pass(2_000);
    plant.link('device').plug();
    await plant.pass(40_000);
    expect(plant.inUse('device')).toEqual(['up']);
    for (let i = 1; i <= 3; i++) {
      await plant.powerCut('device');
      await plant.pass(3_000);
      await accepted(`by a ${i}`);
      await plant.pass(2_000);
    }
    plant.link('device').unplug();
    await plant.pass(7_000);
    await accepted('by b again');
    await plant.pass(3_000);
    expect(await plant.texts('hall')).toEqual([...numbered(2, 'by b'), ...numbered(3, 'by a'), 'by b again']);
    expect(plant.stops()).toEqual([]);
    expect(['gw-a', 'gw-b'].map((name) => plant.get(name).stats()?.counters.forksRefused)).toEqual([0, 0]);
  });

  test('a fork on one way is a new life on all of them: nothing is lost, nobody else calls it a fork', async () => {
    await accepted(...numbered(2));
    await plant.pass(2_000);
    const image = plant.image('device');
    await accepted(...numbered(2, 'forgotten'));
    await plant.pass(3_000);
    plant.restore('device', image);
    await plant.pass(2_000);
    await accepted(...numbered(2, 'anew'));
    await plant.pass(20_000);
    expect(await plant.texts('hall')).toEqual([...numbered(2), ...numbered(2, 'forgotten'), ...numbered(2, 'anew')]);
    expect(plant.stops()).toEqual([expect.stringMatching(/^device: forked/)]);
    plant.link('device').unplug();
    await plant.pass(7_000);
    await accepted('by the other');
    await plant.pass(5_000);
    expect(await plant.texts('hall')).toEqual(['by the other']);
    expect(plant.stops()).toHaveLength(1);
  });
});

describe('the first gateway dies with messages that it has', () => {
  beforeEach(() => twoGateways('dies with messages'));

  test('what it had said it has is there when it comes back; what it had not goes by the second', async () => {
    plant.link('gw-a').unplug();
    await accepted(...numbered(3, 'with a'));
    await plant.until(() => plant.held('device') === 0);
    plant.get('gw-a').kill();
    await accepted(...numbered(3, 'by b'));
    // A serial line says nothing of it: fifteen seconds of silence, then five.
    await plant.pass(25_000);
    expect(plant.held('device')).toBe(0);
    expect(plant.held('gw-b')).toBe(0);
    plant.link('gw-a').plug();
    plant.get('gw-a').start();
    await plant.pass(10_000);
    expect(plant.held('gw-a')).toBe(0);
    expect(plant.stops()).toEqual([]);
    expect(await plant.texts('hall')).toEqual([...numbered(3, 'with a'), ...numbered(3, 'by b')]);
    expect(plant.get('hall').stats()?.accounts).toEqual([]);
  });

  test('put back to an old image it is a receiver that lost its memory: the device begins a new life, and loses nothing it holds', async () => {
    await accepted('before');
    await plant.pass(3_000);
    const image = plant.image('gw-a');
    await accepted(...numbered(2, 'after the image'));
    await plant.pass(3_000);
    plant.restore('gw-a', image);
    await plant.pass(2_000);
    await accepted(...numbered(3, 'later'));
    await plant.pass(60_000);
    expect(await plant.texts('hall')).toEqual(['before', ...numbered(2, 'after the image'), ...numbered(3, 'later')]);
    expect(plant.held('device')).toBe(0);
  });
});

/** Where the power goes, counted in writes of the node that loses it, from the moment the first gateway is lost. */
test.each(Array.from({ length: 12 }, (_, at) => at + 1))(
  'the device loses power at write %i while it changes its way: nothing is lost, twice or out of order',
  async (writes) => {
    await twoGateways('each write');
    await accepted(...numbered(3, 'before'));
    await plant.pass(2_000);
    plant.link('device').pair?.silence('bToA');
    const device = plant.get('device');
    const sent: string[] = [...numbered(3, 'before')];
    const from = device.disk.counters.writes;
    for (const text of numbered(4, 'during'))
      if ((await plant.send('device', 'hall/inbox', text))?.kind === 'sent') sent.push(text);
    await plant.until(() => device.disk.counters.writes >= from + 4 + writes, 9_000);
    await plant.powerCut('device', 300);
    await plant.pass(2_000);
    await accepted('after');
    await plant.pass(40_000);
    plant.link('device').pair?.restore();
    await plant.pass(60_000);
    const got = await plant.texts('hall');
    expect(got.filter((text) => sent.includes(text))).toEqual(sent);
    expect(got.at(-1)).toBe('after');
    expect(new Set(got).size).toBe(got.length);
    expect(plant.held('device')).toBe(0);
    expect(plant.stops()).toEqual([]);
  },
);

test.each(numbered(10, 'seed'))(
  '%s: lines, gateways and power that come and go: every message arrives, once and in order',
  async (seed) => {
    await twoGateways(seed);
    const chance = plant.random('trouble');
    const sent: string[] = [];
    for (let i = 1; i <= 60; i++) {
      const text = `number ${i}`;
      if ((await plant.send('device', 'hall/inbox', text))?.kind === 'sent') sent.push(text);
      const uplink = chance.pick(['up', 'b'] as const);
      if (chance.chance(0.12)) plant.link('device', uplink).unplug();
      if (chance.chance(0.3)) plant.link('device', uplink).plug();
      if (chance.chance(0.08)) plant.link('device', uplink).pair?.silence(chance.pick(['aToB', 'bToA', 'both']));
      if (chance.chance(0.1)) await plant.powerCut(chance.pick(['device', 'gw-a', 'gw-b', 'hall']), chance.int(2_000));
      await plant.pass(chance.int(2_500));
    }
    for (const uplink of ['up', 'b']) {
      plant.link('device', uplink).pair?.restore();
      plant.link('device', uplink).plug();
    }
    await plant.pass(150_000);
    const got = await plant.texts('hall');
    expect(new Set(got).size).toBe(got.length);
    expect([plant.held('device'), plant.held('gw-a'), plant.held('gw-b')]).toEqual([0, 0, 0]);
    expect(got.filter((text) => sent.includes(text))).toEqual(sent);
    expect(plant.stops()).toEqual([]);
  },
);

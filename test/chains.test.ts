/** Node to node to node: edge, site and centre over links and MQTT mixed, with the power gone in the middle. */
import { describe, expect, test } from 'vitest';
import { numbered, type PlannedUplink, WaysWorld } from '../hardware-sim/ways-world.ts';

type Kind = 'link' | 'mqtt';

/** Nodes `n1` … `nN`: each hands over to the next in the way that is named; the last is the centre. */
function chain(seed: string, hops: readonly Kind[]): WaysWorld {
  const plant = new WaysWorld(seed);
  for (let at = hops.length; at >= 0; at--) {
    const hop = hops[at];
    const above = `n${at + 2}`;
    const uplink: PlannedUplink = { via: hop === 'mqtt' ? { broker: above, central: above } : 'link' };
    const name = `n${at + 1}`;
    plant.box(name, { ...(hop !== undefined && { uplinks: [uplink] }), ...(hops[at - 1] === 'mqtt' && { centralAt: [name] }) });
    if (hop === 'link') plant.lay(name, above, { baud: 115_200 });
  }
  return plant;
}

describe.each<[string, readonly Kind[]]>([
  ['a link, then MQTT', ['link', 'mqtt']],
  ['MQTT, then a link', ['mqtt', 'link']],
  ['MQTT twice, over two brokers', ['mqtt', 'mqtt']],
  ['four nodes: links', ['link', 'link', 'link']],
  ['four nodes: a link, MQTT, a link', ['link', 'mqtt', 'link']],
])('%s', (name, hops) => {
  const last = `n${hops.length + 1}`;

  test('what is sent at one end arrives at the other, in order', async () => {
    const plant = chain(`chain ${name}`, hops);
    await plant.start(5_000);
    for (const text of numbered(20)) expect(await plant.send('n1', `${last}/inbox`, text)).toMatchObject({ kind: 'sent' });
    await plant.pass(10_000);
    const messages = await plant.drain(last);
    expect(messages.map(({ identity }) => identity.number)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(messages.every(({ identity }) => identity.origin === 'n1')).toBe(true);
    for (let at = 1; at <= hops.length; at++) expect(plant.held(`n${at}`)).toBe(0);
  });

  test.each(numbered(3, 'seed'))('%s: the power goes anywhere, again and again', async (seed) => {
    const plant = chain(`${name} ${seed}`, hops);
    await plant.start(5_000);
    const chance = plant.random('trouble');
    const sent: string[] = [];
    for (const text of numbered(40)) {
      if ((await plant.send('n1', `${last}/inbox`, text))?.kind === 'sent') sent.push(text);
      if (chance.chance(0.25)) await plant.powerCut(`n${1 + chance.int(hops.length)}`, chance.int(1_200));
      await plant.pass(chance.int(400));
    }
    await plant.pass(90_000);
    const got = await plant.texts(last);
    expect(got.filter((text) => sent.includes(text))).toEqual(sent);
    expect(new Set(got).size).toBe(got.length);
    for (let at = 1; at <= hops.length; at++) expect(plant.held(`n${at}`)).toBe(0);
    expect(plant.stops()).toEqual([]);
  });
});

test('a message goes where its address says also past nodes that know nothing of it, and ends when it passed fifteen', async () => {
  const hops = 16;
  const plant = chain(
    'far',
    Array.from({ length: hops }, () => 'link'),
  );
  await plant.start(5_000);
  await plant.send('n1', 'n16/inbox', 'within');
  await plant.send('n1', 'n17/inbox', 'passed fifteen');
  await plant.pass(60_000);
  expect(await plant.texts('n16')).toEqual(['within']);
  expect(await plant.texts('n17')).toEqual([]);
  const ended = await Promise.all(
    [...plant.nodes.keys()].map(async (name) => [name, (await plant.drain(name, '$dead')).length] as const),
  );
  expect(ended.filter(([, count]) => count > 0)).toEqual([['n17', 1]]);
});

test('two uplinks that lead to different sites: each message by the one that leads to its node; for others there is none', async () => {
  const plant = new WaysWorld('sites');
  for (const name of ['north', 'south']) plant.box(name);
  plant.box('edge', {
    uplinks: [
      { to: ['north', 'hall-*'], via: 'link' },
      { name: 'b', to: ['south'], via: 'link' },
    ],
  });
  plant.lay('edge', 'north');
  plant.lay('edge', 'south', { uplink: 'b' });
  await plant.start();
  expect(await plant.send('edge', 'north/inbox', 'n')).toMatchObject({ kind: 'sent' });
  expect(await plant.send('edge', 'south/inbox', 's')).toMatchObject({ kind: 'sent' });
  expect(await plant.send('edge', 'east/inbox', 'e')).toMatchObject({ kind: 'error', error: { code: 'ROUTE_NOT_FOUND' } });
  await plant.pass(2_000);
  expect([await plant.texts('north'), await plant.texts('south')]).toEqual([['n'], ['s']]);
  expect(plant.inUse('edge')).toEqual(['up', 'b']);
});

test('what comes by custody for a node that no uplink leads to is a dead letter where that is seen', async () => {
  const plant = new WaysWorld('nowhere');
  plant.box('central');
  plant.box('gateway', { uplinks: [{ to: ['central'], via: 'link' }] });
  plant.box('device', { uplinks: [{ via: 'link' }] });
  plant.lay('gateway', 'central');
  plant.lay('device', 'gateway');
  await plant.start();
  expect(await plant.send('device', 'elsewhere/inbox', 'lost')).toMatchObject({ kind: 'sent' });
  expect(await plant.send('device', 'central/inbox', 'found')).toMatchObject({ kind: 'sent' });
  await plant.pass(5_000);
  expect(await plant.texts('central')).toEqual(['found']);
  const [letter] = await plant.drain('gateway', '$dead');
  expect(letter?.history?.at(-1)).toMatchObject({ class: 'BAD_DST_Q', node: 'gateway' });
});

test('messages whose uplink left the configuration wait, and the node says so; with it they go on', async () => {
  const plant = new WaysWorld('left');
  plant.box('south');
  plant.box('edge', {
    uplinks: [
      { to: ['north'], via: 'link' },
      { name: 'b', to: ['south'], via: 'link' },
    ],
  });
  await plant.start(500);
  expect(await plant.send('edge', 'south/inbox', 'waits')).toMatchObject({ kind: 'sent' });
  const { disk } = plant.get('edge');
  plant.get('edge').powerCut();
  const fewer = plant.box('edge', { uplinks: [{ to: ['north'], via: 'link' }] });
  fewer.insert(disk);
  await plant.start(1_000);
  expect(fewer.stats()?.health).toMatchObject({
    status: 'red',
    causes: [{ code: 'UPLINK_DOWN', detail: '1 messages wait for nodes that no uplink leads to' }],
  });
  fewer.powerCut();
  const again = plant.box('edge', { uplinks: [{ to: ['south'], via: 'link' }] });
  again.insert(disk);
  plant.lay('edge', 'south');
  await plant.start(5_000);
  expect(await plant.texts('south')).toEqual(['waits']);
  expect(again.stats()?.health.status).toBe('green');
});

/** What becomes of uplinks that are not what they were configured for, and what a ring remembers of them. */
import { describe, expect, test } from 'vitest';
import { WaysWorld } from '../../hardware-sim/ways-world.ts';
import { metaChange } from '../custody/meta-keys.ts';
import { MetaTable } from '../ring/meta-table.ts';
import { rememberConfig } from './kept-config.ts';
import type { NodeConfig, UplinkSetup } from './node-io.ts';
import { WAYS, waysOf } from './way-setup.ts';

const CONFIG: NodeConfig = {
  name: 'box',
  queues: [],
  unknownQueue: 'refuse',
  queueBytesLimit: 100_000,
  uplink: 'link',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};
const link = (name: string, to: readonly string[] = ['*']): UplinkSetup => ({
  name,
  kind: 'link',
  to,
  central: '',
  partitionCount: 1,
});
const mqtt = (name: string, central: string, to: readonly string[] = ['*']): UplinkSetup => ({
  name,
  kind: 'mqtt',
  to,
  central,
  partitionCount: 1,
});

test('two cables to one node: the first is used, the second never stands, and nobody is called a fork', async () => {
  const plant = new WaysWorld('two cables');
  plant.box('hub');
  plant.box('box', { uplinks: [{ via: 'link' }, { name: 'b', via: 'link' }] });
  plant.lay('box', 'hub');
  await plant.start();
  expect(await plant.send('box', 'hub/inbox', 'one')).toMatchObject({ kind: 'sent' });
  await plant.pass(2_000);
  plant.lay('box', 'hub', { uplink: 'b' });
  await plant.pass(30_000);
  expect(await plant.send('box', 'hub/inbox', 'two')).toMatchObject({ kind: 'sent' });
  await plant.pass(5_000);
  expect(await plant.texts('hub')).toEqual(['one', 'two']);
  expect(plant.stops()).toEqual([]);
  expect([plant.uplink('box')?.state, plant.inUse('box')]).toEqual(['ready', ['up']]);
  expect(plant.uplink('box', 'b')?.state).not.toBe('ready');
});

test('a line for an uplink that is not there is closed', async () => {
  const plant = new WaysWorld('no uplink');
  plant.box('hub');
  plant.box('box', { uplinks: [{ via: 'link' }] });
  const cable = plant.lay('box', 'hub', { uplink: 'other' });
  await plant.start(1_000);
  expect(plant.get('box').stats()?.links).toEqual([]);
  expect(cable.pair?.isClosed).toBe(true);
});

describe('the ways of some uplinks', () => {
  const metas = new MetaTable();

  test('each is one; brokers of one central are one together, in the place of the first', () => {
    const ways = waysOf([mqtt('up', 'c', ['c']), link('b'), mqtt('d', 'c', ['site-*']), mqtt('e', 'other')], metas);
    expect(ways.map(({ hop, to, uplinks }) => [hop, to, uplinks.map(({ name }) => name)])).toEqual([
      ['up', ['c', 'site-*'], ['up', 'd']],
      ['up/b', ['*'], ['b']],
      ['up/e', ['*'], ['e']],
    ]);
  });

  test('a way keeps its ticket when its brokers change places', () => {
    const known = new MetaTable();
    const { key, value } = metaChange('t/up', ['central']);
    known.set(key, value, 1);
    expect(waysOf([mqtt('b', 'c'), mqtt('up', 'c')], known).map(({ hop }) => hop)).toEqual(['up']);
    expect(waysOf([mqtt('b', 'c'), mqtt('up', 'c')], metas).map(({ hop }) => hop)).toEqual(['up/b']);
  });
});

describe('a ring remembers', () => {
  const remembered = (config: NodeConfig): MetaTable => {
    const metas = new MetaTable();
    for (const { key, value } of rememberConfig(config, metas, WAYS)) metas.set(key, value, 1);
    expect(rememberConfig(config, metas, WAYS)).toEqual([]);
    return metas;
  };
  const kept: NodeConfig = { ...CONFIG, uplink: 'kept', unknownQueue: 'kept', queueBytesLimit: 'kept' };

  test('several uplinks and where they lead, for commands that open it', () => {
    const uplinks = [link('up', ['site-*', 'hall']), mqtt('b', 'central', ['central'])];
    const found = WAYS.of(kept, remembered({ ...CONFIG, uplinks }));
    expect(found.flatMap((way) => way.uplinks).map(({ name, kind, to }) => [name, kind, to])).toEqual([
      ['up', 'link', ['site-*', 'hall']],
      ['b', 'mqtt', ['central']],
    ]);
  });

  test('one that leads everywhere as it always did', () => {
    const metas = remembered(CONFIG);
    expect(WAYS.of(kept, metas).map(({ hop, to }) => [hop, to])).toEqual([['up', ['*']]]);
    expect(WAYS.of(kept, remembered({ ...CONFIG, uplink: 'none' }))).toEqual([]);
  });
});

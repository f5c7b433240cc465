/**
 * META that damage took away, one value at a time, of a node in the middle: device ═ gateway ═ central, with messages under way in
 * every direction. And damage to each block of its ring.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Prng, stream } from '../../hardware-sim/random.ts';
import { framesOn } from '../../hardware-sim/ring-damage.ts';
import { openRing, type RingDriver } from '../../hardware-sim/ring-driver.ts';
import type { SimDisk } from '../../hardware-sim/sim-disk.ts';
import { SimLink } from '../../hardware-sim/sim-link.ts';
import { SimNode } from '../../hardware-sim/sim-node.ts';
import { World } from '../../hardware-sim/world.ts';
import { fromUtf8, toUtf8 } from '../bytes.ts';
import type { Call, CallResult } from '../core/calls.ts';
import type { NodeConfig } from '../core/node-io.ts';
import { crc32 } from '../crc32.ts';
import { type RingGeometry, superblockOffset } from '../ring/geometry.ts';
import { withGaps } from '../ring/loss-record.ts';
import { sealOf } from '../ring/recovery.ts';
import { LOST_KEY } from '../ring/ring.ts';
import { decodeSuperblock, SUPERBLOCK_BYTES, type Superblock } from '../ring/superblock-layout.ts';
import { MetaFields, metaChange, metaValues } from './meta-keys.ts';

const NAMES = ['device', 'gateway', 'central'] as const;
type Name = (typeof NAMES)[number];
type Disks = Record<Name, SimDisk>;

interface Arrival {
  readonly text: string;
  readonly maybeDuplicate: boolean;
}

/** Longer than a block, where a body is to have blocks of its own. */
const pad = (text: string, bytes = 200) => `${text} `.padEnd(bytes, '.');

class Yard {
  readonly world: World;
  readonly nodes: Record<Name, SimNode>;
  readonly #random: (name: string) => Prng;
  readonly #links: SimLink[];

  constructor(name: string, disks?: Disks) {
    this.#random = (part) => stream(`meta ${name}`, part);
    this.world = new World(this.#random('scheduler'), 'when-due');
    const node = (config: Partial<NodeConfig> & { name: Name }) => {
      const one = new SimNode({
        world: this.world,
        config: { ...CONFIG, ...config },
        random: this.#random(config.name),
        syncMsMax: 3,
      });
      if (disks !== undefined) one.disk = disks[config.name].clone(this.#random(`disk ${config.name}`));
      return one;
    };
    this.nodes = {
      device: node({ name: 'device', uplink: 'link' }),
      gateway: node({ name: 'gateway', uplink: 'link', queues: [{ name: 'local', bytesLimit: 50_000 }] }),
      central: node({ name: 'central', queues: [{ name: 'bags', bytesLimit: 200_000 }] }),
    };
    const { device, gateway, central } = this.nodes;
    const { world } = this;
    this.#links = [
      new SimLink({ world, random: this.#random('line 1'), dials: device, accepts: gateway }),
      new SimLink({ world, random: this.#random('line 2'), dials: gateway, accepts: central }),
    ];
  }

  /** Until all serve. */
  async start(): Promise<void> {
    for (const node of Object.values(this.nodes)) node.start();
    await this.world.run(this.world.nowMs + 5_000, () => Object.values(this.nodes).every((node) => node.isServing));
    for (const node of Object.values(this.nodes)) expect([node.name, node.isServing]).toEqual([node.name, true]);
  }

  async pass(ms: number): Promise<void> {
    await this.world.run(this.world.nowMs + ms);
  }

  unplug(): void {
    for (const link of this.#links) link.unplug();
  }

  async send(from: Name, destination: string, text: string, priority = 3): Promise<void> {
    const call: Call = { verb: 'send', destination, body: toUtf8(text), properties: { priority } };
    expect(await this.#ask(from, call)).toMatchObject({ kind: 'sent' });
  }

  async drain(at: Name, queue: string, countMax = Number.POSITIVE_INFINITY): Promise<Arrival[]> {
    const arrivals: Arrival[] = [];
    while (arrivals.length < countMax) {
      const got = await this.#ask(at, { verb: 'receive', queue, waitMs: 0, leaseMs: 60_000 });
      if (got?.kind !== 'received') break;
      const { message, lease } = got.received;
      const text = (fromUtf8(message.body) ?? '?').split(' ')[0] ?? '?';
      arrivals.push({ text, maybeDuplicate: message.maybeDuplicate !== undefined });
      expect(await this.#ask(at, { verb: 'ack', lease })).toMatchObject({ kind: 'done' });
    }
    return arrivals;
  }

  accountsOf(name: Name): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { class: ending, count } of this.nodes[name].stats()?.accounts ?? [])
      counts.set(ending, (counts.get(ending) ?? 0) + count);
    return counts;
  }

  /** The power goes everywhere. */
  end(): Disks {
    for (const node of Object.values(this.nodes)) node.powerCut();
    const { device, gateway, central } = this.nodes;
    return { device: device.disk, gateway: gateway.disk, central: central.disk };
  }

  async #ask(whom: Name, call: Call): Promise<CallResult | undefined> {
    let answer: CallResult | undefined;
    this.nodes[whom].call(call, (result) => {
      answer = result;
    });
    await this.world.run(this.world.nowMs + 5_000, () => answer !== undefined);
    return answer;
  }
}

const CONFIG: NodeConfig = {
  name: '',
  queues: [],
  unknownQueue: 'refuse',
  queueBytesLimit: 50_000,
  uplink: 'none',
  central: 'central',
  isCentral: 'no',
  partitionCount: 1,
  commitDelayMs: 0,
  home: undefined,
};

/** What was received before the power went. */
const RECEIVED = ['forwarded-0', 'own-0', 'local-0'];
const SENT_TO_CENTRAL = [0, 1, 2, 3, 4, 5].flatMap((i) => [`forwarded-${i}`, `own-${i}`]);
const SENT_TO_GATEWAY = [0, 1, 2, 3, 4].map((i) => `local-${i}`);

let disks: Disks;
/** The same a while later: everything was handed over and received, and the nodes were opened anew since. */
let idle: Disks;

/** Of each stream a part arrived and was received, a part arrived, a part is at the gateway, and a part still at the device. */
beforeAll(async () => {
  const yard = new Yard('before');
  await yard.start();
  const round = async (i: number) => {
    await yard.send('device', 'central/bags', pad(`forwarded-${i}`));
    await yard.send('device', 'gateway/local', pad(`local-${i}`, i === 3 ? 6_000 : 200));
    await yard.send('gateway', 'central/bags', pad(`own-${i}`), 5);
  };
  await round(0);
  await yard.send('device', 'gateway/nothing', 'nobody takes this');
  await yard.pass(2_000);
  await yard.drain('central', 'bags', 2);
  await yard.drain('gateway', 'local', 1);
  await round(1);
  await yard.pass(2_000);
  yard.nodes.central.powerCut();
  await round(2);
  await round(3);
  await yard.pass(2_000);
  yard.unplug();
  yard.nodes.gateway.powerCut();
  yard.nodes.gateway.start();
  await yard.pass(1_000);
  await round(4);
  await yard.send('device', 'central/bags', pad('forwarded-5'));
  await yard.send('gateway', 'central/bags', pad('own-5'), 5);
  disks = yard.end();

  const later = new Yard('later', disks);
  await later.start();
  await later.pass(5_000);
  await later.drain('central', 'bags');
  await later.drain('gateway', 'local');
  later.end();
  await later.start();
  later.unplug();
  await later.pass(100);
  idle = later.end();
});

/** A ring on a disk at hand, without any node. */
function ringOf(disk: SimDisk): { driver: RingDriver; settle: () => void } {
  disk.onPending = () => {};
  const driver = openRing(disk, { epochRandom: 77 });
  const settle = (): void => {
    for (driver.play(1e9); disk.step(); ) driver.play(1e9);
  };
  settle();
  expect(driver.ring.state).toBe('serving');
  return { driver, settle };
}

/** The gateway's disk without some META values, as damage leaves it: they are gone, and it is on record that something is. */
function without(keys: readonly string[], from = disks, victim: Name = 'gateway'): Disks {
  const disk = from[victim].clone(stream('meta', 'without'));
  const { driver, settle } = ringOf(disk);
  const { ring } = driver;
  const lost = withGaps(ring.metas.get(LOST_KEY), [{ lsn: 1, blocks: 1, framesLost: 1, idsLost: 0 }]);
  const metas = keys.map((key) => ({ key, value: undefined }));
  for (const { key } of metas) expect(ring.metas.get(key), key).toBeDefined();
  ring.append({ metas: [...metas, { key: LOST_KEY, value: lost }] }, { nowMs: 0, delayMs: 0 }, () => {});
  settle();
  disk.kill();
  return { ...from, [victim]: disk };
}

/** Keys of a kind on the gateway's disk; of those of a stream or queue only the ones that `which` fits. */
function keysOf(kind: string, which = /(?:)/, from = disks, victim: Name = 'gateway'): string[] {
  const { driver } = ringOf(from[victim].clone(stream('meta', 'keys')));
  const { metas } = driver.ring;
  const names = new Map<string, string>();
  for (const [handle, value] of metaValues(metas, 's/')) {
    const fields = new MetaFields(value);
    names.set(handle, `${fields.text(0)} ${fields.text(2)} ${fields.number(3)}`);
  }
  for (const [id, value] of metaValues(metas, 'q/')) names.set(`q${id}`, new MetaFields(value).text(0));
  const nameOf = (rest: string) =>
    kind === 'q/' ? names.get(`q${rest}`) : (names.get(rest.split('/')[['c/', 'b/'].includes(kind) ? 1 : 0] ?? '') ?? rest);
  return [...metas.withPrefix(kind)].map(([key]) => key).filter((key) => which.test(nameOf(key.slice(kind.length)) ?? ''));
}

/** Everything after the damage: nodes serve, everything under way arrives, and what is sent now as well. */
async function rest(name: string, from: Disks) {
  const yard = new Yard(name, from);
  await yard.start();
  const accounts = yard.accountsOf('gateway');
  await yard.send('device', 'central/bags', 'new-1');
  await yard.send('gateway', 'central/bags', 'new-2', 5);
  await yard.send('device', 'gateway/local', 'new-3');
  await yard.pass(60_000);
  const { device, gateway, central } = yard.nodes;
  const atCentral = await yard.drain('central', 'bags');
  const atGateway = await yard.drain('gateway', 'local');
  const held = [device, gateway].flatMap((node) => node.stats()?.outgoing ?? []).reduce((sum, one) => sum + one.held, 0);
  const stops = [device, gateway, central].flatMap((node) => node.stops.map(({ message }) => message));
  return { yard, accounts, atCentral, atGateway, held, stops };
}

const sorted = (texts: Iterable<string>) => [...texts].sort();
const certain = (list: readonly Arrival[]) => list.filter(({ maybeDuplicate }) => !maybeDuplicate).map(({ text }) => text);

/** Received once, or not again but for what says that it may be a duplicate. */
function expectAll(arrivals: readonly Arrival[], sent: readonly string[]): void {
  const open = sent.filter((text) => !RECEIVED.includes(text));
  expect(sorted(new Set([...RECEIVED, ...arrivals.map(({ text }) => text)]))).toEqual(sorted(new Set([...RECEIVED, ...sent])));
  const once = certain(arrivals);
  expect(once).toHaveLength(new Set(once).size);
  for (const text of once) expect(open).toContain(text);
}

test('without damage everything under way arrives, once', async () => {
  const { atCentral, atGateway, accounts, held, stops } = await rest('none', disks);
  expect(sorted(atCentral.map(({ text }) => text))).toEqual(
    sorted([...SENT_TO_CENTRAL, 'new-1', 'new-2'].filter((text) => !RECEIVED.includes(text))),
  );
  expect(sorted(atGateway.map(({ text }) => text))).toEqual(
    sorted([...SENT_TO_GATEWAY, 'new-3'].filter((text) => !RECEIVED.includes(text))),
  );
  expect([[...accounts], held, stops]).toEqual([[['BAD_DST_Q', 1]], 0, []]);
});

describe('of what damage took away', () => {
  test.each<[string, string, RegExp, 'once' | 'maybe twice']>([
    ['a stream that leaves, forwarded', 's/', /^device central.bags/, 'once'],
    ['a stream that leaves, own', 's/', /^gateway central.bags/, 'once'],
    ['a stream with messages in a queue', 's/', /^device gateway.local/, 'once'],
    ['a stream without messages, and with an account', 's/', /nothing/, 'once'],
    // What it wrote to the central has arrived: no message is left that could name that stream.
    ['all streams', 's/', /(?:)/, 'maybe twice'],
    ['a queue with messages', 'q/', /local/, 'once'],
    ['$dead', 'q/', /dead/, 'once'],
    ['all queues', 'q/', /(?:)/, 'once'],
    ['counters of a forwarded stream', 'o/', /^device/, 'once'],
    ['counters of an own stream', 'o/', /^gateway/, 'once'],
    ['counters of streams that end here', 'd/', /(?:)/, 'once'],
    ['who sends to it', 'f/', /(?:)/, 'maybe twice'],
    ['cursors of who sends to it', 'c/', /(?:)/, 'once'],
    ['its own ticket', 't/', /(?:)/, 'maybe twice'],
    ['its bases', 'b/', /(?:)/, 'maybe twice'],
    ['who it is', 'node', /(?:)/, 'maybe twice'],
    ['that it was open', 'open', /(?:)/, 'once'],
    ['its configuration', 'config', /(?:)/, 'once'],
  ])('%s costs no message', async (name, kind, which, how) => {
    const keys = keysOf(kind, which);
    expect(keys.length).toBeGreaterThan(0);
    const { yard, atCentral, atGateway, accounts, held, stops } = await rest(name, without(keys));
    expectAll(atCentral, [...SENT_TO_CENTRAL, 'new-1', 'new-2']);
    expectAll(atGateway, [...SENT_TO_GATEWAY, 'new-3']);
    const twice = [...atCentral, ...atGateway].filter(({ maybeDuplicate }) => maybeDuplicate);
    if (how === 'once') expect([twice, stops]).toEqual([[], []]);
    expect([accounts.get('BAD_DST_Q'), held]).toEqual([1, 0]);
    expect(accounts.get('CORRUPT') ?? 0).toBe(0);
    // It stays so.
    yard.nodes.gateway.powerCut();
    yard.nodes.gateway.start();
    await yard.pass(5_000);
    expect([yard.nodes.gateway.isServing, yard.accountsOf('gateway').get('BAD_DST_Q')]).toEqual([true, 1]);
  });
});

describe('a stream without a name, of which not all can be read', () => {
  /** The name is gone, and so are these bodies, wherever they stand. */
  function rotten(texts: readonly string[]): Disks {
    const damaged = without(keysOf('s/', /^gateway central.bags/));
    const platter = damaged.gateway.platter();
    const written = Array.from({ length: Math.ceil(platter.length / 65_536) }, (_, i) =>
      String.fromCharCode(...platter.subarray(i * 65_536, (i + 1) * 65_536)),
    ).join('');
    for (const text of texts) {
      for (let at = written.indexOf(`${text} `); at !== -1; at = written.indexOf(`${text} `, at + 1))
        damaged.gateway.rot(at, 1, 'one-bit');
    }
    return damaged;
  }

  test('is named by one that can; the others end CORRUPT, each counted once at every node, and the stream goes on', async () => {
    const { yard, atCentral, held, stops } = await rest('some rotten', rotten(['own-2', 'own-3']));
    const texts = atCentral.map(({ text }) => text).filter((text) => text.startsWith('own') || text === 'new-2');
    expect(texts).toEqual(['own-1', 'own-4', 'own-5', 'new-2']);
    expect([yard.accountsOf('gateway').get('CORRUPT'), yard.accountsOf('central').get('CORRUPT')]).toEqual([2, 2]);
    expect([held, stops]).toEqual([0, []]);
  });

  test('with none that can it is given up, counted, for good', async () => {
    const { yard, atCentral, accounts, held } = await rest('all rotten', rotten(['own-2', 'own-3', 'own-4', 'own-5']));
    expect([...accounts]).toEqual(expect.arrayContaining([['CORRUPT', 4]]));
    const texts = atCentral.map(({ text }) => text).filter((text) => text.startsWith('own') || text === 'new-2');
    expect([texts, held]).toEqual([['own-1', 'new-2'], 0]);
    yard.nodes.gateway.powerCut();
    yard.nodes.gateway.start();
    await yard.pass(5_000);
    expect(yard.accountsOf('gateway').get('CORRUPT')).toBe(4);
  });
});

test('a power cut at any step of the mending costs nothing, and counts nothing twice', async () => {
  const damaged = without([...keysOf('s/', /^(?!.*node)/), ...keysOf('q/'), ...keysOf('o/'), ...keysOf('d/')]);
  for (let count = 0; count < 24; count++) {
    const yard = new Yard(`cut ${count}`, damaged);
    const { gateway } = yard.nodes;
    gateway.start();
    const until = yard.world.steps + count;
    await yard.world.run(1_000, () => yard.world.steps >= until);
    gateway.powerCut();
    const { accounts, atCentral, atGateway, held, stops } = await rest(`cut ${count}, then`, {
      ...damaged,
      gateway: gateway.disk,
    });
    expectAll(atCentral, [...SENT_TO_CENTRAL, 'new-1', 'new-2']);
    expectAll(atGateway, [...SENT_TO_GATEWAY, 'new-3']);
    expect([[...accounts], held, stops], `after ${count} steps`).toEqual([[['BAD_DST_Q', 1]], 0, []]);
  }
});

test('of two names for one stream, as damage may bring one back, the one with messages stays', async () => {
  const [name = ''] = keysOf('s/', /^gateway central.bags/);
  const damaged = without([]);
  const { driver, settle } = ringOf(damaged.gateway);
  const { ring } = driver;
  const metas = [{ key: 's/99', value: ring.metas.get(name) }, metaChange('o/99', [1, 3]), metaChange('a/99/RECEIVE_TIMEOUT', 2)];
  ring.append({ metas }, { nowMs: 0, delayMs: 0 }, () => {});
  settle();
  damaged.gateway.kill();
  const { yard, accounts, atCentral, held, stops } = await rest('twins', damaged);
  expectAll(atCentral, [...SENT_TO_CENTRAL, 'new-1', 'new-2']);
  expect([accounts.get('RECEIVE_TIMEOUT'), held, stops]).toEqual([2, 0, []]);
  const streams = (yard.nodes.gateway.stats()?.outgoing ?? []).map((one) => one.stream);
  expect(streams).toHaveLength(new Set(streams).size);
});

describe('numbers that were given out are not given out again, when there is no message any more to tell', () => {
  test.each<[string, string[], RegExp]>([
    ['the counter of an own stream', ['o/'], /^gateway/],
    ['its counter and its base', ['o/', 'b/'], /^gateway/],
    ['its name', ['s/'], /^gateway/],
    ['all that is known of it', ['s/', 'o/', 'b/'], /^gateway/],
    ['counters of forwarded streams', ['o/'], /^device/],
    ['counters and cursors of forwarded streams', ['o/', 'c/'], /^device/],
    ['counters of streams that end here', ['d/'], /(?:)/],
  ])('%s', async (name, kinds, which) => {
    const keys = kinds.flatMap((kind) => keysOf(kind, which, idle));
    expect(keys.length).toBeGreaterThan(0);
    const yard = new Yard(name, without(keys, idle));
    await yard.start();
    for (let i = 0; i < 8; i++) await yard.send('gateway', 'central/bags', `own-new-${i}`, 5);
    for (let i = 0; i < 8; i++) await yard.send('device', 'central/bags', `new-${i}`);
    for (let i = 0; i < 8; i++) await yard.send('device', 'gateway/local', `local-new-${i}`);
    yard.nodes.gateway.powerCut();
    yard.nodes.gateway.start();
    await yard.pass(60_000);
    const texts = (list: readonly Arrival[]) => sorted(list.map(({ text }) => text));
    const eight = (prefix: string) => Array.from({ length: 8 }, (_, i) => `${prefix}-${i}`);
    expect(texts(await yard.drain('central', 'bags'))).toEqual(sorted([...eight('own-new'), ...eight('new')]));
    expect(texts(await yard.drain('gateway', 'local'))).toEqual(eight('local-new'));
  });
});

test('a stream that its origin and the next node forget in the same accident is not taken for another', async () => {
  const atDevice = keysOf('s/', /central.bags/, idle, 'device');
  const atGateway = keysOf('s/', /^device central.bags/, idle);
  expect([atDevice.length, atGateway.length]).toEqual([1, 1]);
  const { yard, atCentral, held } = await rest('both', without(atGateway, without(atDevice, idle, 'device')));
  expect(sorted(atCentral.map(({ text }) => text))).toEqual(['new-1', 'new-2']);
  expect([held, yard.nodes.device.stops]).toEqual([0, []]);
});

describe('any block of the ring gone', () => {
  test.each<['zeros' | 'one-bit']>([['zeros'], ['one-bit']])(
    '%s: the node serves, only what was in the frame that was hit is missing, and nothing comes that was not sent',
    async (how) => {
      const { geometry } = new SimNode({
        world: new World(stream('g', 'g')),
        config: CONFIG,
        random: stream('g', 'n'),
        syncMsMax: 1,
      });
      const { blockBytes, blockCount } = geometry;
      const platter = disks.gateway.platter();
      const seal = sealOf(superblockOf(platter, geometry), crc32);
      const frames = framesOn(platter, geometry, seal);
      let count = 0;
      for (let offset = 0; offset < platter.length; offset += blockBytes) {
        if (platter.subarray(offset, offset + blockBytes).every((byte) => byte === 0)) continue;
        count += 1;
        const gateway = disks.gateway.clone(stream('sweep', how));
        gateway.rot(offset, blockBytes, how);
        const after = await rest(`sweep ${how} ${offset}`, { ...disks, gateway });
        const block = offset / blockBytes - FIRST_BLOCK;
        const hit = frames.find(({ lsn, blocks }) => lsn % blockCount <= block && block < (lsn % blockCount) + blocks);
        const from = (FIRST_BLOCK + ((hit?.lsn ?? 0) % blockCount)) * blockBytes;
        const bytes = platter.subarray(from, from + (hit?.blocks ?? 0) * blockBytes);
        const inFrame = new Set(String.fromCharCode(...bytes).match(/(forwarded|own|local)-\d/g));
        const at = `block ${block}`;
        const arrived = [...after.atCentral, ...after.atGateway];
        const sent = [...SENT_TO_CENTRAL, ...SENT_TO_GATEWAY, 'new-1', 'new-2', 'new-3'];
        const there = new Set([...RECEIVED, ...arrived.map(({ text }) => text)]);
        expect(
          sent.filter((text) => !there.has(text) && !inFrame.has(text)),
          `${at}: missing`,
        ).toEqual([]);
        expect(
          [...there].filter((text) => !sent.includes(text)),
          `${at}: never sent`,
        ).toEqual([]);
        const once = certain(arrived).filter((text) => !inFrame.has(text));
        expect(sorted(once.filter((text, i) => once.indexOf(text) !== i)), `${at}: twice`).toEqual([]);
        expect(after.held, `${at}: held`).toBe(0);
      }
      expect(count).toBeGreaterThan(20);
    },
  );
});

/** Two superblocks are before it. */
const FIRST_BLOCK = 2;

function superblockOf(platter: Uint8Array, geometry: RingGeometry): Superblock {
  const superblock = decodeSuperblock(platter.subarray(superblockOffset(geometry, 0)).subarray(0, SUPERBLOCK_BYTES));
  if (superblock === undefined) throw new Error('a ring that was used has a superblock');
  return superblock;
}

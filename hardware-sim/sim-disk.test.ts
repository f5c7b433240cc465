import { describe, expect, test } from 'vitest';
import type { NodeConfig } from '../shared/core/node-io.ts';
import { stream } from './random.ts';
import { SECTOR_BYTES, type SectorFate, SimDisk } from './sim-disk.ts';
import { SimNode } from './sim-node.ts';
import { World } from './world.ts';

const bytes = (length: number, byte: number) => new Uint8Array(length).fill(byte);
const disk = (completion: 'at-once' | 'stepped' = 'stepped', seed = 'disk') =>
  new SimDisk({ bytes: 8 * SECTOR_BYTES, random: stream(seed, 'disk'), completion });
const sector = (of: SimDisk, i: number) => of.platter().subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES);

describe('a power cut', () => {
  test('leaves every sector of the write on its way old, new, half or garbage, and all others alone', () => {
    const d = disk();
    d.poke(0, bytes(d.bytes, 1));
    d.open().begin(SECTOR_BYTES, bytes(4 * SECTOR_BYTES, 2));
    const fates: SectorFate[] = ['old', 'new', 'half', 'garbage'];
    d.powerCut((position, count) => {
      expect(count).toBe(4);
      return fates[position] ?? 'old';
    });
    expect(sector(d, 0)).toEqual(bytes(SECTOR_BYTES, 1));
    expect(sector(d, 1)).toEqual(bytes(SECTOR_BYTES, 1));
    expect(sector(d, 2)).toEqual(bytes(SECTOR_BYTES, 2));
    expect([...new Set(sector(d, 3).subarray(0, 256))]).toEqual([2]);
    expect([...new Set(sector(d, 3).subarray(256))]).toEqual([1]);
    expect(new Set(sector(d, 4)).size).toBeGreaterThan(50);
    expect(sector(d, 5)).toEqual(bytes(SECTOR_BYTES, 1));
  });

  test('takes the cache and every open file with it', () => {
    const d = disk();
    const file = d.open();
    const write = file.begin(0, bytes(512, 3));
    const seen = new Uint8Array(512);
    file.read(0, seen);
    expect(seen).toEqual(bytes(512, 3));
    d.powerCut(() => 'old');
    d.open().read(0, seen);
    expect(seen).toEqual(bytes(512, 0));
    expect(write.state).toBe('pending'); // nobody is told
    expect(file.begin(0, bytes(512, 3)).state).toBe('failed');
  });

  test('is the same with the same seed', () => {
    const cut = () => {
      const d = disk('stepped', 'same');
      d.open().begin(0, bytes(8 * SECTOR_BYTES, 9));
      d.powerCut();
      return d.platter();
    };
    expect(cut()).toEqual(cut());
  });
});

test('a kill lets writes on their way arrive whole', () => {
  const d = disk();
  const file = d.open();
  file.begin(0, bytes(1024, 3));
  d.kill();
  expect(d.platter().subarray(0, 1024)).toEqual(bytes(1024, 3));
  expect(file.begin(0, bytes(512, 4)).state).toBe('failed');
});

test('a step completes the oldest write, and says when there is none', () => {
  const d = disk();
  const file = d.open();
  const [a, b] = [file.begin(0, bytes(512, 1)), file.begin(512, bytes(512, 2))];
  expect([d.step(), a.state, b.state, d.pending.length]).toEqual([true, 'durable', 'pending', 1]);
  expect([d.step(), b.state, d.step()]).toEqual([true, 'durable', false]);
});

describe('a failed sync', () => {
  test.each(['new', 'old'] as const)(
    'leaves any part on the platter, the cache showing what is %s, and the file dead',
    (cache) => {
      const platters = new Set<string>();
      for (let seed = 0; seed < 40; seed++) {
        const d = disk('at-once', `sync ${seed}`);
        const file = d.open();
        d.failNextSync(cache);
        expect(file.begin(0, bytes(2 * SECTOR_BYTES, 7)).state).toBe('failed');
        platters.add([sector(d, 0)[0], sector(d, 1)[0]].join());
        const seen = new Uint8Array(2 * SECTOR_BYTES);
        d.open().read(0, seen);
        expect(seen).toEqual(bytes(2 * SECTOR_BYTES, cache === 'new' ? 7 : 0));
        expect(file.begin(2048, bytes(512, 1)).state).toBe('failed');
        expect(d.open().begin(2048, bytes(512, 1)).state).toBe('durable');
      }
      expect([...platters].sort()).toEqual(['0,0', '0,7', '7,0', '7,7']);
    },
  );
});

describe('a lying flush', () => {
  test('calls durable what a power cut may take, until it is honest', () => {
    const d = disk('at-once');
    const file = d.open();
    d.lie();
    expect(file.begin(0, bytes(512, 1)).state).toBe('durable');
    expect(sector(d, 0)).toEqual(bytes(512, 0));
    d.flush();
    expect(sector(d, 0)).toEqual(bytes(512, 1));
    file.begin(512, bytes(512, 2));
    expect(sector(d, 1)).toEqual(bytes(512, 2));
  });
});

describe('damage', () => {
  test('comes as asked and stays within its range', () => {
    const d = disk('at-once');
    d.poke(0, bytes(d.bytes, 0x55));
    d.rot(512, 512, 'zeros');
    d.rot(1024, 512, 'garbage');
    d.rot(1536, 512, 'one-bit');
    expect(sector(d, 1)).toEqual(bytes(512, 0));
    expect(new Set(sector(d, 2)).size).toBeGreaterThan(50);
    expect(sector(d, 3).filter((byte) => byte !== 0x55)).toHaveLength(1);
    for (const i of [0, 4, 5, 6, 7]) expect(sector(d, i)).toEqual(bytes(512, 0x55));
  });

  test('reads of a bad range fail until it is healed, others do not', () => {
    const d = disk('at-once');
    const file = d.open();
    d.failReads(600, 10);
    expect(() => file.read(512, new Uint8Array(512))).toThrow(/EIO/);
    file.read(0, new Uint8Array(600));
    file.read(610, new Uint8Array(100));
    d.healReads();
    file.read(512, new Uint8Array(512));
    d.failReads(0, 512, 1);
    expect(() => file.read(0, new Uint8Array(512))).toThrow(/EIO/);
    file.read(0, new Uint8Array(512));
  });
});

test('a clone is the same moment on a disk of its own', () => {
  const d = disk();
  d.poke(0, bytes(d.bytes, 1));
  d.open().begin(0, bytes(1024, 2));
  const clone = d.clone(stream('clone', 'disk'));
  expect(clone.pendingSectorCount).toBe(2);
  clone.powerCut(() => 'new');
  expect(clone.platter().subarray(0, 1024)).toEqual(bytes(1024, 2));
  expect(d.platter()).toEqual(bytes(d.bytes, 1));
  d.step();
  expect(d.platter().subarray(0, 1024)).toEqual(bytes(1024, 2));
});

/** What a new owner reads. */
function reads(of: SimDisk, offset: number, length: number): Uint8Array {
  const into = new Uint8Array(length);
  of.open().read(offset, into);
  return into;
}

test('a disk with sectors of 4096 bytes tears in those', () => {
  const d = new SimDisk({ bytes: 4 * 4096, random: stream('large', 'disk'), completion: 'stepped', sectorBytes: 4096 });
  d.open().begin(0, bytes(3 * 4096, 2));
  expect(d.pendingSectorCount).toBe(3);
  expect(d.clone(stream('clone', 'disk')).pendingSectorCount).toBe(3);
  d.powerCut((position) => (['old', 'new', 'half'] as const)[position] ?? 'old');
  expect(d.platter()).toEqual(Uint8Array.from([...bytes(4096, 0), ...bytes(4096 + 2048, 2), ...bytes(4096 + 2048, 0)]));
});

describe('an early writeback', () => {
  test('puts any sectors on the platter, which a power cut then finds new whatever it chooses', () => {
    const platters = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const d = disk('stepped', `early ${seed}`);
      const write = d.open().begin(0, bytes(2 * SECTOR_BYTES, 7));
      d.writeBack();
      expect(write.state).toBe('pending');
      const before = [sector(d, 0)[0], sector(d, 1)[0]].join();
      expect(d.pendingSectorCount).toBe(before.split('0').length - 1);
      d.clone(stream(seed, 'clone')).powerCut((position, count) => {
        expect(position).toBeLessThan(count);
        return 'garbage';
      });
      d.powerCut(() => 'old');
      expect([sector(d, 0)[0], sector(d, 1)[0]].join()).toBe(before);
      platters.add(before);
    }
    expect([...platters].sort()).toEqual(['0,0', '0,7', '7,0', '7,7']);
  });

  test('does not make the write durable, nor stop it from becoming so', () => {
    const d = disk();
    const write = d.open().begin(0, bytes(8 * SECTOR_BYTES, 7));
    for (let i = 0; i < 20; i++) d.writeBack();
    expect([d.platter(), d.pendingSectorCount, write.state]).toEqual([bytes(d.bytes, 7), 0, 'pending']);
    d.step();
    expect(write.state).toBe('durable');
  });
});

describe('a write that fails', () => {
  test.each(['EIO', 'ENOSPC', 'EROFS'] as const)('with %s says so, as the write with the number that was planned', (reason) => {
    const d = disk('at-once');
    const file = d.open();
    d.failWriteNumber(3, reason);
    const writes = [0, 1, 2].map((i) => file.begin(i * 512, bytes(512, 1)));
    expect(writes.map(({ state }) => state)).toEqual(['durable', 'durable', 'failed']);
    expect(writes[2]?.reason).toContain(reason);
    expect(file.begin(0, bytes(512, 2))).toMatchObject({ state: 'failed', reason: writes[2]?.reason });
    expect(d.open().begin(0, bytes(512, 2)).state).toBe('durable');
    expect(() => d.failWriteNumber(0)).toThrow(RangeError);
  });

  test.each([
    ['ENOSPC', 4],
    ['EROFS', 1],
  ] as const)('with %s may leave %i platters', (reason, count) => {
    const platters = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const d = disk('at-once', `${reason} ${seed}`);
      d.failNextSync('new', reason);
      d.open().begin(0, bytes(2 * SECTOR_BYTES, 7));
      platters.add([sector(d, 0)[0], sector(d, 1)[0]].join());
      expect(reads(d, 0, 2 * SECTOR_BYTES)).toEqual(bytes(2 * SECTOR_BYTES, 7));
    }
    expect(platters.size).toBe(count);
    expect(platters).toContain('0,0');
  });

  test('for good fails for every owner, until it is healed', () => {
    const d = disk('at-once');
    d.failWrites('EROFS');
    for (const one of [d, d, d.clone(stream('clone', 'disk'))]) {
      expect(one.open().begin(0, bytes(512, 1))).toMatchObject({ state: 'failed', reason: 'EROFS: sync' });
      expect([sector(one, 0), reads(one, 0, 512)]).toEqual([bytes(512, 0), bytes(512, 0)]);
    }
    d.healWrites();
    expect(d.open().begin(0, bytes(512, 1)).state).toBe('durable');
  });
});

test('a latent sector error is of one whole sector, and for good: no write and no power cut heals it', () => {
  const d = disk('at-once');
  d.failSector(600);
  for (const one of [d, d.clone(stream('clone', 'disk'))]) {
    expect(one.open().begin(512, bytes(512, 1)).state).toBe('durable');
    one.powerCut();
    for (let i = 0; i < 10; i++) expect(() => reads(one, 1023, 1)).toThrow(/EIO/);
    expect(reads(one, 0, 512)).toEqual(bytes(512, 0));
    expect(reads(one, 1024, 512)).toEqual(bytes(512, 0));
  }
  d.failSector(0, 1);
  expect(() => reads(d, 511, 1)).toThrow(/EIO/);
  expect(reads(d, 511, 1)).toEqual(bytes(1, 0));
});

describe('a lost write', () => {
  test.each(['new', 'old'] as const)('is called durable and never lands; reads see what is %s', (cache) => {
    const d = disk('at-once');
    const file = d.open();
    d.loseNextWrite(cache);
    expect(file.begin(0, bytes(512, 1)).state).toBe('durable');
    expect(file.begin(512, bytes(512, 1)).state).toBe('durable');
    expect(reads(d, 0, 512)).toEqual(bytes(512, cache === 'new' ? 1 : 0));
    d.flush();
    d.powerCut();
    expect(reads(d, 0, 1024)).toEqual(Uint8Array.from([...bytes(512, 0), ...bytes(512, 1)]));
  });
});

describe('a misdirected write', () => {
  test.each(['new', 'old'] as const)('lands elsewhere, and its place is as it was; reads see what is %s', (cache) => {
    const d = disk('at-once');
    d.poke(0, bytes(d.bytes, 9));
    const file = d.open();
    d.misdirectNextWrite(3 * SECTOR_BYTES, cache);
    expect(file.begin(0, bytes(1024, 1)).state).toBe('durable');
    expect(file.begin(2560, bytes(512, 2)).state).toBe('durable');
    expect(reads(d, 0, 1024)).toEqual(bytes(1024, cache === 'new' ? 1 : 9));
    expect(reads(d, 1536, 1024)).toEqual(bytes(1024, cache === 'new' ? 9 : 1));
    d.powerCut();
    const expected = [9, 9, 9, 1, 1, 2, 9, 9].flatMap((byte) => [...bytes(512, byte)]);
    expect(d.platter()).toEqual(Uint8Array.from(expected));
  });

  test('loses what leaves the file, and goes to no place that is none', () => {
    const d = disk('at-once');
    for (const offset of [-512, 100, d.bytes]) expect(() => d.misdirectNextWrite(offset)).toThrow(RangeError);
    d.misdirectNextWrite(d.bytes - 512);
    expect(d.open().begin(0, bytes(1024, 1)).state).toBe('durable');
    expect(d.platter().subarray(d.bytes - 1024)).toEqual(Uint8Array.from([...bytes(512, 0), ...bytes(512, 1)]));
  });
});

test('a stale read shows its range as it was one version earlier, once', () => {
  const d = disk('at-once');
  const file = d.open();
  for (const byte of [1, 2, 3]) file.begin(0, bytes(1024, byte));
  d.staleNextRead(512, 512);
  expect(reads(d, 0, 512)).toEqual(bytes(512, 3)); // does not touch the range
  expect(reads(d, 0, 1024)).toEqual(Uint8Array.from([...bytes(512, 3), ...bytes(512, 2)]));
  expect(reads(d, 0, 1024)).toEqual(bytes(1024, 3));
  d.staleNextRead();
  expect(reads(d, 0, 4096)).toEqual(Uint8Array.from([...bytes(1024, 2), ...bytes(3072, 0)]));
  expect(reads(d, 0, 1024)).toEqual(bytes(1024, 3));
});

test('latency has its mean and its rare stalls, is drawn by the disk alone, and not at all unless asked for', () => {
  const latency = { meanMs: 20, stallChance: 0.01, stallMs: 30_000 };
  const d = new SimDisk({ bytes: 512, random: stream('latency', 'disk'), latency });
  const draws = Array.from({ length: 20_000 }, () => d.latencyMs() ?? Number.NaN);
  const quick = draws.filter((ms) => ms < 30_000);
  expect(quick.every((ms) => ms >= 0 && ms < 20 * 25)).toBe(true);
  expect(quick.reduce((sum, ms) => sum + ms, 0) / quick.length).toBeCloseTo(20, -0.5);
  expect(quick.filter((ms) => ms > 20).length / quick.length).toBeCloseTo(Math.exp(-1), 1);
  expect(draws.length - quick.length).toBeGreaterThan(150);
  expect(draws.length - quick.length).toBeLessThan(250);
  const random = stream('none', 'disk');
  expect(new SimDisk({ bytes: 512, random }).latencyMs()).toBeUndefined();
  expect(random.uint32()).toBe(stream('none', 'disk').uint32());
});

test.each([undefined, { meanMs: 1, stallChance: 1, stallMs: 5000 }])(
  'a node opens as fast as its disk writes: %o',
  async (latency) => {
    const role = {
      queues: [],
      unknownQueue: 'refuse',
      uplink: 'none',
      central: 'one',
      isCentral: 'no',
      home: undefined,
    } as const;
    const config: NodeConfig = { name: 'one', queueBytesLimit: 10_000, partitionCount: 1, commitDelayMs: 0, ...role };
    const world = new World(stream('latency', 'world'));
    let openMs = 0;
    const onServing = () => {
      openMs = world.nowMs;
    };
    const node = new SimNode({ world, config, random: stream('latency', 'node'), syncMsMax: 8, onServing });
    node.disk.latency = latency;
    node.start();
    await world.run(60_000);
    // The OPEN frame, two copies of the superblock, and the node's own first write.
    expect(openMs).toBeGreaterThan(latency === undefined ? 0 : 15_000);
    expect(openMs).toBeLessThan(latency === undefined ? 5 * 8 : 25_000);
  },
);

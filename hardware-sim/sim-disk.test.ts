import { describe, expect, test } from 'vitest';
import { stream } from './random.ts';
import { SECTOR_BYTES, type SectorFate, SimDisk } from './sim-disk.ts';

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

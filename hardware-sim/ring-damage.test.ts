import { expect, test } from 'vitest';
import { crc32 } from '../shared/crc32.ts';
import { sealOf } from '../shared/ring/recovery.ts';
import { decodeSuperblock } from '../shared/ring/superblock-layout.ts';
import { stream } from './random.ts';
import { framesOn, Touched } from './ring-damage.ts';
import { freshHarness } from './ring-harness.ts';

const GEOMETRY = { blockBytes: 512, blockCount: 400, frameBlocksMax: 4, livePermille: 300, cleanDivisor: 3 };

function ringOfThree() {
  const h = freshHarness({ geometry: GEOMETRY, random: stream('damage', 'disk') });
  h.settle();
  for (const number of [1, 2, 3]) {
    h.append({ puts: [{ number, bytes: 10 }] });
    h.settle();
  }
  h.append({ acks: [2] });
  h.settle();
  const superblock = decodeSuperblock(h.disk.platter().subarray(0, 256));
  if (superblock === undefined) throw new Error('a formatted file has a superblock');
  return framesOn(h.disk.platter(), superblock.geometry, sealOf(superblock, crc32));
}

const blocksOf = (frame: { lsn: number } | undefined) => new Set([(frame?.lsn ?? 0) % GEOMETRY.blockCount]);

test('damage touches the messages whose put or acknowledgement it hits, and no others', () => {
  const frames = ringOfThree();
  const touched = new Touched();
  touched.add(
    frames,
    GEOMETRY,
    blocksOf(frames.find(({ entries }) => entries.some((one) => one.kind === 'put' && one.number === 3))),
  );
  touched.add(frames, GEOMETRY, blocksOf(frames.find(({ entries }) => entries.some(({ kind }) => kind === 'ack'))));
  expect([...touched.numbers].sort()).toEqual([2, 3]);
});

test('what earlier damage cost may come back with later damage, and is not asked for', () => {
  const frames = ringOfThree();
  const touched = new Touched();
  touched.add(frames, GEOMETRY, blocksOf(frames.find(({ entries }) => entries.some(({ kind }) => kind === 'ack'))));
  touched.clear();
  expect(touched.isNothing).toBe(true);
  touched.add(frames, GEOMETRY, blocksOf(frames.find(({ kind }) => kind === 'open')));
  expect([[...touched.numbers], [...touched.told]]).toEqual([[2], []]);
});

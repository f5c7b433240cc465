import { describe, expect, test } from 'vitest';
import { ENTRY_BYTES_MIN, ENTRY_COUNT_MAX, PUT_BYTES } from './entry-layout.ts';
import { FRAME_HEADER_BYTES } from './frame-layout.ts';
import {
  BLOCK_COUNT_MIN,
  bodyBytesMaxOf,
  contentBytesMaxOf,
  FRAME_BYTES_MAX,
  fileBytesOf,
  geometryFor,
  geometryIsSafe,
  liveBytesMaxOf,
  metaReserveBytesOf,
  RESERVE_FRAMES,
  segmentsOf,
  superblockOffset,
} from './geometry.ts';
import { copiesBlocksMax, frameShare } from './reserve.ts';

const MIB = 1024 * 1024;

describe('a geometry', () => {
  test.each([
    [388 * 4096, 4096, { blockCount: 384, frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 }],
    [16 * MIB - 1, 4096, { blockCount: 4091, frameBlocksMax: 16, livePermille: 400, cleanDivisor: 4 }],
    [16 * MIB, 4096, { blockCount: 4092, frameBlocksMax: 64, livePermille: 490, cleanDivisor: 8 }],
    [64 * MIB, 4096, { blockCount: 16_380, frameBlocksMax: 64, livePermille: 490, cleanDivisor: 11 }],
    [1024 * MIB, 4096, { blockCount: 262_140, frameBlocksMax: 64, livePermille: 490, cleanDivisor: 12 }],
    [64 * MIB - 1, 16_384, { blockCount: 4091, frameBlocksMax: 16 }],
    [64 * MIB, 16_384, { blockCount: 4092, frameBlocksMax: 32 }],
    [80 * MIB, 16_384, { blockCount: 5116, frameBlocksMax: 32, livePermille: 490 }],
    [300 * MIB, 65_536, { blockCount: 4796, frameBlocksMax: 8, livePermille: 400 }],
  ])('for %i bytes in blocks of %i', (fileBytes, blockBytes, expected) => {
    const geometry = geometryFor(fileBytes, blockBytes);
    expect(geometry).toMatchObject(expected);
    expect(fileBytesOf(geometry)).toBeLessThanOrEqual(fileBytes);
    expect(geometryIsSafe(geometry)).toBe(true);
  });

  test('exists for every size from the smallest on, whatever the block', () => {
    for (let blockBytes = 512; blockBytes <= 65_536; blockBytes *= 2) {
      for (let blockCount = BLOCK_COUNT_MIN; blockCount < 100_000; blockCount = Math.ceil(blockCount * 1.07)) {
        expect(geometryFor((blockCount + 4) * blockBytes, blockBytes).blockCount).toBe(blockCount);
      }
    }
  });

  test.each([
    [387 * 4096, 4096],
    [0, 4096],
    [64 * MIB, 1000],
    [64 * MIB, 256],
    [640 * MIB, 131_072],
  ])('of %i bytes in blocks of %i is refused', (fileBytes, blockBytes) => {
    expect(() => geometryFor(fileBytes, blockBytes)).toThrow(/RING_SIZE_INVALID/);
  });

  test('keeps promises that the others build on', () => {
    for (const geometry of [
      geometryFor(388 * 512, 512),
      geometryFor(388 * 4096),
      geometryFor(64 * MIB),
      geometryFor(400 * MIB, 65_536),
    ]) {
      const { blockBytes, frameBlocksMax: frame } = geometry;
      expect(bodyBytesMaxOf(geometry) + PUT_BYTES).toBeLessThan(contentBytesMaxOf(geometry));
      expect(contentBytesMaxOf(geometry) / ENTRY_BYTES_MIN).toBeLessThan(ENTRY_COUNT_MAX);
      // The largest message can be moved with what any opening leaves, and beside it a short OPEN frame fits.
      const largest = Math.ceil((FRAME_HEADER_BYTES + PUT_BYTES + bodyBytesMaxOf(geometry)) / blockBytes);
      expect(largest).toBeLessThanOrEqual(copiesBlocksMax(geometry, frame + 2));
      for (let free = 0; free < 6 * frame; free++) {
        const { batches, blocksMax } = frameShare(geometry, free);
        if (batches === 'all') expect(free - blocksMax).toBeGreaterThanOrEqual(RESERVE_FRAMES * frame);
        if (batches === 'without-puts') expect(free - blocksMax - (blocksMax + 1)).toBeGreaterThanOrEqual(2 * frame - 1);
      }
    }
    expect(FRAME_BYTES_MAX / ENTRY_BYTES_MIN - 1).toBeLessThanOrEqual(ENTRY_COUNT_MAX);
    expect(metaReserveBytesOf(geometryFor(4 * MIB))).toBe(64 * 1024);
    for (const bytes of [388 * 4096, 4 * MIB, 16 * MIB, 1024 * MIB]) {
      const geometry = geometryFor(bytes);
      expect(metaReserveBytesOf(geometry)).toBeGreaterThanOrEqual(Math.floor(liveBytesMaxOf(geometry) / 64));
      expect(metaReserveBytesOf(geometry)).toBeLessThanOrEqual(Math.floor(liveBytesMaxOf(geometry) / 8));
    }
    expect(bodyBytesMaxOf(geometryFor(64 * MIB))).toBe(192 * 1024);
    expect(bodyBytesMaxOf(geometryFor(8 * MIB))).toBe(48 * 1024);
  });
});

test('blocks and superblocks lie where the picture says', () => {
  const g = geometryFor(388 * 4096);
  expect([0, 1, 2, 3].map((copy) => superblockOffset(g, copy))).toEqual([0, 4096, 386 * 4096, 387 * 4096]);
  expect(segmentsOf(g, { lsn: 384, skip: 0, bytes: 4096 })).toEqual([{ offset: 8192, bytes: 4096 }]);
  expect(segmentsOf(g, { lsn: 384 * 7 + 383, skip: 0, bytes: 8192 })).toEqual([
    { offset: 385 * 4096, bytes: 4096 },
    { offset: 8192, bytes: 4096 },
  ]);
  expect(segmentsOf(g, { lsn: 383, skip: 4000, bytes: 200 })).toEqual([
    { offset: 385 * 4096 + 4000, bytes: 96 },
    { offset: 8192, bytes: 104 },
  ]);
  expect(segmentsOf(g, { lsn: 383, skip: 5000, bytes: 10 })).toEqual([{ offset: 8192 + 904, bytes: 10 }]);
});

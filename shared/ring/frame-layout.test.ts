import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { fromHex, toHex } from '../bytes.ts';
import { crc32 } from '../crc32.ts';
import type { DirectoryEntry } from './entry-layout.ts';
import { bodiesAreIntact, claimedBlocks, decodeFrame, encodeFrame, type FrameHeader, type FrameSeal } from './frame-layout.ts';

const FILE_ID = Uint8Array.from({ length: 16 }, (_, i) => i);
const SEAL: FrameSeal = { checksum: crc32, seed: crc32(FILE_ID, 0), blockBytes: 512, frameBlocksMax: 16 };

/** Made by hand from docs/ring-file.md; the checksums are zlib's, seeded with the file id's. */
const GOLDEN = [
  '524d4631', //          'RMF1'
  '3335d210', //          crc of header and directory
  '09000000', //          epoch 9
  '01 00 0700', //        OPEN, no flags, 7 entries
  '0102000000000000', //  lsn 513
  '2a00000000000000', //  seq 42
  'efbeadde', //          crc of the frame before
  'd0000000 0b000000', // directory 208 bytes, bodies 11
  '81000000', //          tail 129 blocks before: 384
  '070000000001', //      next id 2^40 + 7
  '0300', //              says 3 frames again
  '010000000100 0000', // queue time 2^32 + 1
  // PUT: priority 5, copy, damaged, moved 0x0304 times
  '01 2d 0200 0a000000 060000000001 0403 05000000 ec95b805',
  '15000000 08000000 98badcfe 0000 ffffffffffff',
  '100000000000 200000000000 300000000000 0000',
  // PUT: priority 0
  '01 00 ffff ffffffff 010000000000 0000 06000000 9db8d0dc',
  '00000000 00000000 00000000 0000 010000000000',
  '000000000000 000000000000 000000000000 0000',
  '02 04 050000000000', //                                    ACK corrupt
  '03 00 e80300000000 f4010000 00000000', //                  ACKR 1000..1499
  '04 07 0300 0b000000 040000000000 0605 400000000000 0000', // STATE
  '06 00 0300 02000000 6b6579 0102 000000', //                META key = 0102
  '06 01 0400 00000000 676f6e65 00000000', //                 META gone, tombstone
  '68656c6c6f', //        'hello'
  '776f726c6421', //      'world!'
].join('');

const ENTRIES: DirectoryEntry[] = [
  {
    kind: 'put',
    id: 2 ** 40 + 6,
    queue: 10,
    priority: 5,
    copy: true,
    damaged: true,
    deliveryCount: 2,
    moveCount: 0x0304,
    stream: 21,
    number: 2 ** 48 - 1,
    epochCounter: 8,
    epochRandom: 0xfedcba98,
    storedAtMs: 16,
    expiresAtMs: 32,
    notBeforeMs: 48,
    bodyBytes: 5,
    bodyCrc: crc32(new Uint8Array([0x68, 0x65, 0x6c, 0x6c, 0x6f]), SEAL.seed),
    bodyOffset: 64 + 208,
  },
  {
    kind: 'put',
    id: 1,
    queue: 0xffffffff,
    priority: 0,
    copy: false,
    damaged: false,
    deliveryCount: 0xffff,
    moveCount: 0,
    stream: 0,
    number: 1,
    epochCounter: 0,
    epochRandom: 0,
    storedAtMs: 0,
    expiresAtMs: 0,
    notBeforeMs: 0,
    bodyBytes: 6,
    bodyCrc: crc32(new Uint8Array([0x77, 0x6f, 0x72, 0x6c, 0x64, 0x21]), SEAL.seed),
    bodyOffset: 64 + 208 + 5,
  },
  { kind: 'ack', reason: 'corrupt', id: 5, count: 1 },
  { kind: 'ack', reason: 'acknowledged', id: 1000, count: 500 },
  { kind: 'state', id: 4, queue: 11, priority: 7, deliveryCount: 3, moveCount: 0x0506, notBeforeMs: 64 },
  { kind: 'meta', key: 'key', value: new Uint8Array([1, 2]) },
  { kind: 'meta', key: 'gone', value: undefined },
];
const HEADER: FrameHeader = {
  kind: 'open',
  epoch: 9,
  lsn: 513,
  seq: 42,
  prevCrc: 0xdeadbeef,
  tailLsn: 384,
  nextId: 2 ** 40 + 7,
  relogged: 3,
  queueTimeMs: 2 ** 32 + 1,
};
const BODIES = ['68656c6c6f', '776f726c6421'].map((hex) => fromHex(hex) ?? new Uint8Array(0));

function golden(): Uint8Array {
  const bytes = new Uint8Array(512);
  bytes.set(fromHex(GOLDEN.replaceAll(' ', '')) ?? new Uint8Array(0));
  return bytes;
}

describe('a frame with every kind of entry', () => {
  test('is written as specified', () => {
    const into = new Uint8Array(1024).fill(0xee);
    const { blocks, crc } = encodeFrame(HEADER, { entries: ENTRIES, bodies: BODIES, into }, SEAL);
    expect(toHex(into.subarray(0, 512))).toBe(toHex(golden()));
    expect(blocks).toBe(1);
    expect(crc).toBe(new DataView(golden().buffer).getUint32(4, true));
    expect(into[512]).toBe(0xee);
  });

  test('is read as specified', () => {
    const frame = decodeFrame(golden(), 513, SEAL);
    expect(frame).toMatchObject({ ...HEADER, blocks: 1, entries: ENTRIES });
    expect(frame && bodiesAreIntact(frame, golden(), SEAL)).toBe(true);
  });

  test('is refused with any single bit of header or directory flipped, and a body is known to be damaged', () => {
    for (let bit = 0; bit < (64 + 208 + 11) * 8; bit++) {
      const bytes = golden();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const frame = decodeFrame(bytes, 513, SEAL);
      if (bit < (64 + 208) * 8) expect(frame, `bit ${bit}`).toBeUndefined();
      else expect(frame && bodiesAreIntact(frame, bytes, SEAL), `bit ${bit}`).toBe(false);
    }
  });

  test('is refused anywhere else, in any other lap, and by any other file', () => {
    for (const lsn of [512, 514, 513 + 384, 513 + 2 ** 32, 0]) expect(decodeFrame(golden(), lsn, SEAL)).toBeUndefined();
    for (const bit of [0, 7, 31])
      expect(decodeFrame(golden(), 513, { ...SEAL, seed: (SEAL.seed ^ (1 << bit)) >>> 0 })).toBeUndefined();
  });

  test('is refused cut short', () => {
    for (let length = 0; length < 64 + 208; length++)
      expect(decodeFrame(golden().subarray(0, length), 513, SEAL)).toBeUndefined();
  });

  test('is refused when it claims more blocks than a frame may have', () => {
    const bytes = golden();
    new DataView(bytes.buffer).setUint32(40, 16 * 512, true);
    expect(claimedBlocks(bytes, 513, SEAL)).toBeUndefined();
    expect(claimedBlocks(golden(), 513, SEAL)).toEqual({ frame: 1, directory: 1 });
  });
});

describe('what is no frame', () => {
  test('random and mutated blocks are never taken for one, and nothing throws', () => {
    const random = stream('mutations', 'frame');
    for (let i = 0; i < 6000; i++) {
      const bytes = golden();
      for (let k = random.int(6); k >= 0; k--) bytes[random.int(64 + 208)] = random.int(256);
      if (toHex(bytes) === toHex(golden())) continue;
      expect(decodeFrame(bytes, 513, SEAL)).toBeUndefined();
    }
    for (let i = 0; i < 2000; i++) {
      const bytes = random.bytes(512);
      bytes.set(golden().subarray(0, 4));
      bytes.set(golden().subarray(16, 24), 16);
      expect(decodeFrame(bytes, 513, SEAL)).toBeUndefined();
    }
  });

  /** With the checksum made right: what only a writer with a bug, or a forger, makes. */
  test('directories that make no sense are refused even under a checksum that holds', () => {
    const random = stream('forged', 'frame');
    let refused = 0;
    for (let i = 0; i < 6000; i++) {
      const bytes = golden();
      const view = new DataView(bytes.buffer);
      for (let k = random.int(3); k >= 0; k--)
        bytes[(random.chance(0.8) ? 64 : 8) + random.int(200)] = random.pick([0, 1, 2, 5, 127, 128, 255]);
      const dirBytes = view.getUint32(36, true);
      if (dirBytes <= 512 - 64) view.setUint32(4, crc32(bytes.subarray(8, 64 + dirBytes), SEAL.seed), true);
      const frame = decodeFrame(bytes, 513, SEAL);
      if (frame === undefined) refused += 1;
      else expect(frame.entries.every((entry) => entry.kind !== 'put' || entry.bodyOffset + entry.bodyBytes <= 512)).toBe(true);
    }
    expect(refused).toBeGreaterThan(500);
  });

  test('zeros are none, whatever their checksum', () => {
    expect(decodeFrame(new Uint8Array(512), 0, { ...SEAL, seed: 0 })).toBeUndefined();
  });
});

test('entries of a kind from 128 on are skipped by their length', () => {
  const into = new Uint8Array(512);
  const { crc } = encodeFrame(HEADER, { entries: [{ kind: 'meta', key: 'abcdefgh', value: undefined }], bodies: [], into }, SEAL);
  const view = new DataView(into.buffer);
  into[64] = 200; // the META entry of 16 bytes becomes a note of 16 bytes
  view.setUint16(66, 16, true);
  view.setUint32(4, crc32(into.subarray(8, 64 + 16), SEAL.seed), true);
  expect(view.getUint32(4, true)).not.toBe(crc);
  expect(decodeFrame(into, 513, SEAL)?.entries).toEqual([]);
});

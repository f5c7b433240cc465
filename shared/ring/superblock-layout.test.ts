import { describe, expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { fromHex, toHex } from '../bytes.ts';
import { decodeSuperblock, encodeSuperblock, type Superblock } from './superblock-layout.ts';

/** Made by hand from docs/ring-file.md; the checksum is zlib's. */
const GOLDEN = [
  '89524d520d0a1a0a', // magic
  '7f91e112', //         crc of bytes 12..255
  '01000000', //         format 1.0
  '000102030405060708090a0b0c0d0e0f', // file id
  '00100000 10000000', //  B 4096, Fmax 16
  '8401000000000000', //  N 388
  '00000000 40000000', //  no incompatible feature, compatible bit 6
  '07000000 01000000', //  generation 7, copy 1
  '05000000 01000000', //  epoch 5, CLEAN
  '3902000000000000', //  anchor: lsn 569
  '6400000000000000', //          seq 100
  'efbeadde', //                  crc
  '9001 0400', //         u 400, trigger N / 4
  '0000000001000000', //  next id 2^32
  '0100000001000000', //  queue time 2^32 + 1
  '0000000000000000', //  reserved
  '0200000001000000', //  2^32 + 2 ms after the boot
  '303132333435363738393a3b3c3d3e3f', // boot id
].join('');

const SUPERBLOCK: Superblock = {
  formatMajor: 1,
  fileId: Uint8Array.from({ length: 16 }, (_, i) => i),
  geometry: { blockBytes: 4096, frameBlocksMax: 16, blockCount: 388, livePermille: 400, cleanDivisor: 4 },
  incompatible: 0,
  compatible: 64,
  generation: 7,
  epoch: 5,
  flags: 1,
  anchorLsn: 569,
  anchorSeq: 100,
  anchorCrc: 0xdeadbeef,
  nextId: 2 ** 32,
  queueTimeMs: 2 ** 32 + 1,
  clock: { bootId: Uint8Array.from({ length: 16 }, (_, i) => 0x30 + i), bootMs: 2 ** 32 + 2 },
};

function golden(): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(fromHex(GOLDEN.replaceAll(' ', '')) ?? new Uint8Array(0));
  return bytes;
}

describe('a superblock', () => {
  test('is written as specified', () => expect(toHex(encodeSuperblock(SUPERBLOCK, 1))).toBe(toHex(golden())));

  test('is read as specified', () => expect(decodeSuperblock(golden())).toEqual({ ...SUPERBLOCK, copy: 1 }));

  test('without a clock has zeros there, and is read as one without', () => {
    const bytes = encodeSuperblock({ ...SUPERBLOCK, clock: undefined }, 1);
    expect(toHex(bytes.subarray(112, 256))).toBe('00'.repeat(144));
    expect(decodeSuperblock(bytes)).toEqual({ ...SUPERBLOCK, clock: undefined, copy: 1 });
  });

  test('is refused with any single bit flipped', () => {
    for (let bit = 0; bit < 256 * 8; bit++) {
      const bytes = golden();
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(decodeSuperblock(bytes), `bit ${bit}`).toBeUndefined();
    }
  });

  test('is not seen in zeros, in ones, in noise, or in a part of one', () => {
    expect(decodeSuperblock(new Uint8Array(4096))).toBeUndefined();
    expect(decodeSuperblock(new Uint8Array(4096).fill(255))).toBeUndefined();
    const random = stream('noise', 'superblock');
    for (let i = 0; i < 300; i++) expect(decodeSuperblock(random.bytes(256))).toBeUndefined();
    for (let length = 0; length < 256; length++) expect(decodeSuperblock(golden().subarray(0, length))).toBeUndefined();
  });
});

import { expect, test } from 'vitest';
import { stream } from '../../hardware-sim/random.ts';
import { crc32 } from '../crc32.ts';
import { registerBefore, seedFor } from './salvage-seed.ts';

test('the seed is found from any bytes and their checksum', () => {
  const random = stream('salvage', 'seed');
  for (let round = 0; round < 200; round++) {
    const bytes = random.bytes(random.int(300));
    const seed = random.uint32();
    expect(seedFor(bytes, crc32(bytes, seed), crc32)).toBe(seed);
  }
});

test.each([0, 1, 0x8000_0000, 0xffff_ffff])('also %i', (seed) => {
  const bytes = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(seedFor(bytes, crc32(bytes, seed), crc32)).toBe(seed);
});

test('the checksum of zlib says where a register stood: that of "123456789" is CBF43926 [ISO-HDLC]', () => {
  const digits = new Uint8Array(Buffer.from('123456789'));
  expect(seedFor(digits, 0xcbf43926, crc32)).toBe(0);
});

test('a register without input goes back as far as it went', () => {
  // A zero byte is no input: ~crc32 of zeros is the register, begun with all ones.
  for (const bytes of [0, 1, 7, 512]) expect(registerBefore(~crc32(new Uint8Array(bytes), 0) >>> 0, bytes)).toBe(0xffff_ffff);
});

test('one flipped bit gives another seed', () => {
  const bytes = stream('salvage', 'bit').bytes(64);
  const crc = crc32(bytes, 77);
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  expect(seedFor(bytes, crc, crc32)).not.toBe(77);
});

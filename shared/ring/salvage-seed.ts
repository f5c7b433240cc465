/**
 * The seed of a ring, found in its frames: it is the CRC-32 of the file id, and the file id stands nowhere but in the superblocks.
 *
 * A CRC register of 32 bits takes a byte in by a map that is linear over bits: with L(c) for eight steps of a register without input,
 *
 *   after byte b the register is   L(c ^ b)  =  L(c) ^ L(b)
 *
 * so after n bytes it is Lⁿ(c) ^ G(bytes), where G does not depend on what was in the register before. `crc32(bytes, seed)` begins
 * with ~seed and gives the complement of the end, therefore
 *
 *   crc32(bytes, seed) ^ crc32(bytes, 0)  =  Lⁿ(~seed) ^ Lⁿ(~0)  =  Lⁿ(seed)
 *
 * One step of the register is `c & 1 ? (c >>> 1) ^ P : c >>> 1`. P has its highest bit set and a shift leaves none there, so the
 * highest bit of a result tells which of the two it was, and the step can be undone. 8·n steps back from the difference stands the
 * seed. Whether it is one, a second checksum says: any 32 bits come from some seed.
 */
import type { Checksum } from '../crc32.ts';

/** CRC-32 of zlib, lowest bit first. */
const POLYNOMIAL = 0xedb88320;

/** The seed with which the CRC-32 of `bytes` is `crc`. There is exactly one. */
export function seedFor(bytes: Uint8Array, crc: number, checksum: Checksum): number {
  return registerBefore(crc ^ checksum(bytes, 0), bytes.length);
}

/** What a register without input held `bytes` bytes before it held `register`. */
export function registerBefore(register: number, bytes: number): number {
  let c = register | 0;
  for (let steps = 8 * bytes; steps > 0; steps--) c = c < 0 ? ((c ^ POLYNOMIAL) << 1) | 1 : c << 1;
  return c >>> 0;
}

/**
 * CRCs of 32 bits, reflected, register preset to ones and inverted at the end.
 *
 *   name                  polynomial   reflected   of "123456789"
 *   CRC-32/ISO-HDLC       04C11DB7     EDB88320    CBF43926
 *   CRC-32C (Castagnoli)  1EDC6F41     82F63B78    E3069283         crc32c.ts
 */

import { tablesOf, update } from './crc-slices.ts';

/**
 * CRC of `bytes` continuing from `seed`, the CRC of what came before (0 for nothing). No bytes give the seed.
 * `zlib.crc32` is one only for input that is not empty: for an empty array with its own memory it answers 0.
 */
export type Checksum = (bytes: Uint8Array, seed: number) => number;

/** CRC-32/ISO-HDLC, the one of zlib, PNG and Ethernet. Unsigned; `crc32(b, crc32(a))` is the CRC of a followed by b. */
export const crc32 = reflectedCrc(0xedb88320);

/** The CRC of one reflected polynomial. Its tables are made by the first call, not by the import. */
export function reflectedCrc(polynomial: number): (bytes: Uint8Array, seed?: number) => number {
  let tables: Uint32Array | undefined;
  return (bytes, seed = 0) => {
    tables ??= tablesOf(polynomial);
    return ~update(tables, bytes, ~seed) >>> 0;
  };
}

import { reflectedCrc } from './crc32.ts';

/**
 * CRC-32C (Castagnoli) [RFC 3720 B.4]. Any two inputs of the same length, up to 655 bytes, that share a CRC differ in at least six
 * bits; CRC-32/ISO-HDLC promises five, and only to 371 bytes. Unsigned; `crc32c(b, crc32c(a))` is the CRC of a followed by b.
 */
export const crc32c = reflectedCrc(0x82f63b78);

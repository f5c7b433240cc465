/** CRC-32 at the speed of the host: zlib's for long inputs, ours for short ones, where the call costs more than the sum. */
import * as zlib from 'node:zlib';
import type { Checksum } from '../crc32.ts';

/** Below this many bytes the table wins. */
const ZLIB_BYTES_MIN = 300;

/** `ours` for short inputs and where this Node has no `zlib.crc32` (before 20.15). */
export function fastChecksum(ours: Checksum): Checksum {
  const theirs = zlib.crc32;
  if (theirs === undefined) return ours;
  return (bytes, seed) => (bytes.length < ZLIB_BYTES_MIN ? ours(bytes, seed) : theirs(bytes, seed));
}

/**
 * Unsigned LEB128: seven bits a byte, lowest first; bit 7 says that another byte follows.
 *
 *   value        bytes          length = number of bits / 7, rounded up, at least 1
 *   0            00
 *   127          7f
 *   128          80 01
 *   300          ac 02
 *   2^53 − 1     ff ff ff ff ff ff ff 0f
 *
 * One number has one encoding: a last byte of 00 after others is refused, as is anything above 2^53 − 1, the largest number
 * a double holds exactly. `ByteWriter` and `ByteReader` write and read it.
 */

export const VARINT_MAX = Number.MAX_SAFE_INTEGER;
export const VARINT_BYTES_MAX = 8;

/** Bytes the varint of `value` takes: 1 to 8. `value` is an integer from 0 to VARINT_MAX. */
export function varintBytes(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** The varint at `offset` and the offset behind it; undefined when it is cut off at `end`, padded, or too large. */
export function readVarint(bytes: Uint8Array, offset: number, end = bytes.length): { value: number; end: number } | undefined {
  let value = 0;
  let scale = 1;
  for (let i = offset; i < end && i < offset + VARINT_BYTES_MAX; i++) {
    const byte = bytes[i] ?? 0;
    value += (byte & 0x7f) * scale;
    scale *= 0x80;
    if (byte >= 0x80) continue;
    const isPadded = byte === 0 && i > offset;
    return isPadded || value > VARINT_MAX ? undefined : { value, end: i + 1 };
  }
  return undefined;
}

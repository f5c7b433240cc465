/**
 * COBS [Cheshire, Baker: "Consistent Overhead Byte Stuffing", 1999]: bytes without a zero among them, so that a zero can mean
 * "a packet ends here" and nothing else.
 *
 *   the packet, with a zero put behind it, is cut into blocks:
 *     code 01–fe   code − 1 bytes, none of them zero, and the zero that ends the block
 *     code ff      254 bytes, none of them zero, and no zero
 *   on the wire   code, its bytes, code, its bytes, …     the zero put behind is dropped, and an empty block after ff with it
 *
 *   11 22 00 33   →   03 11 22 02 33            one byte more for each 254 begun
 */

const CODE_MAX = 0xff;
const BLOCK_BYTES = CODE_MAX - 1;

/** The most bytes COBS makes of `length` bytes, delimiters not counted. */
export function cobsBytesMax(length: number): number {
  return length + Math.floor(length / BLOCK_BYTES) + 1;
}

/** The packet without zeros. An empty packet becomes 01. */
export function encodeCobs(packet: Uint8Array): Uint8Array {
  const stuffed = new Uint8Array(cobsBytesMax(packet.length));
  let codeOffset = 0;
  let length = 1;
  for (let i = 0; i < packet.length; i++) {
    const byte = packet[i] ?? 0;
    if (byte !== 0) stuffed[length++] = byte;
    const isFull = byte !== 0 && length - codeOffset === CODE_MAX;
    if (byte !== 0 && !isFull) continue;
    stuffed[codeOffset] = length - codeOffset;
    if (isFull && i === packet.length - 1) return stuffed.slice(0, length);
    codeOffset = length++;
  }
  stuffed[codeOffset] = length - codeOffset;
  return stuffed.slice(0, length);
}

/** Inverse of `encodeCobs`, in an array of its own. Undefined for a zero among the bytes, a block cut off, or no bytes at all. */
export function decodeCobs(stuffed: Uint8Array): Uint8Array | undefined {
  if (stuffed.length === 0 || stuffed.includes(0)) return undefined;
  const packet = new Uint8Array(stuffed.length - 1);
  let length = 0;
  let offset = 0;
  while (offset < stuffed.length) {
    const code = stuffed[offset] ?? 0;
    const end = offset + code;
    if (end > stuffed.length) return undefined;
    packet.set(stuffed.subarray(offset + 1, end), length);
    length += code - 1;
    offset = end;
    if (code < CODE_MAX && offset < stuffed.length) length++;
  }
  return packet.slice(0, length);
}

/** What goes to the line: 00, the packet stuffed, 00. The zero in front ends whatever noise or text came before. */
export function frameForLine(packet: Uint8Array): Uint8Array {
  const stuffed = encodeCobs(packet);
  const framed = new Uint8Array(stuffed.length + 2);
  framed.set(stuffed, 1);
  return framed;
}

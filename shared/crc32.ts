/**
 * CRCs of 32 bits, reflected, register preset to ones and inverted at the end. Eight bytes a step through eight tables
 * ("slicing by 8"): table k holds what a byte contributes when k more bytes follow it.
 *
 *   name                  polynomial   reflected   of "123456789"
 *   CRC-32/ISO-HDLC       04C11DB7     EDB88320    CBF43926
 *   CRC-32C (Castagnoli)  1EDC6F41     82F63B78    E3069283         crc32c.ts
 */

/**
 * CRC of `bytes` continuing from `seed`, the CRC of what came before (0 for nothing). No bytes give the seed.
 * `zlib.crc32` is one only for input that is not empty: for an empty array with its own memory it answers 0.
 */
export type Checksum = (bytes: Uint8Array, seed: number) => number;

const SLICES = 8;
const TABLE_ENTRIES = 256;

/** CRC-32/ISO-HDLC, the one of zlib, PNG and Ethernet. Unsigned; `crc32(b, crc32(a))` is the CRC of a followed by b. */
export const crc32 = reflectedCrc(0xedb88320);

/** The CRC of one reflected polynomial. Its tables (8 KiB) are made by the first call, not by the import. */
export function reflectedCrc(polynomial: number): (bytes: Uint8Array, seed?: number) => number {
  let tables: Uint32Array | undefined;
  return (bytes, seed = 0) => {
    tables ??= slicingTables(polynomial);
    return update(tables, bytes, seed);
  };
}

function update(tables: Uint32Array, bytes: Uint8Array, seed: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wholeSteps = bytes.length - (bytes.length % SLICES);
  let crc = ~seed;
  for (let i = 0; i < wholeSteps; i += SLICES) {
    const low = crc ^ view.getInt32(i, true);
    const high = view.getInt32(i + 4, true);
    crc =
      (tables[0x700 | (low & 0xff)] ?? 0) ^
      (tables[0x600 | ((low >>> 8) & 0xff)] ?? 0) ^
      (tables[0x500 | ((low >>> 16) & 0xff)] ?? 0) ^
      (tables[0x400 | (low >>> 24)] ?? 0) ^
      (tables[0x300 | (high & 0xff)] ?? 0) ^
      (tables[0x200 | ((high >>> 8) & 0xff)] ?? 0) ^
      (tables[0x100 | ((high >>> 16) & 0xff)] ?? 0) ^
      (tables[high >>> 24] ?? 0);
  }
  for (let i = wholeSteps; i < bytes.length; i++) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return ~crc >>> 0;
}

function slicingTables(polynomial: number): Uint32Array {
  const tables = new Uint32Array(SLICES * TABLE_ENTRIES);
  for (let byte = 0; byte < TABLE_ENTRIES; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = TABLE_ENTRIES; i < tables.length; i++) {
    const oneByteLess = tables[i - TABLE_ENTRIES] ?? 0;
    tables[i] = (oneByteLess >>> 8) ^ (tables[oneByteLess & 0xff] ?? 0);
  }
  return tables;
}

/**
 * Eight bytes a step through eight tables of a reflected polynomial ("slicing by 8"): table k holds what a byte contributes when k more
 * bytes follow it. 8 KiB for a polynomial. What makes do with 64 bytes, and takes longer: crc-nibbles.ts.
 */

const SLICES = 8;
const TABLE_ENTRIES = 256;

/** The register after `bytes`. Byte by byte: a DataView for each call costs short inputs more than its words save. */
export function update(tables: Uint32Array, bytes: Uint8Array, register: number): number {
  const wholeSteps = bytes.length - (bytes.length % SLICES);
  let crc = register;
  for (let i = 0; i < wholeSteps; i += SLICES) {
    crc =
      (tables[0x700 | ((crc ^ (bytes[i] ?? 0)) & 0xff)] ?? 0) ^
      (tables[0x600 | (((crc >>> 8) ^ (bytes[i + 1] ?? 0)) & 0xff)] ?? 0) ^
      (tables[0x500 | (((crc >>> 16) ^ (bytes[i + 2] ?? 0)) & 0xff)] ?? 0) ^
      (tables[0x400 | ((crc >>> 24) ^ (bytes[i + 3] ?? 0))] ?? 0) ^
      (tables[0x300 | (bytes[i + 4] ?? 0)] ?? 0) ^
      (tables[0x200 | (bytes[i + 5] ?? 0)] ?? 0) ^
      (tables[0x100 | (bytes[i + 6] ?? 0)] ?? 0) ^
      (tables[bytes[i + 7] ?? 0] ?? 0);
  }
  for (let i = wholeSteps; i < bytes.length; i++) crc = (crc >>> 8) ^ (tables[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return crc;
}

export function tablesOf(polynomial: number): Uint32Array {
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

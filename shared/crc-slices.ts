/**
 * Eight bytes a step through eight tables of a reflected polynomial ("slicing by 8"): table k holds what a byte contributes when k more
 * bytes follow it. 8 KiB for a polynomial. What makes do with 64 bytes, and takes longer: crc-nibbles.ts.
 */

const SLICES = 8;
const TABLE_ENTRIES = 256;

/** The register after `bytes`. */
export function update(tables: Uint32Array, bytes: Uint8Array, register: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wholeSteps = bytes.length - (bytes.length % SLICES);
  let crc = register;
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

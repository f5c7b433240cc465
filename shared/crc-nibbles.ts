/** Half a byte a step through one table of 64 bytes: in the small build in the place of crc-slices.ts, whose results it has. */

const TABLE_ENTRIES = 16;

/** The register after `bytes`. */
export function update(table: Uint32Array, bytes: Uint8Array, register: number): number {
  let crc = register;
  for (const byte of bytes) {
    crc = (crc >>> 4) ^ (table[(crc ^ byte) & 0xf] ?? 0);
    crc = (crc >>> 4) ^ (table[(crc ^ (byte >>> 4)) & 0xf] ?? 0);
  }
  return crc;
}

export function tablesOf(polynomial: number): Uint32Array {
  const table = new Uint32Array(TABLE_ENTRIES);
  for (let nibble = 0; nibble < TABLE_ENTRIES; nibble++) {
    let crc = nibble;
    for (let bit = 0; bit < 4; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    table[nibble] = crc;
  }
  return table;
}

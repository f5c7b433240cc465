/** Six bytes, little-endian: ids, numbers and milliseconds that never wrap and that a double holds exactly. */

export function setUint48(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint16(offset + 4, Math.floor(value / 0x1_0000_0000), true);
}

export function getUint48(view: DataView, offset: number): number {
  return view.getUint16(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
}

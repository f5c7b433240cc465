/**
 * Bodies that say who they are: `\x02y:<key>\x03`, then filler that only this key has. Whoever finds the bytes of a letter, in an
 * envelope, a frame or a dead letter, knows which one it is without asking any codec.
 */
import { concatBytes, fromUtf8, toUtf8 } from '../../shared/bytes.ts';
import { crc32 } from '../../shared/crc32.ts';

const START = [0x02, 0x79, 0x3a] as const;
const END = 0x03;
const KEY_BYTES_MAX = 40;

/** A body of `bytes` bytes, or as many as the key needs. */
export function letterOf(key: string, bytes: number): Uint8Array {
  const head = concatBytes([Uint8Array.from(START), toUtf8(key), Uint8Array.of(END)]);
  const filler = new Uint8Array(Math.max(0, bytes - head.length));
  let state = crc32(head, 0) | 1;
  for (let i = 0; i < filler.length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    filler[i] = 0x20 + ((state >>> 24) % 0x5f);
  }
  return concatBytes([head, filler]);
}

/** The first key in these bytes. */
export function keyIn(bytes: Uint8Array): string | undefined {
  for (let at = bytes.indexOf(START[0]); at !== -1; at = bytes.indexOf(START[0], at + 1)) {
    if (bytes[at + 1] !== START[1] || bytes[at + 2] !== START[2]) continue;
    const end = bytes.indexOf(END, at + 3);
    if (end === -1 || end - at > KEY_BYTES_MAX) continue;
    return fromUtf8(bytes.subarray(at + 3, end));
  }
  return undefined;
}

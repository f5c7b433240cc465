/**
 * The envelope of a message whose body lies elsewhere in the ring: a whole envelope, with this in the place of the body.
 *
 *   off len  field
 *     0   4  crc     CRC-32C of the body
 *     4   4  length  of the body, in bytes
 *
 * Little-endian, unsigned. So the body that is put back is the one that was taken out, or none.
 */
import { crc32c } from '../crc32c.ts';
import { decodeEnvelope, encodeEnvelope } from './envelope.ts';

const STAND_IN_BYTES = 8;
/** By which a whole envelope may be larger than cover and body together: the heads of two longer byte strings. */
export const COVER_SLACK_BYTES = 8;

export function standInFor(body: Uint8Array): Uint8Array {
  const standIn = new Uint8Array(STAND_IN_BYTES);
  const view = new DataView(standIn.buffer);
  view.setUint32(0, crc32c(body, 0), true);
  view.setUint32(4, body.length, true);
  return standIn;
}

/** The whole envelope, the same bytes each time. Undefined when this is not the body. @throws ENVELOPE_INVALID for what is no envelope */
export function uncovered(cover: Uint8Array, body: Uint8Array): Uint8Array | undefined {
  const { message, hop } = decodeEnvelope(cover);
  const told = message.body;
  if (told.length !== STAND_IN_BYTES) return undefined;
  const view = new DataView(told.buffer, told.byteOffset, told.byteLength);
  if (view.getUint32(4, true) !== body.length || view.getUint32(0, true) !== crc32c(body, 0)) return undefined;
  return encodeEnvelope({ ...message, body }, hop);
}

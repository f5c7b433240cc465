import type { StreamKey } from '../message/identity.ts';
import type { Tlv } from './tlv.ts';

/** The stream that a STREAM declares; its origin is the side that says so unless it names another. */
export function streamKeyOf(
  tlv: Tlv & { kind: 'stream' },
  peer: { readonly node: string; readonly incarnation: string },
): StreamKey {
  const { node, incarnation } = tlv.origin ?? peer;
  return { origin: node, incarnation, destination: tlv.address, priority: tlv.priority };
}

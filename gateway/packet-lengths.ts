/**
 * Where MQTT packets begin and how long they are, in a stream of bytes, before anybody waits for one to be whole [MQTT-2.2].
 *
 *   off  len  field
 *     0    1  type and flags
 *     1  1–4  remaining length: 7 bits a byte, the lowest first; the top bit says that another byte follows
 *     …    n  as many bytes, passed over
 */

type Place = { at: 'type' } | { at: 'length'; bytes: number; value: number } | { at: 'rest'; left: number };

/** Bytes of the length field. */
const LENGTH_BYTES_MAX = 4;

export class PacketLengths {
  readonly #bytesMax: number;
  #place: Place = { at: 'type' };

  /** `bytesMax`: of a packet, its header included. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Never throws. After another answer than `fits` there is nothing more to ask. */
  push(chunk: Uint8Array): 'fits' | 'too-long' | 'malformed' {
    for (let at = 0; at < chunk.length; ) {
      const place = this.#place;
      if (place.at === 'rest') {
        const passed = Math.min(place.left, chunk.length - at);
        at += passed;
        this.#pass(place.left - passed);
        continue;
      }
      const byte = chunk[at++] ?? 0;
      if (place.at === 'type') {
        this.#place = { at: 'length', bytes: 0, value: 0 };
        continue;
      }
      const bytes = place.bytes + 1;
      const value = place.value + (byte & 0x7f) * 128 ** place.bytes;
      if (1 + bytes + value > this.#bytesMax) return 'too-long';
      if (byte < 0x80) this.#pass(value);
      else if (bytes === LENGTH_BYTES_MAX) return 'malformed';
      else this.#place = { at: 'length', bytes, value };
    }
    return 'fits';
  }

  #pass(left: number): void {
    this.#place = left === 0 ? { at: 'type' } : { at: 'rest', left };
  }
}

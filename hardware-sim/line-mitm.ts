/**
 * Somebody on a simulated line who keeps what passes and says it again: whole packets, unchanged, later, or back to whom they came from.
 *
 *   a ══════╤══════ b        replay    an old packet again, the way it went
 *           │                reflect   an old packet back to its sender
 *        memory              truncate  an old packet, cut short, then a delimiter
 *
 * The line itself works on. What is said comes between the bytes of the ends, wherever they are, as on a real wire.
 */
import { concatBytes } from '../shared/bytes.ts';
import type { Prng } from './random.ts';
import type { SimLinePair } from './sim-line.ts';

/** Packets kept, the newest ones. A replay of older ones would prove no more. */
export const KEPT_PACKETS_MAX = 512;
/** Longest run between two zeros that is kept, in bytes: longer than any packet. */
const RUN_BYTES_MAX = 70_000;

export interface KeptPacket {
  readonly way: 'aToB' | 'bToA';
  /** As it stood between two zeros. */
  readonly bytes: Uint8Array;
}

const DELIMITER = Uint8Array.of(0);

export class ManInTheMiddle {
  readonly #random: Prng;
  #pair: SimLinePair | undefined;
  #kept: KeptPacket[] = [];

  constructor(random: Prng) {
    this.#random = random;
  }

  /** Listens in from now on, to this line and to those before it: what was kept of one may be said on the next. */
  on(pair: SimLinePair): void {
    this.#pair = pair;
    pair.tap('aToB', this.#collector('aToB'));
    pair.tap('bToA', this.#collector('bToA'));
  }

  /** The oldest first. */
  get kept(): readonly KeptPacket[] {
    return this.#kept;
  }

  replay(packet: KeptPacket): void {
    this.#say(packet.way, packet.bytes);
  }

  reflect(packet: KeptPacket): void {
    this.#say(packet.way === 'aToB' ? 'bToA' : 'aToB', packet.bytes);
  }

  truncate(packet: KeptPacket): void {
    this.#say(packet.way, packet.bytes.subarray(0, this.#random.int(packet.bytes.length)));
  }

  /** One of the three with any packet it has; nothing when it has none. */
  mischief(): void {
    if (this.#kept.length === 0) return;
    const packet = this.#kept[this.#random.int(this.#kept.length)];
    if (packet === undefined) return;
    const act = this.#random.int(3);
    if (act === 0) this.replay(packet);
    else if (act === 1) this.reflect(packet);
    else this.truncate(packet);
  }

  #say(way: KeptPacket['way'], bytes: Uint8Array): void {
    this.#pair?.say(way, concatBytes([DELIMITER, bytes, DELIMITER]));
  }

  #collector(way: KeptPacket['way']): (bytes: Uint8Array) => void {
    let run: number[] = [];
    return (bytes) => {
      for (const byte of bytes) {
        if (byte !== 0) {
          if (run.length < RUN_BYTES_MAX) run.push(byte);
          continue;
        }
        if (run.length > 0) this.#keep({ way, bytes: Uint8Array.from(run) });
        run = [];
      }
    };
  }

  #keep(packet: KeptPacket): void {
    this.#kept.push(packet);
    if (this.#kept.length > KEPT_PACKETS_MAX) this.#kept = this.#kept.slice(-KEPT_PACKETS_MAX);
  }
}

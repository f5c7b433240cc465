/**
 * The worst line there is between two real sessions, in virtual time: it changes, cuts, holds back, repeats and reflects what passes,
 * and invents bytes of its own. It cannot forge: what it makes has a right checksum only if a session said it, in this life or before.
 *
 *   said ──▶ mangled by the mode of the moment ──▶ heard          mode 'clean': as it was said
 *             └─ kept in a box of old writes, whole packets, for later replays
 */
import { type Clock, LinkWorld, type LinkWorldOptions } from '../hardware-sim/link-world.ts';
import { type Prng, stream } from '../hardware-sim/random.ts';
import type { Line } from '../shared/ports.ts';

export const MODES = ['noise', 'changed', 'cut', 'late', 'twice', 'replayed', 'reflected', 'storm', 'mixed'] as const;
export type Mode = (typeof MODES)[number];

/** Writes kept for replays, newest last. */
const BOX_COUNT = 400;
const LATE_MS_MAX = 120;
const REPLAY_MS_MAX = 5_000;

export class Mangler {
  mode: Mode | 'clean' = 'clean';
  /** Chunks that a session was given, and their bytes; bytes that sessions said. */
  readonly counters = { heardChunks: 0, heardBytes: 0, saidBytes: 0 };
  readonly #clock: Clock;
  readonly #random: Prng;
  readonly #box: Uint8Array[] = [];
  readonly #ends = new Set<(bytes: Uint8Array) => void>();

  constructor(clock: Clock, random: Prng) {
    this.#clock = clock;
    this.#random = random;
  }

  /** The same line, with this in between on the way to its listener. */
  on(line: Line): Line {
    return {
      write: (bytes) => {
        this.counters.saidBytes += bytes.length;
        this.#box.push(bytes.slice());
        if (this.#box.length > BOX_COUNT) this.#box.shift();
        return line.write(bytes);
      },
      close: () => line.close(),
      listen: (listener) => {
        const give = (bytes: Uint8Array): void => {
          this.counters.heardChunks += 1;
          this.counters.heardBytes += bytes.length;
          listener.onBytes(bytes);
        };
        const onClosed = (reason: string): void => {
          this.#ends.delete(give);
          listener.onClosed(reason);
        };
        this.#ends.add(give);
        line.listen({ ...listener, onClosed, onBytes: (bytes) => this.#pass(bytes, give) });
      },
    };
  }

  /** Bytes out of nowhere, to every end. */
  invent(): void {
    for (const give of [...this.#ends]) give(randomChunk(this.#random));
  }

  /** Something that was said once, by either side. */
  old(): Uint8Array {
    return this.#box[this.#random.int(Math.max(1, this.#box.length))] ?? new Uint8Array(1);
  }

  #pass(bytes: Uint8Array, give: (bytes: Uint8Array) => void): void {
    const random = this.#random;
    switch (this.mode === 'mixed' ? MODES[random.int(MODES.length - 1)] : this.mode) {
      case 'noise':
        if (random.chance(0.3)) give(randomChunk(random));
        give(bytes);
        return;
      case 'changed':
        return give(changed(bytes, random));
      case 'cut': {
        const at = random.int(bytes.length + 1);
        if (random.chance(0.7)) give(bytes.subarray(0, at));
        if (random.chance(0.7)) give(bytes.subarray(at));
        return;
      }
      case 'late':
        return this.#after(random.chance(0.4) ? random.int(LATE_MS_MAX) : 0, bytes, give);
      case 'twice':
        give(bytes);
        if (random.chance(0.5)) this.#after(random.int(2 * LATE_MS_MAX), bytes, give);
        return;
      case 'replayed': {
        give(bytes);
        const old = this.#box[random.int(this.#box.length)];
        // Also to whoever said it: what comes from oneself is replayed and reflected.
        const ends = [...this.#ends, give];
        const to = ends[random.int(ends.length)] ?? give;
        if (old !== undefined && random.chance(0.5)) this.#after(random.int(REPLAY_MS_MAX), old, to);
        return;
      }
      case 'reflected':
        give(bytes);
        if (random.chance(0.3)) for (const other of [...this.#ends]) other(bytes);
        return;
      default:
        return give(bytes);
    }
  }

  /** Nothing is late any more once the line is clean. */
  #after(ms: number, bytes: Uint8Array, give: (bytes: Uint8Array) => void): void {
    if (ms === 0) return give(bytes);
    const copy = bytes.slice();
    this.#clock.at(this.#clock.nowMs + ms, () => {
      if (this.mode !== 'clean' && this.#ends.has(give)) give(copy);
    });
  }
}

/**
 * A device and a gateway with a mangler between them, whatever line they are joined by. Nobody listens in: a wiretap would have to know
 * which of the answers to a replayed HELLO counts.
 */
export function mangledWorld(options: LinkWorldOptions): { w: LinkWorld; mangler: Mangler } {
  const w = new LinkWorld(options);
  const mangler = new Mangler(w.world, stream(options.seed, 'mangler'));
  w.tap.on = (line) => mangler.on(line);
  return { w, mangler };
}

function changed(bytes: Uint8Array, random: Prng): Uint8Array {
  const copy = bytes.slice();
  for (let count = random.int(4); count > 0; count--) {
    const at = random.int(copy.length);
    copy[at] = random.chance(0.5) ? (copy[at] ?? 0) ^ (1 << random.int(8)) : random.int(256);
  }
  return copy;
}

/** Noise, zeros, a run without end, words, or the beginning of something. */
export function randomChunk(random: Prng): Uint8Array {
  const length = 1 + random.int(random.chance(0.1) ? 20_000 : 200);
  switch (random.int(5)) {
    case 0:
      return random.bytes(length);
    case 1:
      return new Uint8Array(length);
    case 2:
      return new Uint8Array(length).fill(0xff);
    case 3:
      return Uint8Array.from({ length }, () => 0x20 + random.int(95));
    default:
      return Uint8Array.from({ length }, () => (random.chance(0.05) ? 0 : random.int(256)));
  }
}

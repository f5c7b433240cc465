/** Inputs made of others: changed, cut, spliced, and made smaller. */
import type { Prng } from '../random.ts';

export interface MutationOptions {
  /** Another input, to splice with. */
  readonly other: Uint8Array;
  readonly random: Prng;
  readonly dictionary: readonly Uint8Array[];
  readonly bytesMax: number;
}

const STEPS_MAX = 5;
const RUN_BYTES_MAX = 64;
/** Bounds of lengths, counts and signs. */
const NOTABLE = [0, 1, 2, 23, 24, 31, 32, 63, 64, 127, 128, 0xfd, 0xfe, 0xff] as const;
const NOTABLE_WIDE = [
  0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
] as const;

type Change = (bytes: Uint8Array, options: MutationOptions) => Uint8Array;

const CHANGES: readonly [Change, ...Change[]] = [
  (bytes, { random }) => set(bytes, random, (byte) => byte ^ (1 << random.int(8))),
  (bytes, { random }) => set(bytes, random, () => random.int(256)),
  (bytes, { random }) => set(bytes, random, () => random.pick(NOTABLE)),
  (bytes, { random }) => set(bytes, random, (byte) => byte + random.pick([-1, 1])),
  (bytes, { random }) => wide(bytes, random),
  (bytes, { random }) => cut(bytes, place(bytes, random), 1 + random.int(RUN_BYTES_MAX)),
  (bytes, { random }) => bytes.slice(0, random.int(bytes.length + 1)),
  (bytes, { random }) => inserted(bytes, place(bytes, random), random.bytes(1 + random.int(RUN_BYTES_MAX))),
  (bytes, { random }) =>
    inserted(bytes, place(bytes, random), new Uint8Array(1 + random.int(RUN_BYTES_MAX)).fill(random.pick(NOTABLE))),
  (bytes, { random }) => inserted(bytes, place(bytes, random), stretch(bytes, random)),
  (bytes, { random, other }) => inserted(bytes, place(bytes, random), stretch(other, random)),
  (bytes, { random, other }) =>
    inserted(bytes.slice(0, place(bytes, random)), Number.MAX_SAFE_INTEGER, other.slice(place(other, random))),
  (bytes, { random, dictionary }) => {
    const word = dictionary[random.int(Math.max(1, dictionary.length))];
    return word === undefined ? bytes : inserted(bytes, place(bytes, random), word);
  },
  (bytes, { random, dictionary }) => {
    const word = dictionary[random.int(Math.max(1, dictionary.length))];
    if (word === undefined) return bytes;
    const at = place(bytes, random);
    return inserted(cut(bytes, at, word.length), at, word);
  },
];

/** One to a few changes of an input, at most `bytesMax` long. */
export function mutated(input: Uint8Array, options: MutationOptions): Uint8Array {
  const { random, bytesMax } = options;
  let bytes: Uint8Array = input.slice();
  for (let steps = 1 + random.int(STEPS_MAX); steps > 0; steps--) bytes = random.pick(CHANGES)(bytes, options);
  return bytes.length > bytesMax ? bytes.slice(0, bytesMax) : bytes;
}

/** Offers ever smaller inputs; goes on from each that is `isStill` what it was. */
export function smaller(input: Uint8Array, isStill: (candidate: Uint8Array) => boolean): void {
  let bytes = input;
  for (let step = Math.max(1, bytes.length >> 1); step >= 1; step = step >> 1) {
    for (let at = 0; at < bytes.length; ) {
      const candidate = cut(bytes, at, step);
      if (candidate.length < bytes.length && isStill(candidate)) bytes = candidate;
      else at += step;
    }
  }
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0) continue;
    const candidate = bytes.slice();
    candidate[at] = 0;
    if (isStill(candidate)) bytes = candidate;
  }
}

function place(bytes: Uint8Array, random: Prng): number {
  return random.int(bytes.length + 1);
}

function set(bytes: Uint8Array, random: Prng, change: (byte: number) => number): Uint8Array {
  if (bytes.length === 0) return bytes;
  const at = random.int(bytes.length);
  bytes[at] = change(bytes[at] ?? 0);
  return bytes;
}

/** A notable number of two, four or eight bytes, either way round. */
function wide(bytes: Uint8Array, random: Prng): Uint8Array {
  const width = random.pick([2, 4, 8]);
  if (bytes.length < width) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const at = random.int(bytes.length - width + 1);
  const value = random.pick(NOTABLE_WIDE);
  const isLittle = random.chance(0.5);
  if (width === 2) view.setUint16(at, value, isLittle);
  else if (width === 4) view.setUint32(at, value, isLittle);
  else view.setBigUint64(at, random.chance(0.3) ? 0xffff_ffff_ffff_ffffn : BigInt(value), isLittle);
  return bytes;
}

function stretch(bytes: Uint8Array, random: Prng): Uint8Array {
  const at = place(bytes, random);
  return bytes.slice(at, at + 1 + random.int(RUN_BYTES_MAX));
}

function cut(bytes: Uint8Array, at: number, count: number): Uint8Array {
  return inserted(bytes.slice(0, at), at, bytes.slice(at + count));
}

function inserted(bytes: Uint8Array, at: number, what: Uint8Array): Uint8Array {
  const split = Math.min(at, bytes.length);
  const all = new Uint8Array(bytes.length + what.length);
  all.set(bytes.subarray(0, split));
  all.set(what, split);
  all.set(bytes.subarray(split), split + what.length);
  return all;
}

/**
 * Sizes as people write them.
 *
 *   16 MiB   64KiB   1.5 GiB   4096 B   4096
 *
 * A kilobyte is 1000 bytes to some and 1024 to others, so only the units that mean one thing are taken.
 */

const UNITS: readonly (readonly [string, number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
];
const SIZE = /^(\d{1,15}(?:\.\d{1,6})?) ?([A-Za-z]*)$/;

/** What `parseSize` takes, for a message. */
export const SIZE_FORMS = 'bytes, or a number with KiB, MiB or GiB, like "16 MiB"';

/** Bytes, rounded down to a whole number that is exact in a double. Undefined for anything that is not a size. */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const [, digits = '', unit = ''] = match;
  const factor = unit === '' ? 1 : UNITS.find(([name]) => name === unit)?.[1];
  if (factor === undefined) return undefined;
  const bytes = Math.floor(Number(digits) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The same in the largest unit that leaves a number of at least 1, rounded down to hundredths: never more than there is. */
export function formatSize(bytes: number): string {
  const [unit, factor] = UNITS.find(([, size]) => bytes >= size) ?? ['B', 1];
  return `${Math.floor((bytes / factor) * 100) / 100} ${unit}`;
}

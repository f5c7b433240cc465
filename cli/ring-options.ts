/** Options that several ring tools take. */
import { parseSize, SIZE_FORMS } from '../shared/node/config/sizes.ts';
import { BLOCK_BYTES_MAX, BLOCK_BYTES_MIN } from '../shared/ring/geometry.ts';
import { usage, wholeNumber } from './args.ts';

/** Bytes. @throws USAGE_INVALID */
export function sizeOption(option: string, text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) throw usage(`${option} ${text}: ${SIZE_FORMS}`);
  return bytes;
}

/** @throws USAGE_INVALID for anything but a power of two that the format knows */
export function blockBytesOption(text: string): number {
  const bytes = wholeNumber('block-bytes', text);
  if (bytes < BLOCK_BYTES_MIN || bytes > BLOCK_BYTES_MAX || (bytes & (bytes - 1)) !== 0) {
    throw usage(`--block-bytes ${text}: a power of two from ${BLOCK_BYTES_MIN} to ${BLOCK_BYTES_MAX}`);
  }
  return bytes;
}

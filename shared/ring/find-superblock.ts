/**
 * Which superblock of a file holds. Copies are looked for by block size, smallest first, at both ends of the file: the places of a
 * smaller block size lie inside the superblock blocks of a larger one, never in the ring, so what a message's body contains is never
 * taken for a superblock as long as one real copy is whole.
 */
import { RingmailError } from '../errors.ts';
import type { ReadSteps } from './file-steps.ts';
import { BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, fileBytesOf, geometryIsSafe, SUPERBLOCK_COPIES } from './geometry.ts';
import { decodeSuperblock, FORMAT_MAJOR, SUPERBLOCK_BYTES, type Superblock } from './superblock-layout.ts';

/**
 * The newest superblock that is whole, in its place and understood.
 * @throws RING_FOREIGN, RING_TOO_NEW, RING_TRUNCATED
 */
export function* findSuperblock(file: { path: string; size: number }): ReadSteps<Superblock> {
  const { path, size } = file;
  let newest: Superblock | undefined;
  for (let blockBytes = BLOCK_BYTES_MIN; blockBytes <= BLOCK_BYTES_MAX && newest === undefined; blockBytes *= 2) {
    for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
      const found = yield* readCopy(size, blockBytes, copy);
      if (found !== undefined && (newest === undefined || found.generation > newest.generation)) newest = found;
    }
  }
  if (newest === undefined) throw new RingmailError('RING_FOREIGN', { path, reason: 'no superblock copy is whole' });
  if (newest.formatMajor !== FORMAT_MAJOR || newest.incompatible !== 0) {
    throw new RingmailError('RING_TOO_NEW', { path, format: `${newest.formatMajor}, features ${newest.incompatible}` });
  }
  if (!geometryIsSafe(newest.geometry))
    throw new RingmailError('RING_FOREIGN', { path, reason: 'its geometry is not one of ours' });
  const bytesExpected = fileBytesOf(newest.geometry);
  if (size !== bytesExpected) throw new RingmailError('RING_TRUNCATED', { path, bytes: size, bytesExpected });
  return newest;
}

/** A copy that says of itself that it belongs where it stands. */
function* readCopy(size: number, blockBytes: number, copy: number): ReadSteps<Superblock | undefined> {
  const offset = copy < 2 ? copy * blockBytes : size - (SUPERBLOCK_COPIES - copy) * blockBytes;
  if (offset < 0 || offset + SUPERBLOCK_BYTES > size) return undefined;
  const bytes = yield { kind: 'read', offset, bytes: SUPERBLOCK_BYTES };
  const found = bytes && decodeSuperblock(bytes);
  return found?.copy === copy && found.geometry.blockBytes === blockBytes && found.generation % 2 === copy % 2
    ? found
    : undefined;
}

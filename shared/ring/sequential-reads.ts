/**
 * Steps that read a log from one end to the other ask for a block or two at a time. Where one request follows close on another, more
 * is read at once, and the next ones are answered from that:
 *
 *   requests   [1][1] [2]  [1]                    [1]     far from the last one: as asked
 *   reads      [1][            16 KiB            ][1]
 *
 * Nothing may be written meanwhile. What is asked for again is read again: whoever does so doubts what was read. Where the medium does
 * not give the larger piece, what was asked for is asked of it.
 */
import type { ReadRequest, ReadSteps } from './file-steps.ts';

/** Read at once, in bytes. A memory card takes little longer for it than for one block. */
export const SEQUENTIAL_READ_BYTES = 16 * 1024;

/** Runs `steps` over a file of `fileBytes`. The answers are those that it would get alone. */
export function* readSequentially<T>(fileBytes: number, steps: ReadSteps<T>): ReadSteps<T> {
  /** Read, and not asked for yet. */
  let piece: { offset: number; bytes: Uint8Array } | undefined;
  let last: ReadRequest | undefined;
  let step = steps.next();
  while (step.done !== true) {
    const request = step.value;
    if (piece === undefined || !covers(piece, request)) {
      const isNext = last !== undefined && request.offset >= last.offset && request.offset - last.offset < SEQUENTIAL_READ_BYTES;
      const bytes = Math.min(SEQUENTIAL_READ_BYTES, fileBytes - request.offset);
      piece = undefined;
      if (isNext && bytes > request.bytes) {
        const given: Uint8Array | undefined = yield { kind: 'read', offset: request.offset, bytes };
        if (given !== undefined) piece = { offset: request.offset, bytes: given };
      }
    }
    last = request;
    if (piece === undefined) {
      step = steps.next(yield request);
    } else {
      const { offset, bytes } = request;
      const given = piece.bytes.subarray(offset - piece.offset, offset - piece.offset + bytes);
      piece = { offset: offset + bytes, bytes: piece.bytes.subarray(offset - piece.offset + bytes) };
      step = steps.next(given);
    }
  }
  return step.value;
}

function covers(piece: { offset: number; bytes: Uint8Array }, { offset, bytes }: ReadRequest): boolean {
  return offset >= piece.offset && offset + bytes <= piece.offset + piece.bytes.length;
}

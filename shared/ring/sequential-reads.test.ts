import { describe, expect, it } from 'vitest';
import type { ReadRequest, ReadSteps } from './file-steps.ts';
import { readSequentially, SEQUENTIAL_READ_BYTES } from './sequential-reads.ts';

const FILE_BYTES = 100_000;
const file = Uint8Array.from({ length: FILE_BYTES }, (_, at) => (at * 7 + (at >> 8)) & 0xff);

/** Asks for these, and returns what it was given. */
function* asking(requests: readonly [offset: number, bytes: number][]): ReadSteps<(Uint8Array | undefined)[]> {
  const given: (Uint8Array | undefined)[] = [];
  for (const [offset, bytes] of requests) given.push(yield { kind: 'read', offset, bytes });
  return given;
}

/** Runs steps on the file; nothing that touches `bad` is given. */
function run<T>(steps: ReadSteps<T>, bad?: number): { value: T; reads: ReadRequest[] } {
  const reads: ReadRequest[] = [];
  let step = steps.next();
  while (step.done !== true) {
    const { offset, bytes } = step.value;
    reads.push(step.value);
    const isBad = bad !== undefined && bad >= offset && bad < offset + bytes;
    step = steps.next(isBad ? undefined : file.slice(offset, offset + bytes));
  }
  return { value: step.value, reads };
}

const blocks = (count: number, from = 0): [number, number][] => Array.from({ length: count }, (_, i) => [from + 512 * i, 512]);

describe('reading a log from one end to the other', () => {
  it('gives what would be read block by block, in far fewer reads', () => {
    const alone = run(asking(blocks(150)));
    const together = run(readSequentially(FILE_BYTES, asking(blocks(150))));
    expect(together.value).toEqual(alone.value);
    expect(together.reads.length).toBeLessThanOrEqual(1 + Math.ceil((150 * 512) / SEQUENTIAL_READ_BYTES));
  });

  it('never asks for anything beyond the end of the file', () => {
    const { value, reads } = run(readSequentially(FILE_BYTES, asking(blocks(4, FILE_BYTES - 2048))));
    expect(value).toEqual(run(asking(blocks(4, FILE_BYTES - 2048))).value);
    for (const { offset, bytes } of reads) expect(offset + bytes).toBeLessThanOrEqual(FILE_BYTES);
  });

  it('reads no more than is asked for where requests lie far apart', () => {
    const far: [number, number][] = [0, 1, 2, 3].map((i) => [i * SEQUENTIAL_READ_BYTES, 512]);
    expect(run(readSequentially(FILE_BYTES, asking(far))).reads).toEqual(
      far.map(([offset, bytes]) => ({ kind: 'read', offset, bytes })),
    );
  });

  it('what is asked for again is read again', () => {
    const { reads } = run(readSequentially(FILE_BYTES, asking([...blocks(4), [512, 512]])));
    expect(reads.filter(({ offset, bytes }) => offset <= 512 && offset + bytes > 512)).toHaveLength(2);
  });

  it('a bad block costs itself and no neighbour', () => {
    const { value } = run(readSequentially(FILE_BYTES, asking(blocks(100))), 512 * 40 + 3);
    expect(value.flatMap((given, at) => (given === undefined ? [at] : []))).toEqual([40]);
    value.forEach((given, at) => {
      if (given !== undefined) expect(given).toEqual(file.subarray(512 * at, 512 * at + 512));
    });
  });
});

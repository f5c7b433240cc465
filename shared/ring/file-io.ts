/**
 * The ring's conversation with its file: one job (opening, a frame, a superblock) at a time, and reads of bodies beside it.
 * Everything is numbered; an answer to a number nobody waits for is dropped.
 */
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { FileRequest, FileSteps } from './file-steps.ts';
import { type RingGeometry, segmentsOf } from './geometry.ts';

export interface Fence {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export type RingInput =
  | { readonly kind: 'flushed'; readonly id: number }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string }
  | { readonly kind: 'readDone'; readonly id: number; readonly bytes: Uint8Array }
  | { readonly kind: 'readFailed'; readonly id: number; readonly reason: string };

export type RingOutput =
  /** `fence`: bytes that must still stand in the file, or the write must fail: another owner has opened it. */
  | {
      readonly kind: 'write';
      readonly id: number;
      readonly offset: number;
      readonly bytes: Uint8Array;
      readonly fence: Fence | undefined;
    }
  | { readonly kind: 'read'; readonly id: number; readonly offset: number; readonly length: number };

/** Body reads under way at once. Bounds memory: each holds one body. */
export const READS_MAX = 64;

export class FileIo {
  /** Checked before every write, once known. */
  fence: Fence | undefined;
  readonly #outputs: RingOutput[] = [];
  readonly #reads = new Map<number, (bytes: Uint8Array | undefined) => void>();
  #job: { id: number; steps: FileSteps<unknown>; whenDone: () => void; whenFailed: (error: Error) => void } | undefined;
  #nextId = 1;

  get isBusy(): boolean {
    return this.#job !== undefined;
  }

  get canRead(): boolean {
    return this.#reads.size < READS_MAX;
  }

  takeOutputs(): RingOutput[] {
    return this.#outputs.splice(0);
  }

  /** Runs a job; exactly one of the two is called at its end, never from inside this call unless the job asks nothing. */
  run(steps: FileSteps<unknown>, whenDone: () => void, whenFailed: (error: Error) => void): void {
    invariant(this.#job === undefined, 'one job at a time');
    this.#job = { id: 0, steps, whenDone, whenFailed };
    this.#resume(undefined);
  }

  /** Reads a range of the ring, across its wrap if need be; undefined where the medium gave nothing. */
  read(g: RingGeometry, at: { lsn: number; skip: number; bytes: number }, then: (bytes: Uint8Array | undefined) => void): void {
    const segments = segmentsOf(g, at);
    const into = new Uint8Array(at.bytes);
    let filled = 0;
    const next = (): void => {
      const segment = segments.shift();
      if (segment === undefined) return then(into);
      const id = this.#nextId++;
      this.#reads.set(id, (bytes) => {
        if (bytes === undefined) return then(undefined);
        into.set(bytes, filled);
        filled += bytes.length;
        next();
      });
      this.#outputs.push({ kind: 'read', id, offset: segment.offset, length: segment.bytes });
    };
    next();
  }

  input(input: RingInput): void {
    const job = this.#job;
    if (job !== undefined && job.id === input.id) {
      if (input.kind === 'failed') {
        this.#job = undefined;
        return job.whenFailed(new Error(input.reason));
      }
      return this.#resume(input.kind === 'readDone' ? input.bytes : undefined);
    }
    const then = this.#reads.get(input.id);
    this.#reads.delete(input.id);
    then?.(input.kind === 'readDone' ? input.bytes : undefined);
  }

  /** Nobody waits for anything any more. */
  drop(): void {
    this.#job = undefined;
    this.#reads.clear();
    this.#outputs.length = 0;
  }

  #resume(answer: Uint8Array | undefined): void {
    const job = this.#job;
    invariant(job !== undefined, 'a job is running');
    const step = stepOf(job.steps, answer);
    if (step instanceof Error) {
      this.#job = undefined;
      return job.whenFailed(step);
    }
    if (step.done) {
      this.#job = undefined;
      return job.whenDone();
    }
    job.id = this.#nextId++;
    this.#ask(job.id, step.value);
  }

  #ask(id: number, request: FileRequest): void {
    if (request.kind === 'read') this.#outputs.push({ kind: 'read', id, offset: request.offset, length: request.bytes });
    else this.#outputs.push({ kind: 'write', id, offset: request.offset, bytes: request.bytes, fence: this.fence });
  }
}

/** The next request; a coded refusal (a foreign file, say) is a value here, a bug stays an exception. */
function stepOf(steps: FileSteps<unknown>, answer: Uint8Array | undefined): IteratorResult<FileRequest, unknown> | RingmailError {
  try {
    return steps.next(answer);
  } catch (error) {
    if (error instanceof RingmailError) return error;
    throw error;
  }
}

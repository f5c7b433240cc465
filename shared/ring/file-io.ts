/**
 * The ring's conversation with its file: one job (opening, a frame, a superblock) at a time, and reads of bodies beside it.
 * Everything is numbered; an answer to a number nobody waits for is dropped.
 */
import { invariant } from '../assert.ts';
import { RingmailError } from '../errors.ts';
import type { Fence } from '../ports.ts';
import type { FileRequest, FileSteps, ReadSteps } from './file-steps.ts';

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

/** Reads beside the job under way at once. Bounds memory: each holds one body. */
export const READS_MAX = 64;

interface Reading {
  readonly steps: ReadSteps<unknown>;
  readonly whenDone: (result: unknown) => void;
}

export class FileIo {
  /** Checked before every write, once known. */
  fence: Fence | undefined;
  #outputs: RingOutput[] = [];
  /** By the number of what they asked. Not closures that know themselves: these are garbage that small engines seldom collect. */
  readonly #reads = new Map<number, Reading>();
  #job: { id: number; steps: FileSteps<unknown>; whenDone: () => void; whenFailed: (error: Error) => void } | undefined;
  #nextId = 1;

  get isBusy(): boolean {
    return this.#job !== undefined;
  }

  get canRead(): boolean {
    return this.#reads.size < READS_MAX;
  }

  takeOutputs(): RingOutput[] {
    const outputs = this.#outputs;
    if (outputs.length > 0) this.#outputs = [];
    return outputs;
  }

  /** Runs a job; exactly one of the two is called at its end, never from inside this call unless the job asks nothing. */
  run(steps: FileSteps<unknown>, whenDone: () => void, whenFailed: (error: Error) => void): void {
    invariant(this.#job === undefined, 'one job at a time');
    this.#job = { id: 0, steps, whenDone, whenFailed };
    this.#resume(undefined);
  }

  /** Runs steps that only read, beside the job. `then` is never called from inside this call: they ask something. */
  readBeside<T>(steps: ReadSteps<T>, then: (result: T) => void): void {
    // What they give is what `then` takes; the map does not tell which is whose.
    this.#resumeReading({ steps, whenDone: then as (result: unknown) => void }, undefined);
  }

  #resumeReading(reading: Reading, answer: Uint8Array | undefined): void {
    const step = reading.steps.next(answer);
    if (step.done) return reading.whenDone(step.value);
    const id = this.#nextId++;
    this.#reads.set(id, reading);
    this.#outputs.push({ kind: 'read', id, offset: step.value.offset, length: step.value.bytes });
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
    const reading = this.#reads.get(input.id);
    this.#reads.delete(input.id);
    if (reading !== undefined) this.#resumeReading(reading, input.kind === 'readDone' ? input.bytes : undefined);
  }

  /** The job is over and nothing more is written. Reads are still answered, so that nobody waits for ever. */
  stopWriting(): void {
    this.#job = undefined;
    this.#outputs = this.#outputs.filter((output) => output.kind === 'read');
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

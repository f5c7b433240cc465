/**
 * Joins a ring to a simulated file without an event loop: takes what the ring wants of the file, answers, and pumps, until nothing
 * more happens by itself. For tests and models that look between any two writes.
 */

import { invariant } from '../shared/assert.ts';
import { crc32 } from '../shared/crc32.ts';
import { Express } from '../shared/ring/express.ts';
import type { RingInput, RingOutput } from '../shared/ring/file-io.ts';
import { type FileSteps, formatRing } from '../shared/ring/file-steps.ts';
import { fileBytesOf, type RingGeometry } from '../shared/ring/geometry.ts';
import { Ring, type RingOptions } from '../shared/ring/ring.ts';
import type { Prng } from './random.ts';
import { type Completion, SimDisk, type SimFile, type SimWrite } from './sim-disk.ts';

/** A ring that wants more than this in one `play` goes round in circles. */
const ROUNDS_MAX = 1_000_000;

export class RingDriver {
  readonly ring: Ring;
  readonly file: SimFile;
  /** Set to `held` to leave reads unanswered until `answerReads`. */
  reads: 'answered' | 'held' = 'answered';
  readonly #held: Extract<RingOutput, { kind: 'read' }>[] = [];
  #writing: { id: number; write: SimWrite } | undefined;

  constructor(ring: Ring, file: SimFile) {
    this.ring = ring;
    this.file = file;
  }

  /** Goes on until the ring waits for time, for a write that is on its way, or for a held read. */
  play(nowMs: number): void {
    for (let round = 0; ; round++) {
      invariant(round < ROUNDS_MAX, 'the ring comes to rest');
      const outputs = this.ring.takeOutputs();
      for (const output of outputs) this.#perform(output);
      const isAnswered = this.#answerWrite();
      const wakeAtMs = this.ring.wakeAtMs;
      if (outputs.length > 0 || isAnswered) continue;
      if (wakeAtMs === undefined || wakeAtMs > nowMs) return;
      this.ring.pump(nowMs);
    }
  }

  /** A write of the ring waits for the disk. */
  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  get heldReads(): number {
    return this.#held.length;
  }

  /** Answers the reads held so far, with what the file holds now. */
  answerReads(): void {
    for (const output of this.#held.splice(0)) this.#read(output);
  }

  #perform(output: RingOutput): void {
    if (output.kind === 'write') {
      invariant(this.#writing === undefined, 'one write at a time');
      const write = this.file.begin(output.offset, output.bytes, { fence: output.fence });
      this.#writing = { id: output.id, write };
    } else if (this.reads === 'held') {
      this.#held.push(output);
    } else {
      this.#read(output);
    }
  }

  #read({ id, offset, length }: Extract<RingOutput, { kind: 'read' }>): void {
    const bytes = new Uint8Array(length);
    let answer: RingInput = { kind: 'readDone', id, bytes };
    try {
      this.file.read(offset, bytes);
    } catch (error) {
      answer = { kind: 'readFailed', id, reason: String(error) };
    }
    this.ring.input(answer);
  }

  #answerWrite(): boolean {
    if (this.#writing === undefined || this.#writing.write.state === 'pending') return false;
    const { id, write } = this.#writing;
    this.#writing = undefined;
    this.ring.input(write.state === 'durable' ? { kind: 'flushed', id } : { kind: 'failed', id, reason: write.reason });
    return true;
  }
}

/** Plays a ring to rest on a file whose disk completes writes at once. */
export function playRing(ring: Ring, file: SimFile, nowMs: number): void {
  new RingDriver(ring, file).play(nowMs);
}

/** Performs steps against a file, at once. */
export function playSteps<T>(steps: FileSteps<T>, file: SimFile): T {
  for (let step = steps.next(); ; ) {
    if (step.done) return step.value;
    const request = step.value;
    if (request.kind === 'write') {
      invariant(file.begin(request.offset, request.bytes).state === 'durable', 'the disk completes writes at once');
      step = steps.next();
    } else {
      const bytes = new Uint8Array(request.bytes);
      let answer: Uint8Array | undefined = bytes;
      try {
        file.read(request.offset, bytes);
      } catch {
        answer = undefined; // a read that fails is an answer too
      }
      step = steps.next(answer);
    }
  }
}

/** A disk that holds a formatted, never opened ring. */
export function formattedDisk(geometry: RingGeometry, random: Prng, completion: Completion = 'at-once'): SimDisk {
  const blank = new SimDisk({ bytes: fileBytesOf(geometry), random });
  playSteps(formatRing(geometry, random.bytes(16)), blank.open());
  return new SimDisk({ bytes: blank.bytes, random, completion }, blank);
}

/** Begins to open the ring of a disk; `play` finishes it. */
export function openRing(disk: SimDisk, options: Partial<RingOptions> = {}): RingDriver {
  const file = disk.open();
  const defaults = { path: 'sim', size: file.size, checksum: crc32, epochRandom: 1, commitDelayMs: 0 };
  const ring = new Ring({ ...defaults, cacheBytesMax: 0, pendingBytesMax: 4 * 1024 * 1024, Express, ...options });
  return new RingDriver(ring, file);
}

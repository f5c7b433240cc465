/** The product's ring on the product's file, driven without a node: for who looks at what a real machine keeps of it. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from '../../shared/crc32.ts';
import { fastChecksum } from '../../shared/node/checksum.ts';
import { NodeRingFile, openRingFile } from '../../shared/node/ring-file.ts';
import { Express } from '../../shared/ring/express.ts';
import { type Batch, type BodyResult, type Outcome, Ring } from '../../shared/ring/ring.ts';

export interface RealRingOptions {
  readonly epochRandom: number;
  /** Of the lock and of files in memory; `allow` where only the process dies, and not the machine. */
  readonly volatile: 'refuse' | 'allow';
  /** How the file is opened: the way of the product, unless somebody has a descriptor and no respect. */
  readonly file?: NodeRingFile;
}

export class RealRing {
  readonly ring: Ring;
  readonly file: NodeRingFile;
  #isTurning = false;

  private constructor(ring: Ring, file: NodeRingFile) {
    this.ring = ring;
    this.file = file;
  }

  /** Resolves when it serves. @throws what opening refuses */
  static async open(path: string, options: RealRingOptions): Promise<RealRing> {
    const { epochRandom, volatile } = options;
    const file = options.file ?? (await openRingFile(path, { volatile }));
    const ring = new Ring({
      Express,
      path,
      size: file.size,
      checksum: fastChecksum(crc32),
      epochRandom,
      commitDelayMs: 0,
      cacheBytesMax: 0,
      pendingBytesMax: 4 * 1024 * 1024,
    });
    const real = new RealRing(ring, file);
    await real.#turn();
    if (ring.state === 'serving') return real;
    await file.close();
    throw ring.failure ?? new Error(ring.state);
  }

  append(batch: Batch): Promise<{ outcome: Outcome; slots: readonly number[] }> {
    return new Promise((resolve) => {
      this.ring.append(batch, { nowMs: performance.now(), delayMs: 0 }, (outcome, slots) => resolve({ outcome, slots }));
      this.#wake();
    });
  }

  body(id: number): Promise<BodyResult> {
    return new Promise((resolve) => {
      this.ring.fetchBody(id, resolve);
      this.#wake();
    });
  }

  /** Clean: everything is written, the file says so, the lock is free. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.ring.close(resolve);
      this.#wake();
    });
    await this.file.close();
  }

  /** As after a kill, but in this process: the lock is free, nothing more is written. */
  abandon(): Promise<void> {
    return this.file.close();
  }

  #wake(): void {
    if (!this.#isTurning) void nextTurn().then(() => this.#turn());
  }

  /** Answers the ring until it waits for others. */
  async #turn(): Promise<void> {
    if (this.#isTurning) return;
    this.#isTurning = true;
    for (;;) {
      this.ring.pump(performance.now());
      const outputs = this.ring.takeOutputs();
      if (outputs.length === 0) break;
      for (const output of outputs) await this.#perform(output);
    }
    this.#isTurning = false;
  }

  async #perform(output: ReturnType<Ring['takeOutputs']>[number]): Promise<void> {
    const { id, offset } = output;
    try {
      if (output.kind === 'read') {
        const bytes = new Uint8Array(output.length);
        this.file.read(offset, bytes);
        this.ring.input({ kind: 'readDone', id, bytes });
      } else {
        await this.file.writeDurable(offset, output.bytes, output.fence);
        this.ring.input({ kind: 'flushed', id });
      }
    } catch (error) {
      this.ring.input({ kind: output.kind === 'read' ? 'readFailed' : 'failed', id, reason: String(error) });
    }
  }
}

/** Opens a file without asking its lock: what an owner meets whose lock nobody can see. */
export function fileWithoutLock(opened: { fd: number; size: number }): NodeRingFile {
  return new NodeRingFile({ ...opened, durability: 'sync', lock: { method: 'flock', release: () => {} } });
}

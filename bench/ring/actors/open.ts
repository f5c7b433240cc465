/** A writer that is killed in the middle of its work, and the process that opens what it left. */
import { mkdirSync, rmSync } from 'node:fs';
import type { OpenJob, OpenResult, WriterJob } from '../job.ts';
import { bodyOf } from '../load.ts';
import type { RingShell } from '../subjects/ring-shell.ts';
import { createRingIn, openRing } from '../subjects/ringmail.ts';
import type { Actor } from './actor.ts';

const SENDERS = 64;
const KEPT_PRIORITY = 3;
/** What passes: always received first. */
const PASSING_PRIORITY = 7;
const MEBIBYTE = 1024 * 1024;
const SMALL_RING_BYTES = 16 * MEBIBYTE;
const WARM_MESSAGES = 20_000;
const WARM_OPENINGS = 5;

/** Beside every message that stays, one passes: what lives lies between what is dead. */
export class WriterActor implements Actor {
  readonly #job: WriterJob;

  constructor(job: WriterJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const { directory, ringBytes, messages, bodyBytes } = this.#job;
    const { shell } = await openRing(await createRingIn(directory, ringBytes));
    const body = bodyOf(bodyBytes, 1);
    let kept = 0;
    const sender = async () => {
      while (kept++ < messages) {
        await shell.put(KEPT_PRIORITY, body);
        await this.#pass(shell, body);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
    const forEver = async () => {
      for (;;) await this.#pass(shell, body);
    };
    void Promise.all(Array.from({ length: SENDERS }, forEver));
  }

  async end(): Promise<void> {}

  async #pass(shell: RingShell, body: Uint8Array): Promise<void> {
    await shell.put(PASSING_PRIORITY, body);
    await shell.ack(await shell.receive());
  }
}

/** From opening the file to a ring that serves, every message in its queue. A small ring was opened before: code is warm, data is not. */
export class OpenActor implements Actor {
  readonly #job: OpenJob;

  constructor(job: OpenJob) {
    this.#job = job;
  }

  async start(): Promise<OpenResult> {
    const { directory } = this.#job;
    const warmDirectory = `${directory}/warm`;
    mkdirSync(warmDirectory);
    await warmUp(warmDirectory);
    rmSync(warmDirectory, { recursive: true });
    const heapBefore = heapBytes();
    const startMs = performance.now();
    const { shell } = await openRing(`${directory}/ring`);
    const openMs = performance.now() - startMs;
    const messages = shell.ring.index.count;
    const heapBytesPerMessage = (heapBytes() - heapBefore) / messages;
    return { openMs, messages, heapBytesPerMessage, rssMb: process.memoryUsage.rss() / MEBIBYTE };
  }

  async end(): Promise<void> {}
}

/** What the compiler makes of opening is not counted as the messages': a small ring is filled and opened before. */
async function warmUp(directory: string): Promise<void> {
  const path = await createRingIn(directory, SMALL_RING_BYTES);
  for (let opening = 0; opening < WARM_OPENINGS; opening++) {
    const { shell, file } = await openRing(path);
    const body = bodyOf(128, 1);
    const sender = async () => {
      for (let i = 0; i < WARM_MESSAGES / SENDERS; i++) await shell.put(KEPT_PRIORITY, body);
    };
    if (opening === 0) await Promise.all(Array.from({ length: SENDERS }, sender));
    await shell.close();
    await file.close();
  }
}

/** What is in use after everything that is not has been collected: JavaScript's own heap, and typed arrays beside it. */
export function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

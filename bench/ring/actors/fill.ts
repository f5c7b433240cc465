/** Memory of a process whose ring is empty, half full and full. */
import { hasCode } from '../../../shared/errors.ts';
import type { FillJob, FillResult } from '../job.ts';
import { bodyOf } from '../load.ts';
import type { RingShell } from '../subjects/ring-shell.ts';
import { createRingIn, openRing } from '../subjects/ringmail.ts';
import type { Actor } from './actor.ts';
import { heapBytes } from './open.ts';

const SENDERS = 64;
const PERCENTS = [0, 50, 100];
/** Put and acknowledged before anything is measured: the code is compiled, the heap has the size that the traffic wants. */
const WARM_ROUNDS = 4;
const WARM_MESSAGES = 10_000;
const MEBIBYTE = 1024 * 1024;

export class FillActor implements Actor {
  readonly #job: FillJob;

  constructor(job: FillJob) {
    this.#job = job;
  }

  async start(): Promise<FillResult> {
    const { directory, ringBytes, bodyBytes } = this.#job;
    const { shell } = await openRing(await createRingIn(directory, ringBytes));
    const body = bodyOf(bodyBytes, 1);
    await warm(shell, body);
    const points: FillResult['points'][number][] = [];
    for (const percent of PERCENTS) {
      await fillTo(shell, (shell.ring.messageBytesMax * percent) / 100, body);
      heapBytes();
      const { index } = shell.ring;
      const rssMb = process.memoryUsage.rss() / MEBIBYTE;
      points.push({ percent, rssMb, indexMb: index.bytes / MEBIBYTE, messages: index.count });
    }
    return { points };
  }

  async end(): Promise<void> {}
}

async function warm(shell: RingShell, body: Uint8Array): Promise<void> {
  for (let round = 0; round < WARM_ROUNDS; round++) {
    await inParallel(WARM_MESSAGES, () => shell.put(0, body));
    await inParallel(WARM_MESSAGES, async () => shell.ack(await shell.receive()));
  }
}

async function inParallel(count: number, work: () => Promise<void>): Promise<void> {
  let left = count;
  const sender = async () => {
    while (left-- > 0) await work();
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
}

/** Until so much is used, or the ring refuses more. */
async function fillTo(shell: RingShell, bytes: number, body: Uint8Array): Promise<void> {
  const sender = async () => {
    try {
      while (shell.ring.bytesUsed < bytes) await shell.put(0, body);
    } catch (error) {
      if (!hasCode(error, 'QUEUE_FULL')) throw error;
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
}

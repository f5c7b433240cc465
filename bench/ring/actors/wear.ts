/** How many blocks the ring writes for each that new messages and acknowledgements need, in steady state: from the second lap on. */
import { FrameWatch } from '../frame-watch.ts';
import type { WearJob, WearResult } from '../job.ts';
import { pin, runLoad } from '../load.ts';
import { createRingIn, fillWithMeta, openRing } from '../subjects/ringmail.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Actor } from './actor.ts';

const SLICE_MESSAGES = 2_000;
const PRIORITY = 3;

export class WearActor implements Actor {
  readonly #job: WearJob;

  constructor(job: WearJob) {
    this.#job = job;
  }

  async start(): Promise<WearResult> {
    const { directory, ringBytes, bodyBytes, senders, pinnedPercent, laps, msMax } = this.#job;
    let watch: FrameWatch | undefined;
    const { shell, file } = await openRing(await createRingIn(directory, ringBytes), (inner) => {
      watch = new FrameWatch(inner);
      return watch;
    });
    if (watch === undefined) throw new Error('the ring was opened without its file');
    const subject: Subject = {
      put: (priority, body) => shell.put(priority, body),
      receive: () => shell.receive(),
      ack: (message) => shell.ack(message),
      fillUp: (percent) => fillWithMeta(shell, percent),
      close: () => shell.close(),
    };
    if (pinnedPercent > 0) await pin(subject, this.#job);
    const { blockCount, blockBytes } = shell.ring.geometry;
    const livePercent = (100 * shell.ring.bytesUsed) / (blockCount * blockBytes);
    const endMs = performance.now() + msMax;
    const goRound = async (blocks: number) => {
      for (watch?.reset(); watch !== undefined && watch.blocks < blocks && performance.now() < endMs; ) {
        const slice = { messagesMax: SLICE_MESSAGES, ms: Number.POSITIVE_INFINITY };
        await runLoad(subject, { workload: 'cycle', senders, bodyBytes, priority: PRIORITY, ...slice });
      }
    };
    await goRound(blockCount);
    await goRound(laps * blockCount);
    const result = { writeAmplification: watch.blocks / watch.newBlocks, livePercent, laps: watch.blocks / blockCount };
    await shell.close();
    await file.close();
    return result;
  }

  async end(): Promise<void> {}
}

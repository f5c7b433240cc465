/** A subject under load, measured in stretches. Between two of them the store is as empty as it was. */
import type { LoadJob } from '../job.ts';
import { drain, ENTRY_BYTES, type Load, type Measured, measure, pin, runLoad } from '../load.ts';
import { openSubject } from '../subjects/open.ts';
import type { Subject } from '../subjects/subject.ts';
import type { Actor } from './actor.ts';

/** Of everything that is measured; what is pinned has the lowest, 0. */
const PRIORITY = 3;
/** Of the ring that one stretch of `put` may fill, in percent: below the 42 % that a ring admits. */
const STRETCH_PERCENT = 38;
/** First, so that the code is compiled by the time one sender on a slow medium is measured. */
const WARM = { senders: 64, messagesMax: 30_000 };

export class LoadActor implements Actor {
  readonly #job: LoadJob;
  readonly #load: Load;
  #subject: Subject | undefined;

  constructor(job: LoadJob) {
    const { workload, senders, bodyBytes, ms, ringBytes, loopDelay } = job;
    const messagesMax =
      workload === 'put' ? Math.floor((ringBytes * STRETCH_PERCENT) / 100 / (ENTRY_BYTES + bodyBytes)) : Infinity;
    this.#job = job;
    this.#load = { workload, senders, bodyBytes, ms, messagesMax, priority: PRIORITY, loopDelay };
  }

  async start(): Promise<void> {
    const { pinnedPercent, warmMs } = this.#job;
    this.#subject = await openSubject(this.#job.subject, this.#job);
    if (pinnedPercent > 0) await pin(this.#subject, this.#job);
    await this.#run({ ...this.#load, ms: 2 * warmMs, ...WARM, messagesMax: Math.min(WARM.messagesMax, this.#load.messagesMax) });
    await this.#run({ ...this.#load, ms: warmMs });
  }

  async #run(load: Load): Promise<void> {
    await this.#restore(await runLoad(this.#opened, load));
  }

  async measure(): Promise<Measured> {
    const measured = await measure(this.#opened, this.#load, this.#job);
    await this.#restore(measured.messages);
    return measured;
  }

  async end(): Promise<void> {
    await this.#subject?.close();
  }

  async #restore(messages: number): Promise<void> {
    if (this.#load.workload === 'put') await drain(this.#opened, messages);
  }

  get #opened(): Subject {
    if (this.#subject === undefined) throw new Error('not started');
    return this.#subject;
  }
}

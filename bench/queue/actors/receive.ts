/**
 * A queue of a fixed length: some messages are received and acknowledged, measured; then as many are sent, unmeasured, each of the
 * priority of one that went. So the queue stays as long as it is said to be, and its priorities stay mixed.
 */
import type { Actor } from '../../ring/actors/actor.ts';
import { Histogram } from '../../ring/histogram.ts';
import { bodyOf } from '../../ring/load.ts';
import type { Measured, ReceiveJob } from '../job.ts';
import { inParallel, Library, PRIORITIES } from '../library.ts';

/** Messages of one turn: four for each of 64 receivers, a quarter of the shortest queue. */
const TURN_MESSAGES = 256;
const WARM_STRETCHES = 3;
const FILL_AT_ONCE = 256;
const MEBIBYTE = 1024 * 1024;

export class ReceiveActor implements Actor {
  readonly #job: ReceiveJob;
  readonly #body: Uint8Array;
  #library: Library | undefined;

  constructor(job: ReceiveJob) {
    this.#job = job;
    this.#body = bodyOf(job.bodyBytes, 1);
  }

  async start(): Promise<void> {
    this.#library = await Library.open(this.#job);
    await this.#send(Array.from({ length: this.#job.messages }, (_, i) => i % PRIORITIES));
    for (let i = 0; i < WARM_STRETCHES; i++) await this.measure();
  }

  async measure(): Promise<Measured> {
    const { turns, receivers } = this.#job;
    const latency = new Histogram();
    let ms = 0;
    let cpuUs = 0;
    for (let turn = 0; turn < turns; turn++) {
      const gone: number[] = [];
      const startMs = performance.now();
      const before = process.cpuUsage();
      await inParallel(TURN_MESSAGES, receivers, async () => {
        const sinceMs = performance.now();
        const { message, ack } = await this.#opened.receive();
        await ack();
        latency.add(performance.now() - sinceMs);
        gone.push(message.priority);
      });
      const { user, system } = process.cpuUsage(before);
      ms += performance.now() - startMs;
      cpuUs += user + system;
      await this.#send(gone);
    }
    const { ready } = this.#opened;
    if (ready !== this.#job.messages) throw new Error(`${ready} messages are queued in place of ${this.#job.messages}`);
    const messages = turns * TURN_MESSAGES;
    return {
      messages,
      messagesPerSecond: (1000 * messages) / ms,
      p50Ms: latency.percentile(0.5),
      p99Ms: latency.percentile(0.99),
      cpuUsPerMessage: cpuUs / messages,
      rssMb: process.memoryUsage.rss() / MEBIBYTE,
    };
  }

  async end(): Promise<void> {
    await this.#library?.close();
  }

  async #send(priorities: readonly number[]): Promise<void> {
    await inParallel(priorities.length, FILL_AT_ONCE, async (i) => {
      await this.#opened.send(priorities[i] ?? 0, this.#body);
    });
  }

  get #opened(): Library {
    if (this.#library === undefined) throw new Error('not started');
    return this.#library;
  }
}

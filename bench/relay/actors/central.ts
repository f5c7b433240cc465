/** The far end: a central whose queue fills, or is received from as fast as messages come. */
import { setMaxListeners } from 'node:events';
import { LocalNode } from '../../../shared/node/library.ts';
import type { Node } from '../../../shared/node/node.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { CentralJob, Look } from '../job.ts';
import { lookAt } from '../looks.ts';
import { centralConfig, LIVE_QUEUE, openRelayNode, QUEUE } from '../nodes.ts';
import { delayMsOf } from '../stamped.ts';

export class CentralActor implements Actor {
  readonly #job: CentralJob;
  readonly #stop = new AbortController();
  #opened: { readonly node: Node; readonly local: LocalNode } | undefined;
  #receiving: Promise<unknown> = Promise.resolve();
  #received = 0;
  #delaysMs: number[] = [];

  constructor(job: CentralJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const { folder, ringBytes, brokerPort, receivers } = this.#job;
    setMaxListeners(receivers + LIVE_RECEIVERS, this.#stop.signal);
    const node = await openRelayNode({ name: 'central', folder, ringBytes, brokerPort, config: centralConfig(ringBytes) });
    const local = new LocalNode(node);
    this.#opened = { node, local };
    const all = Array.from({ length: receivers }, () => this.#receive(local, QUEUE));
    const live = Array.from({ length: LIVE_RECEIVERS }, () => this.#receive(local, LIVE_QUEUE));
    this.#receiving = Promise.all([...all, ...live]);
  }

  async measure(): Promise<Look> {
    const waiting = this.#opened?.node.stats()?.queues.find(({ name }) => name === QUEUE)?.ready ?? 0;
    return lookAt(this.#received + (this.#job.receivers === 0 ? waiting : 0), this.#delaysMs.splice(0));
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#receiving.catch(() => {});
    await this.#opened?.local.close();
  }

  async #receive(local: LocalNode, queue: string): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const delivery = await local.receive(queue, { waitMs: WAIT_MS, signal });
      if (delivery === undefined) continue;
      const delayMs = delayMsOf(delivery.message.body);
      if (delayMs !== undefined) this.#delaysMs.push(delayMs);
      await delivery.ack();
      this.#received += 1;
    }
  }
}

const WAIT_MS = 10_000;
/** More than what a busy central answers in one turn: they must not be what is waited for. */
const LIVE_RECEIVERS = 64;

/** The way without storage: a client publishes, so many without a PUBACK. */
import { connectAsync, type MqttClient } from 'mqtt';
import type { Actor } from '../../ring/actors/actor.ts';
import type { Look, PublisherJob } from '../job.ts';
import { lookAt } from '../looks.ts';
import { atRate, stampedBody } from '../stamped.ts';

export const TOPIC = 'bench/bags';

export class PublisherActor implements Actor {
  readonly #job: PublisherJob;
  #client: MqttClient | undefined;
  #acknowledged = 0;
  #state: 'ready' | 'publishing' | 'over' = 'ready';
  #stop = () => {};

  constructor(job: PublisherJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    this.#client = await connectAsync(`mqtt://127.0.0.1:${this.#job.brokerPort}`, { clientId: 'bench-publisher' });
  }

  /** The first time it begins. */
  async measure(): Promise<Look> {
    if (this.#state === 'ready') {
      this.#state = 'publishing';
      const { perSecond, inFlight } = this.#job;
      if (perSecond > 0) this.#stop = atRate(perSecond, () => this.#publish(() => {}));
      else for (let i = 0; i < inFlight; i++) this.#next();
    }
    return lookAt(this.#acknowledged);
  }

  async end(): Promise<void> {
    this.#state = 'over';
    this.#stop();
    await this.#client?.endAsync(true);
  }

  #next(): void {
    if (this.#state === 'publishing') this.#publish(() => this.#next());
  }

  #publish(then: () => void): void {
    const { perSecond, bodyBytes } = this.#job;
    const body = perSecond > 0 ? stampedBody(bodyBytes) : new Uint8Array(bodyBytes);
    this.#client?.publish(TOPIC, Buffer.from(body.buffer, body.byteOffset, body.byteLength), { qos: 1 }, (error) => {
      if (error !== undefined && error !== null) return;
      this.#acknowledged += 1;
      then();
    });
  }
}

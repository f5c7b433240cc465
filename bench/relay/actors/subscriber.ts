/** Counts what comes, and stores nothing. */
import { connectAsync, type MqttClient } from 'mqtt';
import type { Actor } from '../../ring/actors/actor.ts';
import type { Look, SubscriberJob } from '../job.ts';
import { lookAt } from '../looks.ts';
import { delayMsOf } from '../stamped.ts';
import { TOPIC } from './publisher.ts';

export class SubscriberActor implements Actor {
  readonly #job: SubscriberJob;
  #client: MqttClient | undefined;
  #count = 0;
  #delaysMs: number[] = [];

  constructor(job: SubscriberJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const client = await connectAsync(`mqtt://127.0.0.1:${this.#job.brokerPort}`, { clientId: 'bench-subscriber' });
    this.#client = client;
    client.on('message', (_, payload) => {
      this.#count += 1;
      const delayMs = delayMsOf(payload);
      if (delayMs !== undefined) this.#delaysMs.push(delayMs);
    });
    await client.subscribeAsync(TOPIC, { qos: 1 });
  }

  async measure(): Promise<Look> {
    return lookAt(this.#count, this.#delaysMs.splice(0));
  }

  async end(): Promise<void> {
    await this.#client?.endAsync(true);
  }
}

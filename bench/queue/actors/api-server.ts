/** A node and its local API, in a process that does nothing else. */

import { type ApiServer, serveApi } from '../../../shared/node/api/server.ts';
import type { Actor } from '../../ring/actors/actor.ts';
import type { ApiServerJob, Look } from '../job.ts';
import { empty, Library } from '../library.ts';

const MEBIBYTE = 1024 * 1024;

export class ApiServerActor implements Actor {
  readonly #job: ApiServerJob;
  #serving: { readonly library: Library; readonly api: ApiServer } | undefined;

  constructor(job: ApiServerJob) {
    this.#job = job;
  }

  async start(): Promise<void> {
    const library = await Library.open(this.#job);
    this.#serving = { library, api: await serveApi(library.node, { socketPath: this.#job.socketPath }) };
  }

  async measure(): Promise<Look> {
    const { user, system } = process.cpuUsage();
    const look = { cpuUs: user + system, rssMb: process.memoryUsage.rss() / MEBIBYTE };
    if (this.#serving !== undefined) await empty(this.#serving.library);
    return look;
  }

  async end(): Promise<void> {
    await this.#serving?.api.close();
    await this.#serving?.library.close();
  }
}

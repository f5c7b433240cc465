/** Where one case plays: a folder of its own, and processes that end with it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { killWorkers } from '../ring/clean-up.ts';
import { Worker } from '../ring/worker.ts';
import { endBrokers } from './brokers.ts';
import type { Job, Look } from './job.ts';

/** Somebody who does a job. */
export interface Part {
  look(): Promise<Look>;
}

/** One that does not see the end of the case. */
export interface Ended extends Part {
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export class Stage {
  readonly folder: string;
  readonly #childPath: string;
  readonly #rivals: string;

  /** `rivals`: where they are installed, a file in the folder above. */
  constructor(folder: string, { childPath, rivals }: { readonly childPath: string; readonly rivals: string }) {
    this.folder = folder;
    this.#childPath = childPath;
    this.#rivals = rivals;
    mkdirSync(folder, { recursive: true });
  }

  /** A folder in here. */
  place(name: string): string {
    const place = join(this.folder, name);
    mkdirSync(place, { recursive: true });
    return place;
  }

  part(job: Job): Promise<Part> {
    return this.ended(job);
  }

  async ended(job: Job): Promise<Ended> {
    const env = { RINGMAIL_BENCH_ROOT: this.#rivals };
    const worker = new Worker<Job>({ path: this.#childPath, env, execArgv: [] });
    await worker.start(job);
    const look = async () => (await worker.measure()) as Look;
    return { look, stop: async () => worker.stop(), kill: () => worker.kill() };
  }

  async end(): Promise<void> {
    await killWorkers();
    await endBrokers();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

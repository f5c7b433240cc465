/** A child process with one job. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Answer, Job, Request } from './job.ts';

export interface WorkerOptions {
  /** Bundle of child.ts. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly execArgv: readonly string[];
}

/** Longest wait for an answer: then something hangs. */
const ANSWER_MS_MAX = 300_000;

export class Worker<J = Job> {
  /** All that live, so that nobody outlives us. */
  static readonly alive = new Set<Worker<unknown>>();
  readonly #process: ChildProcess;

  constructor({ path, env, execArgv }: WorkerOptions) {
    this.#process = fork(path, { env: { ...process.env, ...env }, execArgv: [...execArgv], serialization: 'advanced' });
    Worker.alive.add(this);
    this.#process.once('exit', () => Worker.alive.delete(this));
  }

  start(job: J): Promise<unknown> {
    return this.#ask({ kind: 'start', job });
  }

  measure(): Promise<unknown> {
    return this.#ask({ kind: 'measure' });
  }

  /** Lets it finish and go. */
  async end(): Promise<void> {
    await this.#ask({ kind: 'end' });
    const gone = this.#gone();
    this.#process.disconnect();
    await gone;
  }

  /** It stands still until it is killed. */
  stop(): void {
    this.#process.kill('SIGSTOP');
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    const gone = this.#gone();
    this.#process.kill('SIGKILL');
    await gone;
  }

  #gone(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => child.once('exit', () => resolve()));
  }

  #ask(request: Request<J>): Promise<unknown> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new Error(`no answer in ${ANSWER_MS_MAX} ms`))), ANSWER_MS_MAX);
      const onMessage = (answer: Answer) =>
        settle(() => ('error' in answer ? reject(new Error(answer.error)) : resolve(answer.result)));
      const onExit = () => settle(() => reject(new Error(`the process ended: ${child.signalCode ?? child.exitCode}`)));
      const settle = (then: () => void) => {
        clearTimeout(timer);
        child.off('message', onMessage);
        child.off('exit', onExit);
        then();
      };
      child.on('message', onMessage);
      child.on('exit', onExit);
      child.send(request);
    });
  }
}

/** A child process that does one thing after the other. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Answer, Request } from './job.ts';

/** Longest wait for an answer: then something hangs. */
const ANSWER_MS_MAX = 300_000;

export class Worker {
  /** All that live, so that nobody outlives us. */
  static readonly alive = new Set<Worker>();
  readonly #process: ChildProcess;

  /** `path`: the bundle of child.ts. */
  constructor(path: string) {
    this.#process = fork(path, { serialization: 'advanced' });
    Worker.alive.add(this);
    this.#process.once('exit', () => Worker.alive.delete(this));
  }

  ask<T>(request: Request): Promise<T> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new Error(`no answer in ${ANSWER_MS_MAX} ms`))), ANSWER_MS_MAX);
      const onMessage = (answer: Answer) =>
        settle(() => ('error' in answer ? reject(new Error(answer.error)) : resolve(answer.result as T)));
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

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill('SIGKILL');
    await gone;
  }
}

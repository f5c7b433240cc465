/**
 * Those who do the work: worker processes, or this process itself where there are none. Each does one job at a time; which of them does
 * a job changes nothing. A worker that dies or does not end within its time is replaced, and its job answered with a crash.
 */
import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answer, loadYard } from './jobs.mjs';

const WORKER = join(dirname(fileURLToPath(import.meta.url)), 'worker.mjs');
/** A seed takes a fraction of a second, and shrinking one a few hundred times that. What is silent for so long hangs. */
const SILENCE_MS_MAX = 120_000;
const STDERR_CHARS_MAX = 4000;

/** @param {string} file the bundle @param {number} count of processes; 0: none, and a job that hangs is nobody's to end */
export function makeCrew(file, count) {
  if (count === 0) {
    const yard = loadYard(file);
    return { hands: [{ do: async (job, say) => await answer(await yard, job, say) }], dismiss: () => {} };
  }
  const hands = Array.from({ length: count }, () => new Hand(file));
  const dismiss = () => {
    for (const hand of hands) hand.dismiss();
  };
  return { hands, dismiss };
}

class Hand {
  #file;
  #child;
  #isDismissed = false;

  constructor(file) {
    this.#file = file;
  }

  /** @returns {Promise<object | undefined>} undefined: it was dismissed before the end */
  do(job, say) {
    if (this.#isDismissed) return Promise.resolve(undefined);
    this.#child ??= fork(WORKER, [this.#file], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], serialization: 'advanced' });
    const child = this.#child;
    return new Promise((resolve) => {
      let said = '';
      let timer;
      const settle = (result) => {
        clearTimeout(timer);
        child.off('message', hear).off('exit', gone);
        child.stderr.off('data', read);
        resolve(result);
      };
      const giveUp = () => {
        this.#end(child);
        settle({ violations: [], crash: `no end within ${SILENCE_MS_MAX / 1000} s` });
      };
      const listen = () => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, SILENCE_MS_MAX);
      };
      const hear = ({ progress, result }) => {
        if (progress === undefined) return settle(result);
        listen();
        say?.(progress);
      };
      const gone = (code, signal) => {
        this.#child = undefined;
        settle(this.#isDismissed ? undefined : { violations: [], crash: `the worker ended with ${code ?? signal}\n${said}` });
      };
      const read = (chunk) => {
        said = (said + chunk).slice(-STDERR_CHARS_MAX);
      };
      child.on('message', hear).on('exit', gone);
      child.stderr.on('data', read);
      listen();
      child.send(job, (error) => {
        if (error) said += `\n${error.message}`; // it has ended: `exit` follows
      });
    });
  }

  dismiss() {
    this.#isDismissed = true;
    if (this.#child !== undefined) this.#end(this.#child);
  }

  #end(child) {
    if (this.#child === child) this.#child = undefined;
    child.kill('SIGKILL');
  }
}

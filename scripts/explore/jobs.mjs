/** One configuration after the other, each in a process that does nothing else: what is told to a worker, and what it answers. */
import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WORKER = join(dirname(fileURLToPath(import.meta.url)), 'worker.mjs');
/** From one state in so many all must arrive. */
const STALLS_EVERY = 400;

/**
 * Explores the jobs, the largest first, on this many processes.
 * @param {string} file the bundle
 * @param {{ name: string, states: number, weaken?: string }[]} jobs
 * @param {{ processes: number, onProgress: (progress: object) => void, onResult: (result: object) => 'go on' | 'stop' }} how
 */
export async function explore(file, jobs, { processes, onProgress, onResult }) {
  const waiting = [...jobs].sort((a, b) => b.states - a.states);
  const children = new Set();
  const end = () => {
    waiting.length = 0;
    for (const child of children) child.kill();
  };
  process.on('exit', end);
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const result = await answer(file, job, children, onProgress);
      if (result === undefined) return; // ended by another one's violation
      if (onResult(result) === 'stop') end();
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, work));
  } finally {
    end();
    process.off('exit', end);
  }
}

function answer(file, job, children, onProgress) {
  return new Promise((resolve, reject) => {
    const child = fork(WORKER, [file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    children.add(child);
    let result;
    child.on('message', (message) => {
      if (message.kind === 'progress') onProgress(message);
      else result = message;
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      children.delete(child);
      if (result?.kind === 'crash') reject(new Error(`${job.name}: ${result.text}`));
      else if (result !== undefined || signal === 'SIGTERM') resolve(result);
      else reject(new Error(`${job.name}: the process ended with ${signal ?? code}`));
    });
    child.send({ ...job, stallsEvery: STALLS_EVERY });
  });
}

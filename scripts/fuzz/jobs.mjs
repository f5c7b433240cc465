/** One target after the other, each in a process that does nothing else. */
import { fork } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const WORKER = join(dirname(fileURLToPath(import.meta.url)), 'worker.mjs');
/** Beyond its time a process that still runs hangs in one input. */
const HANG_MS = 60_000;
const MEMORY_MIB = 512;

/**
 * @param {string} file the bundle
 * @param {{ name: string, seed: string, msMax?: number, executionsMax?: number }[]} jobs
 * @param {{ processes: number, onProgress: (report: object) => void, onResult: (report: object) => void }} how
 */
export async function fuzzAll(file, jobs, { processes, onProgress, onResult }) {
  const waiting = [...jobs];
  const children = new Set();
  const end = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  process.on('exit', end);
  const work = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift())
      onResult(await answer(file, job, { children, onProgress }));
  };
  try {
    await Promise.all(Array.from({ length: Math.min(processes, jobs.length) }, work));
  } finally {
    end();
    process.off('exit', end);
  }
}

/** A process that dies or hangs is a finding: its last input is not known, its seed is. */
function answer(file, job, { children, onProgress }) {
  return new Promise((resolve) => {
    const execArgv = [`--max-old-space-size=${MEMORY_MIB}`];
    const child = fork(WORKER, [file], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv });
    children.add(child);
    let report = { target: job.name, executions: 0, behaviours: 0, slowestUs: 0, findings: [] };
    let isWhole = false;
    let timer;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), HANG_MS);
    };
    watch();
    child.on('message', (message) => {
      watch();
      report = message.report;
      isWhole = message.kind === 'result';
      if (!isWhole) onProgress(report);
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      children.delete(child);
      if (isWhole) return resolve(report);
      const what = `the process ended with ${signal ?? code} after ${report.executions} executions of seed ${job.seed}`;
      resolve({ ...report, findings: [...report.findings, { target: job.name, what, hex: '' }] });
    });
    child.send(job);
  });
}

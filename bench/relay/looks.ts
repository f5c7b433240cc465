/** What a process says of itself. */
import type { Look } from './job.ts';

const MEBIBYTE = 1024 * 1024;

export function lookAt(count: number, delaysMs: readonly number[] = []): Look {
  const { user, system } = process.cpuUsage();
  return { count, atMs: performance.now(), cpuUs: user + system, rssMb: process.memoryUsage.rss() / MEBIBYTE, delaysMs };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

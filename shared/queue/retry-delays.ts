/**
 * How long a message waits that came back, by how often it failed (docs/queues.md, "Back-off"):
 *
 *   failed deliveries   1   2         3                      4                       …
 *   wait                0   retryMs   retryMs × factor       retryMs × factor²       … at most retryMsMax
 */
import type { Random } from '../ports.ts';
import type { QueueOptions } from './queue-options.ts';

export type RetryOptions = Pick<QueueOptions, 'retryMs' | 'retryFactor' | 'retryMsMax' | 'retryJitterPercent'>;

/** In whole ms. `chance`: 0 to below 1; it moves the wait by `retryJitterPercent` at most, either way, the longest one too. */
export function retryDelayMs(options: RetryOptions, failedDeliveries: number, chance: number): number {
  const { retryMs, retryFactor, retryMsMax, retryJitterPercent } = options;
  if (retryMs === 0 || failedDeliveries < 2) return 0;
  const plainMs = Math.min(retryMs * retryFactor ** (failedDeliveries - 2), retryMsMax);
  return Math.round(plainMs * (1 + (retryJitterPercent / 100) * (2 * chance - 1)));
}

/** 0 to below 1. */
export function chanceOf(random: Random): number {
  const bytes = random.bytes(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) / 2 ** 32;
}

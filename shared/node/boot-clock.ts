/** The machine's own clock: goes on while no process of ours runs, and starts anew when the machine does. */
import { readFileSync } from 'node:fs';
import { fromHex } from '../bytes.ts';
import type { BootClock } from '../ring/superblock-layout.ts';

const BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id';
const NS_PER_MS = 1_000_000n;

/** Undefined where the system does not tell one boot from another. */
export function bootClock(path = BOOT_ID_PATH): BootClock | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux
  }
  const bootId = fromHex(text.trim().replaceAll('-', ''));
  if (bootId?.length !== 16) return undefined;
  // CLOCK_MONOTONIC: since the boot, without the time asleep. Expiry is late rather than early.
  return { bootId, bootMs: Number(process.hrtime.bigint() / NS_PER_MS) };
}

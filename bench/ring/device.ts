/**
 * What the block device under a directory was given: sectors written and flushes, from the kernel's own counters
 * [Documentation/block/stat.rst: field 5 writes, 7 sectors written, 16 flush requests]. Only an own device counts nobody else's.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const SECTOR_BYTES = 512;

export interface DeviceCounters {
  readonly bytesWritten: number;
  readonly flushes: number;
}

/** `statPath`: /sys/block/<device>/stat */
export function readCounters(statPath: string): DeviceCounters {
  const fields = readFileSync(statPath, 'utf8').trim().split(/\s+/).map(Number);
  return { bytesWritten: (fields[6] ?? 0) * SECTOR_BYTES, flushes: fields[15] ?? 0 };
}

/** Everything that the file system at `directory` still holds back reaches the device. */
export function syncFileSystem(directory: string): void {
  const { status } = spawnSync('sync', ['-f', directory], { stdio: 'ignore' });
  if (status !== 0) throw new Error(`sync -f ${directory} failed`);
}

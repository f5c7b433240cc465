/** Which machine and which file this is: a ring that remembers another home is a copy, and gets a new incarnation. */
import { readFileSync, statSync } from 'node:fs';

/** Undefined where the machine has no id. The inode tells a copied file from the original; the device number changes by itself. */
export function homeOf(ringPath: string): string | undefined {
  try {
    const machine = readFileSync('/etc/machine-id', 'utf8').trim();
    return machine === '' ? undefined : `${machine}/${statSync(ringPath).ino}`;
  } catch {
    return undefined; // not a Linux with a machine id: copies are then found by their tickets
  }
}

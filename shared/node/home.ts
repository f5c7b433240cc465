/** Which machine and which file this is: a ring that remembers another home is a copy, and gets a new incarnation. */
import { readFileSync, statSync } from 'node:fs';

const MACHINE_ID_PATH = '/etc/machine-id';

/**
 * `<machine id>/<inode>`. The inode alone tells a copied file from the original, also where there is no machine id (containers);
 * the device number is left out: it changes by itself. Undefined when the file cannot be looked at: then nothing is known.
 */
export function homeOf(ringPath: string, machineIdPath = MACHINE_ID_PATH): string | undefined {
  try {
    return `${machineId(machineIdPath)}/${statSync(ringPath, { bigint: true }).ino}`;
  } catch {
    return undefined; // no such file, or no way to it: opening it says why
  }
}

function machineId(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return ''; // containers and systems other than Linux have none
  }
}

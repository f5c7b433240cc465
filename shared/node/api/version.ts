/** The version of the package this code came in. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folders between this file and package.json: three in the sources, one or two in dist/. */
const LEVELS_MAX = 4;

/** As package.json says, found from where this code lies; `unknown` when the bundle was taken out of its package. */
export function ownVersion(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < LEVELS_MAX; level++) {
    const version = versionIn(folder);
    if (version !== undefined) return version;
    folder = dirname(folder);
  }
  return 'unknown';
}

function versionIn(folder: string): string | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const { name, version } = found as { name?: unknown; version?: unknown };
    return name === 'ringmail' && typeof version === 'string' ? version : undefined;
  } catch {
    return undefined; // no package.json here: the next folder up is asked
  }
}

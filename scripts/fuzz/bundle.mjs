/** Bundles the targets with what they try: Node runs no TypeScript before version 22. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** @returns {Promise<{ file: string, remove: () => void }>} an ES module that exports what hardware-sim/fuzz/fuzz.ts does */
export async function bundleFuzz() {
  const directory = mkdtempSync(join(tmpdir(), 'ringmail-fuzz-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const file = join(directory, 'fuzz.mjs');
  try {
    await esbuild.build({
      absWorkingDir: ROOT,
      entryPoints: ['hardware-sim/fuzz/fuzz.ts'],
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: ['serialport', 'mqtt', 'aedes'],
      outfile: file,
      logLevel: 'warning',
    });
  } catch (error) {
    remove();
    throw error;
  } finally {
    await esbuild.stop();
  }
  return { file, remove };
}

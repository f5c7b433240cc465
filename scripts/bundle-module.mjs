/** Bundles TypeScript of the tree into an ES module for this process and its children: Node runs none before version 22. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/**
 * @param {string} name of the module, and in the name of the folder that it lies in
 * @param {import('esbuild').BuildOptions} options what to bundle, and how otherwise than usual
 * @returns {Promise<{ file: string, remove: () => void }>} call `remove` when it is needed no more
 */
export async function bundleModule(name, options) {
  const directory = mkdtempSync(join(tmpdir(), `ringmail-${name}-`));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const file = join(directory, `${name}.mjs`);
  const usual = { bundle: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning' };
  try {
    await esbuild.build({ absWorkingDir: ROOT, ...usual, sourcemap: 'inline', sourcesContent: false, ...options, outfile: file });
  } catch (error) {
    remove();
    throw error;
  } finally {
    await esbuild.stop(); // nothing more is bundled, however long the run
  }
  return { file, remove };
}

/** Bundles the yard from the sources into a folder of its own: Node runs no TypeScript before version 22. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Where the parts of a yard are: module, and what it exports. Relative to the root of the project. */
export const YARD = {
  './hardware-sim/yard/plan.ts': 'drawPlan',
  './hardware-sim/yard/yard.ts': 'runPlan',
  './hardware-sim/yard/fault-kinds.ts': 'FAULT_NAMES',
  './hardware-sim/yard/marks.ts': 'MARKS',
  './hardware-sim/yard/seeds.ts': 'SEEDS_THAT_FAILED',
};
/** Not the yard's, but made for it. */
const TOOLS = ['random', 'yard/coverage', 'yard/coverage-report', 'yard/shrink'];

/** Asked for by bundled packages, which do without them. */
const EXTERNAL = ['serialport', 'bufferutil', 'utf-8-validate'];
/** Bundled CommonJS packages call `require` for Node's own modules; an ES module has none unless it makes one. */
const REQUIRE_BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/**
 * @param {Record<string, string>} yard like YARD
 * @returns {Promise<{ file: string, remove: () => void }>} an ES module with everything that YARD and the tools export
 */
export async function bundleYard(yard) {
  const directory = mkdtempSync(join(tmpdir(), 'ringmail-sim-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const file = join(directory, 'yard.mjs');
  try {
    await esbuild.build({
      absWorkingDir: ROOT,
      stdin: {
        contents: [
          ...Object.entries(yard).map(([module, name]) => `export { ${name} } from '${module}';`),
          ...TOOLS.map((name) => `export * from './hardware-sim/${name}.ts';`),
        ].join('\n'),
        resolveDir: ROOT,
        loader: 'ts',
      },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      sourcemap: 'inline',
      sourcesContent: false,
      external: EXTERNAL,
      banner: { js: REQUIRE_BANNER },
      outfile: file,
      logLevel: 'warning',
    });
  } catch (error) {
    remove();
    throw error;
  } finally {
    await esbuild.stop(); // nothing more is bundled, however long the run
  }
  return { file, remove };
}

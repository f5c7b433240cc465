/** The yard, with the tools made for it. */
import { bundleModule, ROOT } from '../bundle-module.mjs';

export { ROOT };

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
export function bundleYard(yard) {
  const contents = [
    ...Object.entries(yard).map(([module, name]) => `export { ${name} } from '${module}';`),
    ...TOOLS.map((name) => `export * from './hardware-sim/${name}.ts';`),
  ].join('\n');
  return bundleModule('sim', {
    stdin: { contents, resolveDir: ROOT, loader: 'ts' },
    external: EXTERNAL,
    banner: { js: REQUIRE_BANNER },
  });
}

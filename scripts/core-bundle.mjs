/** The core for any ECMAScript engine (docs/embedded.md), bundled: for the build, and for the test that holds its size. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const ROOT = join(fileURLToPath(import.meta.url), '..', '..');

export const CORE_ENTRY = 'shared/core/embedded.ts';

/**
 * What is fast and takes memory for it, and what takes its place: the same results from less. cbor-x is a quarter of the whole and most of it
 * is for others. Tests compare the bytes (small-build.test.ts).
 */
const SMALLER = new Map([
  ['cbor-x/index-no-eval', 'shared/message/small-encoder.ts'],
  ['./crc-slices.ts', 'shared/crc-nibbles.ts'],
  ['./usual-envelope.ts', 'shared/message/no-usual-envelope.ts'],
  ['./uints.ts', 'shared/custody/no-uints.ts'],
]);

/** @type {esbuild.Plugin} */
const smaller = {
  name: 'smaller',
  setup(build) {
    build.onResolve({ filter: /.*/ }, ({ path }) => {
      const other = SMALLER.get(path);
      return other === undefined ? undefined : { path: join(ROOT, other) };
    });
  },
};

/**
 * Whole and small: nothing of Node gets in, and nothing is left outside. As a module, or with `format: 'iife'` as a script that gives
 * `ringmail` to all, for engines without modules. Writes no file.
 * @param {import('esbuild').BuildOptions} options
 * @returns {Promise<import('esbuild').BuildResult<{ metafile: true, write: false }>>}
 */
export function bundleCore(options = {}) {
  return esbuild.build({
    absWorkingDir: ROOT,
    entryPoints: { embedded: CORE_ENTRY },
    bundle: true,
    format: 'esm',
    globalName: options.format === 'iife' ? 'ringmail' : undefined,
    platform: 'neutral',
    target: 'es2022',
    minify: true,
    plugins: [smaller],
    sourcemap: true,
    sourcesContent: false,
    outdir: join(ROOT, 'dist'),
    logLevel: 'warning',
    ...options,
    metafile: true,
    write: false,
  });
}

/**
 * The modules that weigh most in a bundle, heaviest first: `bytes path`.
 * @param {import('esbuild').Metafile} metafile
 * @param {number} count
 * @returns {string[]}
 */
export function heaviestModules(metafile, count) {
  const inputs = Object.values(metafile.outputs).flatMap((output) => Object.entries(output.inputs));
  const sorted = inputs.sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  return sorted.slice(0, count).map(([path, { bytesInOutput }]) => `${bytesInOutput} ${path}`);
}

/**
 * Builds dist/ from the sources: the bundles with esbuild, then the declarations with tsc. Fails when an entry is missing.
 *
 *   node scripts/build.mjs          everything
 *   node scripts/build.mjs --fast   without the declarations, in about a second
 *   --partial                       leaves out what is missing instead of failing: for a tree that is being written
 *
 * Says everything on stderr: stdout belongs to whatever runs after it. Files whose content did not change are left alone and new ones
 * are moved into place, so a build disturbs neither a node that runs from dist/ nor a second build.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';
import { bundleCore, CORE_ENTRY } from './core-bundle.mjs';
import { collectNotices } from './notices.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const DIST = join(ROOT, 'dist');
const TYPES = join(DIST, 'types');

/** Bundle below dist/ and the source it starts from. */
const ENTRIES = {
  cli: 'cli/main.ts',
  index: 'shared/index.ts',
  device: 'device/index.ts',
  gateway: 'gateway/index.ts',
  central: 'central/index.ts',
  sim: 'hardware-sim/index.ts',
};
/** Loaded when present: native (serialport), or an accelerator that a bundled package asks for and does without. */
const EXTERNAL = ['serialport', 'bufferutil', 'utf-8-validate'];

/** Bundled CommonJS packages call `require` for Node's own modules; an ES module has none unless it makes one. */
const REQUIRE_BANNER =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** @type {import('esbuild').BuildOptions} */
const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  write: false,
  outdir: DIST,
  logLevel: 'warning',
};

const startedMs = Date.now();
const isThere = (source) => existsSync(join(ROOT, source));
const missing = [...Object.values(ENTRIES), CORE_ENTRY].filter((source) => !isThere(source));
if (missing.length > 0) {
  if (!process.argv.includes('--partial')) fail(`no such entry: ${missing.join(', ')}`);
  say(`left out: ${missing.join(', ')}`);
}

const [shell, ...cores] = await Promise.all([
  esbuild.build({
    ...COMMON,
    entryPoints: Object.fromEntries(Object.entries(ENTRIES).filter(([, source]) => isThere(source))),
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    external: EXTERNAL,
    banner: { js: REQUIRE_BANNER },
  }),
  // Without its entry (--partial) there is no core.
  ...(isThere(CORE_ENTRY) ? [bundleCore(), bundleCore({ entryPoints: { 'embedded.script': CORE_ENTRY }, format: 'iife' })] : []),
]).catch(() => fail('the bundles could not be built'));

/** @type {Map<string, Uint8Array>} */
const files = new Map();
for (const { path, contents } of [shell, ...cores].flatMap(({ outputFiles }) => outputFiles)) files.set(path, contents);
files.set(join(DIST, 'THIRD-PARTY-NOTICES.txt'), Buffer.from(collectNotices(ROOT, shell.metafile)));
withHashbang(join(DIST, 'cli.js'));
writeAll();

for (const line of sizeLines()) say(line);
if (!process.argv.includes('--fast')) buildTypes();
say(`built ${relative(process.cwd(), DIST) || '.'} in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);

/** What each bundle weighs, the chunks that it shares with others included; the core has a budget (test/bundle-size.test.ts). */
function sizeLines() {
  const core = cores[0] && bundleBytes(cores[0].metafile, 'dist/embedded.js');
  const lines = core ? [`core ${kilobytes(core.bytes)} minified, ${kilobytes(core.gzipBytes)} gzipped`] : [];
  for (const name of ['device', 'gateway', 'central', 'cli']) {
    const bundle = bundleBytes(shell.metafile, `dist/${name}.js`);
    if (bundle) lines.push(`${name} ${kilobytes(bundle.bytes)}, ${kilobytes(bundle.gzipBytes)} gzipped`);
  }
  return lines;
}

/** @param {import('esbuild').Metafile} metafile @param {string} entry */
function bundleBytes(metafile, entry) {
  if (metafile.outputs[entry] === undefined) return undefined;
  const parts = new Set([entry]);
  for (const part of parts) {
    for (const { path, external } of metafile.outputs[part].imports) if (!external) parts.add(path);
  }
  const sum = { bytes: 0, gzipBytes: 0 };
  for (const part of parts) {
    sum.bytes += metafile.outputs[part].bytes;
    sum.gzipBytes += gzipSync(files.get(join(ROOT, part))).length;
  }
  return sum;
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${(bytes / 1000).toFixed(1)} kB`;
}

/** Gives the command line its first line where the source has none, and moves its source map down by one. @param {string} path */
function withHashbang(path) {
  const contents = files.get(path);
  if (contents === undefined) return;
  const text = Buffer.from(contents).toString();
  if (text.startsWith('#!')) return;
  files.set(path, Buffer.from(`#!/usr/bin/env node\n${text}`));
  const map = JSON.parse(Buffer.from(files.get(`${path}.map`)).toString());
  files.set(`${path}.map`, Buffer.from(JSON.stringify({ ...map, mappings: `;${map.mappings}` })));
}

/** Chunks before the entries that import them, then away with what no bundle names any more. */
function writeAll() {
  const paths = [...files.keys()].sort((a, b) => b.split(sep).length - a.split(sep).length);
  for (const path of paths) {
    const contents = files.get(path);
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    const fresh = `${path}.${process.pid}.new`;
    writeFileSync(fresh, contents);
    if (path === join(DIST, 'cli.js')) chmodSync(fresh, 0o755);
    renameSync(fresh, path);
  }
  for (const folder of [DIST, join(DIST, 'chunks')]) {
    for (const entry of existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : []) {
      const path = join(folder, entry.name);
      if (entry.isFile() && !files.has(path) && !entry.name.endsWith('.new')) rmSync(path, { force: true });
    }
  }
}

function buildTypes() {
  rmSync(TYPES, { recursive: true, force: true });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'tsconfig.build.json')], { stdio: ['ignore', 2, 2] });
  if (status !== 0) fail('the declarations could not be built');
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}

/** @param {string} reason @returns {never} */
function fail(reason) {
  say(`build failed: ${reason}`);
  process.exit(1);
}

/**
 * Side-by-side benchmarks, one area each:
 *
 *   npm run bench -- ring [options]      the ring file beside SQLite, LMDB, LevelDB and bare writes (README.md here)
 *   npm run bench -- link [options]      the link beside what an ideal one would make of the same line
 *   npm run bench -- queue [options]     a node and its local API beside the ring alone
 *   npm run bench -- relay [options]     the way from devices to the centre beside MQTT alone and a bridge
 *
 * Bundles the area's TypeScript into a scratch directory, installs the rivals here on first use, and hands over. What it says of
 * itself goes to stderr; stdout belongs to the results.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const BENCH = dirname(fileURLToPath(import.meta.url));
/** Area and the sources that are bundled for it: `main` is called, the others are run by it. */
const AREAS = { ring: ['main', 'child'], link: ['main', 'child'], queue: ['main', 'child'], relay: ['main', 'child'] };
const USAGE = `usage: npm run bench -- ring|link|queue|relay [options]     (--help after the area: its options)`;

const [area, ...args] = process.argv.slice(2);
if (area === undefined || area === '--help' || !(area in AREAS)) {
  const isHelp = area === '--help';
  (isHelp ? process.stdout : process.stderr).write(`${USAGE}\n`);
  process.exit(isHelp ? 0 : 2);
}

const scratch = mkdtempSync(join(tmpdir(), 'ringmail-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
try {
  await bundle(area);
  const { main } = await import(pathToFileURL(join(scratch, 'main.mjs')).href);
  process.exitCode = await main(args, { scratch, root: BENCH, installRivals });
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
}

/** @param {string} name */
async function bundle(name) {
  const esbuild = await import(pathToFileURL(createRequire(join(BENCH, '../package.json')).resolve('esbuild')).href).catch(() => {
    throw new Error('esbuild is missing: run npm ci first');
  });
  await esbuild.build({
    entryPoints: Object.fromEntries(AREAS[name].map((entry) => [entry, join(BENCH, name, `${entry}.ts`)])),
    outdir: scratch,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    external: ['serialport', 'mqtt'],
    logLevel: 'warning',
  });
  // What is not bundled is found where the product finds it.
  symlinkSync(join(BENCH, '../node_modules'), join(scratch, 'node_modules'));
}

/** Installs what package-lock.json here says, once, and again when it has changed. */
function installRivals() {
  const installed = join(BENCH, 'node_modules/.package-lock.json');
  const lock = join(BENCH, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  say('installing the rivals (npm ci in bench/): one of them is compiled, which takes a minute or two');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const { status } = spawnSync(npm, ['ci', '--no-audit', '--no-fund'], { cwd: BENCH, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('the rivals could not be installed (--subject ringmail,raw does without)');
}

/** @param {string} line */
function say(line) {
  process.stderr.write(`${line}\n`);
}

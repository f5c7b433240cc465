/** The core for any ECMAScript engine (docs/embedded.md), bundled: for the build, and for the test that holds its size. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const ROOT = join(fileURLToPath(import.meta.url), '..', '..');

export const CORE_ENTRY = 'shared/core/embedded.ts';

/** What is fast and takes memory for it, or is made for more than this, and what takes its place: the same results. Tests compare them. */
const SMALLER = new Map([
  ['./cbor.ts', 'shared/message/small-cbor.ts'],
  ['../message/cbor.ts', 'shared/message/small-cbor.ts'],
  ['./crc-slices.ts', 'shared/crc-nibbles.ts'],
  ['./usual-envelope.ts', 'shared/message/no-usual-envelope.ts'],
  ['./uints.ts', 'shared/custody/no-uints.ts'],
]);

/**
 * Where the names are written that those outside see: what a host gives, calls are made of, answers, events, stats and errors. All names in
 * these files stay as they are, and so does what other files declare as a type of theirs; every other property gets a short one. A test
 * compares what both say and write (short-names.test.ts).
 */
const SEEN_WHOLLY = [
  ...['core/embedded.ts', 'core/calls.ts', 'core/node-io.ts', 'core/stats.ts', 'core/health.ts', 'errors.ts', 'ports.ts'],
  ...['queue/queue-options.ts', 'queue/selector.ts', 'message/message.ts', 'message/identity.ts', 'message/classes.ts'],
];
const SEEN_TYPES = [
  ...['core/node-core.ts', 'custody/node-store.ts', 'custody/accounts.ts', 'custody/holes.ts', 'message/envelope.ts'],
  ...['queue/routes.ts', 'ring/opening.ts', 'ring/log-stretch.ts', 'ring/loss-record.ts', 'ring/superblock-layout.ts'],
];
/** Of the language: what its objects have, and what they are asked for. */
const OF_THE_LANGUAGE = [
  ...[
    Object,
    Function,
    Array,
    String,
    Number,
    BigInt,
    Boolean,
    Symbol,
    Math,
    JSON,
    Map,
    Set,
    WeakMap,
    RegExp,
    Error,
    ArrayBuffer,
    DataView,
  ],
  ...[Uint8Array, Object.getPrototypeOf(Uint8Array), Object.getPrototypeOf(function* () {}), Object.getPrototypeOf([].values())],
]
  .flatMap((value) => [value, value.prototype ?? {}])
  .flatMap((value) => Object.getOwnPropertyNames(value))
  .concat([
    'value',
    'done',
    'next',
    'return',
    'index',
    'input',
    'groups',
    'raw',
    'cause',
    'get',
    'set',
    'writable',
    'enumerable',
    'configurable',
  ]);

/** Names that stay. */
function seenNames() {
  const text = (file) => readFileSync(join(ROOT, 'shared', file), 'utf8');
  const types = (file) => text(file).match(/^export (?:interface [\s\S]*?^\}|type [\s\S]*?;)$/gm) ?? [];
  const texts = [...SEEN_WHOLLY.map(text), ...SEEN_TYPES.flatMap(types)];
  const written = texts.flatMap((one) => one.match(/[A-Za-z_$][\w$]*/g) ?? []);
  return [...new Set([...written, ...OF_THE_LANGUAGE])].filter((name) => /^\w+$/.test(name));
}

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
    mangleProps: /^[a-z]\w\w+$/,
    reserveProps: new RegExp(`^(?:${seenNames().join('|')})$`),
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

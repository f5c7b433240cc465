import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ADAPTED_PACKAGES, findOffences, findUnusedPackages, type SourceTree } from './layers.ts';

const ROOT = join(import.meta.dirname, '..');
const NOT_OURS = new Set(['node_modules', 'dist', 'bench']);

/** The TypeScript sources below the root of the project. */
function readTree(folder = ''): Map<string, string> {
  const tree = new Map<string, string>();
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.name.startsWith('.') || NOT_OURS.has(entry.name)) continue;
    if (entry.isDirectory()) for (const [file, source] of readTree(path)) tree.set(file, source);
    else if (entry.name.endsWith('.ts')) tree.set(path, readFileSync(join(ROOT, path), 'utf8'));
  }
  return tree;
}

function treeOf(files: Record<string, string>): SourceTree {
  return new Map(Object.entries(files));
}

describe('the tree', () => {
  const tree = readTree();

  test('is not empty', () => expect([...tree.keys()]).toContain('shared/errors.ts'));

  test('keeps the direction of imports', () => {
    expect(findOffences(tree).map(({ file, line, reason }) => `${file}:${line} ${reason}`)).toEqual([]);
  });

  test('has one adapter for each package that is adapted', () => expect(findUnusedPackages(tree)).toEqual([]));
});

describe('the checker', () => {
  test.each<[string, string, string]>([
    ['a role', 'shared/core/a.ts', "import { x } from '../../device/x.ts';"],
    ['a role, for its type', 'shared/core/a.ts', "import type { X } from '../../gateway/x.ts';"],
    ['a role, exported on', 'shared/core/a.ts', "export * from '../../central/x.ts';"],
    ['the command line', 'shared/node/a.ts', "import { x } from '../../cli/main.ts';"],
    ['the simulator, later', 'shared/node/a.ts', "const x = await import('../../hardware-sim/x.ts');"],
    ['the simulator by the name of the package', 'shared/node/a.ts', "import { x } from 'ringmail/sim';"],
    ['Node', 'shared/ring/a.ts', "import { readFile } from 'node:fs';"],
    ['Node by its old name', 'shared/ring/a.ts', "import { readFile } from 'fs';"],
    ['a package', 'shared/ring/a.ts', "import fc from 'fast-check';"],
    ['a package in a type', 'shared/ring/a.ts', "export let x: import('mqtt').MqttClient;"],
    ['a package by require', 'shared/ring/a.ts', "const x = require('mqtt');"],
    ['cbor-x outside its file', 'shared/queue/a.ts', "import { Encoder } from 'cbor-x/index-no-eval';"],
    ['cbor-x outside its file, beyond shared', 'gateway/a.ts', "import { Encoder } from 'cbor-x/index-no-eval';"],
    ['the native cbor-x', 'shared/message/cbor.ts', "import { Encoder } from 'cbor-x';"],
    ['the native cbor-x in a test', 'test/a.test.ts', "import { Encoder } from 'cbor-x';"],
    ['the shell from the core', 'shared/core/a.ts', "import { x } from '../node/x.ts';"],
    ['a later folder', 'shared/ring/a.ts', "import { x } from '../queue/x.ts';"],
    ['the folder beside it', 'shared/link/a.ts', "import { x } from '../relay/x.ts';"],
    ['a folder from the basics', 'shared/bytes.ts', "import { x } from './message/x.ts';"],
    ['from a folder without a place', 'shared/utils/a.ts', "import { x } from '../bytes.ts';"],
    ['the way in from inside', 'shared/node/a.ts', "import { x } from '../index.ts';"],
    ['another role', 'device/a.ts', "import { x } from '../gateway/x.ts';"],
    ['another role by the name of the package', 'central/a.ts', "import { x } from 'ringmail/gateway';"],
    ['another role in a test', 'gateway/a.test.ts', "import { x } from '../central/x.ts';"],
    ['the simulator in a role', 'gateway/a.ts', "import { x } from '../hardware-sim/x.ts';"],
    ['the simulator in a command', 'cli/send.ts', "import { x } from '../hardware-sim/x.ts';"],
    ['the simulator in an example', 'examples/a.ts', "import { x } from '../hardware-sim/x.ts';"],
    ['the command line in the simulator', 'hardware-sim/a.ts', "import { x } from '../cli/main.ts';"],
    ['a computed name', 'device/a.ts', 'const x = await import(name);'],
    ['nothing, but reads a clock', 'shared/queue/a.ts', 'export const x = Date.now();'],
    ['nothing, but rolls dice', 'shared/queue/a.ts', 'export const x = Math.random();'],
    ['nothing that can be read', 'shared/queue/a.ts', 'export const = ;'],
  ])('reports an import of %s', (_name, file, source) => {
    expect(findOffences(treeOf({ [file]: source })).map((offence) => offence.file)).toEqual([file]);
  });

  test.each<[string, string, string]>([
    ['basics', 'shared/ring/a.ts', "import { toHex } from '../bytes.ts';"],
    ['its own folder', 'shared/ring/a.ts', "import { x } from './b.ts';"],
    ['an earlier folder', 'shared/core/a.ts', "import { x } from '../message/x.ts';"],
    ['cbor-x in its file', 'shared/message/cbor.ts', "import { Encoder } from 'cbor-x/index-no-eval';"],
    ['Node in the shell', 'shared/node/a.ts', "import { open } from 'node:fs';\nimport { x } from '../core/x.ts';"],
    ['all of shared in its way in', 'shared/index.ts', "export { x } from './node/x.ts';"],
    [
      'Node, a package and the simulator in a test',
      'shared/ring/a.test.ts',
      "import 'node:fs';\nimport 'vitest';\nimport '../../hardware-sim/x.ts';",
    ],
    ['shared in a role', 'central/a.ts', "import { x } from '../shared/core/x.ts';"],
    ['a role in the simulator', 'hardware-sim/a.ts', "import { x } from '../device/x.ts';"],
    ['the simulator in the demo', 'cli/demo.ts', "import { x } from '../hardware-sim/x.ts';"],
    ['the simulator in a part of the demo', 'cli/demo/outages.ts', "import { x } from '../../hardware-sim/x.ts';"],
    [
      'what is only said',
      'shared/ring/a.ts',
      "// import { x } from '../../device/x.ts';\nexport const text = `import '../../cli/x.ts'`;",
    ],
  ])('accepts an import of %s', (_name, file, source) => {
    expect(findOffences(treeOf({ [file]: source }))).toEqual([]);
  });

  test('names the line', () => {
    const source = "/** ⟶ ünïcode 𝄞 */\nimport { y } from './b.ts';\n\nimport { x } from 'node:fs';\n";
    expect(findOffences(treeOf({ 'shared/ring/a.ts': source }))).toMatchObject([{ file: 'shared/ring/a.ts', line: 4 }]);
  });

  test.each(ADAPTED_PACKAGES)('reports the second adapter of %s, but not a test', (name) => {
    const tree = treeOf({
      'gateway/a.ts': `import { x } from '${name}';\nimport type { Y } from '${name}/types';`,
      'gateway/a.test.ts': `import { x } from '${name}';`,
      'gateway/b.ts': `\nimport type { X } from '${name}';`,
    });
    expect(findOffences(tree)).toMatchObject([{ file: 'gateway/b.ts', line: 2 }]);
    expect(findUnusedPackages(tree)).toEqual(ADAPTED_PACKAGES.filter((other) => other !== name));
  });
});

import { parseAst } from 'vitest/node';

/**
 * Who may import whom. The direction of the whole tree:
 *
 *   basics ◀─ message ◀─ ring ◀─ queue ◀─ custody ◀─┬─ link  ◀─┬─ core ◀─ node ◀─┬─ device  ◀─┐
 *   (files directly                                 └─ relay ◀─┘                 ├─ gateway ◀─┼─ cli, hardware-sim, test
 *    in shared/)                                                                 └─ central ◀─┘
 *
 * A place may import what lies to its left; what stands above one another never imports one another. Left of `node` is the core:
 * pure, no packages, no clock, no chance. Type imports count: a type is knowledge.
 */
const SHARED_ORDER: ReadonlyMap<string, number> = new Map([
  ['', 0],
  ['message', 1],
  ['ring', 2],
  ['queue', 3],
  ['custody', 4],
  ['link', 5],
  ['relay', 5],
  ['core', 6],
  ['node', 7],
]);

/** The places with a direction, and the places each may import besides itself. Others (test, examples) may import all but the simulator. */
const MAY_IMPORT: ReadonlyMap<string, readonly string[]> = new Map([
  ['shared', []],
  ['device', ['shared']],
  ['gateway', ['shared']],
  ['central', ['shared']],
  ['hardware-sim', ['shared', 'device', 'gateway', 'central']],
  ['cli', ['shared', 'device', 'gateway', 'central']],
]);

/** One package, one adapter: exactly one file of the product imports each of these. */
export const ADAPTED_PACKAGES: readonly string[] = ['aedes', 'mqtt', 'serialport', 'toml-eslint-parser'];

const CBOR_FILE = 'shared/message/cbor.ts';
/** The build of cbor-x that neither loads its native decoder nor generates code. */
const CBOR_SPECIFIER = 'cbor-x/index-no-eval';

/** What the package exports, for a file that imports the project by its own name. */
const OWN_EXPORTS: ReadonlyMap<string, string> = new Map([
  ['ringmail', 'shared/index.ts'],
  ['ringmail/device', 'device/index.ts'],
  ['ringmail/gateway', 'gateway/index.ts'],
  ['ringmail/central', 'central/index.ts'],
  ['ringmail/embedded', 'shared/core/embedded.ts'],
  ['ringmail/sim', 'hardware-sim/index.ts'],
]);

/** Sources by path from the root of the tree, with `/` on every system. */
export type SourceTree = ReadonlyMap<string, string>;

export interface Offence {
  file: string;
  /** 1-based. */
  line: number;
  reason: string;
}

/** Something one file needs from outside itself. */
interface Need {
  line: number;
  /** Undefined when the name is computed. */
  specifier: string | undefined;
}

interface FileFacts {
  needs: Need[];
  /** Uses of `Date` and `Math.random`, which the compiler cannot take away. */
  impurities: { line: number; name: string }[];
}

/** Every offence against the rules above, in the order of the files. Does not throw: a file that cannot be parsed is an offence. */
export function findOffences(tree: SourceTree): Offence[] {
  const offences: Offence[] = [];
  const importers = new Map<string, string[]>();
  for (const [file, source] of tree) {
    let facts: FileFacts;
    try {
      facts = readFacts(source);
    } catch (error) {
      offences.push({ file, line: 1, reason: `cannot be parsed: ${String(error)}` });
      continue;
    }
    for (const { line, name } of isCore(file) ? facts.impurities : []) {
      offences.push({ file, line, reason: `uses ${name}: the core is given time and chance` });
    }
    for (const { line, specifier } of facts.needs) {
      for (const reason of judge(file, specifier)) offences.push({ file, line, reason });
      const adapted = ADAPTED_PACKAGES.find((name) => isPackage(specifier, name));
      if (adapted !== undefined && !isTest(file)) {
        const files = importers.get(adapted) ?? [];
        if (!files.includes(file)) files.push(file);
        importers.set(adapted, files);
        const [first] = files;
        if (first !== file) offences.push({ file, line, reason: `imports ${adapted}, which ${first} adapts already` });
      }
    }
  }
  return offences;
}

/** Adapted packages that no file of the product imports: a dependency for nothing. */
export function findUnusedPackages(tree: SourceTree): string[] {
  const sources = [...tree].filter(([file]) => !isTest(file)).map(([, source]) => source);
  const isImported = (name: string) => (source: string) =>
    source.includes(name) && readFacts(source).needs.some(({ specifier }) => isPackage(specifier, name));
  return ADAPTED_PACKAGES.filter((name) => !sources.some(isImported(name)));
}

function judge(file: string, specifier: string | undefined): string[] {
  if (specifier === undefined) return isTest(file) ? [] : ['imports a computed name, which nobody can check'];
  const target = OWN_EXPORTS.get(specifier) ?? (specifier.startsWith('.') ? resolve(file, specifier) : undefined);
  return target === undefined ? judgePackage(file, specifier) : judgeFile(file, target);
}

function judgePackage(file: string, specifier: string): string[] {
  if (isPackage(specifier, 'cbor-x')) {
    if (specifier !== CBOR_SPECIFIER) return [`imports ${specifier}, which loads a native decoder; ${CBOR_SPECIFIER} does not`];
    return file === CBOR_FILE || isTest(file) ? [] : [`imports cbor-x, which only ${CBOR_FILE} does`];
  }
  return isCore(file) ? [`imports ${specifier}: the core imports neither Node nor packages`] : [];
}

function judgeFile(file: string, target: string): string[] {
  const from = placeOf(file);
  const to = placeOf(target);
  if (to === 'hardware-sim' && from !== to) {
    return isTest(file) || isDemo(file) ? [] : [`imports ${target}: only tests and the demo know the simulator`];
  }
  if (from === 'shared' && to === 'shared') return judgeWithinShared(file, target);
  const allowed = MAY_IMPORT.get(from);
  if (allowed === undefined || from === to || allowed.includes(to)) return [];
  return [`imports ${target}: ${from} may import ${allowed.join(', ') || 'nothing but itself'}`];
}

function judgeWithinShared(file: string, target: string): string[] {
  if (file === 'shared/index.ts' || isTest(file)) return [];
  const from = sharedFolderOf(file);
  const to = sharedFolderOf(target);
  if (target === 'shared/index.ts') return [`imports ${target}: the way in for others is no way around inside`];
  if (from === to) return [];
  const rankFrom = SHARED_ORDER.get(from);
  const rankTo = SHARED_ORDER.get(to);
  if (rankFrom === undefined) return [`lies in shared/${from}, which has no place in the order of folders`];
  if (rankTo === undefined) return [`imports ${target}: shared/${to} has no place in the order of folders`];
  return rankTo < rankFrom ? [] : [`imports ${target}: shared/${from || '*.ts'} comes before shared/${to}`];
}

function isTest(file: string): boolean {
  return file.endsWith('.test.ts') || file.startsWith('test/');
}

function isDemo(file: string): boolean {
  return /^cli\/demo[./-]/.test(file);
}

function isCore(file: string): boolean {
  return placeOf(file) === 'shared' && sharedFolderOf(file) !== 'node' && file !== 'shared/index.ts' && !isTest(file);
}

function isPackage(specifier: string | undefined, name: string): boolean {
  if (specifier === undefined) return false;
  return specifier === name || specifier.startsWith(`${name}/`) || specifier.startsWith(`@${name}/`);
}

/** First folder of a path; empty for a file at the root. */
function placeOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}

/** Folder below shared/; empty for the basics. */
function sharedFolderOf(file: string): string {
  return placeOf(file.slice('shared/'.length));
}

function resolve(file: string, specifier: string): string {
  const parts = file.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

interface SyntaxNode {
  type: string;
  start: number;
  [field: string]: unknown;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string';
}

function readFacts(source: string): FileFacts {
  const facts: FileFacts = { needs: [], impurities: [] };
  const lineOf = (node: SyntaxNode): number => source.slice(0, node.start).split('\n').length;
  const need = (node: SyntaxNode, name: unknown): void => {
    const specifier = isNode(name) && name.type === 'Literal' && typeof name.value === 'string' ? name.value : undefined;
    facts.needs.push({ line: lineOf(node), specifier });
  };
  const visit = (node: SyntaxNode): void => {
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
      case 'ImportExpression':
      case 'TSImportType':
        need(node, node.source);
        break;
      case 'ExportNamedDeclaration':
        if (node.source !== null) need(node, node.source);
        break;
      case 'TSExternalModuleReference':
        need(node, node.expression);
        break;
      case 'CallExpression':
        if (isIdentifier(node.callee, 'require') && Array.isArray(node.arguments)) need(node, node.arguments[0]);
        break;
      case 'MemberExpression':
        if (isIdentifier(node.object, 'Math') && isIdentifier(node.property, 'random')) {
          facts.impurities.push({ line: lineOf(node), name: 'Math.random' });
        }
        break;
      case 'Identifier':
        if (node.name === 'Date') facts.impurities.push({ line: lineOf(node), name: 'Date' });
        break;
    }
    for (const field in node) {
      const value = node[field];
      if (Array.isArray(value)) for (const child of value) if (isNode(child)) visit(child);
      if (isNode(value)) visit(value);
    }
  };
  const program: unknown = parseAst(source, { lang: 'ts' });
  if (isNode(program)) visit(program);
  return facts;
}

function isIdentifier(value: unknown, name: string): boolean {
  return isNode(value) && value.type === 'Identifier' && value.name === name;
}

/**
 * TOML 1.0 as a tree that knows its lines. The only importer of `toml-eslint-parser`, which was chosen for exactly that.
 *
 * Keys are kept in maps: `__proto__` and `constructor` are names like any other.
 */
import { type AST, ParseError, parseTOML } from 'toml-eslint-parser';
import { invariant } from '../../assert.ts';

/** Longest text that is looked at, in characters. A gateway of fifty devices takes a tenth of it. */
export const TOML_LENGTH_MAX = 65_536;
/** Brackets and braces open at once. The parser recurses once for each; a configuration needs two. */
export const TOML_OPEN_MAX = 256;

/** `line` is 1-based: where the value begins; for a table, where it is first named. */
export type TomlValue =
  | TomlTable
  | TomlArray
  | { readonly kind: 'string'; readonly line: number; readonly value: string }
  | { readonly kind: 'integer'; readonly line: number; readonly value: bigint }
  | { readonly kind: 'float'; readonly line: number; readonly value: number }
  | { readonly kind: 'boolean'; readonly line: number; readonly value: boolean }
  | { readonly kind: 'date'; readonly line: number };

export interface TomlTable {
  readonly kind: 'table';
  readonly line: number;
  /** In the order of the text. */
  readonly entries: Map<string, TomlEntry>;
}

export interface TomlArray {
  readonly kind: 'array';
  readonly line: number;
  readonly items: TomlValue[];
}

export interface TomlEntry {
  /** Where the key is. */
  readonly line: number;
  readonly value: TomlValue;
}

export type TomlResult = { readonly kind: 'read'; readonly root: TomlTable } | Refused;

/** Why there is no tree, with the line, and the column where one is known (both 1-based). */
interface Refused {
  readonly kind: 'refused';
  readonly reason: string;
}

/** The tree, or the first thing that is not TOML. Never throws. A byte order mark is ignored. */
export function readToml(text: string): TomlResult {
  if (text.length > TOML_LENGTH_MAX) return { kind: 'refused', reason: `line 1: longer than ${TOML_LENGTH_MAX} characters` };
  const deepLine = lineOfTooDeep(text);
  if (deepLine !== undefined)
    return { kind: 'refused', reason: `line ${deepLine}: more than ${TOML_OPEN_MAX} brackets are open` };
  const parsed = parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  if (parsed.kind === 'refused') return parsed;
  const root = newTable(1);
  for (const node of parsed.ast.body[0].body) {
    if (node.type === 'TOMLKeyValue') addPair(root, node);
    else addTable(root, node);
  }
  return { kind: 'read', root };
}

function parse(text: string): { kind: 'parsed'; ast: AST.TOMLProgram } | Refused {
  try {
    return { kind: 'parsed', ast: parseTOML(text, { tomlVersion: '1.0' }) };
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const reason = `${error.message.charAt(0).toLowerCase()}${error.message.slice(1)}`;
    return { kind: 'refused', reason: `line ${error.lineNumber}, column ${error.column + 1}: ${reason}` };
  }
}

/** Counts those in strings and comments too: it need not be exact to keep the parser's stack flat. */
function lineOfTooDeep(text: string): number | undefined {
  let open = 0;
  let line = 1;
  for (const char of text) {
    if (char === '\n') line += 1;
    else if (char === '[' || char === '{') open += 1;
    else if ((char === ']' || char === '}') && open > 0) open -= 1;
    if (open > TOML_OPEN_MAX) return line;
  }
  return undefined;
}

/** A `[header]` or `[[header]]` and what is below it. */
function addTable(root: TomlTable, node: AST.TOMLTable): void {
  const { line } = node.loc.start;
  let at: TomlValue = root;
  for (const [index, part] of node.resolvedKey.entries()) {
    const next = node.resolvedKey[index + 1];
    at = typeof part === 'number' ? itemAt(at, part, line) : childAt(at, part, { line, isArray: typeof next === 'number' });
  }
  invariant(at.kind === 'table', 'a header names a table');
  for (const pair of node.body) addPair(at, pair);
}

function addPair(table: TomlTable, pair: AST.TOMLKeyValue): void {
  const keys = pair.key.keys.map((key) => (key.type === 'TOMLBare' ? key.name : key.value));
  const last = keys.pop();
  invariant(last !== undefined, 'a key has a part');
  const { line } = pair.loc.start;
  let at: TomlValue = table;
  for (const key of keys) at = childAt(at, key, { line, isArray: false });
  invariant(at.kind === 'table' && !at.entries.has(last), 'the parser refuses what is defined twice');
  at.entries.set(last, { line, value: treeOf(pair.value) });
}

function childAt(at: TomlValue, key: string, what: { line: number; isArray: boolean }): TomlValue {
  invariant(at.kind === 'table', 'only a table has keys');
  const known = at.entries.get(key);
  if (known !== undefined) return known.value;
  const value: TomlValue = what.isArray ? { kind: 'array', line: what.line, items: [] } : newTable(what.line);
  at.entries.set(key, { line: what.line, value });
  return value;
}

function itemAt(at: TomlValue, index: number, line: number): TomlValue {
  invariant(at.kind === 'array' && index <= at.items.length, 'tables of an array come in order');
  const item = at.items[index] ?? newTable(line);
  at.items[index] = item;
  return item;
}

function newTable(line: number): TomlTable {
  return { kind: 'table', line, entries: new Map() };
}

function treeOf(node: AST.TOMLContentNode): TomlValue {
  const { line } = node.loc.start;
  switch (node.type) {
    case 'TOMLArray':
      return { kind: 'array', line, items: node.elements.map(treeOf) };
    case 'TOMLInlineTable': {
      const table = newTable(line);
      for (const pair of node.body) addPair(table, pair);
      return table;
    }
    case 'TOMLValue':
      return scalarOf(node, line);
  }
}

function scalarOf(node: AST.TOMLValue, line: number): TomlValue {
  switch (node.kind) {
    case 'string':
      return { kind: 'string', line, value: node.value };
    case 'integer':
      return { kind: 'integer', line, value: node.bigint };
    case 'float':
      return { kind: 'float', line, value: node.value };
    case 'boolean':
      return { kind: 'boolean', line, value: node.value };
    case 'offset-date-time':
    case 'local-date-time':
    case 'local-date':
    case 'local-time':
      return { kind: 'date', line };
  }
}

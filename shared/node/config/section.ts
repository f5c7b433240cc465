/**
 * One table of a configuration, read key by key. What is wrong becomes a problem, never an exception, and reading goes on with a
 * stand-in. `finish` refuses every key that nobody asked for.
 */
import { described, type Kind } from './kinds.ts';
import { nearest } from './nearest.ts';
import type { Problems } from './problems.ts';
import { printable, quoted } from './read-result.ts';
import type { TomlEntry, TomlTable } from './toml.ts';

interface Context {
  readonly problems: Problems;
  /** Where relative paths start. */
  readonly directory: string;
  /** Keys of the top level: who writes one below a `[table]` meant them. */
  readonly topKeys: readonly string[];
}

export class Section {
  /** Empty for the top level. */
  readonly path: string;
  readonly #table: TomlTable;
  readonly #context: Context;
  /** Keys that may stand here. */
  readonly #known = new Set<string>();
  /** Keys that have been told off already. */
  readonly #refused = new Set<string>();

  constructor(table: TomlTable, path: string, context: Context) {
    this.path = path;
    this.#table = table;
    this.#context = context;
    context.problems.place(path, table.line);
  }

  /** The value, or `absent` where the key is not written. */
  get<T>(key: string, kind: Kind<T>, absent: T): T {
    const entry = this.#entry(key);
    return entry === undefined ? absent : this.#read(key, entry, kind);
  }

  find<T>(key: string, kind: Kind<T>): T | undefined {
    const entry = this.#entry(key);
    return entry === undefined ? undefined : this.#read(key, entry, kind);
  }

  /** The value of a key that has no default. */
  need<T>(key: string, kind: Kind<T>): T {
    const entry = this.#entry(key);
    if (entry !== undefined) return this.#read(key, entry, kind);
    this.problem(key, `missing; it is ${kind.what}`);
    return kind.standIn;
  }

  /** As `need`, but undefined where there is no right value: for a key that others depend on. */
  needKnown<T>(key: string, kind: Kind<T>): T | undefined {
    const value = this.need(key, kind);
    return this.#context.problems.areSound(this.#pathOf(key)) ? value : undefined;
  }

  /** The table `[key]`. Undefined when it is not written, or is something else. */
  table(key: string): Section | undefined {
    const value = this.#entry(key)?.value;
    if (value === undefined) return undefined;
    const path = this.#pathOf(key);
    if (value.kind === 'table') return this.#below(value, path);
    const isList = value.kind === 'array' && value.items.every((item) => item.kind === 'table');
    const expected = `expected a table [${path}], not ${described(value)}`;
    this.problem(key, isList ? `there is one: write [${path}], not [[${path}]]` : expected);
    return undefined;
  }

  /** The table `[key]`, empty where it is not written. */
  tableOrEmpty(key: string): Section {
    return this.table(key) ?? this.#below({ kind: 'table', line: this.#lineOf(key), entries: new Map() }, this.#pathOf(key));
  }

  /** The tables `[[key]]`. */
  list(key: string): Section[] {
    const value = this.#entry(key)?.value;
    if (value === undefined) return [];
    const path = this.#pathOf(key);
    if (value.kind !== 'array') {
      const expected = `expected tables [[${path}]], not ${described(value)}`;
      this.problem(key, value.kind === 'table' ? `there may be several: write [[${path}]], not [${path}]` : expected);
      return [];
    }
    return value.items.flatMap((item, index) => {
      if (item.kind === 'table') return [this.#below(item, `${path}[${index}]`)];
      this.#context.problems.add(`${path}[${index}]`, `expected a table [[${path}]], not ${described(item)}`, item.line);
      return [];
    });
  }

  /** The tables below this one, by their names, which are free. */
  named(): { readonly name: string; readonly section: Section }[] {
    return [...this.#table.entries.keys()].flatMap((name) => {
      const section = this.table(name);
      return section === undefined ? [] : [{ name, section }];
    });
  }

  /** The values of this table, by their names, which are free. */
  values<T>(kind: Kind<T>): (readonly [string, T])[] {
    return [...this.#table.entries.keys()].flatMap((name) => {
      const value = this.find(name, kind);
      return value === undefined ? [] : [[name, value] as const];
    });
  }

  /** These keys may stand here and are not read: another problem explains why. */
  ignore(keys: readonly string[]): void {
    for (const key of keys) this.#entry(key);
  }

  /** These keys may not stand here, for a reason that says more than that they are unknown. */
  refuse(keys: readonly string[], reason: string): void {
    for (const key of keys) {
      const entry = this.#table.entries.get(key);
      if (entry === undefined) continue;
      this.#refused.add(key);
      this.#context.problems.add(this.#pathOf(key), reason, entry.line);
    }
  }

  /** Something is wrong with the value of a key that reads well. */
  problem(key: string, reason: string): void {
    this.#context.problems.add(this.#pathOf(key), reason);
  }

  finish(): void {
    for (const [key, { line }] of this.#table.entries) {
      if (this.#known.has(key) || this.#refused.has(key)) continue;
      this.#context.problems.add(this.#pathOf(key), this.#unknownReason(key), line);
    }
  }

  #unknownReason(key: string): string {
    const known = [...this.#known];
    const { topKeys } = this.#context;
    if (topKeys.includes(key)) return `no such key; ${key} stands above the first [table] of the file`;
    const near = nearest(key, known);
    return near === undefined ? `no such key; there are ${known.join(', ')}` : `no such key; did you mean ${quoted(near)}?`;
  }

  #entry(key: string): TomlEntry | undefined {
    this.#known.add(key);
    const entry = this.#table.entries.get(key);
    if (entry !== undefined) this.#context.problems.place(this.#pathOf(key), entry.line);
    return entry;
  }

  #read<T>(key: string, entry: TomlEntry, kind: Kind<T>): T {
    const read = kind.read(entry.value, this.#context.directory);
    if (read.kind === 'ok') return read.value;
    this.problem(key, read.reason);
    return kind.standIn;
  }

  #lineOf(key: string): number {
    return this.#context.problems.lineOf(this.#pathOf(key));
  }

  #below(table: TomlTable, path: string): Section {
    return new Section(table, path, this.#context);
  }

  #pathOf(key: string): string {
    const shown = /^[A-Za-z0-9_-]+$/.test(key) ? printable(key) : `"${printable(key)}"`;
    return this.path === '' ? shown : `${this.path}.${shown}`;
  }
}
